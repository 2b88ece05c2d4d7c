"""The transfer of the example file_transfer, between two Python peers."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest
from peers import heard, next_event, two_channels

from examples.file_transfer.transfer import CHUNK, ENOUGH, Inbox, send
from peer import InvalidStateError

DATA = bytes(range(256)) * (3 * ENOUGH // 256)
OFFER = {"name": "file.bin", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}


def unreported(*_):
    """Nobody wants to know how far it is."""


async def another(offerer, answerer):
    """One more channel between the two, both ends of it."""
    found = asyncio.ensure_future(next_event(answerer, "datachannel"))
    channel = offerer.createDataChannel("file")
    await heard(channel, "open")
    return channel, (await found).channel


async def said(channel):
    return json.loads((await heard(channel, "message")).data)


async def test_a_file_is_sent_once_and_waits_for_room(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)
    inbox = Inbox(tmp_path / "in")
    async with two_channels() as (ours, theirs, offerer, answerer):
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
        ours, theirs = await another(offerer, answerer)
        assert await asyncio.gather(send(ours, path, report), inbox.receive(theirs, unreported)) == [True, received]
        assert positions == [len(DATA)]


async def test_a_newer_channel_goes_on_where_an_older_one_is(tmp_path):
    inbox = Inbox(tmp_path)
    async with two_channels() as (old, theirs, offerer, answerer):
        began = asyncio.ensure_future(inbox.receive(theirs, unreported))
        old.send(json.dumps(OFFER))
        assert await said(old) == {"from": 0}
        arrived = heard(theirs, "message")
        old.send(DATA[:1000])
        await arrived
        new, theirs = await another(offerer, answerer)
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


async def test_what_has_another_digest_is_thrown_away(tmp_path):
    async with two_channels() as (ours, theirs, _, _):
        receiving = asyncio.ensure_future(Inbox(tmp_path).receive(theirs, unreported))
        ours.send(json.dumps({**OFFER, "size": 5}))
        assert await said(ours) == {"from": 0}
        ours.send(b"12345")
        assert await said(ours) == {"complete": False}
        assert await receiving is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_name_leads_nowhere_else(tmp_path):
    async with two_channels() as (ours, theirs, _, _):
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, unreported))
        ours.send(json.dumps({"name": "../../evil", "size": 0, "sha256": hashlib.sha256().hexdigest()}))
        assert (await receiving) == tmp_path / "in" / hashlib.sha256().hexdigest() / "evil"


@pytest.mark.parametrize("offer", ["[]", "{}", "what", '{"name": "a", "size": "1", "sha256": "../.."}'])
async def test_what_is_no_offer_is_an_error(tmp_path, offer):
    async with two_channels() as (ours, theirs, _, _):
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, unreported))
        ours.send(offer)
        with pytest.raises((LookupError, TypeError, ValueError)):
            await receiving
    assert list(tmp_path.iterdir()) == []


async def test_a_connection_that_is_closed_interrupts_both(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)
    async with two_channels() as (ours, theirs, offerer, _):
        begun = asyncio.Event()
        receiving = asyncio.ensure_future(Inbox(tmp_path / "in").receive(theirs, lambda *_: begun.set()))
        sending = asyncio.ensure_future(send(ours, path, unreported))
        await begun.wait()
        await offerer.close()
        for transfer in (sending, receiving):
            with pytest.raises((ConnectionError, InvalidStateError), match="closed"):
                await transfer
