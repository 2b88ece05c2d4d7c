"""Across NATs and firewalls, with a real TURN server: which pair is selected, and what is shown of all candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from internet import (
    NAT,
    SERVER,
    SERVER6,
    SILENT,
    SITUATIONS,
    STUN,
    TURN_TCP,
    TURN_TLS,
    TURN_UDP,
    USER,
    Internet,
    Situation,
)
from servers import certify

from tests.networks import Host


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the server; who trusts nothing but this file trusts the server."""
    return certify(tmp_path_factory.mktemp("certificate"), SERVER, SERVER6)


async def connected(a: Host, b: Host) -> None:
    await a.tell("offer")
    await asyncio.gather(a.tells("open"), b.tells("open"))


async def gathered(host: Host) -> None:
    await host.tells("gathering", "complete")
    await host.tells("candidate", None)


def types(host: Host) -> str:
    """The types of the pair that was selected last, ours first."""
    return " ".join(candidate["type"] for candidate in host.of("selected")[-1])


def found(host: Host) -> list[dict[str, Any]]:
    """What icecandidate has told of UDP, but for the ends."""
    return [candidate for candidate in host.of("candidate") if candidate and candidate["protocol"] == "udp"]


def place(candidate: dict[str, Any]) -> tuple[str, int]:
    return candidate["address"], candidate["port"]


async def select(a: Host, b: Host, pair: str) -> None:
    """Wait until both have selected a *pair* of these types, a's first; see Situation.

    A remote candidate may be learned from a check ("prflx") before it is signalled.
    """

    def fits(selected: str) -> bool:
        return selected in pair.split(" or ") or (pair == "relay" and pair in selected.split())

    await a.until("selected", lambda pairs: pairs and fits(types(a)))
    await b.until("selected", lambda pairs: pairs and fits(" ".join(reversed(types(b).split()))))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
async def test_two_hosts_meet_by_the_way_that_there_is(internet: Internet, certificate: Path, situation: Situation):
    situation.build(internet)
    with internet.server(certificate):
        configurations = dict.fromkeys("ab", situation.configuration)
        async with internet.hosts(configurations=configurations, fronted=situation.fronted, trust=certificate) as (
            a,
            b,
        ):
            await connected(a, b)
            await select(a, b, situation.pair)


@pytest.mark.parametrize("servers", [[STUN, TURN_UDP], [TURN_UDP]], ids=["STUN and TURN", "TURN"])
async def test_a_relay_that_works_first_gives_way_to_a_pair_that_is_not_relayed(internet: Internet, servers: list[Any]):
    internet.behind("a", "na", NAT.EASY)
    internet.behind("b", "nb", NAT.EASY)
    with internet.server():
        configurations = {side: {"iceServers": servers} for side in "ab"}
        async with internet.hosts(configurations=configurations, precedence=3600) as (a, b):
            await connected(a, b)
            await select(a, b, "srflx srflx")
            await gathered(a)
    # A TURN server also tells how it sees us, where no other is asked for that.
    assert {(c["type"], c["url"]) for c in found(a) if c["url"]} == {
        ("srflx", servers[0]["urls"]),
        ("relay", TURN_UDP["urls"]),
    }


async def test_each_candidate_says_where_it_is_from_and_comes_once(internet: Internet, certificate: Path):
    for side, router in (("a", "na"), ("b", "nb")):
        internet.behind(side, router, NAT.EASY)
    servers = [STUN, TURN_UDP, TURN_TCP, TURN_TLS]
    with internet.server(certificate):
        async with internet.hosts(
            configurations={"a": {"iceServers": servers}, "b": {"iceServers": [STUN]}}, trust=certificate
        ) as (a, b):
            await connected(a, b)
            await gathered(a)
        assert a.of("failure") == []
        assert a.of("gathering") == ["gathering", "complete"]
        *_, end, null = a.of("candidate")
        assert (end["candidate"], null) == ("", None)
        kinds = [(c["type"], c["relayProtocol"], c["url"]) for c in found(a)]
        assert sorted(kinds, key=str) == [
            ("host", None, None),
            ("relay", "tcp", TURN_TCP["urls"]),
            ("relay", "tls", TURN_TLS["urls"]),
            ("relay", "udp", TURN_UDP["urls"]),
            ("srflx", None, STUN["urls"]),
        ]
        assert kinds[0] == ("host", None, None)  # the first to be found
        by_kind = dict(zip(kinds, found(a), strict=True))
        host, reflexive = by_kind[kinds[0]], by_kind["srflx", None, STUN["urls"]]
        assert (host["address"], host["relatedAddress"], host["relatedPort"]) == ("10.0.1.2", None, None)
        assert place(reflexive) == ("203.0.113.11", host["port"])
        assert (reflexive["relatedAddress"], reflexive["relatedPort"]) == place(host)
        relayed = [candidate for candidate in found(a) if candidate["type"] == "relay"]
        assert {candidate["address"] for candidate in relayed} == {SERVER}
        assert {candidate["relatedAddress"] for candidate in relayed} == {"203.0.113.11"}
        for candidate in found(a):
            assert candidate["event"] == candidate["url"]
            assert candidate["component"] == "rtp"
            assert f" typ {candidate['type']}" in candidate["candidate"]
            if candidate is not host:
                related = f" raddr {candidate['relatedAddress']} rport {candidate['relatedPort']} "
                assert related in candidate["candidate"]
        assert len({c["foundation"] for c in found(a)}) == len({c["priority"] for c in found(a)}) == len(kinds)


async def test_each_server_that_fails_is_told_once_and_the_others_are_used(internet: Internet, certificate: Path):
    internet.behind("a", "na", NAT.SYMMETRIC)
    internet.behind("b", "nb", NAT.SYMMETRIC)
    internet.dead_end("a", 1)
    wrong = {"urls": f"turn:{SERVER}:3478", "username": "user", "credential": "wrong"}
    refused, silent = {"urls": f"turn:{SERVER}:9999?transport=tcp", **USER}, {"urls": f"turn:{SILENT}", **USER}
    unheard = {"urls": f"turn:{SILENT}?transport=tcp", **USER}
    mute = {"urls": f"stun:{SILENT}"}
    servers = [mute, silent, unheard, refused, wrong, TURN_TLS, STUN, TURN_UDP]
    with internet.server(certificate):
        async with internet.hosts(configurations={side: {"iceServers": servers} for side in "ab"}) as (a, b):
            await connected(a, b)
            await asyncio.gather(gathered(a), gathered(b))
    for host in (a, b):
        failures = {failure["url"]: (failure["errorCode"], failure["errorText"]) for failure in host.of("failure")}
        assert len(failures) == len(host.of("failure"))
        unanswered = (701, "the server did not answer within 5 s")
        assert failures.pop(mute["urls"]) == unanswered
        assert failures.pop(silent["urls"]) == unanswered
        assert failures.pop(unheard["urls"]) == unanswered
        assert failures.pop(wrong["urls"]) == (401, "Unauthorized")
        code, text = failures.pop(refused["urls"])
        assert (code, text) == (701, "the server cannot be reached: connection refused")
        code, text = failures.pop(TURN_TLS["urls"])
        assert (code, "certificate is not accepted" in text) == (701, True)
        assert failures == {}
        assert sorted((c["type"], c["url"]) for c in found(host) if c["url"]) == [
            ("relay", TURN_UDP["urls"]),
            ("srflx", STUN["urls"]),
        ]
        *_, last = (number for number, (what, _) in enumerate(host.log) if what == "failure")
        assert last < host.log.index(("gathering", "complete"))


@pytest.mark.parametrize("server", [TURN_UDP, TURN_TCP], ids=["UDP", "TCP"])
async def test_a_relay_is_found_though_the_default_route_leads_nowhere(internet: Internet, server: dict[str, str]):
    internet.behind("a", "na", NAT.SYMMETRIC)
    internet.behind("b", "nb", NAT.SYMMETRIC)
    internet.dead_end("a", 1)
    internet.lose_default_route("a")
    with internet.server():
        configurations = {"a": {"iceServers": [server]}, "b": {"iceServers": [STUN]}}
        async with internet.hosts(configurations=configurations, servers=3600) as (a, b):
            await connected(a, b)
            await select(a, b, "relay")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_relay_is_found_though_the_first_address_of_its_name_is_dead(internet: Internet, transport: str):
    internet.behind("a", "na", NAT.SYMMETRIC)
    internet.behind("b", "nb", NAT.SYMMETRIC)
    server = {**USER, "urls": f"turn:turn.example?transport={transport}"}
    with internet.server(), internet.names("a", turn_example=[SILENT, SERVER]):
        configurations = {"a": {"iceServers": [server]}, "b": {"iceServers": [STUN]}}
        async with internet.hosts(configurations=configurations, servers=3600) as (a, b):
            await connected(a, b)
            await select(a, b, "relay")


async def test_gathering_waits_for_the_slowest_answer_and_no_longer(internet: Internet):
    internet.behind("a", "na", NAT.EASY)
    internet.behind("b", "nb", NAT.EASY)
    mute = {"urls": f"stun:{SILENT}"}
    configurations = {"a": {"iceServers": [STUN, TURN_UDP, TURN_TCP]}, "b": {"iceServers": [mute, STUN, TURN_UDP]}}
    with internet.server():
        async with internet.hosts(configurations=configurations, servers=3600) as (a, b):
            await connected(a, b)
            await gathered(a)  # though servers would have an hour
            assert sorted(c["type"] for c in found(a)) == ["host", "relay", "relay", "srflx"]
            await b.until("candidate", lambda candidates: len(found(b)) == 3)
            assert sorted(c["type"] for c in found(b)) == ["host", "relay", "srflx"]
            assert b.of("gathering") == ["gathering"]


@pytest.mark.parametrize("server", [TURN_UDP, TURN_TCP, TURN_TLS], ids=["UDP", "TCP", "TLS"])
async def test_relay_only_sends_to_nobody_but_the_relay(internet: Internet, certificate: Path, server: dict[str, str]):
    internet.public("a", 4, 6)
    internet.public("b", 4, 6)
    internet.count("a", "relayed", "output", f"ip daddr {SERVER}")
    internet.count("a", "direct", "output", f"ip daddr != {SERVER}", "meta nfproto ipv6")
    internet.count("b", "direct", "input", "ip saddr 203.0.113.21", "ip6 saddr 2001:db8::21")
    internet.count("a", "datagrams", "output", "meta l4proto udp")
    internet.count("b", "relayed", "input", f"ip saddr {SERVER}")
    only = {"iceServers": [STUN, server], "iceTransportPolicy": "relay"}
    with internet.server(certificate):
        async with internet.hosts(configurations={"a": only}, trust=certificate) as (a, b):
            await connected(a, b)
            await asyncio.gather(gathered(a), gathered(b))
            for host in (a, b):
                await host.tell("talk", 0.005)
            await a.tell("restart")
            await asyncio.gather(*[host.until("selected", lambda pairs: len(pairs) >= 2) for host in (a, b)])
            for host in (a, b):
                await host.until("message", lambda heard: len(heard) >= 50)
    assert {(c["type"], c["relatedAddress"], c["relatedPort"]) for c in found(a)} == {("relay", "0.0.0.0", 9)}
    assert {"host"} == {c["type"] for c in found(b)}
    assert types(a).split()[0] == "relay"
    assert internet.counted("a", "relayed") > 0
    assert internet.counted("b", "relayed") > 0
    assert internet.counted("a", "direct") == internet.counted("b", "direct") == 0
    assert (internet.counted("a", "datagrams") == 0) == (server is not TURN_UDP)


@contextmanager
def relay_of_b() -> Iterator[Internet]:
    """An internet where nothing connects but a relay, which only b has: a's NAT lets nobody in."""
    with Internet() as internet:
        internet.behind("a", "na", NAT.SYMMETRIC)
        internet.behind("b", "nb", NAT.EASY)
        with internet.server():
            yield internet


BOTH = {"a": {"iceServers": [STUN]}, "b": {"iceServers": [STUN, TURN_UDP]}}


def is_late(signal: dict[str, Any]) -> bool:
    """Whether this is a relayed candidate, or the end of candidates."""
    return " typ relay " in signal.get("candidate", "") or signal.get("candidate") == ""


async def all_failed(host: Host) -> None:
    """Wait until all pairs that the host knows have failed."""
    await host.tell("pairs")
    await host.until("pairs", lambda reports: reports and {state for *_, state in reports[-1]} == {"failed"})


async def a_relay_that_comes_after_all_have_failed_connects() -> None:
    with relay_of_b() as internet:
        async with internet.hosts(configurations=BOTH, patience=1) as (a, b):
            a.keeps = b.keeps = is_late
            await a.tell("offer")
            relay, _ = await b.until("kept", lambda kept: len(kept) == 2)
            await asyncio.gather(all_failed(a), all_failed(b))
            for host in (a, b):
                assert host.of("ice") == ["checking"]  # nobody has said that there will be no more
            await a.tell("signal", relay)
            await asyncio.gather(a.tells("open"), b.tells("open"))
            assert a.of("ice") == ["checking", "connected"]
            await select(a, b, "prflx relay")


async def the_end_of_candidates_is_the_end_of_patience() -> None:
    with relay_of_b() as internet:
        async with internet.hosts(configurations=BOTH, patience=1) as (a, b):
            a.keeps = b.keeps = is_late
            await a.tell("offer")
            await a.until("kept", len)
            await b.until("kept", lambda kept: len(kept) == 2)
            await asyncio.gather(all_failed(a), all_failed(b))
            for host in (a, b):
                assert host.of("ice") == ["checking"]
            for host, other in ((a, b), (b, a)):
                await host.tell("signal", other.of("kept")[-1])
                await host.tells("ice", "failed")
                assert host.of("ice") == ["checking", "failed"]


async def a_remote_side_that_trickles_for_20_seconds_connects() -> None:
    with relay_of_b() as internet:
        async with internet.hosts(configurations=BOTH) as (a, b):
            b.keeps = lambda signal: "candidate" in signal and "tcptype" not in signal["candidate"]
            await a.tell("offer")
            kept = await b.until("kept", lambda kept: len(kept) == 4)
            for signal in kept[:3]:
                assert a.of("pair") == []
                await a.tell("signal", signal)
                await asyncio.sleep(10 if " typ relay " not in signal["candidate"] else 0)
            await asyncio.gather(a.tells("open"), b.tells("open"))
            await a.tell("signal", kept[3])
            assert a.of("ice") == ["checking", "connected"]
            await select(a, b, "prflx relay")


@pytest.mark.timeout(120)
async def test_patience_is_enough_for_late_candidates_and_ends_with_them(internet: Internet):
    await asyncio.gather(
        a_relay_that_comes_after_all_have_failed_connects(),
        the_end_of_candidates_is_the_end_of_patience(),
        a_remote_side_that_trickles_for_20_seconds_connects(),
    )
