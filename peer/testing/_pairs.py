"""Two peers that are connected: both in Python, or one of them in a page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from peer import RTCPeerConnection
from peer.signaling import Signaling, negotiate, pair
from peer.tools import Entry, record

from ._browser import Browser, Page
from ._joined import page_signaling, recorded
from ._trouble import Fates
from ._troubled import troubled

# A channel makes them connect. Its id is one that nobody is given by chance, and that a browser takes.
_CHANNEL = {"negotiated": True, "id": 1000}
# Waits until the page knows, too.
_CONNECTED = """
    while (state.pc.connectionState !== "connected") {
        await new Promise((resolve) => state.pc.addEventListener("connectionstatechange", resolve, {once: true}));
    }
"""


@contextlib.asynccontextmanager
async def connected_pair(
    *,
    configuration: Mapping[str, Any] | None = None,
    trouble: Fates | None = None,
    to: Callable[[Entry], object] | None = None,
    names: tuple[str, str] = ("a", "b"),
    timeout: float = 20,
) -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """Two connections of this process that are connected: ``async with connected_pair() as (a, b)``.

    Both have the *configuration*. They negotiate whenever that is needed for as long as the context lasts, with
    *trouble* between them (see :func:`troubled`); the first one is impolite, the second one polite. In the end both are
    closed. What happens goes *to* a function, as entries of a recording, under their *names*.

    Raises TimeoutError if they are not connected after so many seconds.
    """
    async with contextlib.AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(_connection(configuration, name, to)) for name in names]
        here, there = pair()
        await stack.enter_async_context(_negotiating(a, here, polite=False, trouble=trouble, to=to, names=names))
        await stack.enter_async_context(_negotiating(b, there, polite=True))
        await _connect(a, b, timeout=timeout)
        yield a, b


@contextlib.asynccontextmanager
async def connected_page(
    browser: Browser,
    *,
    configuration: Mapping[str, Any] | None = None,
    polite: bool = True,
    trouble: Fates | None = None,
    to: Callable[[Entry], object] | None = None,
    names: tuple[str, str] = ("python", "page"),
    timeout: float = 20,
) -> AsyncIterator[tuple[RTCPeerConnection, Page]]:
    """A connection of this process and one in a page that are connected: ``async with connected_page() as (pc, page)``.

    That of the page is its ``state.pc``. The Python side is *polite* or not, and the page the reverse. All else is as
    with :func:`connected_pair`; the *configuration* must be JSON.
    """
    async with contextlib.AsyncExitStack() as stack:
        page = await stack.enter_async_context(browser.open_page())
        pc = await stack.enter_async_context(_connection(configuration, names[0], to))
        signaling = await stack.enter_async_context(
            page_signaling(page, configuration=configuration, polite=not polite)
        )
        if to is not None:
            await stack.enter_async_context(recorded(to, **{names[1]: page}))
        await stack.enter_async_context(_negotiating(pc, signaling, polite=polite, trouble=trouble, to=to, names=names))
        await _connect(pc, timeout=timeout)
        async with asyncio.timeout(timeout):
            await page.evaluate(_CONNECTED)
        yield pc, page


@contextlib.asynccontextmanager
async def _connection(
    configuration: Mapping[str, Any] | None, name: str, to: Callable[[Entry], object] | None
) -> AsyncIterator[RTCPeerConnection]:
    pc = RTCPeerConnection(configuration)
    if to is not None:
        record(pc, name, to)
    try:
        yield pc
    finally:
        await pc.close()


@contextlib.asynccontextmanager
async def _negotiating(
    pc: RTCPeerConnection,
    signaling: Signaling,
    *,
    polite: bool,
    trouble: Fates | None = None,
    to: Callable[[Entry], object] | None = None,
    names: tuple[str, str] = ("", ""),
) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        if trouble is not None:
            signaling = await stack.enter_async_context(troubled(signaling, trouble, names=names, to=to))
        await stack.enter_async_context(_beside(negotiate(pc, signaling, polite=polite)))
        yield


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do *work* meanwhile, and end it. Raises what it raises."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Exception):  # it may be why the test has failed, so it comes first
            raise outcome


async def _connect(offerer: RTCPeerConnection, *others: RTCPeerConnection, timeout: float) -> None:
    """Wait until a channel of the *offerer* is open, and all are connected."""
    __tracebackhide__ = True  # pytest shows who calls
    channel = offerer.createDataChannel("connected", _CHANNEL)
    changed = asyncio.Event()
    channel.addEventListener("open", lambda _: changed.set())
    for pc in (offerer, *others):
        pc.addEventListener("connectionstatechange", lambda _: changed.set())
    try:
        async with asyncio.timeout(timeout):
            while channel.readyState != "open" or any(pc.connectionState != "connected" for pc in (offerer, *others)):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        states = ", ".join(pc.connectionState for pc in (offerer, *others))
        raise TimeoutError(f"not connected after {timeout} s: {states}") from None
