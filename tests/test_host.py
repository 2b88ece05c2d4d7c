"""What a connection knows of its host's addresses, while they come and go."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from networks import ROOT, Network
from peers import open_peers

from peer import RTCPeerConnection
from peer._aioice import host_addresses
from peer._host import this_host

# Runs on a host of its own: told which addresses to add and remove, it prints what it knows then, and how often it
# looked since the last time.
PROGRAM = """
import json, select, subprocess, sys
from peer import _host, _aioice

looks = []

def look():
    looks.append(None)
    return _aioice.host_addresses()

host = _host.this_host()
_host.host_addresses = look
for line in sys.stdin:
    changes = "".join(f"address {change} dev lo nodad\\n" for change in json.loads(line))
    subprocess.run(["ip", "-batch", "-"], input=changes, text=True, check=True)
    if changes:
        select.select([host._changes], [], [])  # new addresses of IPv6 are told a moment later
    print(json.dumps([sorted(host.addresses()), len(looks)]), flush=True)
    looks.clear()
"""


@pytest.fixture
async def changing(network: Network):
    """A host with one address; gives a function that changes its addresses and returns what it knows then."""
    network.up("a", "lo")  # which is there at once, and adds no addresses of its own later
    network.add("a", "lo", "10.0.1.1/24")
    process = await asyncio.create_subprocess_exec(
        *network.inside("a", sys.executable, "-c", PROGRAM),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def change(*changes: str):
        process.stdin.write(json.dumps(changes).encode() + b"\n")
        return tuple(json.loads(await process.stdout.readline()))

    yield change
    process.stdin.close()
    assert await process.wait() == 0


async def test_it_looks_again_when_addresses_have_come_or_gone(changing):
    first, second, third = "10.0.1.1", "10.0.9.1", "2001:db8::1"
    assert await changing() == ([first], 0)
    assert await changing(f"add {second}/24") == ([first, second], 1)
    assert await changing(f"add {third}/64") == ([first, second, third], 1)
    assert await changing() == ([first, second, third], 0)
    assert await changing(f"del {first}/24", f"del {second}/24") == ([third], 1)
    assert await changing(f"del {third}/64") == ([], 1)
    assert await changing() == ([], 0)


async def test_more_changes_than_are_kept_are_changes(changing):
    many = [f"add 10.{high}.{low}.1/24" for high in range(1, 9) for low in range(1, 251)]
    await changing()
    known, looks = await changing(*many)
    assert (len(known) > 2000, looks) == (True, 1)
    assert (await changing())[0] == known


def listeners() -> list[str]:
    """The sockets of this process that hear of changes."""
    own = {os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()}
    rows = [row.split() for row in Path("/proc/net/netlink").read_text().splitlines()[1:]]
    return [inode for *_, inode in rows if f"socket:[{inode}]" in own]


async def test_connections_share_one_listener_which_ends_with_the_last():
    assert listeners() == []
    async with open_peers(None) as (one,):
        assert len(listeners()) == 1
        async with open_peers(None, None):
            assert len(listeners()) == 1
        assert len(listeners()) == 1
        await one.close()
        assert listeners() == []


async def test_a_connection_that_nobody_closes_leaves_none():
    forgotten = RTCPeerConnection()
    assert len(listeners()) == 1
    del forgotten
    gc.collect()
    assert listeners() == []


async def test_who_wants_relayed_candidates_only_does_not_listen():
    async with open_peers({"iceTransportPolicy": "relay"}):
        assert listeners() == []


async def test_where_nobody_tells_of_changes_each_question_is_a_look(monkeypatch):
    monkeypatch.delattr(socket, "AF_NETLINK")
    host = this_host()
    assert listeners() == []
    assert host.addresses() == host_addresses()
    monkeypatch.setattr("peer._host.host_addresses", lambda: ["192.0.2.1"])
    assert host.addresses() == ["192.0.2.1"]


def forbid(*_: object) -> None:
    raise PermissionError


async def test_where_listening_is_forbidden_each_question_is_a_look(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "bind", forbid)
        host = this_host()
    assert listeners() == []
    assert host.addresses() == host_addresses()


def test_a_child_listens_for_itself_and_takes_nothing_from_its_parent(monkeypatch):
    host = this_host()
    child = os.fork()
    if child == 0:
        monkeypatch.setattr("peer._host.host_addresses", lambda: ["192.0.2.1"])
        looks = host.addresses() == ["192.0.2.1"]
        os._exit(0 if looks and this_host() is not host else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_one_thread_has_found_later_is_not_replaced_by_what_another_found_before(monkeypatch):
    monkeypatch.delattr(socket, "AF_NETLINK")
    host = this_host()
    others: list[Sequence[str]] = []
    other = threading.Thread(target=lambda: others.append(host.addresses()))

    def look():
        if other.ident is not None:
            return ["192.0.2.2"]
        other.start()
        other.join(0.1)  # if it could look meanwhile, it has
        return ["192.0.2.1"]

    monkeypatch.setattr("peer._host.host_addresses", look)
    found = [host.addresses()]
    other.join()
    assert found + others == [["192.0.2.1"], ["192.0.2.2"]]
    assert host._found == ["192.0.2.2"]
