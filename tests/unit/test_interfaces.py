"""When a move of the host restarts ICE, and how long the connection is watched."""

from __future__ import annotations

import asyncio
import gc
import weakref
from itertools import pairwise

import pytest

from peer import RTCPeerConnection, watch_interfaces
from peer._interfaces import Look, restart_is_due

WIFI, CELL, WIRE = "192.0.2.1", "198.51.100.1", "2001:db8::1"


def moves(*addresses: set[str], sending: set[str], failed: bool = False) -> list[bool]:
    """Whether a restart is due at each look but the first, while the connection goes on sending from the same."""
    looks = [Look(frozenset(seen), frozenset(sending - seen)) for seen in addresses]
    return [restart_is_due(last, now, failed=failed) for last, now in pairwise(looks)]


def test_the_address_in_use_goes_away_and_another_is_left():
    assert moves({WIFI, CELL}, {CELL}, {CELL}, sending={WIFI}) == [True, False]


def test_the_address_in_use_is_replaced():
    assert moves({WIFI}, {CELL}, {CELL}, sending={WIFI}) == [True, False]


def test_with_no_address_left_the_restart_waits_for_one():
    assert moves({WIFI}, set(), set(), {CELL}, {CELL}, sending={WIFI}) == [False, False, True, False]


def test_the_same_address_comes_back():
    assert moves({WIFI}, set(), {WIFI}, sending={WIFI}) == [False, False]
    assert moves({WIFI}, set(), {WIFI}, sending={WIFI}, failed=True) == [False, True]


def test_each_address_that_comes_while_the_one_in_use_is_missing_is_tried():
    assert moves({WIFI, CELL}, {CELL}, {CELL, WIRE}, {CELL}, sending={WIFI}) == [True, True, False]


def test_other_addresses_come_and_go():
    assert moves({WIFI}, {WIFI, CELL}, {WIFI}, {WIFI, WIRE}, sending={WIFI}) == [False, False, False]


def test_a_failed_connection_waits_for_an_address():
    assert moves({WIFI}, {WIFI}, {WIFI, CELL}, {CELL}, sending=set(), failed=True) == [False, True, False]
    assert moves({WIFI}, {WIFI}, {WIFI, CELL}, sending=set()) == [False, False]


def test_one_of_two_transports_loses_its_address():
    assert moves({WIFI, CELL}, {WIFI}, sending={WIFI, CELL}) == [True]


def test_the_address_in_use_was_gone_before_anybody_looked():
    now = Look(frozenset({CELL}), frozenset({WIFI}))
    assert restart_is_due(Look(now.addresses), now, failed=False)


async def test_watching_ends_with_the_connection_and_not_an_interval_later():
    pc = RTCPeerConnection()
    watching = asyncio.create_task(watch_interfaces(pc, interval=3600))
    await asyncio.sleep(0)  # it has begun
    assert not watching.done()
    await pc.close()
    await watching
    await watch_interfaces(pc)


async def test_a_connection_that_nobody_has_is_watched_no_longer():
    pc = RTCPeerConnection()
    gone = weakref.ref(pc)
    watching = asyncio.create_task(watch_interfaces(pc, interval=0.01))
    await asyncio.sleep(0)
    del pc
    gc.collect()
    assert gone() is None
    await watching


async def test_watching_can_be_cancelled():
    pc = RTCPeerConnection()
    watching = asyncio.create_task(watch_interfaces(pc, interval=0.01))
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    await pc.close()
