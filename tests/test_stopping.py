"""Transceivers and tracks that are stopped: what they did ends, at any moment, and what comes after them flows."""

import asyncio

import pytest
from aiortc import AudioStreamTrack, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from peers import Tone, echo, echoing, negotiate, next_event, open_peers, opened, reached, trickle

from peer import RTCPeerConnection
from peer._connection import transports_of
from peer.signaling import negotiate as negotiate_over
from peer.testing import page_signaling

POLICIES = ["balanced", "max-bundle", "max-compat"]


async def one_track(offerer, answerer):
    """Connect both; the offerer sends a track, and nothing else is negotiated."""
    trickle(offerer, answerer)
    offerer.addTrack(Tone())
    connected = [asyncio.ensure_future(reached(peer, "connectionState", "connected")) for peer in (offerer, answerer)]
    await negotiate(offerer, answerer)
    await asyncio.gather(*connected)


async def frame(found):
    """The first frame of the track that a *found* event of ``track`` tells of."""
    return await (await found).track.recv()


# After all m-lines were rejected


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("stops", [0, 1], ids=["the offerer stops", "the answerer stops"])
@pytest.mark.parametrize("adds", [0, 1], ids=["the offerer adds", "the answerer adds"])
async def test_a_track_and_a_channel_can_be_added_after_the_only_transceiver_was_stopped(policy, stops, adds):
    async with open_peers({"bundlePolicy": policy}, {"bundlePolicy": policy}) as peers:
        await one_track(*peers)
        gone = [asyncio.ensure_future(reached(peer, "connectionState", "new")) for peer in peers]
        await peers[stops].getTransceivers()[0].stop()
        await negotiate(peers[stops], peers[1 - stops])
        await asyncio.gather(*gone)
        echoing(peers[1 - adds])
        found = asyncio.ensure_future(next_event(peers[1 - adds], "track"))
        peers[adds].addTrack(Tone())
        channel = peers[adds].createDataChannel("chat")
        open_ = opened(channel)
        await negotiate(peers[adds], peers[1 - adds])
        await frame(found)
        await open_
        await echo(channel)


# In the same offer


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kinds", [["audio"], ["video"], ["audio", "video"], ["video", "audio"], ["audio", "audio"]])
@pytest.mark.parametrize("when", ["stop, then add", "add, then stop", "stop, add, restart ICE"])
async def test_what_replaces_the_only_track_in_one_offer_flows(policy, kinds, when):
    async with open_peers({"bundlePolicy": policy}, {"bundlePolicy": policy}) as (offerer, answerer):
        await one_track(offerer, answerer)
        found = []
        answerer.ontrack = found.append
        (old,) = offerer.getTransceivers()
        if when.startswith("stop"):
            old.stop()
        for kind in kinds:
            offerer.addTransceiver(AudioStreamTrack() if kind == "audio" else VideoStreamTrack())
        if "restart" in when:
            offerer.restartIce()
        old.stop()
        await negotiate(offerer, answerer)
        assert [event.track.kind for event in found] == kinds
        await asyncio.gather(*(event.track.recv() for event in found))


SCRIPT = """
    state.sound = () => {
        const context = new AudioContext();
        const [tone, end] = [context.createOscillator(), context.createMediaStreamDestination()];
        tone.connect(end);
        tone.start();
        return end.stream.getAudioTracks()[0];
    };
    state.act = (stops, adds) => {
        if (stops) state.pc.getTransceivers()[0].stop();
        if (adds) state.pc.addTrack(state.sound());
    };
    state.pc.ontrack = ({track}) => { track.onunmute = () => send("it flows"); };
"""


@pytest.mark.parametrize("later", [False, True], ids=["in one offer", "one after the other"])
@pytest.mark.parametrize("sender", ["python", "page"])
async def test_the_only_track_between_a_page_and_a_peer_is_replaced(page, sender, later):
    async with page_signaling(page, polite=False) as signaling:
        pc, found = RTCPeerConnection(), asyncio.Queue()
        pc.ontrack = found.put_nowait
        await page.evaluate(SCRIPT)
        negotiating = asyncio.create_task(negotiate_over(pc, signaling, polite=True))

        async def act(*, stops, adds):
            if sender == "page":
                await page.evaluate("state.act(...args)", stops, adds)
            if sender == "python" and stops:
                pc.getTransceivers()[0].stop()
            if sender == "python" and adds:
                pc.addTrack(Tone())

        async def flows():
            if sender == "page":
                await (await found.get()).track.recv()
            else:
                assert await page.messages.get() == "it flows"

        try:
            await act(stops=False, adds=True)
            await flows()
            if later:
                gone = asyncio.create_task(reached(pc, "connectionState", "new"))
                await act(stops=True, adds=False)
                await gone
            await act(stops=not later, adds=True)
            await flows()
        finally:
            negotiating.cancel()
            await asyncio.gather(negotiating, return_exceptions=True)
            await pc.close()


# While DTLS connects


async def test_a_transceiver_that_is_stopped_before_dtls_is_connected_never_sends():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        tone, opens = Tone(), opened(offerer.createDataChannel("chat"))
        offerer.addTrack(tone)
        await negotiate(offerer, answerer)
        await offerer.getTransceivers()[0].stop()
        await opens
        assert offerer.getTransceivers()[0].sender._RTCRtpSender__started is False
        assert answerer.getTransceivers()[0].receiver._RTCRtpReceiver__started is True


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("both", [False, True], ids=["one side sends", "both send"])
async def test_an_offer_that_takes_the_only_track_away_while_dtls_connects_leaves_nothing_behind(turns, both):
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.addTrack(Tone())
        if both:
            answerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        await reached(offerer, "iceConnectionState", "connected")
        for _ in range(turns):
            await asyncio.sleep(0)
        offerer.getTransceivers()[0].stop()
        opens = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await opens


async def test_what_ice_tells_of_a_transport_after_it_was_stopped_changes_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        await one_track(offerer, answerer)
        (transceiver,) = offerer.getTransceivers()
        ice, ours = transceiver.receiver.transport.iceTransport, transceiver.receiver.transport.transport._connection
        pair, gone = ours.selected_pair, asyncio.ensure_future(reached(offerer, "connectionState", "new"))
        await transceiver.stop()
        await negotiate(offerer, answerer)
        await gone
        transports_of(offerer).ice_changed(ours, "connected", pair)
        opens = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await opens
        assert ice.state == "closed"


# M-lines and tracks that never came to be


@pytest.mark.parametrize("first", ["audio", "video"])
@pytest.mark.parametrize("second", ["audio", "video"])
async def test_who_is_stopped_keeps_no_m_line_of_an_offer_that_was_never_set(first, second):
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        stopped = offerer.addTransceiver(first)
        await offerer.createOffer()
        await stopped.stop()
        found = asyncio.ensure_future(next_event(answerer, "track"))
        transceiver = offerer.addTransceiver(AudioStreamTrack() if second == "audio" else VideoStreamTrack())
        await negotiate(offerer, answerer)
        assert (stopped.mid, transceiver.mid) == (None, "0")
        await frame(found)
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)


@pytest.mark.parametrize("answered", [False, True], ids=["not answered", "not connected"])
async def test_a_track_ends_with_its_connection_also_if_nothing_was_received(answered):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        found = asyncio.ensure_future(next_event(answerer, "track"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        track = (await found).track
        if answered:
            await answerer.setLocalDescription()
        ended = asyncio.get_running_loop().create_future()
        track.on("ended", lambda: ended.set_result(None))
        waiting = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        await answerer.close()
        await ended
        with pytest.raises(MediaStreamError):
            await waiting
        assert track.readyState == "ended"


# Tracks that are replaced


@pytest.mark.parametrize("idiom", ["replace, then stop", "stop, then replace", "replace by nothing, stop, replace"])
async def test_a_track_that_has_ended_or_ends_is_replaced(idiom):
    async with open_peers(None, None) as (offerer, answerer):
        old, new = Counted(), Counted()
        found = asyncio.ensure_future(next_event(answerer, "track"))
        trickle(offerer, answerer)
        sender = offerer.addTrack(old)
        await negotiate(offerer, answerer)
        track = (await found).track
        await track.recv()
        if idiom == "replace, then stop":
            sender.replaceTrack(new)
            old.stop()
        elif idiom == "stop, then replace":
            old.stop()
            await old.refused
            sender.replaceTrack(new)
        else:
            sender.replaceTrack(None)
            old.stop()
            await old.refused  # it was being waited for
            sender.replaceTrack(new)
        await new.asked
        assert (sender.track, new.readyState) == (new, "live")
        while new.frames < 10:
            await track.recv()


class Counted(Tone):
    """A tone that knows how many *frames* it has given; whether it was *asked* for one, and has *refused* one."""

    def __init__(self):
        super().__init__()
        self.frames = 0
        self.asked, self.refused = (asyncio.get_running_loop().create_future() for _ in range(2))

    async def recv(self):
        self.asked.done() or self.asked.set_result(None)
        frame = await super().recv()
        if self.readyState == "ended":
            self.refused.done() or self.refused.set_result(None)
            raise MediaStreamError
        self.frames += 1
        return frame
