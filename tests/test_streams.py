"""Which streams remote tracks are in, as a=msid says (webrtc-pc 5.1 and 5.7)."""

from __future__ import annotations

import re

import pytest
from peers import Tone, negotiate, open_peers

from peer._description import Description


def streams_of(peer):
    """The track events of *peer*, as (kind, ids of the streams); grows."""
    found = []
    peer.addEventListener("track", lambda event: found.append((event.track.kind, [s.id for s in event.streams])))
    return found


def sent(peer):
    """The id of the stream that aiortc puts all tracks of a connection in."""
    (id,) = set(re.findall(r"a=msid:(\S+)", peer.localDescription.sdp))
    return id


async def test_the_tracks_of_a_stream_are_all_there_when_the_first_is_told():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        offerer.addTransceiver("video")
        found, tracks = streams_of(answerer), []
        answerer.addEventListener(
            "track", lambda event: tracks.append((event.streams[0], event.streams[0].getTracks()))
        )
        await negotiate(offerer, answerer)
        id = sent(offerer)
        assert found == [("audio", [id]), ("video", [id])]
        (stream, first), (same, second) = tracks
        assert stream is same
        assert first == second == [t.receiver.track for t in answerer.getTransceivers()]
        assert repr(stream) == f"<MediaStream {id} 2 tracks>"
        assert [track.kind for track in stream.getAudioTracks() + stream.getVideoTracks()] == ["audio", "video"]


async def test_a_stream_stays_the_same_while_its_tracks_change():
    async with open_peers(None, None) as (offerer, answerer):
        streams = []
        answerer.ontrack = lambda event: streams.append(event.streams[0])
        sender = offerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        offerer.addTransceiver("video")
        await negotiate(offerer, answerer)
        assert streams[0] is streams[1]
        assert [track.kind for track in streams[0].getTracks()] == ["audio", "video"]
        offerer.removeTrack(sender)
        await negotiate(offerer, answerer)
        assert [track.kind for track in streams[0].getTracks()] == ["video"]


async def test_an_offer_that_is_taken_back_takes_its_tracks_out():
    async with open_peers(None, None) as (offerer, answerer):
        streams = []
        answerer.ontrack = lambda event: streams.append(event.streams[0])
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        assert len(streams[0].getTracks()) == 1
        await answerer.setRemoteDescription(type="rollback")
        assert streams[0].getTracks() == []


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ("a=msid:one track\r\n", ["one"]),
        ("a=msid:one\r\n", ["one"]),
        ("a=msid:two track\r\na=msid:one track\r\n", ["two", "one"]),
        ("a=msid:one track\r\na=msid:two track\r\na=msid:one track\r\n", ["one", "two"]),
        ("a=msid:- track\r\n", []),
        ("", []),
    ],
)
async def test_the_lines_name_the_streams(lines, ids):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        found = streams_of(answerer)
        await offerer.setLocalDescription()
        sdp = re.sub(r"a=msid:.*\r\n", lines, offerer.localDescription.sdp)
        await answerer.setRemoteDescription(type="offer", sdp=sdp)
        assert found == [("audio", ids)]
        assert Description("offer", sdp).sections[0].streams == ids


async def test_the_streams_of_a_browser_have_the_ids_it_gave_them(page):
    async with open_peers(None) as (peer,):
        found = streams_of(peer)
        offer, id = await page.evaluate(
            """
            const pc = state.pc = new RTCPeerConnection();
            const context = new AudioContext();
            const {stream} = context.createMediaStreamDestination();
            const [track] = stream.getTracks();
            pc.addTrack(track, stream);
            pc.addTransceiver("video");
            await pc.setLocalDescription();
            return [pc.localDescription.toJSON(), stream.id];
            """
        )
        await peer.setRemoteDescription(offer)
        assert found == [("audio", [id]), ("video", [])]
