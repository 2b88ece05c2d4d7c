"""Sockets, and the STUN transactions over them.

What they do otherwise than aioice's:

- What the network sends is looked at before aioice sees it: anybody can send to a socket. What has no effect is
  discarded, and counted.
- A check is given up after 31.5 s, where aioice takes twice as long.
- A remote candidate that takes TCP connections is checked over a connection that the check makes (RFC 6544). To aioice
  each is a socket of its own.
- Checks of consent are sent once each, and are no tasks.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import aioice
from aioice import ice, stun

from peer._facts import Traffic
from peer._stream import Stream
from peer._stun import CARRIED, unknown_attributes, with_unknown_attributes
from peer._upstream import require

if TYPE_CHECKING:
    from ._checks import CheckingConnection

logger = logging.getLogger(__name__)

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {
    ice: ("StunProtocol", "get_host_addresses"),
    stun: ("Class", "Message", "Transaction", "TransactionTimeout", "parse_message"),
}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        aioice.Candidate: ("_network_host",),
        # Not underscored, but not documented either.
        ice.StunProtocol: (
            "connection_lost",
            "connection_made",
            "datagram_received",
            "request",
            "send_stun",
            "transactions",
        ),
        stun.Transaction: ("response_received", "run"),
    },
)

MAX_PAIRS = 100  # RFC 8445, section 6.1.2.5; no more candidates that were signalled are kept either
MAX_CANDIDATES = 2 * MAX_PAIRS  # with those that were learned from checks
RETRANSMISSIONS = 5  # of a check
CHECK_SECONDS = 31.5  # which takes so long, less than the PAC timer
CONSENT_CHECKS = 8  # under way at once: more than are sent before consent expires
RECEIVE_BUFFER = 1 << 18  # bytes that may wait at a socket while Python is busy
ROLE_CONFLICT = 487  # RFC 8445, section 7.3.1.1


class Socket(ice.StunProtocol):
    """A socket that counts, and that gives a transaction up when RFC 8489, section 6.2.1, would have.

    Anybody can send to it. Of what arrives, it takes

    - packets (DTLS, RTP, RTCP) from where a check went to, or an authentic one came from: nobody else can have a pair;
    - requests, which the generation answers, with an error if they are not authentic;
    - responses to requests under way, from where the request went to, and authentic if the request was.

    All else is discarded.
    """

    transactions: dict[bytes, _Transaction | _ConsentCheck]  # type: ignore[assignment]

    def __init__(self, generation: CheckingConnection) -> None:
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
        message = parsed(data)
        if message is None:
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
            transaction.end()
            del self.transactions[request.transaction_id]
        took = clock() - sent
        traffic.answered(took)
        message, _ = response
        if integrity_key is not None:
            self._note_address(addr, message.attributes.get("XOR-MAPPED-ADDRESS"))
            if "USE-CANDIDATE" not in request.attributes and self.generation.prefers_others(self, addr):
                await asyncio.sleep(max(took, self.generation.timing.precedence))
            self.generation.note_valid(self, addr)
        return response

    def _note_address(self, addr: tuple[str, int], ours: tuple[str, int] | None) -> None:
        """Who is at *addr* sees us at *ours*."""
        if ours is not None and ours != (self.local_candidate.host, self.local_candidate.port):
            self.seen_as[addr] = ours

    def hurry(self, addr: tuple[str, int]) -> None:
        """Send what *addr* has not answered again soon; but each request only once, or two sides could go on so."""
        for asked in self.transactions.values():
            if isinstance(asked, _Transaction) and asked.question.address == addr:
                asked.hurry(self.generation.timing.pace)


def parsed(data: bytes) -> stun.Message | None:
    """The STUN message that *data* is; None if aioice cannot read it."""
    try:
        return stun.parse_message(data)
    except (ValueError, struct.error):
        return None


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
        self._request = request
        self._socket = socket
        self._again: asyncio.TimerHandle | None = None  # set by the first hurry()

    def hurry(self, seconds: float) -> None:
        """Send the request again, if it is not answered in so many seconds; but only once."""
        if self._again is None:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(seconds, self._socket.send_stun, self._request, self.question.address)

    def end(self) -> None:
        """Send nothing more."""
        if self._again is not None:
            self._again.cancel()


class ActiveSocket(Socket):
    """A TCP connection to one remote candidate, which the first check makes."""

    def __init__(self, generation: CheckingConnection, local: aioice.Candidate, remote: aioice.Candidate) -> None:
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


class ConsentChecks:
    """The checks of consent (see _consent.py) that are under way; *answered* is called with each answer."""

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self._waiting: list[tuple[Socket, bytes]] = []  # where they were sent, and their transaction; oldest first

    def send(self, request: stun.Message, socket: Socket, addr: tuple[str, int], key: bytes) -> None:
        """Send *request*, signed with *key*, and wait no more for the oldest check if there are too many."""
        request.add_message_integrity(key)
        self._waiting.append((socket, request.transaction_id))
        socket.transactions[request.transaction_id] = _ConsentCheck(
            _Question(addr, key), socket.traffic[addr], self._answered
        )
        socket.send_stun(request, addr)
        if len(self._waiting) > CONSENT_CHECKS:
            asked, identifier = self._waiting.pop(0)
            del asked.transactions[identifier]


class Refusal(stun.Message):
    """An error response because of attributes that are not known, which aioice cannot write."""

    def __init__(self, request: stun.Message, unknown: Sequence[int]) -> None:
        super().__init__(request.message_method, stun.Class.ERROR, request.transaction_id)
        self.attributes["ERROR-CODE"] = (420, "Unknown Attribute")
        self._unknown = unknown

    def __bytes__(self) -> bytes:
        return with_unknown_attributes(super().__bytes__(), self._unknown)


def host_addresses() -> list[str]:
    """The addresses of this host, but for those of the loopback interface and IPv6 addresses with a zone."""
    return ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
