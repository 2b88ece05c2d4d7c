"""Where peers meet: pages, a relay, and a STUN server that never answers."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from peer.testing import Browser, Page

from .machine import own_address
from .relay import relay
from .samples import Sizes

PAGE_LIMIT = 60.0  # seconds
_PAGE = Path(__file__).with_name("page.js").read_text()


@dataclass(frozen=True)
class Stage:
    """What there is for scenarios."""

    sizes: Sizes
    pages: Mapping[str, Page]
    """By browser."""
    silent: str
    """The URL of a STUN server."""
    session: aiohttp.ClientSession
    relay: str
    """The URL of a signalling server, to which the name of a room is added."""


@contextlib.asynccontextmanager
async def stage(sizes: Sizes, browsers: Iterable[str]) -> AsyncIterator[Stage]:
    """Set all up, with these browsers."""
    async with pages(browsers) as shown, relay() as url, aiohttp.ClientSession() as session:
        with silent_server() as silent:
            yield Stage(sizes, shown, silent, session, url)


@contextlib.asynccontextmanager
async def pages(names: Iterable[str]) -> AsyncIterator[dict[str, Page]]:
    """A page that knows page.js in each of these browsers."""
    async with contextlib.AsyncExitStack() as stack:
        found = {}
        for name in names:
            browser = Browser(name)
            stack.callback(browser.stop)
            page = await stack.enter_async_context(browser.open_page())
            await page.evaluate(_PAGE)
            found[name] = page
        yield found


async def in_page(page: Page, function: str, *arguments: Any) -> Any:
    """Call a function of page.js; returns what it measured."""
    async with asyncio.timeout(PAGE_LIMIT):
        measured = await page.evaluate(f"return state.bench.{function}(...args)", *arguments)
    if isinstance(measured, dict):  # JSON has no infinity
        measured = {what: math.inf if value is None else value for what, value in measured.items()}
    return measured


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a STUN server that never answers, on an address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((own_address(), 0))
        address, port = silent.getsockname()
        yield f"stun:{address}:{port}"
