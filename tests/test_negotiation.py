"""negotiationneeded: when it is fired, and when not."""

from __future__ import annotations

import asyncio

import pytest
from peers import (
    Log,
    Tone,
    connect,
    connect_once,
    negotiate,
    next_event,
    open_peers,
    opened,
    reached,
    send_candidates,
    trickle,
)

from peer import InvalidAccessError, InvalidStateError, RTCPeerConnection


def counted(peer):
    """The signaling states in which negotiation was said to be needed, from now on."""
    states = []
    peer.onnegotiationneeded = lambda event: states.append(peer.signalingState)
    return states


async def turns(count=20):
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


async def connected_with_audio(offerer, answerer):
    """Connect with a track each way; returns the offerer's sender."""
    trickle(offerer, answerer)
    sender = offerer.addTrack(Tone())
    answerer.addTrack(Tone())
    await negotiate(offerer, answerer)
    await asyncio.gather(*(reached(peer, "connectionState", "connected") for peer in (offerer, answerer)))
    await turns()
    return sender


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
async def test_a_direction_that_is_changed_needs_negotiation(direction):
    async with open_peers(None, None) as (offerer, answerer):
        await connected_with_audio(offerer, answerer)
        states = counted(offerer)
        (transceiver,) = offerer.getTransceivers()
        transceiver.direction = "sendrecv"
        await turns()
        assert states == []
        transceiver.direction = direction
        transceiver.direction = direction
        await turns()
        assert states == ["stable"]
        await negotiate(offerer, answerer)
        await turns()
        assert (states, transceiver.currentDirection) == (["stable"], direction)
        with pytest.raises(TypeError):
            transceiver.direction = "sideways"


async def test_a_transceiver_that_is_stopped_needs_negotiation():
    async with open_peers(None, None) as (offerer, answerer):
        await connected_with_audio(offerer, answerer)
        states = counted(offerer)
        (theirs,) = answerer.getTransceivers()
        await offerer.getTransceivers()[0].stop()
        await turns()
        assert states == ["stable"]
        await negotiate(offerer, answerer)
        await turns()
        assert states == ["stable"]
        assert theirs.stopped
        assert (offerer.getTransceivers(), answerer.getTransceivers()) == ([], [])


async def test_a_transceiver_stops_in_the_call_whether_or_not_it_is_awaited():
    async with open_peers(None, None) as (offerer, answerer):
        await connected_with_audio(offerer, answerer)
        states = counted(offerer)
        (transceiver,) = offerer.getTransceivers()
        transceiver.stop()
        assert transceiver.stopped
        with pytest.raises(InvalidStateError):
            transceiver.direction = "inactive"
        await turns()
        assert states == ["stable"]
        await transceiver.stop()


async def test_a_track_that_is_removed_is_sent_no_more_and_its_transceiver_goes_on_receiving():
    async with open_peers(None, None) as (offerer, answerer):
        sender = await connected_with_audio(offerer, answerer)
        states = counted(offerer)
        offerer.removeTrack(sender)
        offerer.removeTrack(sender)
        await turns()
        assert (states, sender.track) == (["stable"], None)
        (transceiver,) = offerer.getTransceivers()
        assert (transceiver.direction, transceiver.stopped) == ("recvonly", False)
        await negotiate(offerer, answerer)
        assert transceiver.currentDirection == "recvonly"
        assert (await transceiver.receiver.track.recv()).samples > 0
        assert offerer.addTrack(Tone()) is not sender  # it has sent
        assert transceiver.direction == "recvonly"
        with pytest.raises(InvalidAccessError):
            answerer.removeTrack(sender)
    with pytest.raises(InvalidStateError):
        offerer.removeTrack(sender)


async def test_an_m_line_that_is_offered_changes_no_state_before_it_is_negotiated():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        offerer.restartIce()
        await negotiate(offerer, answerer)
        offerer.addTransceiver("audio")
        await offerer.setLocalDescription()  # its m-line has a transport of its own until it is bundled
        log = Log(offerer)
        ice = offerer.sctp.transport.iceTransport
        selected = asyncio.ensure_future(next_event(ice, "selectedcandidatepairchange"))
        for candidate in [candidate async for candidate in offerer.ice_candidates()]:
            if candidate.sdpMid == "0":  # the other side knows no more yet
                await answerer.addIceCandidate(candidate)
        await asyncio.gather(send_candidates(answerer, offerer), selected)
        assert log.of("iceconnectionstatechange", "connectionstatechange") == []
        assert (offerer.iceConnectionState, offerer.connectionState) == ("connected", "connected")


async def test_what_is_negotiated_during_the_handshake_is_started():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        tracks = [asyncio.ensure_future(next_event(peer, "track")) for peer in (offerer, answerer)]
        await reached(offerer, "iceConnectionState", "connected")
        for peer in (offerer, answerer):
            peer.addTrack(Tone())
        await negotiate(offerer, answerer)
        for event in await asyncio.gather(*tracks):
            assert (await event.track.recv()).samples > 0
