"""The transfer itself, between two Python peers."""

import asyncio
import hashlib
import json

import pytest

from examples.file_transfer.transfer import CHUNK, ENOUGH, Inbox, send
from peer import InvalidStateError

DATA = bytes(range(256)) * (3 * ENOUGH // 256)
OFFER = {"name": "file.bin", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}


def unreported(*_):
    """Nobody wants to know how far it is."""


def heard(target, type):
    """Done with the next event of *type* at *target*."""
    happened = asyncio.get_running_loop().create_future()
    target.addEventListener(type, happened.set_result, once=True)
    return happened


async def channels(one, other):
    """A new channel between the two, both ends of it."""
    found = heard(other, "datachannel")
    channel = one.createDataChannel("file")
    await heard(channel, "open")
    return channel, (await found).channel


async def said(channel):
    return json.loads((await heard(channel, "message")).data)


async def test_a_file_is_sent_once_and_waits_for_room(connected_pair, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)
    inbox = Inbox(tmp_path / "in")
    async with connected_pair() as (a, b):
        ours, theirs = await channels(a, b)
        positions, waiting = [], []

        def report(name, position, size):
            positions.append(position)
            waiting.append(ours.bufferedAmount)

        complete, received = await asyncio.gather(send(ours, path, report), inbox.receive(theirs, unreported))
        assert complete
        assert received == tmp_path / "in" / OFFER["sha256"] / "file.bin"
        assert received.read_bytes() == DATA
        assert positions == [*range(0, len(DATA), CHUNK), len(DATA)]
        assert ENOUGH < max(waiting) <= ENOUGH + CHUNK
        positions.clear()
        ours, theirs = await channels(a, b)
        assert await asyncio.gather(send(ours, path, report), inbox.receive(theirs, unreported)) == [True, received]
        assert positions == [len(DATA)]


async def test_a_newer_channel_goes_on_where_an_older_one_is(connected_pair, tmp_path):
    inbox = Inbox(tmp_path)
    async with connected_pair() as (a, b):
        old, theirs = await channels(a, b)
        began = asyncio.ensure_future(inbox.receive(theirs, unreported))
        old.send(json.dumps(OFFER))
        assert await said(old) == {"from": 0}
        arrived = heard(theirs, "message")
        old.send(DATA[:1000])
        await arrived
        new, theirs = await channels(a, b)
        goes_on = asyncio.ensure_future(inbox.receive(theirs, unreported))
        new.send(json.dumps(OFFER))
        assert await said(new) == {"from": 1000}
        old.send(DATA[1000:2000])  # which does not count any more
        with pytest.raises(ConnectionError, match="another channel"):
            await began
        for start in range(1000, len(DATA), 50_000):
            new.send(DATA[start : start + 50_000])
        assert await said(new) == {"complete": True}
        assert (await goes_on).read_bytes() == DATA


async def test_what_has_another_digest_is_thrown_away(connected_pair, tmp_path):
    async with connected_pair() as (a, b):
        ours, theirs = await channels(a, b)
        receiving = asyncio.ensure_future(Inbox(tmp_path).receive(theirs, unreported))
        ours.send(json.dumps({**OFFER, "size": 5}))
        assert await said(ours) == {"from": 0}
        ours.send(b"12345")
        assert await said(ours) == {"complete": False}
        assert await receiving is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_name_leads_nowhere_else(connected_pair, tmp_path):
    async with connected_pair() as (a, b):
        ours, theirs = await channels(a, b)
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, unreported))
        ours.send(json.dumps({"name": "../../evil", "size": 0, "sha256": hashlib.sha256().hexdigest()}))
        assert (await receiving) == tmp_path / "in" / hashlib.sha256().hexdigest() / "evil"


@pytest.mark.parametrize("offer", ["[]", "{}", "what", '{"name": "a", "size": "1", "sha256": "../.."}'])
async def test_what_is_no_offer_is_an_error(connected_pair, tmp_path, offer):
    async with connected_pair() as (a, b):
        ours, theirs = await channels(a, b)
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, unreported))
        ours.send(offer)
        with pytest.raises((LookupError, TypeError, ValueError)):
            await receiving
    assert list(tmp_path.iterdir()) == []


async def test_a_connection_that_is_closed_interrupts_both(connected_pair, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)
    async with connected_pair() as (a, b):
        ours, theirs = await channels(a, b)
        begun = asyncio.Event()
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, lambda *_: begun.set()))
        sending = asyncio.ensure_future(send(ours, path, unreported))
        await begun.wait()
        await a.close()
        for transfer in (sending, receiving):
            with pytest.raises((ConnectionError, InvalidStateError), match="closed"):
                await transfer
