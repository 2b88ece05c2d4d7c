"""Sockets of multicast groups.

A group is another one on each interface, so all is sent on each; but for those of loopback, where nobody else is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from ._promise import Promise

logger = logging.getLogger(__name__)


class GroupSocket(asyncio.DatagramProtocol):
    """A socket that sends to a *group* on the link, and gets what is sent to it, at a *port* that it shares.

    *received* is called with each datagram, and the port that it comes from. Raises OSError if there can be none. Who
    has made it must call :meth:`open` at once, and :meth:`close` in the end.
    """

    def __init__(self, group: str, port: int, received: Callable[[bytes, int], None]) -> None:
        self.closed: Promise[None] = Promise(group)  # resolved at its end
        self._socket = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
        self._group = group, port
        try:
            _bind(self._socket, port)
            self._interfaces = (_joined6 if ":" in group else _joined)(self._socket, group)
            if not self._interfaces:
                raise OSError(f"no interface has the group {group}")
        except OSError:
            self._socket.close()
            raise
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None  # set by open()

    async def open(self) -> None:
        """Begin to receive."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self._socket)

    def close(self) -> None:
        """Receive no more. Who is still in open() must be cancelled."""
        if self._transport is not None:
            self._transport.close()

    def send(self, data: bytes) -> None:
        """Send to all on the link."""
        assert self._transport is not None
        if not self._transport.is_closing():
            for interface in self._interfaces:
                self._socket.setsockopt(*interface)
                self._transport.sendto(data, self._group)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this when the socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class is none

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this when the socket is closed."""
        self.closed.resolve(None)

    def error_received(self, exc: Exception) -> None:
        """Asyncio calls this when a datagram could not be sent: the network may be gone, and come back."""
        logger.info("multicast: %s", exc)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Asyncio calls this with each datagram: from anybody."""
        self._received(data, addr[1])


def _bind(made: socket.socket, port: int) -> None:
    """Share the port. The address is the wildcard's: only some systems send from one that has the group's."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))


_Option = tuple[int, int, bytes | int]  # of a socket: its level, name and value


def _joined(made: socket.socket, group: str) -> list[_Option]:
    """Join the group wherever that is possible; returns what to set to send there."""
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762, section 11
    options: list[_Option] = []
    address = socket.inet_aton(group)
    for index in _indices():
        with contextlib.suppress(OSError):  # no multicast, or no IPv4
            made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("@4s4xi", address, index))
            options.append((socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@8xi", index)))
    return options


def _joined6(made: socket.socket, group: str) -> list[_Option]:
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    options: list[_Option] = []
    address = socket.inet_pton(socket.AF_INET6, group)
    for index in _indices():
        with contextlib.suppress(OSError):  # no multicast, or no IPv6
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("@16sI", address, index))
            options.append((socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index))
    return options


def _indices() -> list[int]:
    return [index for index, name in socket.if_nameindex() if not name.startswith("lo")]
