"""The seam to aioice: one generation of ICE that trickles. The only module that knows aioice's private names.

aioice gathers all candidates before it lets anybody see one, and will not connect before that. :class:`Generation` is
an aioice connection that does these things as the RFCs describe them:

- Candidates are published one by one: the sockets of the host's addresses in about a millisecond, those that STUN and
  TURN servers answer with when they answer (RFC 8838, section 9).
- Checks run while gathering goes on. New candidates of either side form pairs with all that are known.
- One pair is nominated, after it was found to work; both sides send on the same one.
- Success is an event. Checks are paced by a timer of 5 ms (RFC 8445, section 14.2) that runs only while there is
  something to check, where aioice looks every 20 ms.
- Failure is declared when both sides have ended their candidates and all pairs have failed, and not before the PAC
  timer has run out, since the remote side may reach us where we cannot reach it (RFC 8863). A side without candidates
  of its own need not wait.

It tells an ``Observer`` what happened; some of it from inside the observer's own calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import aioice
from aioice import ice, mdns, stun
from aioice.candidate import candidate_priority

from ._candidate import CandidateAttribute, RTCIceServerTransportProtocol, parse_candidate
from ._configuration import IceServer
from ._errors import NotSupportedError
from ._facts import CheckedPair, LocalCandidate, Observer, SelectedPair, ServerError
from ._priorities import Foundations, local_preference, ranked
from ._upstream import require

logger = logging.getLogger(__name__)

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {
    ice: (
        "CandidatePair",
        "StunProtocol",
        "get_host_addresses",
        "get_or_create_mdns_protocol",
        "relayed_candidate",
        "server_reflexive_candidate",
    ),
    mdns: ("is_mdns_hostname",),
    stun: ("TransactionFailed", "TransactionTimeout"),
}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        aioice.Connection: (
            "_add_remote_candidate",
            "_check_list",
            "_check_list_done",
            "_check_list_maybe_complete",
            "_check_list_maybe_fail",
            "_closing",
            "_early_checks",
            "_early_checks_done",
            "_end_remote_candidates",
            "_local_candidates",
            "_nominated",
            "_pair_remote_candidate",
            "_protocols",
            "_prune_components",
            "_query_consent_task",
            "_remote_candidates",
            "_remote_candidates_end",
            "_remote_candidates_expected",
            "_remote_candidates_resolving",
            "_transport_policy",
            # Not underscored, but not documented either.
            "check_incoming",
            "check_start_task",
            "data_received",
            "get_component_candidates",
            "protocol_lost",
            "query_consent",
            "sort_check_list",
            "switch_role",
        ),
        ice.CandidatePair: ("protocol", "state", "task"),
    },
)

GATHERING_TIMEOUT = 5.0  # seconds that the servers have to answer
UNREACHABLE = 701  # webrtc-pc 4.8.3, errorCode
PATIENCE = 39.5  # seconds, the PAC timer of RFC 8863, section 4
MAX_PAIRS = 100  # RFC 8445, section 6.1.2.5; no more remote candidates are kept either
TA = 0.005  # seconds between two checks
MDNS_QUERIES = 3  # a second apart, as RFC 6762, section 5.2, allows

_UNCHECKED = (ice.CandidatePair.State.WAITING, ice.CandidatePair.State.FROZEN)


class Generation(aioice.Connection):
    """One ICE generation of one transport: its credentials, sockets, candidates and checks."""

    def __init__(
        self,
        observer: Observer[Generation],
        *,
        ice_controlling: bool,
        local_username: str | None,
        local_password: str | None,
        relay_only: bool,
        foundations: Foundations,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(
            ice_controlling=ice_controlling,
            local_username=local_username,
            local_password=local_password,
            transport_policy=_policy(relay_only),
        )
        self.observer = observer
        self.foundations = foundations  # those of the whole connection
        self.patience = patience  # seconds; tests shorten it
        self.gathered = False  # True once there will be no more local candidates
        self.checking = False  # True once there was something to check
        self.patient = False  # True while the PAC timer runs
        self.pair: ice.CandidatePair | None = None  # the one that was nominated last
        self._hosts: dict[str, int] = {}  # the rank of each host address that has a socket
        self._timers: dict[str, asyncio.TimerHandle] = {}  # "check" and "patience", while they run
        self._work: set[asyncio.Task[None]] = set()  # gathering and mDNS look-ups under way

    # Gathering

    @property
    def relay_only(self) -> bool:
        """Whether only relayed candidates are gathered. Changes when gathering begins."""
        return self._transport_policy is aioice.TransportPolicy.RELAY

    def gather(self, servers: Iterable[IceServer], relay_only: bool) -> None:
        """Begin to gather. The observer is told of each candidate, of each server that fails, and of the end."""
        self._transport_policy = _policy(relay_only)
        self._spawn(self._gather(list(servers)))

    async def _gather(self, servers: list[IceServer]) -> None:
        if not self.relay_only:
            for rank, address in enumerate(ranked(ice.get_host_addresses(use_ipv4=True, use_ipv6=True))):
                for candidate in await self.get_component_candidates(1, [address]):
                    candidate.foundation = self.foundations.of("host", address)
                    candidate.priority = candidate_priority(1, "host", local_preference(rank))
                    self._publish(candidate)
                    self._hosts[candidate.host] = rank
        await asyncio.gather(*[self._ask(servers, number) for number in range(len(servers))])
        self.gathered = True
        self.observer.gathering_ended(self)
        self._reconsider_failure()

    async def _ask(self, servers: list[IceServer], number: int) -> None:
        """Ask a server for candidates, and tell the observer if it yields none."""
        server = servers[number]
        if server.scheme == "stun":
            bases = [
                p for p in self._protocols if p.local_candidate.type == "host" and ":" not in p.local_candidate.host
            ]
            ranks = [local_preference(self._hosts[b.local_candidate.host], len(servers), number) for b in bases]
            queries = [partial(self._reflexive, server, *base) for base in zip(bases, ranks, strict=True)]
        else:
            bases = []
            queries = [partial(self._relayed, server, local_preference(number))]
        outcomes = await asyncio.gather(*[self._bounded(query) for query in queries])
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures and len(failures) == len(outcomes):
            # What a server has answered says more than that it did not.
            failures.sort(key=lambda failure: not isinstance(failure, stun.TransactionFailed))
            error = _server_error(server.url, failures[0], bases[0].local_candidate if bases else None)
            logger.info("%s %s", self, error)
            self.observer.server_failed(self, error)

    async def _bounded(self, query: Callable[[], Coroutine[Any, Any, None]]) -> Exception | None:
        """Run *query*, but not for ever; return how it failed."""
        try:
            async with asyncio.timeout(GATHERING_TIMEOUT):
                await query()
        except Exception as error:
            return error
        return None

    async def _reflexive(self, server: IceServer, protocol: ice.StunProtocol, preference: int) -> None:
        candidate, _ = await ice.server_reflexive_candidate(protocol, (server.host, server.port))
        base = protocol.local_candidate
        redundant = any(
            (known.host, known.port) == (candidate.host, candidate.port)
            and (known.related_address or known.host, known.related_port or known.port) == (base.host, base.port)
            for known in self._local_candidates
        )
        if not redundant:  # RFC 8445, section 5.1.3
            candidate.foundation = self.foundations.of("srflx", base.host, "udp", server.host)
            candidate.priority = candidate_priority(1, "srflx", preference)
            self._publish(candidate, server.url)

    async def _relayed(self, server: IceServer, preference: int) -> None:
        if server.scheme == "turns" and server.transport == "udp":
            raise NotSupportedError("TURN over DTLS is not supported: the server is not asked")
        candidate, protocol = await ice.relayed_candidate(
            component=1,
            hide_related_address=self.relay_only,
            protocol_factory=lambda: ice.StunProtocol(self),
            turn_server=(server.host, server.port),
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=server.scheme == "turns",
            turn_transport=server.transport,
        )
        candidate.foundation = self.foundations.of("relay", candidate.host, server.relay_protocol, server.host)
        candidate.priority = candidate_priority(1, "relay", preference)
        self._protocols.append(protocol)
        self._publish(candidate, server.url, server.relay_protocol)

    def _publish(
        self, candidate: aioice.Candidate, url: str | None = None, relay: RTCIceServerTransportProtocol | None = None
    ) -> None:
        self._local_candidates.append(candidate)
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        text = f"candidate:{candidate.to_sdp()} ufrag {self.local_username}"
        self.observer.candidate_found(self, LocalCandidate(text, url, relay))

    # Remote candidates

    def add_remote(self, candidate: CandidateAttribute) -> None:
        """Check *candidate*, too. One that cannot be used, or a name that cannot be resolved, changes nothing."""
        theirs = aioice.Candidate(
            foundation=candidate.foundation,
            component=candidate.component,
            transport=candidate.protocol,
            priority=candidate.priority,
            host=candidate.address,
            port=candidate.port,
            type=candidate.type,
            related_address=candidate.related_address,
            related_port=candidate.related_port,
        )
        if self._closing or len(self._remote_candidates) + self._remote_candidates_resolving >= MAX_PAIRS:
            return
        if mdns.is_mdns_hostname(theirs.host):
            if self.relay_only:  # draft-ietf-mmusic-mdns-ice-candidates, section 3.2
                return
            self._remote_candidates_resolving += 1  # from now on, though the task begins later
            self._spawn(self._resolve(theirs))
        else:
            self._add_remote_candidate(theirs, theirs.host)

    def end_remote(self) -> None:
        """There will be no more remote candidates."""
        if not self._remote_candidates_end and not self._closing:
            self._remote_candidates_end = True
            if not self._remote_candidates_resolving:
                self._end_remote_candidates()

    async def _resolve(self, candidate: aioice.Candidate) -> None:
        try:
            protocol = await ice.get_or_create_mdns_protocol(self)
            for _ in range(MDNS_QUERIES):
                address = await protocol.resolve(candidate.host)
                if address is not None:
                    self._add_remote_candidate(candidate, address)
                    break
        except OSError as error:
            logger.info("%s cannot look up %s: %s", self, candidate.host, error)
        finally:
            self._remote_candidates_resolving -= 1
            last = self._remote_candidates_end and not self._remote_candidates_resolving
            if last and not self._closing:
                self._end_remote_candidates()

    # Checks

    def start_checks(self, username: str, password: str) -> None:
        """Begin to check, with the remote side's credentials."""
        self.remote_username, self.remote_password = username, password
        # aioice nominates every pair it checks unless the remote side is lite, and both sides may end up with different
        # ones. Regular nomination (RFC 8445, section 8.1.1), one pair that was found to work, is what it does then.
        self.remote_is_lite = True
        if self.patience > 0:
            self.patient = True
            self._start_timer("patience", self.patience, self._lose_patience)
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        # Checks that came before we knew the password have been answered; now they trigger ours.
        early_checks = list(self._early_checks)
        self._early_checks.clear()
        self._early_checks_done = True
        for check in early_checks:
            self.check_incoming(*check)
        self.sort_check_list()
        self._reconsider_failure()

    def sort_check_list(self) -> None:
        """Aioice calls this whenever there are new pairs."""
        super().sort_check_list()
        self._bound_check_list()
        if not self._early_checks_done or self._check_list_done:
            return
        if self._remote_candidates and not self.checking:
            self.checking = True
            self.observer.checking(self)
        if "check" not in self._timers:
            self._next_check()

    def _bound_check_list(self) -> None:
        """Drop the last pairs that were not checked yet where there are too many (RFC 8445, section 6.1.2.5)."""
        for pair in reversed(self._check_list[MAX_PAIRS:]):
            if pair.state in _UNCHECKED and pair.task is None:
                self._check_list.remove(pair)

    def _next_check(self) -> None:
        self._timers.pop("check", None)
        if self._check_list_done:
            return
        pair = next((pair for pair in self._check_list if pair.state in _UNCHECKED), None)
        if pair is not None:
            self.check_start_task(pair)
            self._start_timer("check", TA, self._next_check)

    def _check_list_maybe_complete(self) -> bool:
        # aioice calls this whenever a pair may have been nominated.
        first = not self._check_list_done
        complete = super()._check_list_maybe_complete()
        pair = self._nominated.get(1)
        if pair is not None and pair is not self.pair and (first or self.pair is not None):
            self.pair = pair
            if first:
                self._succeed()
            local, remote = _attribute(pair.local_candidate), _attribute(pair.remote_candidate)
            self.observer.selected(self, SelectedPair(local, remote))
        return complete

    def _succeed(self) -> None:
        self._stop_timers()
        # Who controls has chosen. Who is controlled goes on answering, for the other side may choose again.
        if self.ice_controlling:
            for pair in self._check_list:
                if pair.task is not None:
                    pair.task.cancel()
        self._query_consent_task = asyncio.create_task(self.query_consent())

    def set_role(self, ice_controlling: bool) -> None:
        """Take a role."""
        super().switch_role(ice_controlling)

    def switch_role(self, ice_controlling: bool) -> None:
        """Aioice calls this when the remote side has won a role conflict (RFC 8445, section 7.3.1.1)."""
        super().switch_role(ice_controlling)
        self.observer.role_changed(self)

    def _check_list_maybe_fail(self) -> None:
        done = self._check_list_done
        super()._check_list_maybe_fail()
        if self._check_list_done and not done:
            self._stop_timers()
            self.observer.failed(self)

    def _remote_candidates_expected(self) -> bool:
        return (
            super()._remote_candidates_expected()
            or not self.gathered
            or (self.patient and bool(self._local_candidates))
        )

    def _lose_patience(self) -> None:
        self._timers.pop("patience", None)
        self.patient = False
        self._reconsider_failure()

    def _reconsider_failure(self) -> None:
        if self._early_checks_done and not self._check_list_done:
            self._check_list_maybe_fail()

    def _prune_components(self) -> None:
        # There is one component. aioice would take it away when the remote side ends without a candidate, and could not
        # succeed any more with one that it learns from a check.
        pass

    def checked_pairs(self) -> list[CheckedPair]:
        """The check list."""
        return [
            CheckedPair(
                _attribute(pair.local_candidate),
                _attribute(pair.remote_candidate),
                pair.state.name.lower().replace("_", "-"),
                pair is self.pair,
            )
            for pair in self._check_list
        ]

    # What the sockets receive

    def data_received(self, data: bytes, component: int) -> None:
        """Aioice calls this with each datagram that is no STUN message."""
        self.observer.datagram_received(data)

    def protocol_lost(self, protocol: ice.StunProtocol) -> None:
        """Aioice calls this when a socket, or an allocation on a TURN server, is gone."""
        if not self._closing and any(pair.protocol is protocol for pair in self._nominated.values()):
            self.observer.failed(self)

    # The end

    async def close(self) -> None:
        """Close the sockets. Tells the observer of a failure if it is not the observer who calls, but lost consent."""
        if not self._closing:
            self.observer.failed(self)
        self._stop_timers()
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        await super().close()

    async def shut_down(self) -> None:
        """Close the sockets; the observer is not told any more."""
        self._closing = True
        await self.close()

    def abort(self) -> None:
        """Close the sockets without waiting: for a loop that ends while :meth:`shut_down` is under way."""
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.BaseTransport):  # and not an allocation of a TURN server
                protocol.transport.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _start_timer(self, name: str, seconds: float, expired: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, expired)

    def _stop_timers(self) -> None:
        while self._timers:
            self._timers.popitem()[1].cancel()


def _policy(relay_only: bool) -> aioice.TransportPolicy:
    return aioice.TransportPolicy.RELAY if relay_only else aioice.TransportPolicy.ALL


def _attribute(candidate: aioice.Candidate) -> CandidateAttribute:
    attribute = parse_candidate(f"candidate:{candidate.to_sdp()}")
    assert attribute is not None
    return attribute


def _server_error(url: str, error: Exception, base: aioice.Candidate | None) -> ServerError:
    """What to say of *error*, with which the server at *url* failed when it was asked from *base*."""
    if isinstance(error, stun.TransactionFailed):
        code, text = error.response.attributes["ERROR-CODE"]
    elif isinstance(error, TimeoutError | stun.TransactionTimeout):
        code, text = UNREACHABLE, f"the server did not answer within {GATHERING_TIMEOUT:g} s"
    else:
        code, text = UNREACHABLE, str(error) or type(error).__name__
    return ServerError(url, code, text, *((base.host, base.port) if base else ()))
