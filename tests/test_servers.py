"""With a real STUN and TURN server: candidates that come late, with the server they came from."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest
from aioice import stun
from peers import Log, negotiate, next_event, open_peers, opened, trickle
from servers import babbling_server, coturn, mapping_server

from peer._connection import transports_of
from peer._timing import shortened


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
        assert transports_of(offerer).sending_addresses() == {"127.0.0.1"}  # that on the way to the server
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


async def test_a_connection_closes_though_its_relays_are_out_of_reach(turn):
    with contextlib.ExitStack() as until_gone:
        server = until_gone.enter_context(coturn())
        relayed = {"iceServers": [server], "iceTransportPolicy": "relay"}
        async with open_peers(relayed, None, servers=0.5) as peers:
            await connect(*peers)
            await peers[0].gathering_complete()
            until_gone.close()
    # aioice alone would ask for longer than a test may take.


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


async def test_reflexive_candidates_carry_their_server_and_their_base():
    async with (
        mapping_server(("203.0.113.5", 40000), ("203.0.113.6", 50000)) as urls,
        open_peers({"iceServers": [{"urls": urls}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        events = []
        peer.onicecandidate = events.append
        await peer.setLocalDescription()
        await peer.gathering_complete()
        candidates = [event.candidate for event in events if event.candidate and event.candidate.candidate]
        bases = {(c.address, c.port) for c in candidates if c.type == "host"}
        reflexive = [c for c in candidates if c.type == "srflx"]
        assert {(c.address, c.port, c.url) for c in reflexive} == {
            ("203.0.113.5", 40000, urls[0]),
            ("203.0.113.6", 50000, urls[1]),
        }
        assert {(c.relatedAddress, c.relatedPort) for c in reflexive} <= bases
        assert all(event.url == (event.candidate and event.candidate.url) for event in events)
        foundations = [c.foundation for c in candidates if c.type == "host"]
        assert len(set(foundations)) == len(foundations)
        assert len({c.foundation for c in reflexive} - set(foundations)) == 1  # both servers have one address
        assert len({c.priority for c in candidates}) == len(candidates)
        assert {c.component for c in candidates} == {"rtp"}
        assert f"c=IN IP4 {reflexive[0].address}\r\n" in peer.localDescription.sdp


async def test_a_reflexive_candidate_that_two_servers_tell_of_is_announced_once():
    async with (
        mapping_server(("203.0.113.5", 40000), ("203.0.113.5", 40000)) as urls,
        open_peers({"iceServers": [{"urls": urls}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        places = [(c.address, c.port, c.relatedPort) async for c in peer.ice_candidates() if c.candidate]
        assert len(set(places)) == len(places)


async def test_a_server_of_another_family_is_asked_from_there(monkeypatch):
    monkeypatch.setattr("peer._host.host_addresses", lambda: ["127.0.0.1", "::1"])
    async with (
        mapping_server(("203.0.113.5", 40000)) as four,
        mapping_server(("2001:db8::5", 40000), host="::1") as six,
        open_peers({"iceServers": [{"urls": [*four, *six]}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        errors = []
        peer.onicecandidateerror = errors.append
        await peer.setLocalDescription()
        await peer.gathering_complete()
        reflexive = [c async for c in peer.ice_candidates() if c.type == "srflx"]
        assert {(c.address, c.relatedAddress, c.url) for c in reflexive} == {
            ("203.0.113.5", "127.0.0.1", four[0]),
            ("2001:db8::5", "::1", six[0]),
        }
        assert errors == []


async def the_error(server):
    """What is said of the only server, which yields no candidate."""
    async with open_peers({"iceServers": [server]}) as (peer,):
        peer.createDataChannel("chat")
        errors = []
        peer.onicecandidateerror = errors.append
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert {c.type async for c in peer.ice_candidates() if c.candidate} == {"host"}
    (error,) = errors
    assert error.url == server["urls"]
    return error.errorCode, error.errorText


async def test_a_server_of_before_2008_tells_the_address_as_it_is():
    async with (
        mapping_server(("203.0.113.5", 40000), attribute="MAPPED-ADDRESS") as (url,),
        open_peers({"iceServers": [{"urls": url}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert {(c.address, c.url) async for c in peer.ice_candidates() if c.type == "srflx"} == {("203.0.113.5", url)}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (stun.Class.RESPONSE, "the server has answered, but has not told an address"),
        (stun.Class.ERROR, "the server did not answer within 0.5 s"),
    ],
)
async def test_an_answer_without_what_belongs_to_it_is_an_error_with_a_sentence(kind, sentence):
    async with mapping_server(("203.0.113.5", 40000), attribute=None, kind=kind) as (url,):
        with shortened(servers=0.5):
            told = await the_error({"urls": url})
        assert told == (701, sentence)


ALLOCATED = bytes(stun.Message(stun.Method.ALLOCATE, stun.Class.RESPONSE, transaction_id=bytes(12)))


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there is no TURN server"),
        (b"\x15\x03\x03\x00\x02\x02F", "what answers there is no TURN server"),
        (b"\x01\x03\x00\x00!\x12\xa4B", "did not answer"),  # how an answer begins
        (ALLOCATED, "did not answer"),  # to somebody else
        (b"", "the server has closed the connection"),
    ],
)
async def test_it_is_clear_at_once_that_a_connection_leads_to_no_turn_server(says, sentence):
    async with babbling_server(says) as url:
        with shortened(servers=0.2 if sentence == "did not answer" else 30):
            code, text = await the_error({"urls": url, "username": "user", "credential": "secret"})
        assert code == 701
        assert sentence in text


async def test_names_that_hang_hold_nobody_up(monkeypatch):
    hanging, ask = threading.Event(), socket.getaddrinfo

    def look_up(host, *given):
        if host.endswith(".hangs"):
            hanging.wait()
        return ask("127.0.0.1", *given)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with mapping_server(("203.0.113.5", 40000)) as (url,):
        names = [f"{scheme}:{number}.hangs" for scheme in ("stun", "turn") for number in range(30)]
        living = url.replace("127.0.0.1", "living")
        servers = {"urls": [*names, living], "username": "user", "credential": "secret"}
        async with open_peers({"iceServers": [servers]}, servers=3600) as (peer,):
            peer.createDataChannel("chat")
            found = asyncio.ensure_future(next_event(peer, "icecandidate"))
            await peer.setLocalDescription()
            while (await found).candidate.type != "srflx":
                found = asyncio.ensure_future(next_event(peer, "icecandidate"))
            assert (await found).candidate.url == living
            hanging.set()
        for thread in threading.enumerate():
            if thread.name.startswith("look up"):
                await asyncio.to_thread(thread.join)
