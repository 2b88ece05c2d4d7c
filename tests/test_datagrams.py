"""What anybody on the network can send to a candidate's port: it raises nothing, changes nothing, and is counted."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aioice import stun
from peers import (
    BRISK,
    STATES,
    Log,
    agent,
    connect_once,
    discarded,
    echo,
    echoing,
    negotiate,
    open_peers,
    opened,
    reached,
    send_candidates,
    trickle,
)

from peer._agent import MAX_DATAGRAMS
from peer._aioice import MAX_CANDIDATES, MAX_PAIRS

HOME = "127.0.0.1"
REQUEST, INDICATION, RESPONSE, ERROR = stun.Class.REQUEST, stun.Class.INDICATION, stun.Class.RESPONSE, stun.Class.ERROR


@pytest.fixture(autouse=True)
def _one_address(monkeypatch):
    """With one pair, no check is ever cancelled, and no answer late: what is counted is what a test sent."""
    monkeypatch.setattr("peer._host.host_addresses", lambda: [HOME])


@pytest.fixture(autouse=True)
def _silence(caplog) -> Iterator[None]:
    yield
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record for record in said if not record.getMessage().startswith("Executing")] == []  # asyncio's debug mode


class Stranger(asyncio.DatagramProtocol):
    """A socket of somebody, and what it received."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[stun.Message, tuple[str, int]]] = asyncio.Queue()

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr) -> None:
        if data[0] < 4:
            self.received.put_nowait((stun.parse_message(data), addr))

    def send(self, data: bytes | stun.Message, port: int) -> None:
        send(self.transport, bytes(data), port)

    async def answer(self, identifier: bytes) -> stun.Message:
        """The answer to a request; all that came before it is forgotten."""
        while True:
            message, _ = await self.received.get()
            if message.transaction_id == identifier and message.message_class is not REQUEST:
                return message

    async def check(self) -> tuple[stun.Message, int]:
        """The next check that comes in, and the port it came from."""
        while True:
            message, (_, port) = await self.received.get()
            if message.message_class is REQUEST:
                return message, port

    async def ask(self, request: stun.Message, port: int) -> stun.Message:
        self.send(request, port)
        return await self.answer(request.transaction_id)


def send(transport, data: bytes, port: int) -> None:
    """Send from the socket of *transport*, also what is empty, which asyncio does not send."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as copy:
        copy.sendto(data, (HOME, port))


@asynccontextmanager
async def strangers(count: int) -> AsyncIterator[list[Stranger]]:
    loop = asyncio.get_running_loop()
    made = [(await loop.create_datagram_endpoint(Stranger, local_addr=(HOME, 0)))[1] for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.transport.close()


def ice(peer):
    """The newest generation of a connection."""
    return agent(peer).newest


def port_of(peer) -> int:
    return ice(peer).local_candidates[0].port


def request_to(peer, username=None, **attributes):
    """What the remote side could ask *peer*; not signed. An attribute that is None is left out."""
    ours = ice(peer)
    asked = stun.Message(stun.Method.BINDING, REQUEST)
    role = "ICE-CONTROLLED" if ours.ice_controlling else "ICE-CONTROLLING"
    asked.attributes = {"USERNAME": username or f"{ours.local_username}:{ours.remote_username or 'them'}"}
    asked.attributes |= {"PRIORITY": 1853824767, role: 5} | attributes
    asked.attributes = {name: value for name, value in asked.attributes.items() if value is not None}
    return asked


def signed(message, key):
    message.add_message_integrity(key.encode())
    return message


def authentic(peer, **attributes):
    return signed(request_to(peer, **attributes), ice(peer).local_password)


async def processed(stranger: Stranger, peer) -> None:
    """All that *stranger* has sent was looked at: a socket keeps the order. Costs one request without a user."""
    answer = await stranger.ask(stun.Message(stun.Method.BINDING, REQUEST), port_of(peer))
    assert answer.error_code == 400


async def send_all(stranger: Stranger, peer, datagrams) -> int:
    """Send them without losing one; returns how many of all that was sent are to be discarded."""
    sent = 0
    for number, data in enumerate(datagrams):
        stranger.send(data, port_of(peer))
        if number % 10 == 9 or len(data) > 1500:
            await processed(stranger, peer)
            sent += 1
        sent += 1
    await processed(stranger, peer)
    return sent + 1


# What is sent: all of it to be discarded


def raw(*attributes, kind=0x0001, cookie=0x2112A442):
    body = b"".join(struct.pack("!HH", type, len(value)) + value + bytes(-len(value) % 4) for type, value in attributes)
    return struct.pack("!HHI", kind, len(body), cookie) + random.Random(len(body)).randbytes(12) + body


def response_to(request, key=None, kind=RESPONSE, code=None):
    """An answer, signed with *key* if there is one."""
    made = stun.Message(stun.Method.BINDING, kind, request.transaction_id)
    if kind is RESPONSE:
        made.attributes["XOR-MAPPED-ADDRESS"] = (HOME, 5000)
    elif code is not None:
        made.attributes["ERROR-CODE"] = (code, "No")
    return signed(made, key) if key else made


def random_bytes(peer):
    chance = random.Random(8445)
    return [chance.randbytes(chance.randrange(200)) for _ in range(400)]


def random_messages(peer):
    chance = random.Random(8489)
    whole = bytes(authentic(peer))
    for _ in range(400):  # FINGERPRINT is at the end; a message without it is authentic
        data = bytearray(whole)
        data[chance.randrange(len(data) - 8)] ^= chance.randrange(1, 256)
        yield bytes(data)


def truncated(peer):
    request = authentic(peer)
    for whole in (bytes(request), bytes(response_to(request, ice(peer).local_password))):
        yield from (whole[:size] for size in range(len(whole)))


def wrong_lengths(peer):
    whole = bytes(authentic(peer))
    for length in (0, 1, 4, len(whole) - 24, len(whole) - 16, 0xFFFF):
        yield whole[:2] + struct.pack("!H", length) + whole[4:]
    yield whole + b"\0"
    for place in (22, len(whole) - 6):  # of the first and of the last attribute
        for length in (0, 1, 5, 0xFFFF):
            yield whole[:place] + struct.pack("!H", length) + whole[place + 2 :]
    for type in stun.ATTRIBUTES_BY_TYPE:
        for size in (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 20, 21, 64):
            yield raw((type, b"\xff" * size))
            yield raw((type, b"\0\1" + bytes(size)))


def wrong_words(peer):
    """Messages that hold together, and mean nothing here."""
    whole = bytes(authentic(peer))
    yield whole[:4] + b"\0\0\0\0" + whole[8:]  # no cookie
    yield whole[:-1] + bytes([whole[-1] ^ 1])  # wrong FINGERPRINT
    yield b"\x40" + whole[1:]
    for method in range(0x10):
        yield raw(kind=method)
        yield raw(kind=method | 0x10)
        yield raw(kind=method | 0x100)
        yield raw(kind=method | 0x110)
    yield bytes(signed(stun.Message(stun.Method.BINDING, INDICATION), ice(peer).local_password))
    for kind, code in ((RESPONSE, None), (ERROR, 487), (ERROR, 400), (ERROR, None)):
        yield bytes(response_to(request_to(peer), ice(peer).local_password, kind, code))


def packets(peer):
    """As DTLS, RTP, RTCP, SCTP in the clear, ZRTP and TURN channels begin; from one who is not the remote side."""
    chance = random.Random(7983)
    for first in (4, 16, 19, *range(20, 64, 3), 64, 79, 127, 128, 144, 191, 192, 255):
        yield bytes([first])
        yield bytes([first, 200]) + chance.randbytes(40)
    yield bytes.fromhex("15fefd00000000000000000002") + b"\x02\x28"  # a fatal alert
    yield struct.pack("!HHII", 5000, 5000, 0, 0) + bytes([6, 0, 0, 4])  # an ABORT


def sizes(peer):
    yield b""
    for size in (1501, 9000, 65507):
        for first in (0, 1, 22, 128):
            yield bytes([first]) * size
    yield raw(*((0x8022, b"x" * 700),) * 3)
    yield raw(*((0x0024, bytes(4)),) * 8180)
    yield raw(*((0x8028, bytes(4)),) * 8180)


KINDS = [random_bytes, random_messages, truncated, wrong_lengths, wrong_words, packets, sizes]


@asynccontextmanager
async def unharmed(peer, channel):
    """What happens inside changes nothing that users see of a connection that is there, and its channel still works."""
    log, pair = Log(peer), peer.sctp.transport.iceTransport.getSelectedCandidatePair()
    before = [getattr(peer, state) for state in STATES]
    yield
    assert [getattr(peer, state) for state in STATES] == before
    assert peer.sctp.transport.iceTransport.getSelectedCandidatePair() == pair
    assert log.entries == []
    await echo(channel)


@pytest.mark.parametrize("kind", KINDS)
async def test_of_a_connection_nothing_changes_and_all_is_counted(kind):
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = await connect_once(peer, other)
        for each in (peer, other):
            await reached(each, "connectionState", "connected")
        async with unharmed(peer, channel):
            before = await discarded(peer)
            known = len(ice(peer).remote_candidates)
            expected = await send_all(stranger, peer, kind(peer))
            assert expected > 15
            assert await discarded(peer) - before == expected
            assert len(ice(peer).remote_candidates) == known


@pytest.mark.parametrize("kind", KINDS)
async def test_before_there_is_a_connection_nothing_changes_and_all_is_counted(kind):
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = peer.createDataChannel("chat")
        open_ = opened(channel)
        await peer.setLocalDescription()
        await peer.gathering_complete()
        expected = await send_all(stranger, peer, kind(peer))
        assert await discarded(peer) == expected
        assert (peer.iceConnectionState, ice(peer).remote_candidates) == ("new", [])
        await negotiate(peer, other)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer))
        await open_
        await echo(channel)


# Requests


REFUSED = {
    "no integrity": (lambda peer: request_to(peer), 400),
    "no user": (lambda peer: signed(stun.Message(stun.Method.BINDING, REQUEST), ice(peer).local_password), 400),
    "another's password": (lambda peer: signed(request_to(peer), "x" * 24), 401),
    "another user": (lambda peer: authentic(peer, username="nobody:them"), 401),
    "no second user": (lambda peer: authentic(peer, username=ice(peer).local_username), 401),
    "no priority": (lambda peer: authentic(peer, PRIORITY=None), 400),
    "another method": (
        lambda peer: signed(stun.Message(stun.Method.ALLOCATE, REQUEST), ice(peer).local_password),
        400,
    ),
    "both roles, not signed": (lambda peer: request_to(peer, **{"ICE-CONTROLLING": 0, "ICE-CONTROLLED": 0}), 400),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_request_that_is_not_authentic_is_refused_and_teaches_nothing(make, code):
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = await connect_once(peer, other)
        async with unharmed(peer, channel):
            before, known, role = await discarded(peer), ice(peer).remote_candidates, ice(peer).ice_controlling
            answer = await stranger.ask(make(peer), port_of(peer))
            assert (answer.message_class, answer.error_code) == (ERROR, code)
            assert await discarded(peer) - before == 1
            assert (ice(peer).remote_candidates, ice(peer).ice_controlling) == (known, role)


async def test_what_must_be_understood_and_is_not_is_named():
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = await connect_once(peer, other)
        async with unharmed(peer, channel):
            received = asyncio.get_running_loop().create_future()
            stranger.datagram_received = lambda data, addr: received.set_result(data)
            before, known = await discarded(peer), ice(peer).remote_candidates
            stranger.send(with_attribute(request_to(peer), 0x7FFE, ice(peer).local_password), port_of(peer))
            answer = await received
            assert struct.pack("!HHHH", 0x000A, 2, 0x7FFE, 0) in answer
            message = stun.parse_message(answer)
            assert message.error_code == 420
            assert message.check_message_integrity(ice(peer).local_password.encode())
            assert (await discarded(peer) - before, ice(peer).remote_candidates) == (1, known)


def with_attribute(message, type, key):
    """*message* with one more attribute, which aioice does not know, and signed."""

    class Longer(stun.Message):
        def __bytes__(self):
            data = super().__bytes__()
            whole = data[:20] + struct.pack("!HH", type, 0) + data[20:]
            return stun.set_body_length(whole, len(whole) - 20)

    longer = Longer(message.message_method, message.message_class, message.transaction_id, message.attributes)
    return bytes(signed(longer, key))


@pytest.mark.parametrize("type", [0x7FFE, 0xC057])
async def test_what_is_not_authentic_or_need_not_be_understood_is_no_reason_for_420(type):
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        channel = await connect_once(peer, other)
        echoing(other)
        port, request = port_of(peer), request_to(peer)
        if type == 0x7FFE:
            stranger.send(with_attribute(request, type, "x" * 24), port)
            assert (await stranger.answer(request.transaction_id)).error_code == 401
        else:
            stranger.send(with_attribute(request, type, ice(peer).local_password), port)
            assert (await stranger.answer(request.transaction_id)).message_class is RESPONSE
        assert channel.readyState == "open"


@pytest.mark.parametrize("controlled", [True, False])
async def test_a_request_that_is_sent_again_from_elsewhere_moves_nothing_and_what_it_adds_has_limits(controlled):
    async with open_peers(None, None) as (one, other), strangers(MAX_CANDIDATES + 10) as crowd:
        echoing(other)
        channel = await connect_once(one, other)
        peer = other if controlled else one
        used = {"USE-CANDIDATE": None} if controlled else {}
        async with unharmed(one, channel):
            log, pair = Log(peer), ice(peer).selected_pair
            before = await discarded(peer)
            request = ice(one if controlled else other).build_request(
                ice(one if controlled else other).pair, controlled
            )
            assert used.keys() <= request.attributes.keys()
            signed(request, ice(peer).local_password)
            for stranger in crowd:
                answer = await stranger.ask(request, port_of(peer))
                assert answer.message_class is RESPONSE
            assert len(ice(peer).remote_candidates) == MAX_CANDIDATES
            assert len(ice(peer)._check_list) <= MAX_PAIRS
            assert sum(pair.task is not None for pair in ice(peer)._check_list) <= MAX_PAIRS
            (ours,) = ice(peer)._protocols
            assert len(ours.traffic) == MAX_CANDIDATES
            assert await discarded(peer) - before == 11  # there is the other side, too
            assert (ice(peer).selected_pair, log.entries) == (pair, [])


async def test_a_request_that_the_remote_side_sends_again_changes_nothing():
    async with open_peers(None, None) as (one, other):
        echoing(other)
        channel = await connect_once(one, other)
        async with unharmed(one, channel):
            before, log, pair = await discarded(other), Log(other), ice(other).pair
            (ours,), (theirs,) = ice(one)._protocols, ice(other)._protocols
            request = signed(ice(one).build_request(ice(one).pair, True), ice(other).local_password)
            count = theirs.traffic[HOME, port_of(one)].requests_received
            for _ in range(5):
                ours.send_stun(request, (HOME, port_of(other)))
            await echo(channel)
            assert theirs.traffic[HOME, port_of(one)].requests_received == count + 5
            assert (ice(other).pair, log.entries, await discarded(other)) == (pair, [], before)
            assert len(ice(other).remote_candidates) == 1


async def test_a_role_conflict_needs_the_password():
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = await connect_once(peer, other)
        async with unharmed(peer, channel):
            for key, code in (("x" * 24, 401), (ice(peer).local_password, 487)):
                conflict = request_to(peer, **{"ICE-CONTROLLED": None, "ICE-CONTROLLING": 0})
                answer = await stranger.ask(signed(conflict, key), port_of(peer))
                assert answer.error_code == code
                assert (ice(peer).ice_controlling, peer.sctp.transport.iceTransport.role) == (True, "controlling")


# Responses


@asynccontextmanager
async def checking(stranger, **seconds):
    """A connection that checks one candidate, which is *stranger*'s; gives it with the other side's password."""
    async with open_peers(None, None, **seconds) as (peer, other):
        peer.createDataChannel("chat")
        await negotiate(peer, other)
        await peer.addIceCandidate({"candidate": f"candidate:1 1 udp 1 {HOME} {stranger.port} typ host", "sdpMid": "0"})
        yield peer, ice(other).local_password


async def test_a_check_is_answered_by_who_was_asked_and_has_the_password_and_by_nobody_else():
    async with strangers(2) as (asked, another), checking(asked) as (peer, password):
        request, port = await asked.check()
        (pair,) = ice(peer)._check_list
        forged = [
            response_to(request),
            response_to(request, "x" * 24),
            response_to(request, kind=ERROR),
            *(response_to(request, key, ERROR, code) for code in (400, 401, 420, 487, 500) for key in ("", "x" * 24)),
            response_to(request, password, ERROR),
            with_attribute(response_to(request), 0x7FFE, password),
        ]
        before = await discarded(peer)
        for answer in forged:
            asked.send(answer, port)
        for answer in (*forged, response_to(request, password), response_to(request, password, ERROR, 487)):
            another.send(answer, port)
        for each in (asked, another):
            await processed(each, peer)
        assert await discarded(peer) - before == 2 * len(forged) + 2 + 2
        assert (pair.state.name, ice(peer).ice_controlling, peer.iceConnectionState) == (
            "IN_PROGRESS",
            True,
            "checking",
        )
        connected = asyncio.ensure_future(reached(peer, "iceConnectionState", "connected"))
        while not connected.done():  # the check, and the one that nominates
            asked.send(response_to(request, password), port)
            pending = asyncio.ensure_future(asked.check())
            await asyncio.wait([pending, connected], return_when=asyncio.FIRST_COMPLETED)
            if pending.done():
                request, port = await pending
            else:
                pending.cancel()


async def test_consent_is_given_by_who_was_asked_only():
    async with strangers(2) as (asked, another), checking(asked, **BRISK) as (peer, password):

        async def answer_from(sender, state):
            done = asyncio.ensure_future(reached(peer, "iceConnectionState", state))
            while not done.done():
                pending = asyncio.ensure_future(asked.check())
                await asyncio.wait([pending, done], return_when=asyncio.FIRST_COMPLETED)
                if pending.done():
                    request, port = await pending
                    sender.send(response_to(request, password), port)
                else:
                    pending.cancel()

        await answer_from(asked, "connected")
        await answer_from(another, "disconnected")
        await answer_from(asked, "connected")


async def test_a_stun_server_is_who_was_asked():
    async with strangers(2) as (server, another), open_peers(None) as (peer,):
        peer.setConfiguration({"iceServers": [{"urls": f"stun:{HOME}:{server.port}"}]})
        errors = []
        peer.onicecandidateerror = errors.append
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        request, port = await server.check()
        good = response_to(request)
        good.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.5", 40000)
        lie = response_to(request)
        lie.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.66", 666)
        junk = [bytes(good)[:size] for size in range(len(bytes(good)))]
        junk += [bytes(response_to(request, kind=ERROR)), *random_bytes(peer), b""]
        expected = await send_all(server, peer, junk)
        expected += await send_all(another, peer, [bytes(lie), bytes(response_to(request, None, ERROR, 500)), *junk])
        server.send(good, port)
        await peer.gathering_complete()
        found = [(c.type, c.address, c.port) async for c in peer.ice_candidates() if c.type == "srflx"]
        assert found == [("srflx", "203.0.113.5", 40000)]
        assert (errors, await discarded(peer)) == ([], expected)


# From the remote side's own address, as if somebody had forged it


async def test_garbage_in_the_remote_sides_name_breaks_neither_dtls_nor_sctp_before_or_after_they_are_there():
    chance = random.Random(6347)
    garbage = [b"", *(bytes([first]) + chance.randbytes(size) for first in range(256) for size in (0, 1, 12, 100))]
    async with open_peers(None, None) as (peer, other):
        echoing(other)
        trickle(peer, other)
        channel = peer.createDataChannel("chat")
        open_ = opened(channel)

        def send_garbage():
            (theirs,) = ice(other)._protocols
            for data in garbage[::7]:
                send(theirs.transport, data, port_of(peer))

        peer.addEventListener(
            "iceconnectionstatechange", lambda _: send_garbage() if peer.iceConnectionState == "connected" else None
        )
        await negotiate(peer, other)
        await open_
        async with unharmed(peer, channel):
            (theirs,) = ice(other)._protocols
            for data in garbage:
                send(theirs.transport, data, port_of(peer))
                if len(data) == 101:
                    await echo(channel)


# Floods


async def test_a_flood_is_counted_and_leaves_nothing_behind():
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = await connect_once(peer, other)
        asyncio.get_running_loop().set_debug(False)
        async with unharmed(peer, channel):
            before = await discarded(peer)
            chance = random.Random(5000)
            await send_all(stranger, peer, [chance.randbytes(1000)] * 100)  # what is made once is made
            tracemalloc.start()
            try:
                began, _ = tracemalloc.get_traced_memory()
                for kind in (b"\x16", b"\x80", b"\x00", bytes(authentic(peer))[:60]):
                    await send_all(stranger, peer, (kind + chance.randbytes(1000) for _ in range(1250)))
                ended, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert ended - began < 200_000  # of 5 MB
            assert await discarded(peer) - before > 5000


async def test_packets_that_nobody_receives_yet_are_kept_up_to_a_limit():
    async with open_peers(None, None) as (peer, other), strangers(1) as (stranger,):
        echoing(other)
        channel = peer.createDataChannel("chat")
        open_ = opened(channel)
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert (await stranger.ask(authentic(peer), port_of(peer))).message_class is RESPONSE
        sent = await send_all(stranger, peer, [b"\x16" + bytes(1000)] * 2000)
        assert len(agent(peer)._datagrams) == MAX_DATAGRAMS
        assert await discarded(peer) == sent - MAX_DATAGRAMS
        await negotiate(peer, other)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer))
        await open_
        await echo(channel)
