"""Datagrams over a TCP connection that we make: the active side of ICE-TCP (RFC 6544).

A :class:`Stream` is an asyncio datagram transport that knows one remote address. It is there before its connection is,
so that a pair of candidates can wait for its turn without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ._framing import LONGEST, Deframer, framed

BUFFERED = 1 << 18  # bytes that may wait to be sent; what comes then is dropped, as a network that is congested does


class Stream(asyncio.DatagramTransport, asyncio.Protocol):
    """A datagram transport to *remote*, from the address *local* of this host and any port.

    It calls *received* with each datagram and where it came from, and *lost* at its end, once.
    """

    def __init__(
        self,
        local: str,
        remote: tuple[str, int],
        received: Callable[[bytes, tuple[str, int]], None],
        lost: Callable[[Exception | None], None],
    ) -> None:
        super().__init__()
        self._received = received
        self._lost = lost
        self._local = local
        self._remote = remote
        self._deframer = Deframer()
        self._connection: asyncio.Transport | None = None  # set when connected, once
        self._closed = False  # True from close(), or from the end of the connection

    async def connect(self) -> None:
        """Connect, unless that was done. Raises OSError."""
        if self._connection is None:
            address = (self._local, 0)
            await asyncio.get_running_loop().create_connection(lambda: self, *self._remote, local_addr=address)
        if self._closed:
            raise ConnectionError("the connection was closed")

    # What the socket calls

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram; drop it where there is no connection, or too much waits already."""
        connection = self._connection
        if connection is None or self._closed or len(data) > LONGEST:
            return
        if connection.get_write_buffer_size() <= BUFFERED:
            connection.write(framed(data))

    def close(self) -> None:
        """End at once, which is told in a later turn."""
        if not self._closed:
            self._closed = True
            if self._connection is not None:
                self._connection.abort()
            else:
                asyncio.get_running_loop().call_soon(self._lost, None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the connection says of itself; before there is one, *default*."""
        return self._connection.get_extra_info(name, default) if self._connection is not None else default

    # What asyncio tells of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection."""
        assert isinstance(transport, asyncio.Transport)
        self._connection = transport
        if self._closed:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some bytes arrived."""
        for datagram in self._deframer.datagrams(data):
            self._received(datagram, self._remote)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._closed = True
        self._lost(exc)
