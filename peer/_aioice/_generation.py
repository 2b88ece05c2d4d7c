"""One generation of ICE: its credentials, its sockets, the candidates of both sides, and what users see of its pairs.

What it does otherwise than aioice's connection:

- Candidates are published one by one, as _gatherer.py finds them (RFC 8838, section 9).
- Names of mDNS are looked up for both families, and meanwhile hold nothing up; see _mdns.py. Our own host addresses can
  be hidden behind such names: aioice knows the addresses, the observer the names (_hiding.py).
- TURN servers are left at once when it ends.

It tells an ``Observer`` what happened; some of it from inside the observer's own calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import aioice
from aioice import ice

from peer._candidate import CandidateAttribute, RTCIceServerTransportProtocol, candidate_text
from peer._configuration import IceServer
from peer._dns import is_name
from peer._facts import CheckedPair, LocalCandidate, Observer, SelectedPair
from peer._hiding import Names
from peer._mdns import Answering, resolve
from peer._timing import Timing
from peer._upstream import require

from ._checks import CheckingConnection
from ._pairs import candidate_of, read, seen_candidate, text_of, traffic_of
from ._servers import Way, allocate, own_transport, return_allocations
from ._sockets import MAX_PAIRS, RECEIVE_BUFFER, Socket

logger = logging.getLogger(__name__)

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {ice: ("CandidatePair",)}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        aioice.Connection: (
            "_add_remote_candidate",
            "_check_list",
            "_closing",
            "_early_checks",
            "_local_candidates",
            "_protocols",
            "_remote_candidates",
            "_remote_candidates_end",
            "_transport_policy",
        ),
        # Not underscored, but not documented either.
        ice.CandidatePair: ("protocol", "state"),
    },
)


class Generation(CheckingConnection):
    """One ICE generation of one transport: its credentials, sockets, candidates and checks."""

    __slots__ = (
        "_answering",
        "_names",
        "_work",
        "gathering",
    )

    def __init__(
        self,
        observer: Observer[Generation],
        *,
        ice_controlling: bool,
        tie_breaker: int,
        local_username: str | None,
        local_password: str | None,
        names: Names | None,
        timing: Timing,
    ) -> None:
        super().__init__(
            observer,
            ice_controlling=ice_controlling,
            tie_breaker=tie_breaker,
            local_username=local_username,
            local_password=local_password,
            timing=timing,
        )
        self.gathering: asyncio.Task[None] | None = None  # set when gathering begins
        self._names = names  # which hide our host addresses; None where nothing is hidden
        self._answering = Answering() if names else None  # for these names, while we have the addresses
        self._work: dict[asyncio.Task[None], None] = {}  # see spawn()

    @property
    def talks_to(self) -> tuple[str | None, str | None]:
        """The ufrag and the password of the remote side; None while they are not known."""
        return self.remote_username, self.remote_password

    @talks_to.setter
    def talks_to(self, credentials: tuple[str, str]) -> None:
        self.remote_username, self.remote_password = credentials

    # Local candidates; who finds them is in _gatherer.py

    @property
    def relay_only(self) -> bool:
        """Whether only relayed candidates are gathered. Changes when gathering begins."""
        return self._transport_policy is aioice.TransportPolicy.RELAY

    @relay_only.setter
    def relay_only(self, relay_only: bool) -> None:
        self._transport_policy = aioice.TransportPolicy.RELAY if relay_only else aioice.TransportPolicy.ALL

    @property
    def hides_hosts(self) -> bool:
        """Whether our host addresses are hidden behind names."""
        return self._names is not None

    async def bind(self, address: str) -> tuple[Socket, str, int]:
        """Open a socket; returns it with its address and port. Raises OSError."""
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Socket(self), local_addr=(address, 0)
        )
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
        if self._names is not None and self._answering is not None:
            try:
                await self._answering.add(self._names.of(address), address)
            except BaseException:  # nobody else knows the socket yet
                transport.close()
                raise
        return protocol, *transport.get_extra_info("sockname")[:2]

    async def allocate(
        self, server: IceServer, way: Way, asking: Callable[[tuple[str, int]], None]
    ) -> tuple[Socket, aioice.Candidate]:
        """Allocate a relayed address at a TURN server, by this *way*.

        *asking* is called with our address and port before the server is asked from there. The candidate has no
        foundation and no priority yet.
        """
        socket = Socket(self)
        return socket, await allocate(socket, server, way, asking, hide=self.relay_only)

    def publish(
        self,
        candidate: aioice.Candidate,
        socket: Socket | None = None,
        url: str | None = None,
        relay: RTCIceServerTransportProtocol | None = None,
    ) -> None:
        """Check from *candidate*, if it has a *socket* of its own, and tell the observer of it."""
        self.check_from(candidate, socket)
        if candidate.type == "host" and self._answering is not None and not self._answering.can:
            return  # it is checked from, but nobody could look up its name
        text = f"{self._shown(candidate)} ufrag {self.local_username}"
        self.observer.candidate_found(self, LocalCandidate(text, url, relay))

    def _shown(self, candidate: aioice.Candidate) -> str:
        """The text of a candidate of ours, as others see it."""
        text = text_of(candidate)
        return text if self._names is None else candidate_text(self._names.hidden(read(text)))

    def end_local(self) -> None:
        """There will be no more local candidates."""
        self.gathered = True
        self.observer.gathering_ended(self)
        self._reconsider_failure()

    def stop_gathering(self) -> None:
        """Gather no more candidates. The observer is not told of the end."""
        if self.gathering is not None:
            self.gathering.cancel()

    # Remote candidates

    def add_remote(self, candidate: CandidateAttribute) -> None:
        """Check *candidate*, too. One that cannot be used, or a name that cannot be resolved, changes nothing."""
        theirs = candidate_of(candidate)
        if self._closing:
            return
        if is_name(theirs.host):
            self._look_up(theirs)
        elif len(self._remote_candidates) < MAX_PAIRS:
            self._add_remote_candidate(theirs, theirs.host)

    def end_remote(self) -> None:
        """There will be no more remote candidates."""
        if not self._remote_candidates_end and not self._closing:
            self._remote_candidates_end = True
            self._reconsider_failure()

    def forget_remote(self) -> None:
        """Forget the remote candidates: they were those of other credentials. Checks have not begun."""
        self._remote_candidates.clear()
        self._check_list.clear()
        self._early_checks.clear()
        self._remote_candidates_end = False
        for lookup in self._lookups:
            lookup.cancel()

    def _look_up(self, candidate: aioice.Candidate) -> None:
        """Check *candidate* when the address of its name is known; meanwhile it is one that does not answer.

        Those that wait for their addresses are no reason to do without others.
        """
        if len(self._lookups) < MAX_PAIRS:
            self.wait_for(self.spawn(self._resolve(candidate)))

    async def _resolve(self, candidate: aioice.Candidate) -> None:
        address = await resolve(candidate.host, self.timing.names)
        if address is None:
            logger.info("%s: nobody tells the address of %s", self, candidate.host)
        elif not self._closing and len(self._remote_candidates) < MAX_PAIRS:
            self._add_remote_candidate(candidate, address)

    # Pairs

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The pair that was nominated last. A candidate that was learned from a check may be signalled later."""
        if self.pair is None:
            return None
        return SelectedPair(
            self._local(self.pair),
            read(text_of(self.pair.remote_candidate)),
            self.local_username,
            self.remote_username,
        )

    def _local(self, pair: ice.CandidatePair) -> CandidateAttribute:
        """Our candidate in *pair*, as the remote side sees it."""
        return read(self._shown(seen_candidate(pair, self._local_candidates)))

    @property
    def sending_address(self) -> str | None:
        """The address of this host that the pair sends from: to the remote side, or to the TURN server."""
        if self.pair is None:
            return None
        return str(own_transport(self.pair.protocol.transport).get_extra_info("sockname")[0])

    def transmit(self, data: bytes) -> None:
        """Send a datagram on the pair that was nominated, or before that on one that works.

        Drop it if there is none, or consent was lost.
        """
        if self._route is not None:
            socket, addr = self._route
            socket.traffic[addr].sent(data)
            socket.transport.sendto(data, addr)

    def checked_pairs(self) -> list[CheckedPair]:
        """The check list."""
        return [
            CheckedPair(
                self._local(pair),
                read(text_of(pair.remote_candidate)),
                self.local_username,
                self.remote_username,
                pair.state.name.lower().replace("_", "-"),
                pair is self.pair,
                traffic_of(pair),
            )
            for pair in self._check_list
        ]

    # The end

    async def shut_down(self) -> None:
        """Close the sockets; the observer is not told any more."""
        self.stop_checks()
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        if self._answering is not None:
            await self._answering.end()
        await return_allocations(self._protocols, min(self.timing.servers, Timing.servers))
        await self.close()

    def abort(self) -> None:
        """Close the sockets without waiting: for a loop that ends while :meth:`shut_down` is under way."""
        if self._answering is not None:
            self._answering.abort()
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.BaseTransport):  # and not an allocation of a TURN server
                protocol.transport.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *work* until the generation is shut down."""
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = None
        task.add_done_callback(self._work.pop)
        return task
