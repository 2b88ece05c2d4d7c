"""Offers that are taken back: explicitly, or because both sides have offered at once."""

from __future__ import annotations

import asyncio
import re

import pytest
from peers import (
    Log,
    Tone,
    agent,
    connect,
    connect_once,
    negotiate,
    next_event,
    open_peers,
    opened,
    opened_by,
    reached,
    send_candidates,
    trickle,
)

from peer import InvalidModificationError, InvalidStateError, OperationError

ROLLBACK = {"type": "rollback"}


def ufrags(description) -> set[str]:
    return set(re.findall("a=ice-ufrag:(.*)\r\n", description.sdp))


async def speak(channel, other) -> None:
    """Send a message over *channel*; *other* is its other end."""
    received = asyncio.get_running_loop().create_future()
    other.once("message", received.set_result)
    channel.send("hello")
    assert await received == "hello"


async def test_an_offer_that_was_taken_back_leaves_nothing_and_can_be_made_again():
    async with open_peers(None, None) as (offerer, answerer):
        sender, channel = offerer.addTrack(Tone()), offerer.createDataChannel("chat")
        open_ = opened(channel)
        log = Log(offerer)
        before = sender.transport
        await offerer.setLocalDescription()
        await offerer.gathering_complete()
        taken_back = offerer.localDescription
        await offerer.setLocalDescription(ROLLBACK)
        assert offerer.localDescription is None
        assert log.of("signalingstatechange") == ["have-local-offer", "stable"]
        assert [transceiver.mid for transceiver in offerer.getTransceivers()] == [None]
        assert sender.transport is not before
        await reached(offerer, "iceGatheringState", "new")
        with pytest.raises(InvalidModificationError):
            await offerer.setLocalDescription(taken_back)  # it has candidates, as none that is created now
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await open_


async def test_an_offer_that_was_taken_back_can_be_set_again():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        offer = await offerer.createOffer()
        for _ in range(2):
            await offerer.setLocalDescription(offer)
            await offerer.gathering_complete()
            await offerer.setLocalDescription(ROLLBACK)
        await offerer.setLocalDescription(offer)
        assert ufrags(offerer.localDescription) == ufrags(offer)
        await answerer.setRemoteDescription(offer)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer), open_)


async def test_a_sender_that_was_taken_back_is_removed_already():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        (sender,) = answerer.getSenders()
        await answerer.setRemoteDescription(ROLLBACK)
        answerer.removeTrack(sender)
        assert answerer.getSenders() == []


async def test_a_remote_offer_that_was_taken_back_leaves_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        log = Log(answerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        (transceiver,) = answerer.getTransceivers()
        await answerer.setRemoteDescription(ROLLBACK)
        assert answerer.remoteDescription is None
        assert answerer.getTransceivers() == []
        assert transceiver.stopped
        assert answerer.sctp is None
        assert log.of("signalingstatechange") == ["have-remote-offer", "stable"]
        with pytest.raises(InvalidStateError):
            await answerer.addIceCandidate()
        # The same offer, once more
        trickle(offerer, answerer)
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer), open_)


async def test_what_we_added_meanwhile_stays():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTransceiver("audio")
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        (transceiver,) = answerer.getTransceivers()
        answerer.addTrack(Tone())
        open_ = opened(answerer.createDataChannel("ours"))
        await answerer.setRemoteDescription(ROLLBACK)
        await offerer.setLocalDescription(ROLLBACK)
        assert answerer.getTransceivers() == [transceiver]
        assert (transceiver.mid, transceiver.stopped, transceiver.direction) == (None, False, "sendrecv")
        trickle(offerer, answerer)
        track = asyncio.ensure_future(next_event(offerer, "track"))
        await negotiate(answerer, offerer)
        await open_
        assert (await track).track.kind == "audio"


@pytest.mark.parametrize("side", ["local", "remote"])
async def test_what_was_negotiated_before_goes_on(side):
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        described = offerer.currentLocalDescription.sdp.split("m=")[0], answerer.currentLocalDescription
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        if side == "remote":
            await answerer.setRemoteDescription(offerer.localDescription)
            await answerer.setRemoteDescription(ROLLBACK)
            assert answerer.getTransceivers() == []
        await offerer.setLocalDescription(ROLLBACK)
        assert (offerer.localDescription.sdp.split("m=")[0], answerer.localDescription) == described
        assert len({offerer.sctp.transport, *(t.sender.transport for t in offerer.getTransceivers())}) == 2
        await speak(channel, opened_by(answerer))
        track = asyncio.ensure_future(next_event(answerer, "track"))
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        assert (await (await track).track.recv()).samples > 0
        assert offerer.connectionState == answerer.connectionState == "connected"


async def test_a_restart_that_was_taken_back_changes_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        before = ufrags(offerer.localDescription), ufrags(answerer.localDescription)
        parameters = offerer.sctp.transport.iceTransport.getLocalParameters()
        theirs = answerer.sctp.transport.iceTransport.getRemoteParameters()
        await offerer.setLocalDescription(await offerer.createOffer({"iceRestart": True}))
        await offerer.gathering_complete()
        (ufrag,) = ufrags(offerer.localDescription)
        await answerer.setRemoteDescription(offerer.localDescription)
        candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.9 50000 typ host", "sdpMid": "0"}
        await answerer.addIceCandidate({**candidate, "usernameFragment": ufrag})
        await answerer.setRemoteDescription(ROLLBACK)
        await offerer.setLocalDescription(ROLLBACK)
        with pytest.raises(OperationError):
            await answerer.addIceCandidate({**candidate, "usernameFragment": ufrag})
        assert (ufrags(offerer.localDescription), ufrags(answerer.localDescription)) == before
        assert ufrags(await offerer.createOffer()) == before[0]
        assert offerer.sctp.transport.iceTransport.getLocalParameters() == parameters
        assert answerer.sctp.transport.iceTransport.getRemoteParameters() == theirs
        for peer in (offerer, answerer):
            assert len(agent(peer)._generations) == 1
            assert peer.iceGatheringState == "complete"
        await speak(channel, opened_by(answerer))


async def test_a_restart_that_is_taken_back_while_it_gathers_is_complete(silent_server):
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        await offerer.gathering_complete()
        offerer.remove_all_listeners("icecandidate")
        log = Log(offerer)
        offerer.setConfiguration({"iceServers": [{"urls": silent_server}]})
        offerer.restartIce()
        await offerer.setLocalDescription()
        await reached(offerer, "iceGatheringState", "gathering")
        again = asyncio.ensure_future(next_event(offerer, "negotiationneeded"))
        await offerer.setLocalDescription(ROLLBACK)
        await again  # the restart is still wanted
        await reached(offerer, "iceGatheringState", "complete")
        assert log.kinds()[-1] == "null"


@pytest.mark.parametrize("added", ["channel", "track", "both"])
async def test_who_yields_in_a_glare_takes_the_own_offer_back_and_makes_it_again(added):
    async with open_peers(None, None) as (polite, impolite):
        for peer in (polite, impolite):
            peer.onnegotiationneeded = None
            if added != "channel":
                peer.addTrack(Tone())
        channels = [peer.createDataChannel("chat") for peer in (polite, impolite) if added != "track"]
        opens = [opened(channel) for channel in channels]
        tracks = [asyncio.ensure_future(next_event(peer, "track")) for peer in (polite, impolite) if added != "channel"]
        log = Log(polite)
        await asyncio.gather(polite.setLocalDescription(), impolite.setLocalDescription())
        needed = asyncio.ensure_future(next_event(polite, "negotiationneeded"))
        await polite.setRemoteDescription(impolite.localDescription)
        assert log.of("signalingstatechange") == ["have-local-offer", "stable", "have-remote-offer"]
        trickle(polite, impolite)
        await polite.setLocalDescription()
        await impolite.setRemoteDescription(polite.localDescription)
        await asyncio.gather(send_candidates(polite, impolite), send_candidates(impolite, polite))
        await asyncio.gather(*opens, *tracks)
        await asyncio.gather(*(reached(peer, "connectionState", "connected") for peer in (polite, impolite)))
        assert not needed.done()  # the answer has all that the offer had
        needed.cancel()
        assert len(polite.getTransceivers()) == len(impolite.getTransceivers()) == len(tracks) / 2


async def test_both_sides_restart_at_once():
    async with open_peers(None, None) as (polite, impolite):
        channel = await connect_once(polite, impolite)
        for peer in (polite, impolite):
            peer.restartIce()
        before = {*ufrags(polite.localDescription), *ufrags(impolite.localDescription)}
        log = Log(polite)
        await asyncio.gather(polite.setLocalDescription(), impolite.setLocalDescription())
        selections = [
            asyncio.ensure_future(next_event(peer.sctp.transport.iceTransport, "selectedcandidatepairchange"))
            for peer in (polite, impolite)
        ]
        await polite.setRemoteDescription(impolite.localDescription)
        await polite.setLocalDescription()
        await impolite.setRemoteDescription(polite.localDescription)
        await asyncio.gather(send_candidates(polite, impolite), send_candidates(impolite, polite), *selections)
        after = {*ufrags(polite.localDescription), *ufrags(impolite.localDescription)}
        assert not before & after
        assert log.of("iceconnectionstatechange") == []
        await speak(channel, opened_by(impolite))
        # One restart is enough for both: the credentials that the polite side wanted replaced are replaced.
        assert ufrags(await polite.createOffer()) == ufrags(polite.localDescription)


async def test_there_must_be_an_offer_of_that_side():
    async with open_peers(None, None) as (offerer, answerer):
        for peer in (offerer, answerer):
            for call in (peer.setLocalDescription, peer.setRemoteDescription):
                with pytest.raises(InvalidStateError):
                    await call(ROLLBACK)
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        with pytest.raises(InvalidStateError):
            await offerer.setRemoteDescription(ROLLBACK)
        with pytest.raises(InvalidStateError):
            await answerer.setLocalDescription(ROLLBACK)
        with pytest.raises(InvalidStateError):
            await answerer.setLocalDescription({"type": "offer"})


async def test_a_remote_offer_that_makes_no_sense_takes_nothing_back():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        before = peer.localDescription
        with pytest.raises(OperationError):
            await peer.setRemoteDescription({"type": "offer", "sdp": "nonsense"})
        assert (peer.signalingState, peer.localDescription) == ("have-local-offer", before)


async def test_a_connection_closes_while_an_offer_is_taken_back():
    async with open_peers(None, None) as (offerer, answerer):
        for peer in (offerer, answerer):
            peer.createDataChannel("chat")
            await peer.setLocalDescription()
        yielding = asyncio.ensure_future(offerer.setRemoteDescription(answerer.localDescription))
        taking_back = asyncio.ensure_future(answerer.setLocalDescription(ROLLBACK))
        await asyncio.sleep(0)
        await asyncio.gather(offerer.close(), answerer.close())
        await asyncio.wait([yielding, taking_back])
        assert yielding.cancelled()
        assert taking_back.cancelled()


async def test_several_restarting_offers_are_taken_back_at_once():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        before = ufrags(offerer.localDescription)
        for _ in range(3):
            await offerer.setLocalDescription(await offerer.createOffer({"iceRestart": True}))
            assert len(agent(offerer)._generations) == 2
        await offerer.setLocalDescription(ROLLBACK)
        assert len(agent(offerer)._generations) == 1
        assert ufrags(await offerer.createOffer()) == before
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert ufrags(await offerer.createAnswer()) == before


@pytest.mark.parametrize("offers_next", ["who offered", "who answered"])
async def test_what_was_negotiated_before_an_offer_that_is_taken_back_is_started(offers_next):
    async with open_peers(None, None) as (offerer, answerer):
        tracks = [asyncio.ensure_future(next_event(peer, "track")) for peer in (offerer, answerer)]
        for peer in (offerer, answerer):
            peer.addTrack(Tone())
        await negotiate(offerer, answerer)
        peer = offerer if offers_next == "who offered" else answerer
        peer.addTransceiver("video")
        await peer.setLocalDescription()
        await peer.setLocalDescription(ROLLBACK)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        for event in await asyncio.gather(*tracks):
            assert (await event.track.recv()).samples > 0


async def test_who_yields_offers_again_what_the_answer_could_not_have():
    async with open_peers(None, None) as (polite, impolite):
        await connect_once(polite, impolite)
        tracks = [asyncio.ensure_future(next_event(peer, "track")) for peer in (polite, impolite)]
        polite.addTransceiver(Tone())
        impolite.addTransceiver("video", direction="inactive")
        await asyncio.gather(polite.setLocalDescription(), impolite.setLocalDescription())
        await polite.setRemoteDescription(impolite.localDescription)
        await polite.setLocalDescription()
        await impolite.setRemoteDescription(polite.localDescription)
        impolite.addTrack(Tone())
        await negotiate(polite, impolite)
        for event in await asyncio.gather(*tracks):
            assert (await event.track.recv()).samples > 0
