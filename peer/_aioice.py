"""The seam to aioice: one generation of ICE that trickles. The only module that knows aioice's private names.

aioice gathers all candidates before it lets anybody see one, and will not connect before that. :class:`Generation` is
an aioice connection that does these things as the RFCs describe them:

- Candidates are published one by one, as _gatherer.py finds them (RFC 8838, section 9).
- Checks run while gathering goes on. New candidates of either side form pairs with all that are known.
- One pair is nominated, after it was found to work; both sides send on the same one.
- A check of the remote side triggers one of ours at once, also where one is under way: it may have been dropped by a
  NAT that is open now. The selected pair shows the address behind the NAT (RFC 8445, sections 7.3.1.4 and 7.2.5.3).
- Success is an event. Checks are paced by a timer of 5 ms (RFC 8445, section 14.2) that runs only while there is
  something to check, where aioice looks every 20 ms.
- Failure is declared when both sides have ended their candidates and all pairs have failed, and not before the PAC
  timer has run out, since the remote side may reach us where we cannot reach it (RFC 8863). A side without candidates
  of its own need not wait. A check is given up after 31.5 s, where aioice takes twice as long.
- Channels of a relay are bound again before the permission that comes with them ends, where aioice waits longer.
- Consent that is not answered is told at once, and consent that is lost closes nothing (see _consent.py).
- A remote candidate that takes TCP connections is checked from each active one of ours (RFC 6544), over a connection
  that the check makes. To aioice each is a socket of its own.
- Names of mDNS are looked up for both families, and meanwhile hold nothing up; see _mdns.py. Our own host addresses can
  be hidden behind such names: aioice knows the addresses, the observer the names (_hiding.py).
- What the network sends is looked at before aioice sees it: anybody can send to a socket. What has no effect is
  discarded, and counted.

It tells an ``Observer`` what happened; some of it from inside the observer's own calls.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, NamedTuple

import aioice
from aioice import ice, stun, turn

from ._candidate import CandidateAttribute, RTCIceServerTransportProtocol, candidate_text, parse_candidate
from ._configuration import IceServer
from ._consent import Consent
from ._dns import is_name
from ._errors import NotSupportedError
from ._facts import UNREACHABLE, CheckedPair, LocalCandidate, Observer, SelectedPair, Traffic
from ._hiding import Names
from ._mdns import Answering, resolve
from ._priorities import priority, tcp_preference
from ._stream import Stream
from ._stun import CARRIED, unknown_attributes, with_unknown_attributes
from ._timers import Timers
from ._timing import Timing
from ._unreachable import sentence
from ._upstream import require

logger = logging.getLogger(__name__)

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {
    ice: (
        "CandidatePair",
        "StunProtocol",
        "get_host_addresses",
    ),
    stun: ("COOKIE", "Transaction", "TransactionError", "TransactionFailed", "TransactionTimeout"),
    turn: (
        "DEFAULT_ALLOCATION_LIFETIME",
        "TurnClientMixin",
        "TurnClientTcpProtocol",
        "TurnClientUdpProtocol",
        "TurnTransport",
    ),
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
            "_transport_policy",
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
        aioice.Candidate: ("_network_host",),
        ice.CandidatePair: ("protocol", "remote_addr", "state", "task"),
        ice.StunProtocol: ("datagram_received", "request", "send_stun", "transactions"),
        turn.TurnClientMixin: ("channel_bind", "channel_refresh_at", "channel_to_peer", "datagram_received"),
        turn.TurnClientTcpProtocol: ("connection_lost", "data_received", "receiver", "request"),
        turn.TurnTransport: ("_TurnTransport__close_task", "_TurnTransport__inner_protocol", "_connect"),
    },
)

MAX_PAIRS = 100  # RFC 8445, section 6.1.2.5; no more candidates that were signalled are kept either
MAX_CANDIDATES = 2 * MAX_PAIRS  # with those that were learned from checks
RETRANSMISSIONS = 5  # of a check
CHECK_SECONDS = 31.5  # which takes so long, less than the PAC timer
CONSENT_CHECKS = 8  # under way at once: more than are sent before consent expires
RECEIVE_BUFFER = 1 << 18  # bytes that may wait at a socket while Python is busy
REBIND_SECONDS = 240  # a channel lasts 600 s, the permission that comes with it 300 s (RFC 8656, sections 9 and 12)
ROLE_CONFLICT = 487  # RFC 8445, section 7.3.1.1
COOKIE = stun.COOKIE.to_bytes(4, "big")  # in each STUN message (RFC 8489, section 5)

_UNFINISHED = (ice.CandidatePair.State.FROZEN, ice.CandidatePair.State.WAITING, ice.CandidatePair.State.IN_PROGRESS)
_UNCHECKED = (ice.CandidatePair.State.WAITING, ice.CandidatePair.State.FROZEN)


class Socket(ice.StunProtocol):
    """A socket that counts, and that gives a transaction up when RFC 8489, section 6.2.1, would have.

    Anybody can send to it. Of what arrives, it takes

    - packets (DTLS, RTP, RTCP) from where a check went to, or an authentic one came from: nobody else can have a pair;
    - requests, which the generation answers, with an error if they are not authentic;
    - responses to requests under way, from where the request went to, and authentic if the request was.

    All else is discarded.
    """

    transactions: dict[bytes, _Transaction | _ConsentCheck]  # type: ignore[assignment]

    def __init__(self, generation: Generation) -> None:
        super().__init__(generation)
        self.generation = generation
        # By where checks went to or came from; grows. Those who sent requests fill it to MAX_CANDIDATES at most.
        self.traffic: defaultdict[tuple[str, int], Traffic] = defaultdict(Traffic)
        self.seen_as: dict[tuple[str, int], tuple[str, int]] = {}  # by who sees us at another address than ours; grows

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Asyncio calls this with each datagram."""
        assert isinstance(data, bytes)
        addr = addr[0], addr[1]
        if data[:1] in CARRIED:
            traffic = self.traffic.get(addr)
            if traffic is not None:
                traffic.received(data)
                self.generation.data_received(data, 1)
                return
        else:
            unknown = unknown_attributes(data)
            if unknown is not None and self._message_received(data, addr, unknown):
                return
        self.discard()

    def _message_received(self, data: bytes, addr: tuple[str, int], unknown: list[int]) -> bool:
        """Heed a STUN message with these *unknown* attributes; returns whether it was heeded, or answered."""
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):
            return False
        logger.debug("%s %s < %s %s", self.generation, self, addr, message)
        if message.message_class is stun.Class.REQUEST:
            return self.generation.heed_request(message, addr, self, unknown)
        asked = self.transactions.get(message.transaction_id)
        if message.message_class is stun.Class.INDICATION or asked is None or unknown:
            return False
        if not asked.question.is_answered_by(message, addr):
            return False
        asked.response_received(message, addr)
        return True

    def discard(self) -> None:
        """A datagram has no effect."""
        self.generation.observer.datagram_discarded()

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Send *message*. All answers are counted: a request that is not authentic is as good as discarded."""
        if message.message_class is stun.Class.RESPONSE or message.error_code == ROLE_CONFLICT:
            if addr in self.traffic or len(self.traffic) < MAX_CANDIDATES:
                self.traffic[addr].requests_received += 1
            else:
                self.discard()
        elif message.message_class is stun.Class.ERROR:
            self.discard()
        super().send_stun(message, addr)

    async def request(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Send *request*, and again until it is answered."""
        clock = asyncio.get_running_loop().time
        traffic = Traffic() if integrity_key is None else self.traffic[addr]  # to a STUN server belongs to no pair
        traffic.requests_sent += 1
        sent = clock()
        if integrity_key is not None:
            request.add_message_integrity(integrity_key)
        transaction = _Transaction(request, _Question(addr, integrity_key), self, retransmissions or RETRANSMISSIONS)
        self.transactions[request.transaction_id] = transaction
        try:
            response = await transaction.run()
        finally:
            del self.transactions[request.transaction_id]
        took = clock() - sent
        traffic.answered(took)
        message, _ = response
        if integrity_key is not None:
            self._note_address(addr, message.attributes.get("XOR-MAPPED-ADDRESS"))
            if "USE-CANDIDATE" not in request.attributes and self.generation.prefers_others(self, addr):
                await asyncio.sleep(max(took, self.generation.timing.precedence))
        return response

    def _note_address(self, addr: tuple[str, int], ours: tuple[str, int] | None) -> None:
        """Who is at *addr* sees us at *ours*."""
        if ours is not None and ours != (self.local_candidate.host, self.local_candidate.port):
            self.seen_as[addr] = ours

    def hurry(self, addr: tuple[str, int]) -> None:
        """Send what *addr* has not answered again, now; but each request only once, or two sides could go on so."""
        for asked in self.transactions.values():
            if isinstance(asked, _Transaction) and asked.question.address == addr:
                asked.hurry()


class _Question(NamedTuple):
    """What a request tells of its answer."""

    address: tuple[str, int]  # where it went to
    key: bytes | None  # which signs it and its answer

    def is_answered_by(self, message: stun.Message, address: tuple[str, int]) -> bool:
        """Whether *message*, from *address*, is an answer.

        A response from elsewhere is none (RFC 8445, section 7.2.5.2.1, RFC 7675, section 5.1): the pair fails when the
        right one does not come. So is an error without a code. Errors that are not signed are none, either: anybody
        could end a check, or turn our role round.
        """
        if address != self.address or (message.message_class is stun.Class.ERROR and message.error_code is None):
            return False
        return self.key is None or message.check_message_integrity(self.key)


class _Transaction(stun.Transaction):
    """A transaction that only its answer ends."""

    def __init__(self, request: stun.Message, question: _Question, socket: Socket, retransmissions: int) -> None:
        super().__init__(request, question.address, socket, retransmissions)
        self.question = question
        self._request: stun.Message | None = request  # None once hurry() has sent it again
        self._socket = socket

    def hurry(self) -> None:
        """Send the request again, now; but only once."""
        if self._request is not None:
            self._socket.send_stun(self._request, self.question.address)
            self._request = None


class ActiveSocket(Socket):
    """A TCP connection to one remote candidate, which the first check makes."""

    def __init__(self, generation: Generation, local: aioice.Candidate, remote: aioice.Candidate) -> None:
        super().__init__(generation)
        self.local_candidate = local
        to = remote._network_host, remote.port
        self._stream = Stream(local.host, to, self.datagram_received, self.connection_lost)
        self._limit: asyncio.Timeout | None = None  # of the request that is under way
        self._sent = b""  # the transaction of the request that was sent last
        self.connection_made(self._stream)

    async def request(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Send *request*, after a connection was made if there is none."""
        try:
            async with asyncio.timeout(CHECK_SECONDS) as self._limit:
                await self._stream.connect()
                return await super().request(request, addr, integrity_key, retransmissions)
        except OSError as error:  # TimeoutError is one
            logger.info("%s has no connection to %s: %s", self, addr, error)
            raise stun.TransactionTimeout from None
        finally:
            self._limit = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The stream calls this at its end: nothing will be answered any more."""
        super().connection_lost(exc)
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _note_address(self, addr: tuple[str, int], ours: tuple[str, int] | None) -> None:
        """Do nothing: the port of a connection is of no use to anybody else, and the candidate does not have it."""

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Send *message*. A request is sent once: what is lost TCP sends again (RFC 8489, section 6.2.2)."""
        if message.message_class != stun.Class.REQUEST or message.transaction_id != self._sent:
            super().send_stun(message, addr)
        if message.message_class == stun.Class.REQUEST:
            self._sent = message.transaction_id


class _ConsentCheck:
    """A transaction that is sent once and waits for its answer as long as its socket knows it."""

    def __init__(self, question: _Question, traffic: Traffic, answered: Callable[[], None]) -> None:
        self.question = question
        self._traffic = traffic
        self._answered = answered
        self._sent = asyncio.get_running_loop().time()
        traffic.consent_requests_sent += 1

    def response_received(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """The socket calls this with what answers."""
        if message.message_class is stun.Class.RESPONSE:
            self._traffic.answered(asyncio.get_running_loop().time() - self._sent)
            self._answered()


class _Refusal(stun.Message):
    """An error response because of attributes that are not known, which aioice cannot write."""

    def __init__(self, request: stun.Message, unknown: Sequence[int]) -> None:
        super().__init__(request.message_method, stun.Class.ERROR, request.transaction_id)
        self.attributes["ERROR-CODE"] = (420, "Unknown Attribute")
        self._unknown = unknown

    def __bytes__(self) -> bytes:
        return with_unknown_attributes(super().__bytes__(), self._unknown)


class _TurnClient(turn.TurnClientMixin):
    """Looks at what a TURN server sends before aioice does, which raises on some; and binds a channel once at a time.

    aioice would bind it again with each packet, until the server has answered the first.
    """

    socket: Socket  # set before anything is received

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Asyncio calls this with each datagram, and aioice with each message of a stream."""
        assert isinstance(data, bytes)
        if int.from_bytes(data[:2], "big") in self.channel_to_peer or _is_message(data):
            super().datagram_received(data, addr)
        else:
            self.socket.discard()

    async def channel_bind(self, channel_number: int, addr: tuple[str, int]) -> None:
        """Aioice calls this before it sends, if there is no channel, or it is time."""
        self.channel_refresh_at[channel_number] = math.inf  # until then; aioice knows when, afterwards
        try:
            await super().channel_bind(channel_number, addr)
        except BaseException:
            self.channel_refresh_at[channel_number] = 0.0  # with the next packet
            raise


class _TurnOverUdp(_TurnClient, turn.TurnClientUdpProtocol):
    """A TURN client."""


class Unfit(stun.TransactionError):
    """What a server says, or that it ends the connection, shows that it is none of the kind that was asked."""


class _TurnOverTcp(_TurnClient, turn.TurnClientTcpProtocol):
    """A TURN client over TCP or TLS. Its requests fail at once when it is clear that none will be answered.

    aioice waits for an answer as long as over UDP.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.buffer = b""  # aioice keeps here what does not make a message yet
        self._unfit: str | None = None  # set when there is nobody to answer
        self._deadlines: set[asyncio.Timeout] = set()  # of the requests that wait for an answer

    def data_received(self, data: bytes) -> None:
        """Asyncio calls this with what arrives. Before there is an allocation, it can only be STUN."""
        begun = self.buffer + data
        if self.receiver is None and (begun[0] > 3 or not COOKIE.startswith(begun[4:8])):
            self._give_up("what answers there is no TURN server")
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this when the connection has ended."""
        super().connection_lost(exc)
        self._give_up("the server has closed the connection")

    def _give_up(self, reason: str) -> None:
        self._unfit = self._unfit or reason
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(0)

    async def request(self, request: stun.Message) -> tuple[stun.Message, tuple[str, int]]:
        """Send *request*, and again until it is answered."""
        try:
            async with asyncio.timeout(None if self._unfit is None else 0) as deadline:
                self._deadlines.add(deadline)
                try:
                    return await super().request(request)
                finally:
                    self._deadlines.remove(deadline)
        except TimeoutError:
            raise Unfit(self._unfit) from None


class _Nowhere:
    """A queue that keeps nothing."""

    def put_nowait(self, item: object) -> None:
        """Forget *item*."""


class Generation(aioice.Connection):
    """One ICE generation of one transport: its credentials, sockets, candidates and checks."""

    # Beside aioice's in one dictionary they would double its size.
    __slots__ = (
        "_active",
        "_answering",
        "_consent",
        "_consent_checks",
        "_lookups",
        "_names",
        "_silent",
        "_timers",
        "_work",
        "checking",
        "gathered",
        "gathering",
        "observer",
        "pair",
        "timing",
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
        self.gathering: asyncio.Task[None] | None = None  # set when gathering begins
        self.gathered = False  # True once there will be no more local candidates
        self.checking = False  # True once there was something to check
        self._silent = False  # True once there is a candidate that must not be contacted, or has a name
        self._lookups: set[asyncio.Task[None]] = set()  # those of names of remote candidates
        self._names = names  # which hide our host addresses; None where nothing is hidden
        self._answering = Answering() if names else None  # for these names, while we have the addresses
        self._active: list[aioice.Candidate] = []  # our active TCP candidates; grows
        self.pair: ice.CandidatePair | None = None  # the one that was nominated last
        self._consent = Consent(
            timing,
            check=self._check_consent,
            heard=lambda heard: observer.heard(self, heard),
            expired=self._lose_pair,
        )
        # The consent checks under way, oldest first: where they were sent, and their transaction.
        self._consent_checks: list[tuple[Socket, bytes]] = []
        # "check" while there is something to check, "patience" (the PAC timer), and "silence": see add_silent().
        self._timers = Timers()
        self._work: set[asyncio.Task[None]] = set()  # see spawn()

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
        self, server: IceServer, address: str, asking: Callable[[tuple[str, int]], None]
    ) -> tuple[Socket, aioice.Candidate]:
        """Allocate a relayed address at the TURN server that has this *address*.

        *asking* is called with our address and port before the server is asked from there. The candidate has no
        foundation and no priority yet.
        """
        if server.scheme == "turns" and server.transport == "udp":
            raise NotSupportedError("TURN over DTLS is not supported: the server is not asked")
        by_name = server.transport == "tcp"  # which may have several addresses to try; and a certificate is for a name
        allocated = Socket(self)
        relay = await _turn_transport(server, server.host if by_name else address, allocated, asking)
        host, port = relay.get_extra_info("sockname")
        # The related address must not tell what the policy hides (RFC 9429, section 3.5.3; RFC 8839, section 5.1).
        nowhere = "::" if ":" in host else "0.0.0.0"
        related = (nowhere, 9) if self.relay_only else relay.get_extra_info("related_address")
        candidate = aioice.Candidate("", 1, "udp", 0, host, port, "relay", *related)
        allocated.local_candidate = candidate
        return allocated, candidate

    def publish(
        self,
        candidate: aioice.Candidate,
        socket: Socket | None = None,
        url: str | None = None,
        relay: RTCIceServerTransportProtocol | None = None,
    ) -> None:
        """Check from *candidate*, if it has a *socket* of its own, and tell the observer of it."""
        if socket is not None:
            socket.local_candidate = candidate
            self._protocols.append(socket)
        self._local_candidates.append(candidate)
        if candidate.tcptype == "active":
            self._active.append(candidate)
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        if candidate.type == "host" and self._answering is not None and not self._answering.can:
            return  # it is checked from, but nobody could look up its name
        text = f"{self._shown(candidate)} ufrag {self.local_username}"
        self.observer.candidate_found(self, LocalCandidate(text, url, relay))

    def _shown(self, candidate: aioice.Candidate) -> str:
        """The text of a candidate of ours, as others see it."""
        text = f"candidate:{candidate.to_sdp()}"
        return text if self._names is None else candidate_text(self._names.hidden(_attribute(text)))

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
            tcptype=candidate.tcp_type,
        )
        if self._closing:
            return
        if is_name(theirs.host):
            self._look_up(theirs)
        elif len(self._remote_candidates) < MAX_PAIRS:
            self._add_remote_candidate(theirs, theirs.host)

    def add_silent(self) -> None:
        """There is a candidate that must not be contacted: to all the world it is one that does not answer."""
        self._silent = True
        self._timers.start("silence", CHECK_SECONDS, self._reconsider_failure)
        self.sort_check_list()

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
        if len(self._lookups) >= MAX_PAIRS:
            return
        lookup = self.spawn(self._resolve(candidate))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._looked_up)
        self._silent = True
        self.sort_check_list()

    async def _resolve(self, candidate: aioice.Candidate) -> None:
        address = await resolve(candidate.host, self.timing.names)
        if address is None:
            logger.info("%s: nobody tells the address of %s", self, candidate.host)
        elif not self._closing and len(self._remote_candidates) < MAX_PAIRS:
            self._add_remote_candidate(candidate, address)

    def _looked_up(self, lookup: asyncio.Task[None]) -> None:
        self._lookups.discard(lookup)
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
        if (self._remote_candidates or self._silent) and not self.checking:
            self.checking = True
            self.observer.checking(self)
        if not self._timers.is_running("check"):
            self._next_check()

    def _bound_check_list(self, size: int = MAX_PAIRS) -> None:
        """Keep no more pairs than *size* (RFC 8445, section 6.1.2.5).

        Those that have failed give way, then those that wait, then those that are checked; of each, the last first.
        """
        for states in ((ice.CandidatePair.State.FAILED,), _UNCHECKED, (ice.CandidatePair.State.IN_PROGRESS,)):
            for pair in reversed(self._check_list):
                if len(self._check_list) <= size:
                    return
                if pair.state in states:
                    self._check_list.remove(pair)
                    if pair.task is not None:
                        pair.task.cancel()

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol) -> None:
        """Aioice calls this with each check of the remote side, which may form a pair."""
        if len(self._remote_candidates) < MAX_CANDIDATES or any(
            (candidate.host, candidate.port) == addr for candidate in self._remote_candidates
        ):
            # Our own check may have come to a NAT before theirs had opened it. Now it will pass, and the triggered
            # check (RFC 8445, section 7.3.1.4) must not wait until the timer repeats it.
            assert isinstance(protocol, Socket)
            protocol.hurry(addr)
            self._bound_check_list(MAX_PAIRS - 1)
            # A server may have the same port for both, and aioice looks at nothing else.
            transport = protocol.local_candidate.transport
            others = [candidate for candidate in self._remote_candidates if candidate.transport != transport]
            for other in others:
                self._remote_candidates.remove(other)
            super().check_incoming(message, addr, protocol)
            self._remote_candidates += others

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

    def prefers_others(self, socket: Socket, addr: tuple[str, int]) -> bool:
        """Whether the pair of *socket* and *addr* is relayed, and there are others of which it is not known yet.

        The first pair to work is nominated, if that is up to us. Behind NATs a relay often comes first, as the way
        between them opens with the second check only; and who is relayed stays so.
        """
        if not self.ice_controlling or self._check_list_done:
            return False
        here = [pair for pair in self._check_list if pair.protocol is socket and pair.remote_addr == addr]
        return any(_is_relayed(pair) for pair in here) and any(
            pair.state in _UNFINISHED and not _is_relayed(pair) for pair in self._check_list
        )

    def build_request(self, pair: ice.CandidatePair, nominate: bool) -> stun.Message:
        """Aioice calls this for each check of *pair*."""
        request = super().build_request(pair, nominate)
        if pair.local_candidate.transport == "tcp":  # RFC 6544, section 7.1
            request.attributes["PRIORITY"] = priority("prflx", tcp_preference(0), "tcp")
        return request

    def _next_check(self) -> None:
        if self._check_list_done:
            return
        pair = next((pair for pair in self._check_list if pair.state in _UNCHECKED), None)
        if pair is not None:
            self.check_start_task(pair)
            self._timers.start("check", self.timing.pace, self._next_check)

    def _check_list_maybe_complete(self) -> bool:
        # aioice calls this whenever a pair may have been nominated.
        first = not self._check_list_done
        complete = super()._check_list_maybe_complete()
        pair = self._nominated.get(1)
        if pair is not None and pair is not self.pair and (first or self.pair is not None):
            self.pair = pair
            if first:
                self._succeed()
            self._consent.start()
            self.observer.selected(self)
        return complete

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The pair that was nominated last. A candidate that was learned from a check may be signalled later."""
        if self.pair is None:
            return None
        return SelectedPair(
            self._local(self.pair),
            _attribute(f"candidate:{self.pair.remote_candidate.to_sdp()}"),
            self.local_username,
            self.remote_username,
        )

    def _local(self, pair: ice.CandidatePair) -> CandidateAttribute:
        """Our candidate in *pair*: once the remote side has answered, the one that it sees (RFC 8445, 7.2.5.3)."""
        assert isinstance(pair.protocol, Socket)
        base = pair.local_candidate
        host, port = pair.protocol.seen_as.get(pair.remote_addr, (base.host, base.port))
        for candidate in (base, *self._local_candidates):
            if (candidate.host, candidate.port) == (host, port):
                return _attribute(self._shown(candidate))
        said = priority("prflx", 65535)  # by our check
        related = base.host, base.port
        seen = aioice.Candidate(f"{base.foundation}p", 1, "udp", said, host, port, "prflx", *related)
        return _attribute(self._shown(seen))

    @property
    def sending_address(self) -> str | None:
        """The address of this host that the pair sends from: to the remote side, or to the TURN server."""
        if self.pair is None:
            return None
        transport: Any = self.pair.protocol.transport
        if isinstance(transport, turn.TurnTransport):
            transport = transport._TurnTransport__inner_protocol.transport  # type: ignore[attr-defined]
        return str(transport.get_extra_info("sockname")[0])

    @property
    def usable(self) -> bool:
        """Whether datagrams can be sent: a pair was nominated, and consent was not lost."""
        return bool(self._nominated)

    @property
    def failed(self) -> bool:
        """Whether no pair works, and none will."""
        return self._check_list_done and not self._nominated

    def transmit(self, data: bytes) -> None:
        """Send a datagram on the pair that was nominated; drop it if there is none, or consent to it was lost."""
        pair = self._nominated.get(1)
        if pair is not None:
            _traffic(pair).sent(data)
            pair.protocol.transport.sendto(data, pair.remote_addr)

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

    def _check_consent(self) -> None:
        assert self.pair is not None
        assert self.remote_password is not None
        key = self.remote_password.encode()
        request = self.build_request(self.pair, nominate=False)
        request.add_message_integrity(key)
        socket = _socket(self.pair)
        question = _Question(self.pair.remote_addr, key)
        check = _ConsentCheck(question, _traffic(self.pair), self._consent.answered)
        self._consent_checks.append((socket, request.transaction_id))
        socket.transactions[request.transaction_id] = check
        socket.send_stun(request, self.pair.remote_addr)
        if len(self._consent_checks) > CONSENT_CHECKS:
            asked, identifier = self._consent_checks.pop(0)
            del asked.transactions[identifier]

    def _lose_pair(self) -> None:
        """Nothing more may be sent on the pair that was nominated."""
        self._consent.stop()
        self._nominated.clear()
        self._die()

    def _die(self) -> None:
        # Who goes on answering checks lets the other side believe that it is connected.
        self._closing = True
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

    def checked_pairs(self) -> list[CheckedPair]:
        """The check list."""
        return [
            CheckedPair(
                self._local(pair),
                _attribute(f"candidate:{pair.remote_candidate.to_sdp()}"),
                self.local_username,
                self.remote_username,
                pair.state.name.lower().replace("_", "-"),
                pair is self.pair,
                _traffic(pair),
            )
            for pair in self._check_list
        ]

    # What the sockets receive

    def heed_request(
        self, message: stun.Message, address: tuple[str, int], socket: Socket, unknown: Sequence[int]
    ) -> bool:
        """Answer a request with these *unknown* attributes; returns False if there is no answer any more."""
        if self._closing:
            return False
        if unknown and self._is_authentic(message):
            response = _Refusal(message, unknown)
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
        if isinstance(protocol.transport, turn.TurnTransport) and error_code[0] != ROLE_CONFLICT:
            self.observer.datagram_discarded()
        else:
            super().respond_error(request, addr, protocol, error_code)

    def data_received(self, data: bytes, component: int) -> None:
        """Aioice calls this with each datagram that is no STUN message."""
        self.observer.datagram_received(data)

    def protocol_lost(self, protocol: ice.StunProtocol) -> None:
        """Aioice calls this when a socket, or an allocation on a TURN server, is gone."""
        if not self._closing and any(pair.protocol is protocol for pair in self._nominated.values()):
            self._lose_pair()

    # The end

    async def shut_down(self) -> None:
        """Close the sockets; the observer is not told any more."""
        self._closing = True
        self._timers.stop_all()
        self._consent.stop()
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        if self._answering is not None:
            await self._answering.end()
        await self._return_allocations()
        await self.close()

    async def _return_allocations(self) -> None:
        """Tell TURN servers that we are done: all at once, and not for ever; aioice would ask each for a minute."""
        farewells: list[asyncio.Task[None]] = []
        for protocol in self._protocols:
            if isinstance(protocol.transport, turn.TurnTransport):
                protocol.transport.close()
                farewells.append(protocol.transport._TurnTransport__close_task)  # type: ignore[attr-defined]
        if farewells:
            _, unanswered = await asyncio.wait(farewells, timeout=self.timing.servers)
            for farewell in unanswered:
                farewell.cancel()  # which closes the socket

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
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def host_addresses() -> list[str]:
    """The addresses of this host, but for those of the loopback interface and IPv6 addresses with a zone."""
    return ice.get_host_addresses(use_ipv4=True, use_ipv6=True)


async def _turn_transport(
    server: IceServer, host: str, socket: Socket, asking: Callable[[tuple[str, int]], None]
) -> turn.TurnTransport:
    """Allocate a relayed address for *socket* at the TURN server *host*: aioice's transport for it."""
    loop = asyncio.get_running_loop()
    place = host, server.port
    kind = _TurnOverTcp if server.transport == "tcp" else _TurnOverUdp
    client = kind(place, server.username, server.credential, turn.DEFAULT_ALLOCATION_LIFETIME, REBIND_SECONDS)
    client.socket = socket
    way: asyncio.BaseTransport
    if isinstance(client, _TurnOverTcp):
        way, _ = await loop.create_connection(lambda: client, *place, ssl=server.scheme == "turns" or None)
    else:
        way, _ = await loop.create_datagram_endpoint(lambda: client, remote_addr=place)
        way.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
    transport = turn.TurnTransport(client)
    asking(way.get_extra_info("sockname")[:2])
    try:
        await transport._connect(socket)
    except BaseException:
        way.close()
        raise
    return transport


def _is_message(data: bytes) -> bool:
    try:
        stun.parse_message(data)
    except (ValueError, struct.error):
        return False
    return True


async def reflexive_address(socket: Socket, address: str, port: int) -> tuple[str, int]:
    """Ask a STUN server how it sees *socket*."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    response, _ = await socket.request(request, (address, port))
    for name in ("XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"):  # the servers of RFC 3489 know the latter only
        if name in response.attributes:
            host, mapped = response.attributes[name]
            return host, mapped
    raise Unfit("the server has answered, but has not told an address")


def failure(error: Exception, seconds: float) -> tuple[int, str]:
    """A code and a text for *error*, with which a server failed that had so many *seconds* to answer.

    The code is the server's, if it has told one; else UNREACHABLE, as there is no other (webrtc-pc 4.8.3).
    """
    match error:
        case stun.TransactionFailed(response=stun.Message(attributes={"ERROR-CODE": (int(code), str(text))})):
            return code, text
        case stun.TransactionFailed():
            return UNREACHABLE, "the server has refused, and has not told why"
        case TimeoutError() | stun.TransactionTimeout():
            return UNREACHABLE, f"the server did not answer within {seconds:g} s"
        case Unfit():
            return UNREACHABLE, str(error)
    if type(error) is ConnectionError:  # so says aioice; the system's are of its subclasses
        return UNREACHABLE, "the server has answered, but has not told all that belongs to a relay"
    return UNREACHABLE, sentence(error)


def _is_relayed(pair: ice.CandidatePair) -> bool:
    return "relay" in (pair.local_candidate.type, pair.remote_candidate.type)


def _socket(pair: ice.CandidatePair) -> Socket:
    assert isinstance(pair.protocol, Socket)
    return pair.protocol


def _traffic(pair: ice.CandidatePair) -> Traffic:
    return _socket(pair).traffic[pair.remote_addr]


def _attribute(text: str) -> CandidateAttribute:
    attribute = parse_candidate(text)
    assert attribute is not None
    return attribute
