"""Streams and remote tracks, both ways: a=msid, track, addtrack and removetrack (webrtc-pc 5.1, 5.2 and 5.7)."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from aiortc.mediastreams import MediaStreamError
from peers import Tone, connect_once, negotiate, next_event, open_peers

from peer import InvalidAccessError, InvalidStateError, MediaStream

ROLLBACK = {"type": "rollback"}


class Story:
    """What happens at a connection and its remote streams, in words; *names* are those of streams, by id."""

    def __init__(self, peer, **names):
        self.words = []
        self.streams = {}  # the remote ones, by name; grows
        self._peer = peer
        self._names = {stream.id: name for name, stream in names.items()}
        peer.addEventListener("signalingstatechange", lambda _: self.words.append(peer.signalingState))
        peer.addEventListener("track", self._hear)

    def _hear(self, event):
        for stream in event.streams:
            name = self._names[stream.id]
            assert self.streams.setdefault(name, stream) is stream
            for type in ("addtrack", "removetrack"):
                stream.addEventListener(type, self._hear_stream)
        assert all(event.track in stream.getTracks() for stream in event.streams)
        self.words.append(" ".join(["track", event.track.kind, *(self._names[stream.id] for stream in event.streams)]))

    def _hear_stream(self, event):
        assert (event.track in event.target.getTracks()) == (event.type == "addtrack")
        self.words.append(f"{event.type} {event.track.kind} {self._names[event.target.id]}")

    def told(self):
        """What has happened since this was called last."""
        words, self.words = self.words, []
        return words


def msids(peer):
    """The streams that each m-line of the local description names; "-" is written where it names none."""
    return [re.findall(r"(?m)^a=msid:(\S+) \S+\r$", text) for text in peer.localDescription.sdp.split("\r\nm=")[1:]]


async def offer(offerer, answerer):
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)


# Ours


async def test_a_sender_is_used_for_another_track_unless_it_has_sent_already():
    async with open_peers(None, None) as (offerer, answerer):
        sender = offerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        (receiving,) = answerer.getTransceivers()
        used = answerer.addTrack(Tone())
        assert used is receiving.sender
        await negotiate(answerer, offerer)
        for peer, sent in ((offerer, sender), (answerer, used)):
            peer.removeTrack(sent)
            again = peer.addTrack(Tone())
            assert again is not sent
            assert [each.sender for each in peer.getTransceivers()] == [sent, again]


@pytest.mark.parametrize("given", ["", "one", "one two", "two one two"])
@pytest.mark.parametrize("how", ["addTrack", "addTransceiver", "addTransceiver with keywords", "setStreams"])
async def test_the_other_side_sees_the_streams_that_a_track_was_put_in(given, how):
    async with open_peers(None, None) as (offerer, answerer):
        known = {"one": MediaStream(), "two": MediaStream()}
        streams = [known[name] for name in given.split()]
        story = Story(answerer, **known)
        match how:
            case "addTrack":
                offerer.addTrack(Tone(), *streams)
            case "addTransceiver":
                offerer.addTransceiver(Tone(), {"streams": streams})
            case "addTransceiver with keywords":
                offerer.addTransceiver("audio", direction="sendonly", streams=streams)
            case "setStreams":
                offerer.addTrack(Tone(), MediaStream()).setStreams(*streams)
        await negotiate(offerer, answerer)
        names = list(dict.fromkeys(given.split()))
        assert story.told() == ["have-remote-offer", " ".join(["track audio", *names]), "stable"]
        assert msids(offerer) == [[known[name].id for name in names] or ["-"]]
        assert msids(answerer) == [[]]
        assert story.streams.keys() == set(names)


async def test_an_answer_names_streams_too():
    async with open_peers(None, None) as (offerer, answerer):
        stream = MediaStream()
        story = Story(offerer, one=stream)
        for kind in ("audio", "video"):
            offerer.addTransceiver(kind)
        await offer(offerer, answerer)
        answerer.addTrack(Tone(), stream)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert story.told() == ["have-local-offer", "stable", "track audio one"]
        assert msids(answerer) == [[stream.id], []]


async def test_what_wants_to_send_says_so_even_where_it_may_not():
    """Else it would need negotiation as long as the other side does not want to receive."""
    async with open_peers(None, None) as (offerer, answerer):
        stream = MediaStream()
        transceiver = offerer.addTransceiver("audio")
        await offer(offerer, answerer)
        answerer.addTrack(Tone(), stream)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        transceiver.direction = "sendonly"
        story, needed = Story(offerer), []
        answerer.onnegotiationneeded = needed.append
        await negotiate(offerer, answerer)
        assert (msids(answerer), answerer.getTransceivers()[0].currentDirection) == ([[stream.id]], "recvonly")
        assert story.told() == ["have-local-offer", "stable"]
        await answerer.createOffer()
        assert needed == []


async def test_a_transceiver_that_does_not_send_or_is_stopped_names_no_streams():
    async with open_peers(None, None) as (offerer, answerer):
        stream = MediaStream()
        for direction in ("sendrecv", "recvonly", "inactive"):
            offerer.addTransceiver("audio", {"direction": direction, "streams": [stream]})
        await negotiate(offerer, answerer)
        assert msids(offerer) == [[stream.id], [], []]
        await offerer.getTransceivers()[0].stop()
        await negotiate(offerer, answerer)
        assert msids(offerer) == [[], [], []]


async def test_streams_that_change_need_negotiation_while_something_is_sent():
    async with open_peers(None, None) as (offerer, answerer):
        one, two = MediaStream(), MediaStream()
        sender = offerer.addTrack(Tone(), one, two)
        await negotiate(offerer, answerer)
        needed = []
        offerer.onnegotiationneeded = lambda event: needed.append(event.type)
        sender.setStreams(two, one, two)  # nothing new
        await offerer.createOffer()
        assert needed == []
        sender.setStreams(two)
        await next_event(offerer, "negotiationneeded")
        await negotiate(offerer, answerer)
        offerer.getTransceivers()[0].direction = "recvonly"
        await next_event(offerer, "negotiationneeded")
        await negotiate(offerer, answerer)
        needed.clear()
        sender.setStreams()
        await offerer.createOffer()
        assert needed == []


async def test_what_is_no_stream_is_refused_and_changes_nothing():
    async with open_peers(None) as (peer,):
        stream = MediaStream()
        with pytest.raises(TypeError, match="is no stream"):
            peer.addTrack(Tone(), stream, "one")
        with pytest.raises(TypeError, match="is no stream"):
            peer.addTransceiver("audio", streams=[None])
        with pytest.raises(TypeError, match="is no list of streams"):
            peer.addTransceiver("audio", {"streams": stream})
        assert peer.getTransceivers() == []
        sender = peer.addTrack(track := Tone(), stream)
        with pytest.raises(TypeError, match="is no stream"):
            sender.setStreams(None)
        with pytest.raises(InvalidAccessError):
            peer.addTrack(track)
        await peer.setLocalDescription()
        assert msids(peer) == [[stream.id]]
        await peer.close()
        with pytest.raises(InvalidStateError):
            sender.setStreams()
        with pytest.raises(InvalidStateError):
            peer.addTrack(Tone(), stream)


async def test_a_stream_that_was_received_can_be_passed_on():
    async with open_peers(None, None, None, None) as (source, inlet, outlet, sink):
        stream = MediaStream()
        story = Story(sink, one=stream)
        source.addTransceiver("audio", streams=[stream])
        inlet.ontrack = lambda event: outlet.addTrack(event.track, *event.streams)
        await negotiate(source, inlet)
        await negotiate(outlet, sink)
        assert story.told() == ["have-remote-offer", "track audio one", "stable"]


# Theirs


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ("a=msid:one track\r\n", ["one"]),
        ("a=msid:two track\r\na=msid:one track\r\n", ["two", "one"]),
        ("a=msid:- track\r\n", []),
        ("", []),
    ],
)
async def test_the_lines_name_the_streams(lines, ids):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        found = []
        answerer.ontrack = lambda event: found.append([stream.id for stream in event.streams])
        await offerer.setLocalDescription()
        sdp = re.sub(r"a=msid:.*\r\n", lines, offerer.localDescription.sdp)
        await answerer.setRemoteDescription(type="offer", sdp=sdp)
        assert found == [ids]


async def test_the_tracks_of_a_stream_are_all_there_when_the_first_is_told():
    async with open_peers(None, None) as (offerer, answerer):
        stream = MediaStream()
        offerer.addTrack(Tone(), stream)
        offerer.addTransceiver("video", streams=[stream])
        tracks = []
        answerer.ontrack = lambda event: tracks.append((event.streams[0], event.streams[0].getTracks()))
        await negotiate(offerer, answerer)
        (stream, first), (same, second) = tracks
        assert stream is same
        assert first == second == [t.receiver.track for t in answerer.getTransceivers()]


async def test_a_stream_stays_the_same_while_its_tracks_come_and_go():
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(answerer, one=one)
        sender = offerer.addTrack(Tone(), one)
        await negotiate(offerer, answerer)
        story.told()
        offerer.addTransceiver("video", streams=[one])
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "addtrack video one", "track video one", "stable"]
        offerer.removeTrack(sender)
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "removetrack audio one", "stable"]
        assert [track.kind for track in story.streams["one"].getTracks()] == ["video"]


async def test_a_track_is_told_again_when_it_has_come_into_one_more_stream():
    async with open_peers(None, None) as (offerer, answerer):
        known = {"one": MediaStream(), "two": MediaStream()}
        story, told = Story(answerer, **known), []
        answerer.on("track", told.append)
        sender = offerer.addTrack(Tone())
        for given, events in (
            ("", ["track audio"]),
            ("one", ["track audio one"]),
            ("one", []),
            ("two one", ["track audio two one"]),
            ("one two", []),
            ("two", ["removetrack audio one"]),
            ("one", ["removetrack audio two", "addtrack audio one", "track audio one"]),
            ("", ["removetrack audio one"]),
        ):
            sender.setStreams(*(known[name] for name in given.split()))
            await negotiate(offerer, answerer)
            assert story.told() == ["have-remote-offer", *events, "stable"], given
        assert told == [answerer.getReceivers()[0].track]  # as aiortc does


async def test_a_track_is_told_again_when_it_is_sent_again_and_goes_on():
    async with open_peers(None, None) as (offerer, answerer):
        one, two = MediaStream(), MediaStream()
        offerer.addTrack(Tone(), one)
        answerer.addTrack(Tone(), two)
        stories = Story(offerer, two=two), Story(answerer, one=one)
        heard = []
        for peer in (offerer, answerer):
            peer.on("track", heard.append)
        await connect_once(offerer, answerer)
        (ours,), (theirs,) = offerer.getTransceivers(), answerer.getTransceivers()
        assert [story.told() for story in stories] == [
            ["have-local-offer", "stable", "track audio two"],
            ["have-remote-offer", "track audio one", "stable"],
        ]
        # The offerer stops to send
        ours.direction = "recvonly"
        await negotiate(offerer, answerer)
        assert [story.told() for story in stories] == [
            ["have-local-offer", "stable"],
            ["have-remote-offer", "removetrack audio one", "stable"],
        ]
        # and to receive
        ours.direction = "inactive"
        await negotiate(offerer, answerer)
        assert [story.told() for story in stories] == [
            ["have-local-offer", "stable", "removetrack audio two"],
            ["have-remote-offer", "stable"],
        ]
        # The answerer offers what it has wanted all the time
        ours.direction = "sendrecv"
        await negotiate(answerer, offerer)
        assert [story.told() for story in stories] == [
            ["have-remote-offer", "addtrack audio two", "track audio two", "stable"],
            ["have-local-offer", "stable", "addtrack audio one", "track audio one"],
        ]
        assert heard == [theirs.receiver.track, ours.receiver.track]
        for transceiver in (ours, theirs):
            assert (await transceiver.receiver.track.recv()).samples > 0


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_a_track_that_our_answer_refuses_leaves_its_streams_and_is_told_with_each_offer(direction):
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(answerer, one=one)
        offerer.addTransceiver("audio", streams=[one])
        await negotiate(offerer, answerer)
        story.told()
        (transceiver,) = answerer.getTransceivers()
        transceiver.direction = direction
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "stable", "removetrack audio one"]
        for _ in range(2):
            await negotiate(offerer, answerer)
            assert story.told() == [
                *("have-remote-offer", "addtrack audio one", "track audio one"),
                *("stable", "removetrack audio one"),
            ]
        transceiver.direction = "recvonly"
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "addtrack audio one", "track audio one", "stable"]


async def test_a_provisional_answer_of_ours_refuses_too():
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(answerer, one=one)
        offerer.addTransceiver("audio", streams=[one])
        await offer(offerer, answerer)
        answerer.getTransceivers()[0].direction = "inactive"
        await answerer.setLocalDescription(type="pranswer")
        events = ["have-remote-offer", "track audio one", "have-local-pranswer", "removetrack audio one"]
        assert story.told() == events
        await answerer.setLocalDescription()
        assert story.told() == ["stable"]


async def test_a_provisional_answer_of_theirs_tells_of_what_is_sent_again():
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(offerer, one=one)
        offerer.addTransceiver("audio")
        await offer(offerer, answerer)
        answerer.addTrack(Tone(), one)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        story.told()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        answerer.getTransceivers()[0].direction = "recvonly"
        await answerer.setLocalDescription(type="pranswer")
        await offerer.setRemoteDescription(answerer.localDescription)
        assert story.told() == ["have-local-offer", "have-remote-pranswer", "removetrack audio one"]
        answerer.getTransceivers()[0].direction = "sendrecv"
        await answerer.setLocalDescription(type="answer")
        await offerer.setRemoteDescription(answerer.localDescription)
        assert story.told() == ["stable", "addtrack audio one", "track audio one"]


@pytest.mark.parametrize("who", ["offerer", "answerer"])
async def test_a_transceiver_that_is_stopped_takes_its_track_out(who):
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(answerer, one=one)
        offerer.addTransceiver("audio", streams=[one])
        offerer.addTransceiver("video", streams=[one])
        await negotiate(offerer, answerer)
        story.told()
        await (offerer if who == "offerer" else answerer).getTransceivers()[0].stop()
        await negotiate(offerer, answerer)
        removed = "removetrack audio one"
        assert (
            story.told()
            == {
                "offerer": ["have-remote-offer", removed, "stable"],
                "answerer": ["have-remote-offer", "stable", removed],
            }[who]
        )
        assert [track.kind for track in story.streams["one"].getTracks()] == ["video"]


async def test_a_track_ends_with_its_transceiver_when_that_is_negotiated():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        await connect_once(offerer, answerer)
        track = answerer.getReceivers()[0].track
        assert (await track.recv()).samples > 0
        await offerer.getTransceivers()[0].stop()
        await negotiate(offerer, answerer)
        with suppress(MediaStreamError):
            while True:
                await track.recv()
        assert track.readyState == "ended"


# Taken back


async def test_an_offer_that_is_taken_back_takes_its_tracks_out():
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story = Story(answerer, one=one)
        offerer.addTrack(Tone(), one)
        for _ in range(2):
            await answerer.setRemoteDescription(await offerer.createOffer())
            await answerer.setRemoteDescription(ROLLBACK)
            assert story.told()[-3:] == ["track audio one", "stable", "removetrack audio one"]
            assert story.streams["one"].getTracks() == []


async def test_what_an_offer_has_changed_is_restored_when_it_is_taken_back():
    async with open_peers(None, None) as (offerer, answerer):
        known = {"one": MediaStream(), "two": MediaStream()}
        story, heard = Story(answerer, **known), []
        answerer.on("track", heard.append)
        transceiver = offerer.addTransceiver("audio", streams=[known["one"]])
        await negotiate(offerer, answerer)
        story.told()
        # It is sent no more, and is told again when that is taken back
        transceiver.direction = "inactive"
        await offer(offerer, answerer)
        await answerer.setRemoteDescription(ROLLBACK)
        assert story.told() == [
            *("have-remote-offer", "removetrack audio one"),
            *("stable", "addtrack audio one", "track audio one"),
        ]
        await offerer.setLocalDescription(ROLLBACK)
        # Other streams, twice: what was there in the stable state comes back
        transceiver.direction = "sendonly"
        for given in ("two", "one two"):
            transceiver.sender.setStreams(*(known[name] for name in given.split()))
            await offer(offerer, answerer)
        story.told()
        await answerer.setRemoteDescription(ROLLBACK)
        assert story.told() == ["stable", "removetrack audio two"]
        assert {name: len(stream.getTracks()) for name, stream in story.streams.items()} == {"one": 1, "two": 0}
        assert len(heard) == 1


async def test_an_offer_of_ours_that_is_taken_back_changes_nothing_that_is_received():
    async with open_peers(None, None) as (polite, impolite):
        known = {"one": MediaStream(), "two": MediaStream()}
        story = Story(polite, **known)
        for name in known:
            impolite.addTransceiver("audio", streams=[known[name]])
        await negotiate(impolite, polite)
        story.told()
        polite.addTransceiver("video")
        await polite.setLocalDescription()
        await polite.setLocalDescription(ROLLBACK)
        assert story.told() == ["have-local-offer", "stable"]
        # Both offer at once
        impolite.getTransceivers()[0].direction = "inactive"
        await polite.setLocalDescription()
        await offer(impolite, polite)
        assert story.told() == ["have-local-offer", "stable", "have-remote-offer", "removetrack audio one"]


async def test_a_transceiver_that_outlives_an_offer_is_told_again():
    async with open_peers(None, None) as (offerer, answerer):
        one = MediaStream()
        story, heard = Story(answerer, one=one), []
        answerer.on("track", heard.append)
        offerer.addTransceiver("audio", streams=[one])
        await offer(offerer, answerer)
        answerer.addTrack(Tone())  # which uses the transceiver of the offer
        await answerer.setRemoteDescription(ROLLBACK)
        await offerer.setLocalDescription(ROLLBACK)
        story.told()
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "addtrack audio one", "track audio one", "stable"]
        assert len(heard) == 1


# Users


async def test_users_may_change_a_remote_stream_too_and_nobody_is_told_what_they_have_done_before():
    async with open_peers(None, None) as (offerer, answerer):
        one, two = MediaStream(), MediaStream()
        story = Story(answerer, one=one, two=two)
        sender = offerer.addTrack(Tone(), one, two)
        await negotiate(offerer, answerer)
        streams = story.streams
        track = answerer.getReceivers()[0].track
        streams["one"].removeTrack(track)
        sender.setStreams()
        story.told()
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "removetrack audio two", "stable"]
        streams["two"].addTrack(track)
        sender.setStreams(one, two)
        await negotiate(offerer, answerer)
        assert story.told() == ["have-remote-offer", "addtrack audio one", "track audio one two", "stable"]


@pytest.mark.parametrize(
    ("when", "events"),
    [
        ("signalingstatechange", []),
        ("removetrack", ["removetrack audio one"]),
        ("addtrack", ["removetrack audio one", "addtrack audio two"]),
        ("track", ["removetrack audio one", *["addtrack audio two"] * 2, "track audio two"]),
    ],
)
async def test_nothing_more_is_told_when_a_listener_closes_the_connection(when, events):
    async with open_peers(None, None) as (offerer, answerer):
        known = {"one": MediaStream(), "two": MediaStream()}
        story = Story(answerer, **known)
        sender = offerer.addTrack(Tone(), known["one"])
        offerer.addTransceiver("video", streams=[known["two"]])
        await negotiate(offerer, answerer)
        story.told()
        sender.setStreams(known["two"])
        offerer.addTransceiver("audio", streams=[known["two"]])
        target = {"removetrack": story.streams["one"], "addtrack": story.streams["two"]}.get(when, answerer)
        target.addEventListener(when, lambda event: answerer.close())
        await offerer.setLocalDescription()
        answerer.setRemoteDescription(offerer.localDescription)
        await next_event(target, when)
        await answerer.close()
        assert story.told()[1:] == events


# Browsers


PAGE = """
    const pc = state.pc = new RTCPeerConnection();
    const [one, two] = [new MediaStream(), new MediaStream()];
    state.streams = {one, two};  // those of the page
    const names = state.names = {};
    const name = ({id}) => names[id] ?? id;
    state.told = [];
    const watched = new Set();
    pc.ontrack = ({track, streams}) => {
        for (const stream of streams.filter((each) => !watched.has(each))) {
            watched.add(stream);
            for (const type of ["addtrack", "removetrack"]) {
                stream.addEventListener(type, ({track}) => state.told.push(`${type} ${track.kind} ${name(stream)}`));
            }
        }
        state.told.push(["track", track.kind, ...streams.map(name)].join(" "));
    };
    return {one: one.id, two: two.id};
"""
OFFER = "await state.pc.setLocalDescription(); return state.pc.localDescription.toJSON();"
ANSWER = """
    await state.pc.setRemoteDescription(args[0]);
    await state.pc.setLocalDescription();
    return state.pc.localDescription.toJSON();
"""
TOLD = "return state.told.splice(0);"


async def ask(peer, page):
    """The page offers, we answer."""
    await peer.setRemoteDescription(await page.evaluate(OFFER))
    await peer.setLocalDescription()
    await page.evaluate("await state.pc.setRemoteDescription(args[0]);", peer.localDescription.toJSON())


async def tell(peer, page):
    """We offer, the page answers; returns what it has seen."""
    await peer.setLocalDescription()
    await peer.setRemoteDescription(await page.evaluate(ANSWER, peer.localDescription.toJSON()))
    return await page.evaluate(TOLD)


class Named:
    """What a Story takes for a stream: its id."""

    def __init__(self, id):
        self.id = id


async def test_the_streams_of_a_page_are_seen_here(page):
    async with open_peers(None) as (peer,):
        ids = await page.evaluate(PAGE)
        story = Story(peer, **{name: Named(id) for name, id in ids.items()})
        for script, events in (
            (
                """
                const {stream} = new AudioContext().createMediaStreamDestination();
                state.sender = state.pc.addTrack(stream.getTracks()[0], state.streams.one, state.streams.two);
                state.pc.addTransceiver("video", {streams: [state.streams.two]});
                """,
                ["track audio one two", "track video two"],
            ),
            ("state.pc.removeTrack(state.sender);", ["removetrack audio one", "removetrack audio two"]),
            (
                'state.pc.getTransceivers()[0].direction = "sendrecv";',
                ["addtrack audio one", "addtrack audio two", "track audio one two"],
            ),
            ("state.pc.getTransceivers()[1].stop();", ["removetrack video two"]),
            ("state.sender.setStreams(state.streams.two);", ["removetrack audio one"]),
        ):
            await page.evaluate(script)
            await ask(peer, page)
            assert story.told() == ["have-remote-offer", *events, "stable"], script


async def test_a_page_sees_our_streams(browser, page):
    async with open_peers(None) as (peer,):
        await page.evaluate(PAGE)
        known = {"one": MediaStream(), "two": MediaStream()}
        names = {stream.id: name for name, stream in known.items()}
        await page.evaluate("Object.assign(state.names, args[0]);", names)
        sender = peer.addTrack(Tone())
        (transceiver,) = peer.getTransceivers()
        peer.addTransceiver("video", streams=[known["one"]])
        # Chromium forgets a stream in which no track is left: one that comes back is another object
        joined = ["addtrack audio two"] if browser.name == "firefox" else []
        for streams, direction, events in (
            ("", "sendrecv", ["track audio", "track video one"]),
            ("one", "sendrecv", ["addtrack audio one", "track audio one"]),
            ("one two", "sendrecv", ["track audio one two"]),
            ("two", "sendrecv", ["removetrack audio one"]),
            ("two", "recvonly", ["removetrack audio two"]),
            ("two", "sendrecv", [*joined, "track audio two"]),
        ):
            sender.setStreams(*(known[name] for name in streams.split()))
            transceiver.direction = direction
            assert await tell(peer, page) == events, (streams, direction)


async def test_an_answer_to_a_page_names_our_streams_and_directions_that_change_are_told_on_both_sides_alike(page):
    async with open_peers(None) as (peer,):
        ids = await page.evaluate(PAGE)
        ours = MediaStream()
        story = Story(peer, **{name: Named(id) for name, id in ids.items()})
        await page.evaluate("Object.assign(state.names, args[0]);", {ours.id: "ours"})
        await page.evaluate('state.audio = state.pc.addTransceiver("audio", {streams: [state.streams.one]});')
        await peer.setRemoteDescription(await page.evaluate(OFFER))
        peer.addTrack(Tone(), ours)
        await peer.setLocalDescription()
        await page.evaluate("await state.pc.setRemoteDescription(args[0]);", peer.localDescription.toJSON())
        assert await page.evaluate(TOLD) == ["track audio ours"]
        assert story.told() == ["have-remote-offer", "track audio one", "stable"]
        for direction, here, there in (
            ("recvonly", ["removetrack audio one"], []),
            ("inactive", [], ["removetrack audio ours"]),
        ):
            await page.evaluate("state.audio.direction = args[0];", direction)
            await ask(peer, page)
            assert story.told() == ["have-remote-offer", *here, "stable"]
            assert (await page.evaluate(TOLD))[-1:] == there  # Chromium takes its track out when it offers, too
        await page.evaluate('state.audio.direction = "sendrecv";')
        await ask(peer, page)
        assert story.told() == ["have-remote-offer", "addtrack audio one", "track audio one", "stable"]
        assert (await page.evaluate(TOLD))[-1] == "track audio ours"
