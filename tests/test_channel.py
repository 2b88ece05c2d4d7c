"""Channels that the other side opens: first datachannel, then open, then what was sent (webrtc-pc 6.2)."""

from __future__ import annotations

import asyncio

import pytest
from peers import connect, emitted, open_peers


def listen(channel, log, until):
    channel.on("open", lambda: log.append(f"open {channel.readyState}"))
    channel.on("close", lambda: log.append("close"))
    channel.on("message", log.append)
    channel.on("message", lambda text: text == "last" and until.set_result(None))


def send_two(channel):
    channel.send("first")
    channel.send("last")


@pytest.mark.parametrize("later", [False, True], ids=["a function", "a coroutine function"])
async def test_a_channel_is_announced_then_open_then_it_speaks(later):
    async with open_peers(None, None) as (offerer, answerer):
        log, last = [], asyncio.get_running_loop().create_future()

        def heard(event):
            log.append(f"datachannel {event.channel.readyState}")
            listen(event.channel, log, last)

        async def heard_later(event):
            heard(event)

        await connect(offerer, answerer)
        answerer.ondatachannel = heard_later if later else heard
        channel = offerer.createDataChannel("second")
        channel.once("open", lambda: send_two(channel))
        await last
        assert log == ["datachannel open", "open open", "first", "last"]


@pytest.mark.parametrize("later", [False, True], ids=["a function", "a coroutine function"])
async def test_what_comes_in_the_same_packet_waits_until_the_channel_is_open(later):
    async with open_peers(None, None) as (offerer, answerer):
        log, last = [], asyncio.get_running_loop().create_future()

        async def heard_later(event):
            listen(event.channel, log, last)

        await connect(offerer, answerer)
        answerer.ondatachannel = heard_later if later else lambda event: listen(event.channel, log, last)
        offerer.createDataChannel("second")
        answerer.sctp.once(
            "datachannel", lambda theirs: (theirs.emit("message", "first"), theirs.emit("message", "last"))
        )
        await last
        assert log == ["open open", "first", "last"]


async def test_a_channel_that_is_closed_at_once_is_not_announced_as_open():
    async with open_peers(None, None) as (offerer, answerer):
        log, closed = [], asyncio.get_running_loop().create_future()

        def heard(event):
            listen(event.channel, log, None)
            event.channel.onclose = closed.set_result
            event.channel.close()

        await connect(offerer, answerer)
        answerer.ondatachannel = heard
        await emitted(offerer.createDataChannel("second"), "close")
        await closed
        assert log == ["close"]


async def test_what_was_kept_comes_before_the_end():
    async with open_peers(None, None) as (offerer, answerer):
        log, ended = [], asyncio.get_running_loop().create_future()
        await connect(offerer, answerer)

        def end(theirs):  # as if all had come in one packet
            listen(theirs, log, asyncio.get_running_loop().create_future())
            theirs.once("close", lambda: ended.set_result(None))
            theirs.emit("message", "last")
            theirs._setReadyState("closed")

        answerer.sctp.once("datachannel", end)
        offerer.createDataChannel("second")
        await ended
        assert log == ["open open", "last", "close"]


async def test_after_close_nothing_is_announced():
    async with open_peers(None, None) as (offerer, answerer):
        log = []
        await connect(offerer, answerer)
        answerer.ondatachannel = lambda event: log.append("datachannel")
        found = asyncio.get_running_loop().create_future()

        def close(theirs):
            listen(theirs, log, asyncio.get_running_loop().create_future())
            theirs.emit("message", "last")
            answerer.close()
            found.set_result(None)

        answerer.sctp.once("datachannel", close)
        offerer.createDataChannel("second")
        await found
        await answerer.close()
        assert log == ["close"]


async def test_a_listener_for_open_breaks_nothing(loop_errors):
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        last = asyncio.get_running_loop().create_future()

        def fail():
            raise RuntimeError("mine")

        def heard(event):
            event.channel.on("open", fail)
            listen(event.channel, [], last)

        answerer.ondatachannel = heard
        channel = offerer.createDataChannel("second")
        channel.once("open", lambda: send_two(channel))
        await last
        assert [str(error["exception"]) for error in loop_errors] == ["mine"]
        loop_errors.clear()


@pytest.mark.parametrize(("ordered", "first"), [(True, "open"), (False, "datachannel")])
async def test_a_channel_that_keeps_the_order_is_open_before_the_other_side_has_answered(ordered, first):
    async with open_peers(None, None) as (offerer, answerer):
        log, messages = [], asyncio.Queue()
        await connect(offerer, answerer)

        def heard(event):
            log.append("datachannel")
            event.channel.onmessage = lambda event: messages.put_nowait(event.data)

        answerer.ondatachannel = heard
        channel = offerer.createDataChannel("second", ordered=ordered)
        channel.onopen = lambda event: (log.append("open"), send_two(channel))
        assert sorted([await messages.get(), await messages.get()]) == ["first", "last"]
        assert log[0] == first
