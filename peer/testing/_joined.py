"""Signalling that ends in a page, and recordings of what happens there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from peer import RTCDataChannel, RTCPeerConnection
from peer.signaling import Signaling, encode
from peer.tools import Entry, now, record

from ._browser import Page, PageError

_NEGOTIATE, _CHECKS, _RECORD = (
    Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8") for name in ("negotiate", "checks", "record")
)
_LOOKS = 5  # at the clock of a page


@contextlib.asynccontextmanager
async def page_signaling(
    page: Page, *, configuration: Mapping[str, Any] | None = None, polite: bool = False
) -> AsyncIterator[Signaling]:
    """Make a connection in *page*, and be its signalling: what you send it is told, what you get it has said.

        async with page_signaling(page) as signaling:
            await negotiate(pc, signaling, polite=True)

    The connection is ``state.pc`` in the page, with a *configuration* of JSON. It negotiates whenever that is needed,
    as the W3C has it (webrtc-pc 10.7), and is *polite* or not. It stays open until the page is closed. A description
    that it refuses is one of the errors of the page.
    """
    await page.evaluate(_NEGOTIATE, configuration, polite)
    signaling = _PageSignaling(page)
    try:
        yield signaling
    finally:
        await signaling.close()


class _PageSignaling:
    """Our end of the signalling with a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._came = page.queue("signaling")
        self._closed = False  # changes once

    async def send(self, message: Mapping[str, Any]) -> None:
        data = json.loads(encode(message))
        if self._closed:
            raise ConnectionError("the signalling is closed")
        try:
            await self._page.evaluate("state.signaled(args[0])", data)
        except PageError as error:  # it is lost: the script throws nothing
            raise ConnectionError(str(error)) from error

    def __aiter__(self) -> _PageSignaling:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        message: Any = await self._came.get()
        if message is None or isinstance(message, PageError):
            self._came.put_nowait(message)  # there is nothing behind the end
            raise StopAsyncIteration
        return message  # type: ignore[no-any-return]

    async def close(self) -> None:
        self._closed = True
        self._came.put_nowait(None)


@contextlib.asynccontextmanager
async def recorded(
    to: Callable[[Entry], object], /, **targets: RTCPeerConnection | RTCDataChannel | Page
) -> AsyncIterator[None]:
    """Record what happens at each of the *targets*, under its name: ``async with recorded(entries.append, alice=pc)``.

    Targets are connections, channels of your own, and pages, of which it is ``state.pc`` that is recorded, with the
    channels that the other side opens. What happened goes *to* a function, as entries of a recording (peer.tools);
    those of a page come late, with the times of its own clock, which is compared with ours before.

    Raises ValueError for a page that has no ``state.pc`` yet.
    """
    async with contextlib.AsyncExitStack() as stack:
        for name, target in targets.items():
            if isinstance(target, Page):
                await stack.enter_async_context(_recorded_page(target, name, to))
            else:
                record(target, name, to)
        yield


@contextlib.asynccontextmanager
async def _recorded_page(page: Page, name: str, to: Callable[[Entry], object]) -> AsyncIterator[None]:
    if not await page.evaluate("Boolean(state.pc)"):
        raise ValueError(f"the page has no state.pc yet that could be recorded as {name!r}: make it before")
    offset = await _clock(page)

    def note(entry: Any) -> None:
        if not isinstance(entry, PageError):
            to(Entry(time=round(offset + entry["time"], 3), peer=name, event=entry["event"], value=entry["value"]))

    async def listen() -> None:
        while True:
            note(await entries.get())

    entries = page.queue("recording")
    await page.evaluate(_CHECKS + _RECORD)
    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        with contextlib.suppress(PageError):  # its answer comes behind all that it has sent before
            await page.evaluate("")
        listening.cancel()
        await asyncio.wait([listening])
        while not entries.empty():
            note(entries.get_nowait())


async def _clock(page: Page) -> float:
    """The time here when it was 0 in *page*: the faster it tells its time, the better we know."""
    looks = []
    for _ in range(_LOOKS):
        asked = now()
        there = await page.evaluate("return performance.now()")
        answered = now()
        looks.append((answered - asked, (asked + answered) / 2 - there))
    return float(min(looks)[1])
