"""negotiationneeded: when it is fired, and when not."""

from __future__ import annotations

import asyncio

from peers import Tone, connect, negotiate, next_event, open_peers, opened, reached, trickle

from peer import RTCPeerConnection


def counted(peer):
    """The signaling states in which negotiation was said to be needed, from now on."""
    states = []
    peer.onnegotiationneeded = lambda event: states.append(peer.signalingState)
    return states


async def turns(count=5):
    """Let the tasks run that are queued: each takes a turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_is_fired_once_however_much_is_added_in_one_turn():
    async with open_peers(None) as (peer,):
        states = counted(peer)
        peer.createDataChannel("chat")
        peer.createDataChannel("another")
        peer.addTrack(Tone())
        peer.addTransceiver("video")
        assert states == []
        await turns()
        assert states == ["stable"]
        peer.createDataChannel("a third")
        await turns()
        assert states == ["stable"]


async def test_what_an_offer_has_is_not_needed_any_more_and_what_is_added_meanwhile_is():
    async with open_peers(None, None) as (offerer, answerer):
        states = counted(offerer)
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        offerer.addTransceiver("audio")
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        assert states == []  # the chain was not empty, and then the state not stable
        needed = asyncio.ensure_future(next_event(offerer, "negotiationneeded"))
        await offerer.setRemoteDescription(answerer.localDescription)
        await needed
        await negotiate(offerer, answerer)
        await turns()
        assert states == ["stable"]


async def test_a_restart_needs_negotiation_until_it_is_negotiated():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        states = counted(offerer)
        await turns()
        offerer.restartIce()
        offerer.restartIce()
        await turns()
        assert states == ["stable"]
        await negotiate(offerer, answerer)
        await turns()
        assert states == ["stable"]
        offerer.restartIce()
        await turns()
        assert states == ["stable", "stable"]


async def test_an_answer_is_the_restart_that_is_needed_if_it_has_new_credentials():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        states = counted(answerer)
        answerer.restartIce()
        await turns()
        await negotiate(offerer, answerer)
        await turns()
        assert states == ["stable", "stable"]  # it is needed as before
        offerer.restartIce()
        await negotiate(offerer, answerer)
        await turns()
        assert states == ["stable", "stable"]


async def test_negotiation_by_its_events_alone_connects():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.onnegotiationneeded = lambda _: negotiate(offerer, answerer)
        await opened(offerer.createDataChannel("chat"))
        track = asyncio.ensure_future(next_event(answerer, "track"))
        offerer.addTrack(Tone())
        assert (await track).track.kind == "audio"
        await reached(offerer, "signalingState", "stable")
        await turns()


async def test_after_close_nothing_is_needed():
    peer = RTCPeerConnection()
    states = counted(peer)
    peer.createDataChannel("chat")
    await peer.close()
    peer.restartIce()
    await turns()
    assert states == []


def test_what_is_added_before_the_loop_runs_is_told_when_it_does():
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")

    async def main():
        states = counted(peer)
        await peer.createOffer()
        await turns()
        await peer.close()
        return states

    assert asyncio.run(main()) == ["stable"]
