"""Rejected m-lines: the others connect, and what was rejected has no transport any more."""

from __future__ import annotations

import asyncio

import pytest
from peers import Log, Tone, negotiate, next_event, open_peers, opened, send_candidates

from peer._rejected import accept, reject

OFFER = (
    "v=0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n"
    "a=fingerprint:sha-256 AA\r\na=setup:active\r\n"
)


def test_a_rejected_m_line_has_port_0_and_is_in_no_group():
    assert reject(OFFER, {"0"}) == OFFER.replace("m=audio 9", "m=audio 0").replace("BUNDLE 0 1", "BUNDLE 1")
    assert reject(OFFER, set()) == OFFER


def test_the_engine_gets_an_inactive_m_line_that_shares_a_transport():
    rejected = reject(OFFER, {"0"}).replace("a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n", "a=mid:0\r\n")
    session, audio, data = accept(rejected, ["0"]).split("m=")
    assert "a=group:BUNDLE 1 0\r\n" in session
    assert audio.startswith("audio 9 UDP/TLS/RTP/SAVPF 0\r\n")
    for line in ("a=inactive", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:secret", "a=fingerprint:sha-256 AA"):
        assert f"{line}\r\n" in audio
    assert f"m={data}" == OFFER[OFFER.index("m=application") :]


def test_without_a_group_there_is_one_afterwards():
    ungrouped = OFFER.replace("a=group:BUNDLE 0 1\r\n", "").replace("m=audio 9", "m=audio 0")
    assert "v=0\r\na=group:BUNDLE 1 0\r\nm=" in accept(ungrouped, ["0"])


@pytest.mark.parametrize("rejected", [[], ["0", "1"]])
def test_where_none_or_all_are_rejected_nothing_is_shared(rejected):
    assert accept(OFFER, rejected) == OFFER


async def test_a_transceiver_that_the_answerer_has_stopped_is_rejected():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        log = Log(offerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.getTransceivers()[0].stop()
        await answerer.setLocalDescription()
        assert "m=audio 0 " in answerer.localDescription.sdp
        assert "a=group:BUNDLE 1\r\n" in answerer.localDescription.sdp
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        assert offerer.getTransceivers()[0].stopped
        assert {c.sdpMid async for c in answerer.ice_candidates()} == {"1"}
        assert log.kinds()[-1] == "null"
        # What is rejected stays rejected, and media can be added beside it.
        offerer.addTransceiver("video")
        await negotiate(offerer, answerer)
        assert "m=audio 0 " in offerer.localDescription.sdp
        assert "m=audio 0 " in answerer.localDescription.sdp
        assert offerer.connectionState == "connected"


async def test_a_browser_takes_a_rejection(page):
    async with open_peers(None) as (peer,):
        channel = asyncio.ensure_future(next_event(peer, "datachannel"))
        offer = await page.evaluate(
            """
            const pc = state.pc = new RTCPeerConnection();
            pc.onicecandidate = ({candidate}) => send(candidate);
            pc.addTransceiver("audio");
            const channel = pc.createDataChannel("chat");
            channel.onmessage = ({data}) => channel.send(data);
            await pc.setLocalDescription();
            return pc.localDescription;
            """
        )
        await peer.setRemoteDescription(offer)
        await peer.getTransceivers()[0].stop()
        await peer.setLocalDescription()
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", peer.localDescription.toJSON())
        async for candidate in peer.ice_candidates():
            await page.evaluate("await state.pc.addIceCandidate(args[0])", candidate.toJSON())
        while (candidate := await page.next_message()) is not None:
            await peer.addIceCandidate(candidate)
        own = (await channel).channel
        echoed = asyncio.get_running_loop().create_future()
        own.once("message", echoed.set_result)
        own.send("hello")
        assert await echoed == "hello"
