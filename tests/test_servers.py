"""With a real STUN and TURN server: candidates that come late, with the server they came from."""

from __future__ import annotations

import asyncio

import pytest
from peers import Log, negotiate, open_peers, opened, trickle


async def connect(offerer, answerer):
    trickle(offerer, answerer)
    open_ = opened(offerer.createDataChannel("chat"))
    await negotiate(offerer, answerer)
    await open_


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_relay_only_connects_over_the_relay(turn, transport):
    url = next(url for url in turn["urls"] if url.endswith(transport))
    configuration = {"iceServers": [{**turn, "urls": url}], "iceTransportPolicy": "relay"}
    async with open_peers(configuration, configuration) as (offerer, answerer):
        logs = Log(offerer), Log(answerer)
        await connect(offerer, answerer)
        for log in logs:
            (found, end, null) = log.of("icecandidate")
            candidate = found["candidate"]
            assert (candidate.type, candidate.url, candidate.relayProtocol) == ("relay", url, transport)
            assert (candidate.relatedAddress, candidate.relatedPort) == ("0.0.0.0", 9)
            assert (end["candidate"].candidate, null["candidate"]) == ("", None)


async def test_a_relay_that_only_one_side_has_is_enough(turn):
    relay = {"iceServers": [turn], "iceTransportPolicy": "relay"}
    async with open_peers(relay, None) as (offerer, answerer):
        await connect(offerer, answerer)
    async with open_peers(None, relay) as (offerer, answerer):
        await connect(offerer, answerer)


async def test_several_servers_are_asked_and_the_dead_do_not_delay_the_living(turn, silent_server):
    servers = [{"urls": silent_server}, turn, {**turn, "credential": "wrong"}]
    async with open_peers({"iceServers": servers}) as (peer,):
        peer.createDataChannel("chat")
        found = asyncio.Event()
        relays = []

        def note(event):
            if event.candidate and event.candidate.type == "relay":
                relays.append(event.candidate.relayProtocol)
                assert event.url == event.candidate.url
                if len(relays) == 2:
                    found.set()

        peer.onicecandidate = note
        await peer.setLocalDescription()
        await found.wait()
        assert sorted(relays) == ["tcp", "udp"]
        assert peer.iceGatheringState == "gathering"


async def test_a_server_reflexive_candidate_that_is_its_own_host_is_not_announced(turn):
    async with open_peers({"iceServers": [{"urls": turn["urls"][0]}]}) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert {c.type async for c in peer.ice_candidates()} == {"host", None}
