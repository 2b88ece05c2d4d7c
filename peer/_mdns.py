"""Multicast DNS (RFC 6762): looks up the names of remote candidates, and answers for ours.

An event loop has at most one socket for it, which is there while somebody uses it: while a name is looked up, or is to
be answered for. Where there can be none, for the host has no multicast or somebody else keeps the port to himself, no
name is found, and that is logged. _dns.py knows the messages.

A name is asked for three times, since what is multicast may be lost, and the wait doubles each time. Whoever wants the
same name meanwhile gets the same answer. Answers that nobody waits for have no effect, whatever they say.

Answers are multicast, to all on the link and to nobody beyond. Questions, like answers, count if they come from the
port of mDNS: a program that asks from elsewhere (RFC 6762, section 6.7) would have to be answered alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import weakref
from typing import Any, cast

from ._dns import answer, question, read
from ._promise import Promise

logger = logging.getLogger(__name__)

GROUP = "224.0.0.251"
PORT = 5353
QUERIES = 3  # for a name


async def resolve(name: str, wait: float) -> str | None:
    """The address of *name*, or None if nobody tells. *wait* are the seconds between the first two queries."""
    link = _link()
    try:
        await link.open()
    except OSError as error:
        logger.info("%s cannot be looked up: %s", name, error)
        return None
    try:
        return await link.resolve(name.lower(), wait)
    finally:
        await link.leave()


class Answering:
    """Answers for names, until it is ended."""

    def __init__(self) -> None:
        self.can = False  # whether it can; changes with add()
        self._link: _Link | None = None  # set while there is a name
        self._names: list[str] = []  # emptied at the end

    async def add(self, name: str, address: str) -> None:
        """Answer for *name* from now on, if that is possible."""
        if self._link is None:
            link = _link()
            try:
                await link.open()
            except OSError as error:
                logger.info("nobody can look up %s: %s", name, error)
                return
            self._link, self.can = link, True
        self._names.append(name)
        self._link.add(name, address)

    async def end(self) -> None:
        """Answer no more; returns when the socket is closed, if nobody else uses it."""
        link = self._link
        if link is not None:
            self.abort()
            await link.closed()

    def abort(self) -> None:
        """Answer no more."""
        link, self._link = self._link, None
        if link is not None:
            while self._names:
                link.remove(self._names.pop())
            link.release()


class _Lookup:
    """A name that is being looked up."""

    def __init__(self, name: str, wait: float) -> None:
        self.name = name
        self.wait = wait  # seconds until the next query; doubles
        self.queries = 0  # that were sent; grows
        self.timer: asyncio.TimerHandle | None = None  # of the next one
        self.found: Promise[str | None] = Promise(name)


class _Link(asyncio.DatagramProtocol):
    """The socket of one event loop. Who has opened it must leave it, or release it."""

    def __init__(self) -> None:
        self._users = 0  # those that have not left it
        self._opening: asyncio.Task[Any] | None = None  # set when the first one begins to use it
        self._transport: asyncio.DatagramTransport | None = None  # set when it is open
        self._closed: Promise[None] = Promise("mDNS")  # resolved when it is closed again
        self._lookups: dict[str, _Lookup] = {}  # by name
        self._addresses: dict[str, list[str]] = {}  # by name: once for each who answers for it

    async def open(self) -> None:
        """Use it, and open the socket, unless it is open. Raises OSError."""
        self._users += 1
        if self._opening is None:
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(self._open())  # of nobody: who is cancelled ends it for no others
        try:
            await asyncio.shield(self._opening)
        except BaseException:
            await self.leave()
            raise

    async def _open(self) -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=_socket())

    async def leave(self) -> None:
        """Use it no more; returns when it is closed, if nobody else uses it."""
        self.release()
        await self.closed()

    def release(self) -> None:
        """Use it no more."""
        self._users -= 1
        if not self._users:
            _links.pop(asyncio.get_running_loop(), None)
            for lookup in self._lookups.values():
                assert lookup.timer is not None
                lookup.timer.cancel()
            assert self._opening is not None
            self._opening.cancel()
            if self._transport is not None:
                self._transport.close()

    async def closed(self) -> None:
        """Return when the socket is closed, if nobody uses it any more."""
        if not self._users and self._opening is not None:
            await asyncio.wait([self._opening])
            if self._transport is not None:
                await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this when the socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class is none

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this when the socket is closed."""
        self._closed.resolve(None)

    def error_received(self, exc: Exception) -> None:
        """Asyncio calls this when a datagram could not be sent: the network may be gone, and come back."""
        logger.info("mDNS: %s", exc)

    # Looking up

    async def resolve(self, name: str, wait: float) -> str | None:
        """The address of *name*; see resolve()."""
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = _Lookup(name, wait)
            self._ask(lookup)
        return await lookup.found

    def _ask(self, lookup: _Lookup) -> None:
        if lookup.queries == QUERIES:
            del self._lookups[lookup.name]
            lookup.found.resolve(None)
            return
        for query in question(lookup.name):
            self._send(query)
        lookup.queries += 1
        lookup.timer = asyncio.get_running_loop().call_later(lookup.wait, self._ask, lookup)
        lookup.wait *= 2

    # Answering

    def add(self, name: str, address: str) -> None:
        """Answer for *name*."""
        self._addresses.setdefault(name, []).append(address)

    def remove(self, name: str) -> None:
        """Answer for *name* no more, unless somebody else does."""
        self._addresses[name].pop()
        if not self._addresses[name]:
            del self._addresses[name]

    # The socket

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Asyncio calls this with each datagram: from anybody."""
        if addr[1] != PORT:
            return
        message = read(data)
        for name in message.asked:
            if name in self._addresses:
                self._send(answer(name, self._addresses[name][0]))
        for name, address in message.told:
            lookup = self._lookups.pop(name, None)
            if lookup is not None:
                assert lookup.timer is not None
                lookup.timer.cancel()
                lookup.found.resolve(address)

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.sendto(data, (GROUP, PORT))


_links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link] = weakref.WeakKeyDictionary()


def _link() -> _Link:
    """The one of this loop that is used, or a new one."""
    return _links.setdefault(asyncio.get_running_loop(), _Link())


def _socket() -> socket.socket:
    """A socket of the group. It has a wildcard address: only some systems send from one that has the group's."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762, section 11
        made.bind(("", PORT))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton("0"))
    except OSError:
        made.close()
        raise
    return made
