"""Provisional answers: what they change, and that the final one need not be of the same mind."""

from __future__ import annotations

import asyncio

import pytest
from peers import (
    Log,
    connect_once,
    open_peers,
    opened,
    send_candidates,
    trickle,
)

from peer import InvalidModificationError, InvalidStateError


def provisional(description):
    return {"type": "pranswer", "sdp": description.sdp}


async def test_the_four_states_and_what_is_pending_in_them():
    async with open_peers(None, None) as (offerer, answerer):
        logs = Log(offerer), Log(answerer)
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        answer = await answerer.createAnswer()
        with pytest.raises(InvalidModificationError):
            await answerer.setLocalDescription({"type": "pranswer", "sdp": answer.sdp + "a=mine\r\n"})
        for _ in range(2):
            await answerer.setLocalDescription(provisional(answer))
            await offerer.setRemoteDescription(answerer.localDescription)
        assert (answerer.signalingState, offerer.signalingState) == ("have-local-pranswer", "have-remote-pranswer")
        assert (answerer.pendingLocalDescription.type, answerer.currentLocalDescription) == ("pranswer", None)
        assert (offerer.pendingRemoteDescription.type, offerer.currentRemoteDescription) == ("pranswer", None)
        await answerer.gathering_complete()
        candidates = [candidate async for candidate in answerer.ice_candidates()]
        for candidate in candidates:
            await offerer.addIceCandidate(candidate)
        assert candidates[0].candidate in offerer.remoteDescription.sdp
        for peer in (offerer, answerer):
            assert peer.iceConnectionState == "new"
            for call in (peer.setLocalDescription, peer.setRemoteDescription):
                with pytest.raises(InvalidStateError):
                    await call({"type": "rollback"})
            with pytest.raises(InvalidStateError):
                await peer.createOffer()
        with pytest.raises(InvalidStateError):
            await offerer.createAnswer()
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert offerer.pendingRemoteDescription is None
        assert answerer.currentLocalDescription.type == "answer"
        await asyncio.gather(send_candidates(offerer, answerer), open_)
        assert [log.of("signalingstatechange") for log in logs] == [
            ["have-local-offer", "have-remote-pranswer", "stable"],
            ["have-remote-offer", "have-local-pranswer", "stable"],
        ]


async def test_the_final_answer_may_be_somebody_elses():
    async with open_peers(None, None, None) as (caller, early, late):
        open_ = opened(caller.createDataChannel("chat"))
        await caller.setLocalDescription()
        for callee in (early, late):
            await callee.setRemoteDescription(caller.localDescription)
            await callee.setLocalDescription()
        await caller.setRemoteDescription(provisional(early.localDescription))
        await send_candidates(early, caller)
        await caller.setRemoteDescription(late.localDescription)
        await asyncio.gather(send_candidates(caller, late), send_candidates(late, caller), open_)
        transport = caller.sctp.transport.iceTransport
        (ufrag,) = {c.usernameFragment async for c in late.ice_candidates()}
        assert transport.getRemoteParameters().usernameFragment == ufrag
        assert transport.getSelectedCandidatePair().remote.usernameFragment == ufrag


async def test_a_restart_can_be_answered_provisionally():
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        before = offerer.sctp.transport.iceTransport.getSelectedCandidatePair()
        offerer.restartIce()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription({"type": "pranswer"})
        await offerer.setRemoteDescription(answerer.localDescription)
        assert offerer.sctp.transport.iceTransport.getSelectedCandidatePair() == before
        selected = asyncio.get_running_loop().create_future()
        offerer.sctp.transport.iceTransport.onselectedcandidatepairchange = selected.set_result
        trickle(offerer, answerer)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer), selected)
        assert channel.readyState == "open"
