"""A remote side that sends more candidates than anybody needs, and candidates that must not be contacted."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import aioice
import pytest
from aioice import ice, stun
from peers import (
    Log,
    agent,
    answering,
    open_peers,
    opened,
    reached,
    send_candidates,
)

from peer._aioice import MAX_PAIRS, Generation
from peer._candidate import parse_candidate
from peer._priorities import priority
from peer._timing import Timing

State = ice.CandidatePair.State


async def test_ten_thousand_candidates_are_added_and_few_are_kept_for_checks():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await answering(offerer, answerer)
        asyncio.get_running_loop().set_debug(False)
        texts = [f"candidate:{i} 1 udp {i + 1} 127.0.0.1 {20000 + i} typ srflx" for i in range(10_000)]
        await asyncio.gather(*[answerer.addIceCandidate({"candidate": text, "sdpMid": "0"}) for text in texts])
        assert answerer.remoteDescription.sdp.count("a=candidate:") == 10_000
        assert len(agent(answerer).newest.remote_candidates) == MAX_PAIRS
        assert len(agent(answerer).newest._check_list) <= MAX_PAIRS
        await offerer.setRemoteDescription(answerer.localDescription)
        await send_candidates(answerer, offerer)
        await open_


class Nobody:
    """Who hears what a generation tells, and does nothing."""

    def __getattr__(self, name):
        return lambda *_: None


@asynccontextmanager
async def checking(sockets):
    """A generation that checks from so many sockets of one address."""
    made = Generation(
        Nobody(),
        ice_controlling=True,
        tie_breaker=1,
        local_username=None,
        local_password=None,
        names=None,
        timing=Timing(),
    )
    made.remote_username, made.remote_password = "them", "x" * 22
    try:
        for number in range(sockets):
            protocol, host, port = await made.bind("127.0.0.1")
            foundation = str(number)
            made.publish(aioice.Candidate(foundation, 1, "udp", priority("host", number), host, port, "host"), protocol)
        made.start_checks()
        yield made
    finally:
        await made.shut_down()


def remote(number):
    """A candidate that nobody answers at; the higher its number, the higher its priority."""
    return parse_candidate(f"candidate:{number} 1 udp {number + 1} 127.0.0.{number % 250 + 2} 20000 typ srflx")


def pairs(generation):
    return [(pair.remote_candidate.priority, pair.local_candidate.priority) for pair in generation._check_list]


async def test_there_are_no_more_pairs_than_the_limit_and_those_that_wait_are_the_best():
    async with checking(3) as generation:
        for number in range(90):
            generation.add_remote(remote(number))
        assert len(generation._check_list) == MAX_PAIRS
        waiting = sorted(pair.remote_candidate.priority for pair in generation._check_list if pair.task is None)
        assert waiting[0] > 90 - MAX_PAIRS / 3 - 2  # 33 candidates, each paired with three sockets
        assert pairs(generation) == sorted(pairs(generation), reverse=True)


async def test_who_comes_late_is_tried_when_others_have_failed():
    async with checking(1) as generation:
        for number in range(MAX_PAIRS):
            generation.add_remote(remote(number))
        for pair in generation._check_list[-5:]:
            generation.check_state(pair, State.FAILED)
        generation._remote_candidates.clear()  # as if they had been others
        for number in range(1000, 1005):
            generation.add_remote(remote(number))
        assert len(generation._check_list) == MAX_PAIRS
        assert [priority for priority, _ in pairs(generation)[:5]] == [1005, 1004, 1003, 1002, 1001]
        assert not any(pair.state is State.FAILED for pair in generation._check_list)


async def test_checks_from_many_places_form_no_more_pairs_than_the_limit():
    async with checking(1) as generation:
        (protocol,) = generation._protocols
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["PRIORITY"] = 5
        for port in range(20000, 20600):
            generation.check_incoming(message, ("127.0.0.1", port), protocol)
            assert len(generation._check_list) <= MAX_PAIRS
        assert len(generation.remote_candidates) == 2 * MAX_PAIRS
        assert sum(pair.task is not None for pair in generation._check_list) <= MAX_PAIRS


@pytest.mark.parametrize("port", [53, 5060, 6667, 9])
async def test_a_bad_port_is_never_contacted_and_looks_like_one_that_does_not_answer(port):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        text = f"candidate:1 1 udp 1 127.0.0.1 {port} typ host"
        states = Log(answerer)
        await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
        assert f"a={text}" in answerer.remoteDescription.sdp
        await reached(answerer, "connectionState", "connecting")
        assert states.of("iceconnectionstatechange") == ["checking"]
        assert agent(answerer).newest.remote_candidates == []
        assert agent(answerer).newest._check_list == []
        await answerer.gathering_complete()
        await answerer.addIceCandidate()
        agent(answerer).newest._lose_patience()  # a check that is not answered takes its time, too
        assert not agent(answerer).newest.failed


async def test_relay_only_never_looks_up_a_name(turn, monkeypatch):
    async def lookup(*_):
        pytest.fail("a name was looked up")

    monkeypatch.setattr("peer._aioice._generation.resolve", lookup)
    monkeypatch.setattr(socket, "gethostbyname", lookup)
    relay = {"iceServers": [{**turn, "urls": turn["urls"][1]}], "iceTransportPolicy": "relay"}
    async with open_peers(None, relay) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        for name in ("deadbeef-0000-0000-0000-000000000000.local", "nosuch.invalid"):
            text = f"candidate:1 1 udp 1 {name} 5000 typ host"
            await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
            assert f"a={text}" in answerer.remoteDescription.sdp
        await answerer.gathering_complete()
        assert agent(answerer).newest.remote_candidates == []
