"""STUN and TURN servers: what they are asked, what their failures mean, and a TURN client.

What it does otherwise than aioice's:

- Channels of a relay are bound again before the permission that comes with them ends, where aioice waits longer.
- What a server sends is looked at before aioice sees it. What has no effect is discarded, and counted.
- Over TCP or TLS nobody waits for an answer when it is clear that there will be none.
- All allocations are given back at once, and not for ever.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, NamedTuple

import aioice
from aioice import ice, stun, turn

from peer._configuration import IceServer
from peer._errors import NotSupportedError
from peer._facts import UNREACHABLE
from peer._unreachable import sentence
from peer._upstream import require

from ._pairs import OwnCandidate
from ._sockets import RECEIVE_BUFFER, Socket, parsed

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {
    ice: ("StunProtocol",),
    stun: (
        "COOKIE",
        "Class",
        "Message",
        "Method",
        "TransactionError",
        "TransactionFailed",
        "TransactionTimeout",
    ),
    turn: (
        "DEFAULT_ALLOCATION_LIFETIME",
        "TurnClientMixin",
        "TurnClientTcpProtocol",
        "TurnClientUdpProtocol",
        "TurnStreamMixin",
        "TurnTransport",
    ),
}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        # Not underscored, but not documented either.
        turn.TurnClientMixin: (
            "channel_bind",
            "channel_refresh_at",
            "channel_to_peer",
            "datagram_received",
            "integrity_key",
            "peer_to_channel",
            "transactions",
        ),
        turn.TurnClientTcpProtocol: ("connection_lost", "data_received", "receiver", "request"),
        turn.TurnStreamMixin.data_received: ("buffer",),
        turn.TurnTransport: ("_TurnTransport__close_task", "_TurnTransport__inner_protocol", "_connect"),
    },
)

REBIND_SECONDS = 240  # a channel lasts 600 s, the permission that comes with it 300 s (RFC 8656, sections 9 and 12)
COOKIE = stun.COOKIE.to_bytes(4, "big")  # in each STUN message (RFC 8489, section 5)


class Way(NamedTuple):
    """A way to a server."""

    local: str | None  # the address of ours to ask from; None if the routes of this host decide
    address: str  # the server's


class Unfit(stun.TransactionError):
    """What a server says, or that it ends the connection, shows that it is none of the kind that was asked."""


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
            return code, text.rstrip("\0")  # with which some servers fill it up
        case stun.TransactionFailed():
            return UNREACHABLE, "the server has refused, and has not told why"
        case TimeoutError() | stun.TransactionTimeout():
            return UNREACHABLE, f"the server did not answer within {seconds:g} s"
        case Unfit():
            return UNREACHABLE, str(error)
    if type(error) is ConnectionError:  # so says aioice; the system's are of its subclasses
        return UNREACHABLE, "the server has answered, but has not told all that belongs to a relay"
    return UNREACHABLE, sentence(error)


async def allocate(
    socket: Socket, server: IceServer, way: Way, asking: Callable[[tuple[str, int]], None], hide: bool
) -> aioice.Candidate:
    """Allocate a relayed address for *socket*; see Generation.allocate(). *hide* where nobody may know our address."""
    if server.scheme == "turns" and server.transport == "udp":
        raise NotSupportedError("TURN over DTLS is not supported: the server is not asked")
    relay = await _connected(server, way, socket, asking)
    host, port = relay.get_extra_info("sockname")
    # The related address must not tell what the policy hides (RFC 9429, section 3.5.3; RFC 8839, section 5.1).
    nowhere = "::" if ":" in host else "0.0.0.0"
    related = (nowhere, 9) if hide else relay.get_extra_info("related_address")
    socket.local_candidate = OwnCandidate("", 1, "udp", 0, host, port, "relay", *related)
    return socket.local_candidate


def is_allocation(transport: object) -> bool:
    """Whether a socket's *transport* is an address at a TURN server."""
    return isinstance(transport, turn.TurnTransport)


def own_transport(transport: Any) -> Any:
    """The transport of this host that *transport* sends over: the one to the TURN server, or itself."""
    if isinstance(transport, turn.TurnTransport):
        return transport._TurnTransport__inner_protocol.transport  # type: ignore[attr-defined]
    return transport


async def return_allocations(sockets: Iterable[ice.StunProtocol], seconds: float) -> None:
    """Tell TURN servers that we are done: all at once, and not for ever; aioice would ask each for a minute."""
    farewells: list[asyncio.Task[None]] = []
    for socket in sockets:
        if isinstance(socket.transport, turn.TurnTransport):
            socket.transport.close()
            farewells.append(socket.transport._TurnTransport__close_task)  # type: ignore[attr-defined]
    if farewells:
        _, unanswered = await asyncio.wait(farewells, timeout=seconds)
        for farewell in unanswered:
            farewell.cancel()  # which closes the socket


async def _connected(
    server: IceServer, way: Way, socket: Socket, asking: Callable[[tuple[str, int]], None]
) -> turn.TurnTransport:
    """Aioice's transport for *socket*, with an address at the TURN server."""
    place = way.address, server.port
    local = None if way.local is None else (way.local, 0)
    kind = _TurnOverTcp if server.transport == "tcp" else _TurnOverUdp
    client = kind(place, server.username, server.credential, turn.DEFAULT_ALLOCATION_LIFETIME, REBIND_SECONDS)
    client.socket = socket
    loop = asyncio.get_running_loop()
    inner: asyncio.BaseTransport
    if isinstance(client, _TurnOverTcp):
        tls = server.scheme == "turns"
        name = server.host if tls else None  # a certificate is for a name
        inner, _ = await loop.create_connection(
            lambda: client, *place, local_addr=local, ssl=tls or None, server_hostname=name
        )
    else:
        inner, _ = await loop.create_datagram_endpoint(lambda: client, remote_addr=place, local_addr=local)
        inner.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
    transport = turn.TurnTransport(client)
    asking(inner.get_extra_info("sockname")[:2])
    try:
        await transport._connect(socket)
    except BaseException:
        inner.close()
        raise
    return transport


class _TurnClient(turn.TurnClientMixin):
    """Looks at what a TURN server sends before aioice does, which raises on some; and binds a channel once at a time.

    aioice would bind it again with each packet, until the server has answered the first.
    """

    socket: Socket  # set before anything is received

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Asyncio calls this with each datagram, and aioice with each message of a stream."""
        assert isinstance(data, bytes)
        if self._is_channel_data(data) or self._is_heeded(data):
            super().datagram_received(data, addr)
        else:
            self.socket.discard()

    def _is_channel_data(self, data: bytes) -> bool:
        channel, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
        return channel in self.channel_to_peer and 4 <= 4 + length <= len(data)

    def _is_heeded(self, data: bytes) -> bool:
        """Whether it is an answer to one of our requests, or data of somebody who has a permission."""
        message = parsed(data)
        if message is None:
            return False
        if message.message_class is stun.Class.INDICATION:
            host, _ = message.attributes.get("XOR-PEER-ADDRESS", (None, 0))
            permitted = any(host == known for known, _ in self.peer_to_channel)
            return message.message_method is stun.Method.DATA and "DATA" in message.attributes and permitted
        if message.message_class is stun.Class.REQUEST or message.transaction_id not in self.transactions:
            return False
        # The first request is not signed; an error may tell what is needed to sign one (RFC 8489, section 9.2.5).
        key = self.integrity_key
        return key is None or message.error_code in (401, 438) or message.check_message_integrity(key)

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
