"""The types of what the fixtures of the plugin give, for those who annotate their tests.

    async def test_it(connected_page: ConnectedPage, recording: list[Entry]) -> None:
        async with connected_page() as (pc, page):
            ...

*Entry* is that of peer.tools.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from peer import RTCPeerConnection
from peer.signaling import Signaling

from ._browser import Page

ConnectedPair = Callable[..., AbstractAsyncContextManager[tuple[RTCPeerConnection, RTCPeerConnection]]]
"""What connected_pair is; it takes the arguments of :func:`connected_pair`."""

ConnectedPage = Callable[..., AbstractAsyncContextManager[tuple[RTCPeerConnection, Page]]]
"""What connected_page is; it takes the arguments of :func:`connected_page`, but for the browser."""

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
"""What open_page is."""

PageSignaling = Callable[..., AbstractAsyncContextManager[Signaling]]
"""What page_signaling is; it takes the arguments of :func:`page_signaling`."""

Recorded = Callable[..., AbstractAsyncContextManager[None]]
"""What recorded is; it takes what is to be recorded, each under its name."""

Troubled = Callable[..., AbstractAsyncContextManager[Signaling]]
"""What troubled is; it takes the arguments of :func:`troubled`."""
