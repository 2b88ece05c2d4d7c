"""A connection moves with the network: real links that are cut, mended and replaced while it is in use."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from networks import NAMESPACES, ROOT, SIDES, Host, Network

# Two seconds of ICE's own time become a tenth. None is shorter than what a busy machine may take for nothing.
BRISK = {"consent_interval": 0.2, "consent_answer": 0.1}
FAILING = {**BRISK, "consent_expires": 1.5}
FIRST, SECOND = "10.0.1.{}/24", "10.0.2.{}/24"


async def connect(a: Host, b: Host, *, pause: float = 0.005, **options: object) -> None:
    """Connect, with a channel of these options, and let both sides talk over it, with pauses of so many seconds."""
    await a.tell("offer", options)
    await asyncio.gather(a.tells("open"), b.tells("open"))
    for host in (a, b):
        await host.tell("talk", pause)


async def assert_all_heard(a: Host, b: Host) -> None:
    """Both stop to talk: each has heard what the other said, everything once and in order."""
    for host in (a, b):
        await host.tell("hush")
    for one, other in ((a, b), (b, a)):
        (said,) = await one.until("said", len)
        numbers = [str(number) for number in range(said)]
        assert await other.until("message", lambda heard, said=said: len(heard) >= said) == numbers


async def heard(a: Host, b: Host, count: int) -> None:
    """Wait until both sides have heard so much."""
    await asyncio.gather(*[host.until("message", lambda heard: len(heard) >= count) for host in (a, b)])


async def silent(a: Host, b: Host) -> None:
    """Wait until both sides are disconnected."""
    await asyncio.gather(*[host.tells("ice", "disconnected") for host in (a, b)])


async def selected(a: Host, b: Host, ours: str, theirs: str) -> None:
    """Wait until both sides have selected the pair of these addresses, a's and b's."""
    await asyncio.gather(a.tells("pair", [ours, theirs]), b.tells("pair", [theirs, ours]))


async def again(a: Host, b: Host) -> None:
    """Wait until both sides are connected for the second time."""
    await asyncio.gather(*[host.tells("ice", "connected", times=2) for host in (a, b)])


@pytest.mark.parametrize("way", ["cut", "down"])
async def test_a_short_interruption_is_disconnected_and_restarts_nothing(network: Network, way):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        if way == "cut":
            network.cut("one")
        else:
            network.down("a", "one")
        await silent(a, b)
        if way == "cut":
            network.mend("one")
        else:
            network.up("a", "one")
        await again(a, b)
        await assert_all_heard(a, b)
        for host in (a, b):
            assert host.of("ice") == ["checking", "connected", "disconnected", "connected"]
            assert host.of("connection") == ["connecting", "connected", "disconnected", "connected"]
            # A candidate that a check has found is told of again when it is signalled.
            assert len(set(map(tuple, host.of("pair")))) == 1


@pytest.mark.parametrize("side", ["a", "b"])
async def test_a_restart_moves_from_a_dead_link_to_another(network: Network, side):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.cut("one")
        await silent(a, b)
        network.link("two", SECOND)
        await (a if side == "a" else b).tell("restart")
        await selected(a, b, "10.0.2.1", "10.0.2.2")
        await again(a, b)
        await assert_all_heard(a, b)
        for host in (a, b):
            assert host.of("ice") == ["checking", "connected", "disconnected", "checking", "connected"]
        assert a.of("open") == [None]


async def test_a_restart_moves_to_another_address(network: Network):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.remove("a", "one", "10.0.1.1/24")
        network.add("a", "one", "10.0.1.9/24")
        await a.tell("restart")
        await selected(a, b, "10.0.1.9", "10.0.1.2")
        await assert_all_heard(a, b)


@pytest.mark.parametrize("side", ["a", "b"])
async def test_who_watches_moves_to_another_address_by_itself(network: Network, side):
    network.link("one", FIRST)
    old = {"a": "10.0.1.1", "b": "10.0.1.2"}
    new = old | {side: "10.0.1.9"}
    async with network.hosts() as (a, b):
        mover = a if side == "a" else b
        await connect(a, b)
        await mover.tell("watch", 0.05)
        network.remove(side, "one", f"{old[side]}/24")
        network.add(side, "one", f"{new[side]}/24")
        await selected(a, b, new["a"], new["b"])
        await assert_all_heard(a, b)
        assert mover.of("restarted") == [None]
        for host in (a, b):
            assert "disconnected" not in host.of("ice")


async def test_who_watches_moves_to_a_link_that_is_there_already(network: Network):
    network.link("one", FIRST)
    async with network.hosts() as (a, b):
        await connect(a, b)
        await a.tell("watch", 0.05)
        network.link("two", SECOND)
        network.remove("a", "one", "10.0.1.1/24")
        await selected(a, b, "10.0.2.1", "10.0.2.2")
        await assert_all_heard(a, b)
        assert a.of("restarted") == [None]


async def test_who_watches_comes_back_from_failure_when_there_is_an_address(network: Network):
    network.link("one", FIRST)
    async with network.hosts(**FAILING) as (a, b):
        await connect(a, b)
        await a.tell("watch", 0.05)
        network.remove("a", "one", "10.0.1.1/24")
        await asyncio.gather(*[host.tells("ice", "failed") for host in (a, b)])
        assert a.of("restarted") == []  # there was nowhere to go
        network.add("a", "one", "fd00:1::1/64")
        network.add("b", "one", "fd00:1::2/64")
        await selected(a, b, "fd00:1::1", "fd00:1::2")
        await assert_all_heard(a, b)
        # On a busy machine an answer may be late once more.
        assert a.of("ice")[:6] == ["checking", "connected", "disconnected", "failed", "checking", "connected"]


async def test_who_roams_to_and_fro_is_followed(network: Network):
    network.link("one", FIRST)
    async with network.hosts() as (a, b):
        await connect(a, b)
        await a.tell("watch", 0.05)
        address = "10.0.1.1"
        for turn in range(4):
            network.remove("a", "one", f"{address}/24")
            address = f"10.0.1.{turn + 10}"
            network.add("a", "one", f"{address}/24")
            await selected(a, b, address, "10.0.1.2")
        await assert_all_heard(a, b)
        assert a.of("restarted") == [None] * 4


async def test_who_watches_waits_until_a_new_address_can_be_used(network: Network):
    network.link("one", FIRST)
    network.add("b", "one", "fd00:1::2/64")
    async with network.hosts(**FAILING) as (a, b):
        await connect(a, b)
        await a.tell("watch", 0.05)
        network.remove("a", "one", "10.0.1.1/24")
        await asyncio.gather(*[host.tells("ice", "failed") for host in (a, b)])
        network.add("a", "one", "fd00:1::1/64", at_once=False)
        await selected(a, b, "fd00:1::1", "fd00:1::2")
        await assert_all_heard(a, b)
        assert a.of("restarted") == [None]


async def test_connections_close_on_a_dead_link(network: Network):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.cut("one")
        await silent(a, b)


@pytest.mark.timeout(120)
async def test_forty_dead_seconds_lose_nothing(network: Network):
    network.link("one", FIRST)
    async with network.hosts() as (a, b):  # with the durations of the RFCs
        await connect(a, b, pause=0.05)
        network.cut("one")
        await asyncio.gather(*[host.tells("ice", "failed") for host in (a, b)], asyncio.sleep(40))
        network.mend("one")
        await a.tell("restart")
        await again(a, b)
        await assert_all_heard(a, b)
        for host in (a, b):
            assert host.of("ice") == ["checking", "connected", "disconnected", "failed", "checking", "connected"]
            assert host.of("connection") == [
                *("connecting", "connected", "disconnected", "failed", "connecting", "connected")
            ]
        assert a.of("open") == [None]


async def test_make_before_break_loses_no_packet(network: Network):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b, maxRetransmits=0)  # nothing is sent twice
        await heard(a, b, 20)
        network.link("two", SECOND)
        await a.tell("restart")
        pairs = await asyncio.gather(*[host.until("pair", lambda pairs: len(pairs) >= 2) for host in (a, b)])
        await heard(a, b, 100)
        await assert_all_heard(a, b)
        assert pairs[0][-1] == list(reversed(pairs[1][-1]))
        for host in (a, b):
            assert host.of("ice") == ["checking", "connected"]


async def test_a_restart_on_a_dead_link_is_done_when_that_is_mended(network: Network):
    network.link("one", FIRST)
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.cut("one")
        await silent(a, b)
        await b.tell("restart")
        await asyncio.gather(*[host.tells("ice", "checking", times=2) for host in (a, b)])
        network.mend("one")
        await again(a, b)
        await assert_all_heard(a, b)
        for host in (a, b):
            assert host.of("ice") == ["checking", "connected", "disconnected", "checking", "connected"]


async def test_a_restart_moves_to_a_link_that_has_IPv6_only(network: Network):
    network.link("one", FIRST)
    network.link("two", "fd00:2::{}/64")
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.cut("one")
        network.cut("two")
        await silent(a, b)
        network.mend("two")
        await a.tell("restart")
        await selected(a, b, "fd00:2::1", "fd00:2::2")
        await assert_all_heard(a, b)


async def test_one_side_roams_and_the_other_keeps_its_address(network: Network):
    network.link("one", FIRST)
    network.link("two")
    async with network.hosts(**BRISK) as (a, b):
        await connect(a, b)
        network.down("a", "one")
        network.remove("a", "one", "10.0.1.1/24")
        network.add("a", "two", "192.168.7.1/24")
        network.route("a", "two", "10.0.1.2")
        network.route("b", "two", "192.168.7.0/24")
        await a.tell("restart")
        await selected(a, b, "192.168.7.1", "10.0.1.2")
        await assert_all_heard(a, b)


@pytest.mark.parametrize("subnet", ["10.0.1.{}/24", "fd00:1::{}/64"], ids=["IPv4", "IPv6"])
async def test_names_are_found_on_a_link_that_no_route_leads_to(network: Network, subnet: str):
    if ":" not in subnet:
        for side in SIDES:
            network.run(side, "sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1")
    network.link("one", subnet)
    network.link("other")
    async with network.hosts(hidden=True) as (a, b):
        await a.tell("offer")
        await asyncio.gather(a.tells("open"), b.tells("open"))
        addresses = {candidate["address"] for candidate in a.of("candidate") if candidate and candidate["address"]}
        assert all(address.endswith(".local") for address in addresses)


async def test_a_lossy_link_connects_and_restarts(network: Network):
    network.link("one", FIRST)
    network.lose("one", every=10)
    async with network.hosts() as (a, b):
        await connect(a, b)
        await heard(a, b, 100)
        await a.tell("restart")
        await asyncio.gather(*[host.until("pair", lambda pairs: len(pairs) >= 2) for host in (a, b)])
        await heard(a, b, 200)
        await assert_all_heard(a, b)


ABANDONED = """
import subprocess, sys, time
from tests.networks import Network
with Network() as network:
    subprocess.Popen(network.inside("a", "sleep", "1000"))
    print("ready", flush=True)
    time.sleep(1000)
"""


def test_what_a_killed_process_has_left_is_gone_with_the_next_network(networks):
    command = [sys.executable, "-c", ABANDONED]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        left = f"peer-{process.pid}-*"
        assert len(list(NAMESPACES.glob(left))) == 2
        with Network():
            assert list(NAMESPACES.glob(left)) == []
        assert process.stdout.read() == ""  # the other end was closed: nobody runs any more
