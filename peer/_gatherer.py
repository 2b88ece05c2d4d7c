"""Gathers the candidates of one generation: those of the host's addresses, and those that servers tell.

All are published as they are found (RFC 8838, section 9): the host's in about a millisecond, those of STUN and TURN
servers when they answer. Each of the host's addresses can also make TCP connections (RFC 6544). All servers are asked
at once, and have a bounded time to answer: STUN servers from every address of a family that they have, TURN servers by
one way after the other until they answer. One from which nothing was learned is told to the observer, once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import aioice

from ._aioice import Generation, OwnCandidate, Socket, Way, failure, reflexive_address
from ._configuration import IceServer
from ._facts import UNREACHABLE, ServerError
from ._lookup import look_up
from ._priorities import Foundations, local_preference, priority, ranked, tcp_preference
from ._timing import Timing

logger = logging.getLogger(__name__)


STAGGER = 0.25  # seconds until a server is asked by one more way (RFC 8305, section 5)

_Query = tuple[Callable[[], Coroutine[Any, Any, None]], list[tuple[str, int]]]  # and from where it was asked; grows


class _Failure(NamedTuple):
    """How a server failed."""

    code: int
    text: str
    place: tuple[str, int] | None  # from where it was asked, if it was


class _Allocating:
    """Asks one TURN server for a relayed address, by several ways.

    *asking* is called with our address and port before the server is asked from there.
    """

    def __init__(
        self, generation: Generation, server: IceServer, asking: Callable[[tuple[str, int]], None], timing: Timing
    ) -> None:
        self._generation = generation
        self._server = server
        self._asking = asking
        self._timing = timing
        self._reached: dict[str, Exception] = {}  # by its address: why it cannot be used, though it was reached; grows

    async def by(self, way: Way) -> tuple[Way, tuple[Socket, aioice.Candidate] | Exception]:
        """Ask by this *way*; returns what came of it, if the server has answered. Raises why it could not be asked."""
        if way.address in self._reached:
            raise self._reached[way.address]
        try:
            return way, await self._generation.allocate(self._server, way, self._asking)
        except Exception as error:
            if failure(error, self._timing.servers)[0] != UNREACHABLE:
                return way, error  # it has answered, and will not answer otherwise by another way
            if not isinstance(error, OSError) or isinstance(error, ConnectionError | ssl.SSLError):
                self._reached[way.address] = error
            raise


class Gatherer:
    """Gathers for one generation. *host_addresses* gives the addresses of this host, or raises OSError."""

    def __init__(
        self,
        generation: Generation,
        servers: Sequence[IceServer],
        foundations: Foundations,
        host_addresses: Callable[[], Sequence[str]],
        timing: Timing,
    ) -> None:
        self._generation = generation
        self._servers = servers
        self._foundations = foundations  # those of the whole connection
        self._host_addresses = host_addresses
        self._timing = timing
        self._hosts: list[tuple[Socket, aioice.Candidate, int]] = []  # host candidates and their rank; grows
        self._asks_stun = any(server.scheme == "stun" for server in servers)

    async def run(self) -> None:
        """Gather. The generation is told of each candidate, and of the end; its observer of servers that fail."""
        # Who awaits setLocalDescription() goes on first: the other side can read the description while we gather.
        await asyncio.sleep(0)
        if not self._generation.relay_only:
            for rank, address in enumerate(ranked(self._host_addresses())):
                await self._bind(address, rank)
            for _, base, rank in self._hosts:
                self._offer_tcp(base.host, rank)
        await asyncio.gather(*[self._ask(number) for number in range(len(self._servers))])
        self._generation.end_local()

    async def _bind(self, address: str, rank: int) -> None:
        try:
            socket, host, port = await self._generation.bind(address)
        except OSError as error:
            logger.info("%s cannot use %s: %s", self._generation, address, error)
            return
        candidate = self._candidate("host", host, port, local_preference(rank), self._foundations.of("host", address))
        self._hosts.append((socket, candidate, rank))
        self._generation.publish(candidate, socket)

    def _offer_tcp(self, address: str, rank: int) -> None:
        # Its port is known when it connects; until then it is 9 (RFC 6544, section 4.5).
        foundation = self._foundations.of("host", address, "tcp")
        preference = priority("host", tcp_preference(rank), "tcp")
        self._generation.publish(OwnCandidate(foundation, 1, "tcp", preference, address, 9, "host", tcptype="active"))

    async def _ask(self, number: int) -> None:
        """Ask a server for candidates, and tell the observer if it yields none."""
        server = self._servers[number]
        queries = self._stun_queries(number) if server.scheme == "stun" else [self._turn_query(number)]
        # A TURN server knows how it sees us, too. That it does not tell is no failure.
        tells_address = server.relay_protocol == "udp" and not self._asks_stun
        others = self._stun_queries(number) if tells_address else []
        outcomes = await asyncio.gather(
            *[self._bounded(server.url, query, places) for query, places in [*queries, *others]]
        )
        outcomes = outcomes[: len(queries)]
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures and len(failures) == len(outcomes):
            self._generation.observer.server_failed(self._generation, self._error(server.url, failures))

    def _error(self, url: str, failures: list[_Failure]) -> ServerError:
        """The error that tells of all these *failures* of one server."""
        # What a server has answered says more than that it did not, and that more than that it was not asked.
        code, text, place = min(failures, key=lambda failure: (failure.code == UNREACHABLE, failure.place is None))
        hosts = [] if self._generation.hides_hosts else [host.host for _, host, _ in self._hosts]
        return ServerError(url, code, text, *(place if place is not None and place[0] in hosts else ()))

    def _stun_queries(self, number: int) -> list[_Query]:
        server, count = self._servers[number], len(self._servers)
        return [
            (
                partial(self._ask_stun, server, socket, base, local_preference(rank, count, number)),
                [(base.host, base.port)],
            )
            for socket, base, rank in self._hosts
        ]

    def _turn_query(self, number: int) -> _Query:
        places: list[tuple[str, int]] = []
        return partial(self._ask_turn, self._servers[number], local_preference(number), places.append), places

    async def _bounded(
        self, url: str, query: Callable[[], Coroutine[Any, Any, None]], places: list[tuple[str, int]]
    ) -> _Failure | None:
        """Run *query*, which asks the server *url*, but not for ever; return how it failed.

        It has asked from the first of *places*, if from any.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._timing.servers):
                await query()
        except Exception as error:
            # A name that cannot be looked up, or is none (UnicodeError), is not asked.
            was_asked = bool(places) and not isinstance(error, socket.gaierror | UnicodeError)
            return _Failure(*failure(error, self._timing.servers), places[0] if was_asked else None)
        self._generation.observer.server_answered(self._generation, url, clock() - began)
        return None

    async def _ask_stun(self, server: IceServer, socket_: Socket, base: aioice.Candidate, preference: int) -> None:
        address, *_ = await look_up(server.host, socket.AF_INET6 if ":" in base.host else socket.AF_INET)
        host, port = await reflexive_address(socket_, address, server.port)
        if not self._is_redundant(host, port, base):
            foundation = self._foundations.of("srflx", base.host, "udp", address)
            candidate = self._candidate("srflx", host, port, preference, foundation)
            candidate.related_address, candidate.related_port = base.host, base.port
            self._generation.publish(candidate, url=server.url)

    def _is_redundant(self, host: str, port: int, base: aioice.Candidate) -> bool:
        """Whether there is a candidate with that address and the same base (RFC 8445, section 5.1.3)."""
        return any(
            (known.host, known.port) == (host, port)
            and (known.related_address or known.host, known.related_port or known.port) == (base.host, base.port)
            for known in self._generation.local_candidates
        )

    async def _ask_turn(self, server: IceServer, preference: int, asking: Callable[[tuple[str, int]], None]) -> None:
        allocating = _Allocating(self._generation, server, asking, self._timing)
        ways = self._ways(await look_up(server.host))
        first, _, errors = await staggered_race((partial(allocating.by, way) for way in ways), STAGGER)
        if first is None:
            raise next(error for error in errors if error is not None)
        way, outcome = first
        if isinstance(outcome, Exception):
            raise outcome
        socket, candidate = outcome
        candidate.foundation = self._foundations.of("relay", candidate.host, server.relay_protocol, way.address)
        candidate.priority = priority("relay", preference)
        self._generation.publish(candidate, socket, server.url, server.relay_protocol)

    def _ways(self, addresses: Sequence[str]) -> Iterator[Way]:
        """The ways to a server that has these *addresses*, the best first.

        Routes may lead nowhere where several interfaces are up, and so may the address that a name has in one family.
        """
        for address in addresses:
            yield Way(None, address)
        try:
            here = ranked(self._host_addresses())
        except OSError:  # it must not end the ways that are being tried
            return
        for address in addresses:
            ours = [each for each in here if (":" in each) == (":" in address)]
            for each in ours if len(ours) > 1 else ():
                yield Way(each, address)

    @staticmethod
    def _candidate(type: str, host: str, port: int, preference: int, foundation: str) -> OwnCandidate:
        return OwnCandidate(foundation, 1, "udp", priority(type, preference), host, port, type)
