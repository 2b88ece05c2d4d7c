"""When ICE fails: not before both sides have ended, and patience has."""

from __future__ import annotations

import asyncio

from aioice import stun
from peers import (
    BRISK,
    Log,
    agent,
    connect,
    negotiate,
    open_peers,
    opened,
    reached,
    send_candidates,
)


async def test_without_a_usable_remote_candidate_ice_fails_when_patience_ends():
    async with open_peers(None, None, patience=0.2) as (offerer, answerer):
        offerer.createDataChannel("chat")
        log = Log(offerer)
        failed = asyncio.ensure_future(reached(offerer, "connectionState", "failed"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await offerer.gathering_complete()
        await offerer.addIceCandidate({"candidate": "candidate:1 1 tcp 1 192.0.2.9 9 typ host", "sdpMid": "0"})
        await offerer.addIceCandidate()
        assert offerer.connectionState == "new"
        await failed
        assert log.of("iceconnectionstatechange") == ["failed"]
        assert offerer.sctp.transport.iceTransport.state == "failed"


async def test_without_any_candidate_ice_fails_when_the_remote_side_has_ended():
    async with open_peers({"iceTransportPolicy": "relay"}, None, None) as (offerer, answerer, other):
        offerer.createDataChannel("chat")
        log = Log(offerer)
        await negotiate(offerer, answerer)
        await offerer.gathering_complete()
        other.createDataChannel("chat")  # what is under way takes less time than this other connection's gathering
        await other.setLocalDescription()
        await other.gathering_complete()
        assert log.of("iceconnectionstatechange") == []
        failed = asyncio.ensure_future(reached(offerer, "iceConnectionState", "failed"))
        await offerer.addIceCandidate()
        await failed


async def test_without_any_candidate_ice_fails_when_gathering_has_ended(silent_server):
    server = {"urls": silent_server.replace("stun:", "turn:"), "username": "u", "credential": "c"}
    relay = {"iceServers": [server], "iceTransportPolicy": "relay"}
    async with open_peers(relay, None, servers=0.2) as (offerer, answerer):
        offerer.createDataChannel("chat")
        failed = asyncio.get_running_loop().create_future()
        offerer.oniceconnectionstatechange = lambda _: (
            offerer.iceConnectionState == "failed" and failed.set_result(offerer.iceGatheringState)
        )
        await negotiate(offerer, answerer)
        await send_candidates(answerer, offerer)
        assert (offerer.iceGatheringState, failed.done()) == ("gathering", False)
        assert await failed == "complete"


async def test_a_remote_side_that_reaches_us_before_patience_ends_connects():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await offerer.addIceCandidate()  # no candidate will come from the answerer, as far as the offerer knows
        async for candidate in offerer.ice_candidates():
            await answerer.addIceCandidate(candidate)
        await open_
        assert offerer.sctp.transport.iceTransport.getSelectedCandidatePair().remote.type == "prflx"


async def test_lost_consent_is_failure_and_closes_nothing():
    async with open_peers(None, None, **BRISK, consent_expires=0.3) as (offerer, answerer):
        channel = await connect(offerer, answerer)
        log = Log(offerer)
        failed = asyncio.ensure_future(reached(offerer, "iceConnectionState", "failed"))
        await agent(answerer).newest.shut_down()  # the answerer is gone without a word
        await failed
        assert log.of("iceconnectionstatechange") == ["disconnected", "failed"]
        assert offerer.signalingState == "stable"
        assert channel.readyState == "open"
        channel.send("into the void")


async def test_who_has_failed_answers_no_checks_so_that_the_other_side_fails_too():
    async with open_peers(None, None, patience=0.05, **BRISK, consent_expires=0.2) as (offerer, answerer):
        await connect(offerer, answerer)
        failures = [asyncio.ensure_future(reached(peer, "connectionState", "failed")) for peer in (offerer, answerer)]
        for protocol in agent(offerer).newest._protocols:
            protocol.transport.pause_reading()  # a network that lets nothing through in one direction
        await failures[0]
        for protocol in agent(offerer).newest._protocols:
            protocol.transport.resume_reading()
        await failures[1]


class Refusing(asyncio.DatagramProtocol):
    """Somebody who has the remote side's password, and refuses every check."""

    def __init__(self, password):
        self.password = password

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        request = stun.parse_message(data)
        refusal = stun.Message(request.message_method, stun.Class.ERROR, transaction_id=request.transaction_id)
        refusal.attributes["ERROR-CODE"] = (400, "Bad Request")
        refusal.add_message_integrity(self.password.encode())
        self.transport.sendto(bytes(refusal), addr)


async def test_ice_fails_when_all_pairs_have_failed_and_both_sides_have_ended():
    async with open_peers(None, None, patience=0.1) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        await offerer.gathering_complete()
        log = Log(offerer)
        password = offerer.sctp.transport.iceTransport.getRemoteParameters().password
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Refusing(password), local_addr=("127.0.0.1", 0)
        )
        try:
            port = transport.get_extra_info("sockname")[1]
            await offerer.addIceCandidate(
                {"candidate": f"candidate:1 1 udp 1 127.0.0.1 {port} typ host", "sdpMid": "0"}
            )
            failed = asyncio.ensure_future(reached(offerer, "iceConnectionState", "failed"))
            await offerer.addIceCandidate()
            await failed
        finally:
            transport.close()
        assert log.of("iceconnectionstatechange") == ["checking", "failed"]


async def test_who_is_closed_answers_nobody():
    async with open_peers(None, None, **BRISK, consent_expires=0.2) as (offerer, answerer):
        await connect(offerer, answerer)
        log = Log(answerer)
        failed = asyncio.ensure_future(reached(answerer, "iceConnectionState", "failed"))
        transport = offerer.sctp.transport.iceTransport
        await offerer.close()
        assert transport.state == "closed"
        await failed
        assert log.of("iceconnectionstatechange") == ["disconnected", "failed"]
