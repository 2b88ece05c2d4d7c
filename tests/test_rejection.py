"""Rejected m-lines: the others connect, and what was rejected has no transport any more."""

from __future__ import annotations

import asyncio

from peers import Log, Tone, negotiate, next_event, open_peers, opened, reached, send_candidates, trickle


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
