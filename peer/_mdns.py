"""Multicast DNS (RFC 6762): looks up the names of remote candidates, and answers for ours.

An event loop has at most one socket for each family, IPv4 and IPv6, which is there while somebody uses it: while a name
is looked up, or is to be answered for. All is sent by both. Where there can be none, for the host has no multicast or
somebody else keeps the port to himself, no name is found, and that is logged. _dns.py knows the messages.

A name is asked for three times, since what is multicast may be lost, and the wait doubles each time. Whoever wants the
same name meanwhile gets the same answer. Answers that nobody waits for have no effect, whatever they say.

Answers are multicast, to all on the link and to nobody beyond. Questions, like answers, count if they come from the
port of mDNS: a program that asks from elsewhere (RFC 6762, section 6.7) would have to be answered alone.
"""

from __future__ import annotations

import asyncio
import logging
import weakref

from ._dns import answer, question, read
from ._multicast import GroupSocket
from ._promise import Promise

logger = logging.getLogger(__name__)

GROUP, GROUP6 = "224.0.0.251", "ff02::fb"
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


class _Link:
    """The sockets of one event loop. Who has opened it must leave it, or release it."""

    def __init__(self) -> None:
        self._users = 0  # those that have not left it
        self._opening: asyncio.Task[None] | None = None  # set when the first one begins to use it
        self._sockets: list[GroupSocket] = []  # grows while it is opened
        self._lookups: dict[str, _Lookup] = {}  # by name
        self._addresses: dict[str, list[str]] = {}  # by name: once for each who answers for it

    async def open(self) -> None:
        """Use it, and open its sockets, unless they are open. Raises OSError if there can be none."""
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
        obstacle = None
        for group in (GROUP, GROUP6):
            try:
                each = GroupSocket(group, PORT, self._received)
            except OSError as error:
                obstacle = error
            else:
                self._sockets.append(each)
                await each.open()
        if not self._sockets:
            assert obstacle is not None
            raise obstacle

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
            for each in self._sockets:
                each.close()

    async def closed(self) -> None:
        """Return when the sockets are closed, if nobody uses it any more."""
        if not self._users and self._opening is not None:
            await asyncio.wait([self._opening])
            for each in self._sockets:
                await each.closed

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

    # The sockets

    def _received(self, data: bytes, port: int) -> None:
        if port != PORT:
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
        for each in self._sockets:
            each.send(data)


_links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link] = weakref.WeakKeyDictionary()


def _link() -> _Link:
    """The one of this loop that is used, or a new one."""
    return _links.setdefault(asyncio.get_running_loop(), _Link())
