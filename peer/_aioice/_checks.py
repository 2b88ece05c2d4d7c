"""Checks, from the first one to the loss of consent, while candidates come.

What they do otherwise than aioice's:

- Checks run while gathering goes on. New candidates of either side form pairs with all that are known.
- One pair is nominated, after it was found to work; both sides send on the same one.
- A check of the remote side triggers one of ours at once. Where one is under way it is sent again soon: it may have
  been dropped by a NAT that is open now (RFC 8445, section 7.3.1.4).
- Datagrams are sent and received while the first pair is being nominated; see note_valid().
- Success is an event. Checks are paced by a timer of 5 ms (RFC 8445, section 14.2) that runs only while there is
  something to check, where aioice looks every 20 ms.
- Failure is declared when both sides have ended their candidates and all pairs have failed, and not before the PAC
  timer has run out, since the remote side may reach us where we cannot reach it (RFC 8863). A side without candidates
  of its own need not wait.
- Consent that is not answered is told at once, and consent that is lost closes nothing (see _consent.py).
- Who controls nominates again and again: the first time may have been in vain (see _nominate_again()).
- A remote candidate that takes TCP connections is checked from each active one of ours (RFC 6544).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import aioice
from aioice import ice, stun

from peer._consent import Consent
from peer._facts import Observer
from peer._priorities import priority, tcp_preference
from peer._timers import Timers
from peer._timing import Timing
from peer._upstream import require

from ._pairs import UNCHECKED, UNFINISHED, bound, is_relayed, socket_of
from ._servers import is_allocation
from ._sockets import (
    CHECK_SECONDS,
    MAX_CANDIDATES,
    MAX_PAIRS,
    ROLE_CONFLICT,
    ActiveSocket,
    ConsentChecks,
    Refusal,
    Socket,
)

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {ice: ("CandidatePair", "StunProtocol"), stun: ("Message",)}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        aioice.Connection: (
            "_check_list",
            "_check_list_done",
            "_check_list_maybe_complete",
            "_check_list_maybe_fail",
            "_check_list_state",
            "_closing",
            "_early_checks",
            "_early_checks_done",
            "_local_candidates",
            "_nominated",
            "_pair_remote_candidate",
            "_protocols",
            "_prune_components",
            "_queue",
            "_remote_candidates",
            "_remote_candidates_end",
            "_remote_candidates_expected",
            "_tie_breaker",
            "_valid_username",
            # Not underscored, but not documented either.
            "build_request",
            "check_incoming",
            "check_start_task",
            "data_received",
            "protocol_lost",
            "request_received",
            "respond_error",
            "sort_check_list",
            "switch_role",
        ),
        ice.CandidatePair: ("protocol", "remote_addr", "state", "task"),
    },
)


class _Nowhere:
    """A queue that keeps nothing."""

    def put_nowait(self, item: object) -> None:
        """Forget *item*."""


# What all have that need keep none any more: an empty deque takes 0.6 kB.
_NO_CHECKS: deque[tuple[stun.Message, tuple[str, int], ice.StunProtocol]] = deque(maxlen=0)


class CheckingConnection(aioice.Connection):
    """An aioice connection that checks, nominates and keeps consent while candidates of both sides come.

    Who gives it candidates is :class:`Generation`, the only class that is made of it; the *observer* is that one's.
    """

    # Some are aioice's. With more than 30 in its dictionary each object would have a table of their names for itself.
    __slots__ = (
        "_active",
        "_check_list",
        "_check_list_done",
        "_closing",
        "_consent",
        "_consent_checks",
        "_early_checks",
        "_early_checks_done",
        "_local_candidates",
        "_lookups",
        "_nominated",
        "_protocols",
        "_remote_candidates",
        "_remote_candidates_end",
        "_route",
        "_silent",
        "_timers",
        "checking",
        "gathered",
        "observer",
        "pair",
        "timing",
    )

    def __init__(
        self,
        observer: Observer[Any],
        *,
        ice_controlling: bool,
        tie_breaker: int,
        local_username: str | None,
        local_password: str | None,
        timing: Timing,
    ) -> None:
        super().__init__(
            ice_controlling=ice_controlling,
            local_username=local_username,
            local_password=local_password,
        )
        # Nobody waits for what aioice puts there; two queues take 4 kB.
        self._check_list_state = self._queue = _Nowhere()  # type: ignore[assignment]
        # All generations have the same. Else two of them could settle the same role conflict in different ways.
        self._tie_breaker = tie_breaker
        self.observer = observer
        self.timing = timing
        self.gathered = False  # True once there will be no more local candidates
        self.checking = False  # True once there was something to check
        self._silent = False  # True once there is a candidate that must not be contacted, or has a name
        self._lookups: dict[asyncio.Task[None], None] = {}  # those of names of remote candidates; see wait_for()
        self._active: list[aioice.Candidate] = []  # our active TCP candidates; grows
        self.pair: ice.CandidatePair | None = None  # the one that was nominated last
        # Where datagrams are sent: on the pair that was nominated last, or before that on one that works, see
        # note_valid(); None while nothing may be sent.
        self._route: tuple[Socket, tuple[str, int]] | None = None
        self._consent = Consent(
            timing,
            check=self._check_consent,
            heard=self._hear,
            expired=self._lose_pair,
        )
        self._consent_checks = ConsentChecks(self._consent.answered)
        # "check" while there is something to check, "patience" (the PAC timer), "silence": see add_silent(), and
        # "consent" to send before a pair is nominated.
        self._timers = Timers()

    # What there is to check

    def check_from(self, candidate: aioice.Candidate, socket: Socket | None) -> None:
        """Check from *candidate* of ours, if it has a *socket* of its own; or from a connection for each pair."""
        if socket is not None:
            socket.local_candidate = candidate
            self._protocols.append(socket)
        self._local_candidates.append(candidate)
        if candidate.tcptype == "active":
            self._active.append(candidate)
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()

    def add_silent(self) -> None:
        """There is a candidate that must not be contacted: to all the world it is one that does not answer."""
        self._silent = True
        self._timers.start("silence", CHECK_SECONDS, self._reconsider_failure)
        self.sort_check_list()

    def wait_for(self, lookup: asyncio.Task[None]) -> None:
        """There is a candidate whose address *lookup* looks for: until it is done, one that does not answer."""
        self._lookups[lookup] = None
        lookup.add_done_callback(self._looked_up)
        self._silent = True
        self.sort_check_list()

    def _looked_up(self, lookup: asyncio.Task[None]) -> None:
        del self._lookups[lookup]
        if not self._closing:
            self._reconsider_failure()

    # Checks

    def start_checks(self) -> None:
        """Begin to check; the remote side's credentials are known."""
        # aioice nominates every pair it checks unless the remote side is lite, and both sides may end up with different
        # ones. Regular nomination (RFC 8445, section 8.1.1), one pair that was found to work, is what it does then.
        self.remote_is_lite = True
        self._timers.start("patience", self.timing.patience, self._lose_patience)
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        # Checks that came before we knew the password have been answered; now they trigger ours.
        early_checks, self._early_checks = self._early_checks, _NO_CHECKS
        self._early_checks_done = True
        for check in early_checks:
            self.check_incoming(*check)
        self.sort_check_list()
        self._reconsider_failure()

    def stop_checks(self) -> None:
        """Check no more, and answer no more."""
        self._closing = True
        self._timers.stop_all()
        self._consent.stop()
        self._stop_sending()

    def sort_check_list(self) -> None:
        """Aioice calls this whenever there are new pairs."""
        super().sort_check_list()
        bound(self._check_list, MAX_PAIRS)
        if not self._early_checks_done or self._check_list_done:
            return
        if (self._remote_candidates or self._silent) and not self.checking:
            self.checking = True
            self.observer.checking(self)
        if not self._timers.is_running("check"):
            self._next_check()

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol) -> None:
        """Aioice calls this with each check of the remote side, which may form a pair."""
        if len(self._remote_candidates) < MAX_CANDIDATES or any(
            (candidate.host, candidate.port) == addr for candidate in self._remote_candidates
        ):
            # Our own check may have come to a NAT before theirs had opened it. Now it will pass, and the triggered
            # check (RFC 8445, section 7.3.1.4) must not wait until the timer repeats it. But it waits for a
            # moment (Ta): mostly the two have crossed, and the answer is on its way.
            assert isinstance(protocol, Socket)
            protocol.hurry(addr)
            bound(self._check_list, MAX_PAIRS - 1)
            # A server may have the same port for both, and aioice looks at nothing else.
            transport = protocol.local_candidate.transport
            others = [candidate for candidate in self._remote_candidates if candidate.transport != transport]
            for other in others:
                self._remote_candidates.remove(other)
            super().check_incoming(message, addr, protocol)
            self._remote_candidates += others
            self._nominate_again(protocol, addr)

    def _pair_remote_candidate(self, remote_candidate: aioice.Candidate) -> None:
        # aioice has sockets that talk to everybody, and calls this again whenever there may be a new one.
        if remote_candidate.transport == "udp":
            super()._pair_remote_candidate(remote_candidate)
            return
        paired = [pair.local_candidate for pair in self._check_list if pair.remote_candidate is remote_candidate]
        for local in self._active:
            if local.can_pair_with(remote_candidate) and local not in paired:
                socket = ActiveSocket(self, local, remote_candidate)
                self._protocols.append(socket)
                self._check_list.append(ice.CandidatePair(socket, remote_candidate))

    def note_valid(self, socket: Socket, addr: tuple[str, int]) -> None:
        """A check was answered, and the pair should not give way to others.

        Until a pair is nominated datagrams can be sent on any that works (RFC 8445, section 12.1), for as long as the
        answer is consent (RFC 7675, section 5.1). Who waits for the nomination loses a round trip.
        """
        if self._route is None and self.pair is None and not self._closing:
            self._route = socket, addr
            self._timers.start("consent", self.timing.consent_expires, self._stop_sending)
            self.observer.works(self)

    def _stop_sending(self) -> None:
        self._route = None

    def prefers_others(self, socket: Socket, addr: tuple[str, int]) -> bool:
        """Whether the pair of *socket* and *addr* should give way to others of which it is not known yet.

        The first pair to work is nominated, if that is up to us. Behind NATs a relay often comes first, as the way
        between them opens with the second check only; and who is relayed stays so. TCP is for those whom UDP does not
        reach, which is clear a little later only: also candidates come one after the other.
        """
        if not self.ice_controlling or self._check_list_done:
            return False
        here = [pair for pair in self._check_list if pair.protocol is socket and pair.remote_addr == addr]
        if any(is_relayed(pair) for pair in here):
            return any(pair.state in UNFINISHED and not is_relayed(pair) for pair in self._check_list)
        return any(pair.local_candidate.transport == "tcp" for pair in here)

    def build_request(self, pair: ice.CandidatePair, nominate: bool) -> stun.Message:
        """Aioice calls this for each check of *pair*."""
        request = super().build_request(pair, nominate)
        if pair.local_candidate.transport == "tcp":  # RFC 6544, section 7.1
            request.attributes["PRIORITY"] = priority("prflx", tcp_preference(0), "tcp")
        return request

    def _next_check(self) -> None:
        if self._check_list_done:
            return
        pair = next((pair for pair in self._check_list if pair.state in UNCHECKED), None)
        if pair is not None:
            self.check_start_task(pair)
            self._timers.start("check", self.timing.pace, self._next_check)

    def _check_list_maybe_complete(self) -> bool:
        # aioice calls this whenever a pair may have been nominated.
        if self._closing:  # an answer has come too late
            return True
        first = not self._check_list_done
        complete = super()._check_list_maybe_complete()
        pair = self._nominated.get(1)
        if pair is not None and pair is not self.pair and (first or self.pair is not None):
            self.pair = pair
            self._route = socket_of(pair), pair.remote_addr
            if first:
                self._succeed()
            self._consent.start()
            self.observer.selected(self)
        return complete

    @property
    def sends(self) -> bool:
        """Whether there is where to send datagrams: a pair that was nominated, or before that one that works."""
        return self._route is not None

    @property
    def usable(self) -> bool:
        """Whether datagrams can be sent: a pair was nominated, and consent was not lost."""
        return bool(self._nominated)

    @property
    def failed(self) -> bool:
        """Whether no pair works, and none will."""
        return self._check_list_done and not self._nominated

    def _succeed(self) -> None:
        self._timers.stop_all()
        # Who controls has chosen. Who is controlled goes on answering, for the other side may choose again.
        if self.ice_controlling:
            for pair in self._check_list:
                if pair.task is not None:
                    pair.task.cancel()
            assert self.pair is not None
            for protocol in self._protocols:
                if isinstance(protocol, ActiveSocket) and protocol is not self.pair.protocol:
                    protocol.transport.close()

    # Consent

    def _nominate_again(self, socket: Socket, addr: tuple[str, int]) -> None:
        """A check has come; if it is on our pair, and nothing else ever came there, the remote side may not use it.

        Firefox answers checks before it has our description, and remembers only the first from each address: not the
        one that nominated the pair.
        """
        pair = self.pair
        on_our_pair = pair is not None and pair.protocol is socket and pair.remote_addr == addr
        if self.ice_controlling and on_our_pair and not socket.traffic[addr].packets_received:
            self._check_consent()

    def _hear(self, heard: bool) -> None:
        self.observer.heard(self, heard)

    def _check_consent(self) -> None:
        assert self.pair is not None
        assert self.remote_password is not None
        request = self.build_request(self.pair, nominate=True)  # if we control, as Chromium does
        key = self.remote_password.encode()
        self._consent_checks.send(request, socket_of(self.pair), self.pair.remote_addr, key)

    def _lose_pair(self) -> None:
        """Nothing more may be sent on the pair that was nominated."""
        self._consent.stop()
        self._nominated.clear()
        self._die()

    def _die(self) -> None:
        # Who goes on answering checks lets the other side believe that it is connected.
        self._closing = True
        self._stop_sending()
        self.observer.over(self)

    # Roles

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
            self._timers.stop_all()
            self._die()

    def _remote_candidates_expected(self) -> bool:
        # Without a candidate of our own there is nobody to reach, and none that could be reached.
        return (
            not self._remote_candidates_end
            or not self.gathered
            or self._timers.is_running("silence")
            or (bool(self._local_candidates) and (bool(self._lookups) or self._timers.is_running("patience")))
        )

    def _lose_patience(self) -> None:
        self._timers.stop("patience")
        self._reconsider_failure()

    def _reconsider_failure(self) -> None:
        if self._early_checks_done and not self._check_list_done:
            self._check_list_maybe_fail()

    def _prune_components(self) -> None:
        # There is one component. aioice would take it away when the remote side ends without a candidate, and could not
        # succeed any more with one that it learns from a check.
        pass

    # What the sockets receive

    def heed_request(
        self, message: stun.Message, address: tuple[str, int], socket: Socket, unknown: Sequence[int]
    ) -> bool:
        """Answer a request with these *unknown* attributes; returns False if there is no answer any more."""
        if self._closing:
            return False
        if unknown and self._is_authentic(message):
            response = Refusal(message, unknown)
            response.add_message_integrity(self.local_password.encode())
            socket.send_stun(response, address)
        elif "PRIORITY" not in message.attributes:
            self.respond_error(message, address, socket, (400, "Bad Request"))
        else:
            self.request_received(message, address, socket)
        return True

    def _is_authentic(self, message: stun.Message) -> bool:
        username = message.attributes.get("USERNAME", "")
        return self._valid_username(username) and message.check_message_integrity(self.local_password.encode())

    def respond_error(
        self, request: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol, error_code: tuple[int, str]
    ) -> None:
        """Aioice calls this to refuse a request. Over a relay only who has the password costs a channel."""
        if is_allocation(protocol.transport) and error_code[0] != ROLE_CONFLICT:
            self.observer.datagram_discarded()
        else:
            super().respond_error(request, addr, protocol, error_code)

    def data_received(self, data: bytes, component: int) -> None:
        """Aioice calls this with each datagram that is no STUN message."""
        self.observer.datagram_received(data)

    def protocol_lost(self, protocol: ice.StunProtocol) -> None:
        """Aioice calls this when a socket, or an allocation on a TURN server, is gone."""
        if self._route is not None and self._route[0] is protocol:
            self._stop_sending()
        if not self._closing and any(pair.protocol is protocol for pair in self._nominated.values()):
            self._lose_pair()
