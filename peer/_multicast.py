"""Sockets of multicast groups.

One of IPv4 is on the interface that the routes of this host lead to; one of IPv6 is another group on each interface.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Iterator
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
        self._socket, self._destinations = (_joined6 if ":" in group else _joined)(group, port)
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
            for destination in self._destinations:
                self._transport.sendto(data, destination)

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


_Joined = tuple[socket.socket, list[tuple[Any, ...]]]  # and where to send to


def _joined(group: str, port: int) -> _Joined:
    with _closed_on_error(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762, section 11
        _bind(made, port)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("0"))
    return made, [(group, port)]


def _joined6(group: str, port: int) -> _Joined:
    destinations: list[tuple[Any, ...]] = []
    with _closed_on_error(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as made:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        _bind(made, port)
        address = socket.inet_pton(socket.AF_INET6, group)
        for index, _ in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without IPv6, or without multicast
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, address + struct.pack("@I", index))
                destinations.append((group, port, 0, index))
        if not destinations:
            raise OSError(f"no interface has the group {group}")
    return made, destinations


def _bind(made: socket.socket, port: int) -> None:
    """Share the port. The address is the wildcard's: only some systems send from one that has the group's."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("", port))


@contextlib.contextmanager
def _closed_on_error(made: socket.socket) -> Iterator[socket.socket]:
    try:
        yield made
    except OSError:
        made.close()
        raise
