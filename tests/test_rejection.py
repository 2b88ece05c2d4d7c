"""Rejected m-lines: the others connect, and what was rejected has no transport any more."""

from __future__ import annotations

import asyncio
import re

import pytest
from peers import Log, Tone, negotiate, next_event, open_peers, opened, reached, send_candidates, trickle


async def test_a_transceiver_that_the_answerer_has_stopped_is_rejected():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        (transceiver,) = offerer.getTransceivers()
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
        assert transceiver.stopped
        assert (offerer.getTransceivers(), answerer.getTransceivers()) == ([], [])
        assert (offerer.getSenders(), answerer.getReceivers()) == ([], [])
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


async def test_when_all_is_rejected_there_is_no_transport_and_a_new_one_for_what_comes_later():
    async with open_peers(None, None) as (offerer, answerer):
        sender = offerer.addTrack(Tone())
        log = Log(offerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.getTransceivers()[0].stop()
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await reached(offerer, "iceGatheringState", "new")
        first = sender.transport
        assert first.iceTransport.state == "closed"
        assert [state for type, state in log.entries if type.startswith("ice") and "connection" in type] == []
        for peer in (offerer, answerer):
            assert (peer.iceGatheringState, peer.iceConnectionState, peer.connectionState) == ("new", "new", "new")
        trickle(offerer, answerer)
        another = offerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        await asyncio.gather(*(reached(peer, "connectionState", "connected") for peer in (offerer, answerer)))
        assert another.transport is not first


async def test_what_has_no_codec_that_we_know_is_rejected_by_the_answer_and_the_rest_connects():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        log = Log(answerer)
        offer = re.sub("a=rtpmap:([0-9]+) .*\r\n", "a=rtpmap:\\1 nonesuch/8000\r\n", offerer.localDescription.sdp)
        await answerer.setRemoteDescription(type="offer", sdp=offer)
        (transceiver,) = answerer.getTransceivers()
        assert (transceiver.mid, transceiver.direction, transceiver.stopped) == ("0", "recvonly", False)
        assert len(log.of("track")) == 1  # as in browsers
        await answerer.setLocalDescription()
        assert (transceiver.stopped, answerer.getTransceivers()) == (True, [])
        assert "m=audio 0 " in answerer.localDescription.sdp
        assert "a=group:BUNDLE 1\r\n" in answerer.localDescription.sdp
        await offerer.setRemoteDescription(answerer.localDescription)
        assert offerer.getTransceivers() == []
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer), open_)


async def test_what_an_offer_rejects_is_stopped_and_is_not_a_track():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        log = Log(answerer)
        offer = offerer.localDescription.sdp.replace("m=audio 9", "m=audio 0").replace("a=group:BUNDLE 0\r\n", "")
        await answerer.setRemoteDescription(type="offer", sdp=offer)
        assert [transceiver.stopped for transceiver in answerer.getTransceivers()] == [True]
        await answerer.setLocalDescription()
        assert answerer.getTransceivers() == []
        assert log.of("track") == []


@pytest.mark.parametrize("taken_back", [False, True])
async def test_a_rejected_m_line_may_be_put_to_another_use(taken_back):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        offerer.createDataChannel("chat")
        answerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        await offerer.getTransceivers()[0].stop()
        await negotiate(offerer, answerer)
        again = offerer.addTransceiver(Tone())
        await offerer.setLocalDescription()
        session, _, data, audio = re.split("(?m)^(?=m=)", offerer.localDescription.sdp)
        offer = {"type": "offer", "sdp": session + audio + data}
        await answerer.setRemoteDescription(offer)
        if taken_back:
            await answerer.setRemoteDescription({"type": "rollback"})
            assert answerer.getTransceivers() == []
            await answerer.setRemoteDescription(offer)
        (transceiver,) = answerer.getTransceivers()
        await answerer.setLocalDescription()
        assert (transceiver.mid, transceiver.currentDirection) == ("2", "recvonly")
        offered = await answerer.createOffer()
        assert re.findall("a=mid:(.*)\r\n", offered.sdp) == ["2", "1"]
        assert again.mid == "2"


async def test_a_browser_may_put_a_rejected_m_line_to_another_use(page, browser):
    async with open_peers(None) as (peer,):
        negotiated = """
            await state.pc.setLocalDescription();
            return state.pc.localDescription;
        """
        answered = "await state.pc.setRemoteDescription(args[0])"
        offer = await page.evaluate(
            "const pc = state.pc = new RTCPeerConnection(); state.t = pc.addTransceiver('audio');"
            "pc.createDataChannel('chat');" + negotiated
        )
        for change in ("state.t.stop();", "state.pc.addTransceiver('video');", ""):
            await peer.setRemoteDescription(offer)
            await peer.setLocalDescription()
            await page.evaluate(answered, peer.localDescription.toJSON())
            offer = await page.evaluate(change + negotiated)
        kinds = {"chromium": ["video", "application"], "firefox": ["audio", "application", "video"]}
        assert re.findall("m=(\\w+)", offer["sdp"]) == kinds[browser.name]
        assert [(t.kind, t.currentDirection) for t in peer.getTransceivers()] == [("video", "recvonly")]
        assert await page.evaluate("return state.pc.getTransceivers().map(t => t.currentDirection)") == ["sendonly"]


async def test_what_is_added_later_is_not_sent_over_a_transceiver_that_was_stopped():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTransceiver("audio")
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        await offerer.getTransceivers()[0].stop()
        await negotiate(offerer, answerer)
        sender = offerer.addTrack(Tone())
        assert offerer.getSenders() == [sender]
        track = asyncio.ensure_future(next_event(answerer, "track"))
        await negotiate(offerer, answerer)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        assert (await (await track).track.recv()).samples > 0
