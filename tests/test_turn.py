"""TURN with a real server: what keeps a relay for hours, what ends it, and why there is none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import random
import struct
import time
from types import SimpleNamespace

import pytest
from aioice import stun
from peers import BRISK, Log, agent, connect, discarded, echo, echoing, negotiate, open_peers, reached
from servers import certify, coturn, passage

from peer._aioice import host_addresses

HOUR, MINUTE = 3600, 60


pytestmark = pytest.mark.usefixtures("turnserver")


def over_relay(server):
    return {"iceServers": [server], "iceTransportPolicy": "relay"}


# What keeps it


@pytest.fixture
async def clock(monkeypatch):
    """Moves the time of the loop, and that of aioice, forward: what is due by then is due at once."""
    loop = asyncio.get_running_loop()
    loop.set_debug(False)  # a turn in which time moves is not slow
    real, passed = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: real() + passed[0])
    monkeypatch.setattr("aioice.turn.time", SimpleNamespace(time=lambda: time.time() + passed[0]))

    def jump(seconds):
        passed[0] += seconds

    return jump


async def test_for_an_hour_an_allocation_its_channels_and_their_permissions_never_run_out(turn, clock):
    async with passage(turn) as (way, server), open_peers(over_relay(server), None) as (peer, other):
        echoing(other)
        channel = await connect(peer, other)
        await way.all_answered()
        log, beginning = Log(peer), asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < beginning + HOUR:
            clock(4)  # less than between two checks of consent, so that each is sent
            await echo(channel)
            await way.all_answered()
        assert log.entries == []
        end = asyncio.get_running_loop().time()

        def times(method):
            return [at for request, at in way.requests if request.message_method is method]

        def longest(begun):
            return max(later - earlier for earlier, later in itertools.pairwise([*begun, end]))

        assert longest(times(stun.Method.REFRESH)) < 10 * MINUTE  # the lifetime that was asked for
        assert len(times(stun.Method.ALLOCATE)) == 2  # the first one is refused, and tells the realm
        used = [
            request.attributes["CHANNEL-NUMBER"]
            for request, _ in way.requests
            if "CHANNEL-NUMBER" in request.attributes
        ]
        (number,) = {number for number in used if used.count(number) > 1}
        bound = [at for request, at in way.requests if request.attributes.get("CHANNEL-NUMBER") == number]
        assert longest(bound) < 5 * MINUTE  # a permission ends before a channel does
        assert len(bound) <= HOUR / (4 * MINUTE) + 1


@pytest.fixture
def brief():
    """A server whose allocations and nonces last a few seconds at most."""
    with coturn(options=["--max-allocate-lifetime=2", "--stale-nonce=1"]) as server:
        yield server


async def test_an_allocation_is_refreshed_as_often_as_the_server_asks_and_with_a_new_nonce(brief):
    async with passage(brief) as (way, server), open_peers(over_relay(server), None) as (peer, other):
        echoing(other)
        channel = await connect(peer, other)
        nonces = set()
        while len(nonces) < 3:
            await echo(channel)
            await way.all_answered()
            nonces = {
                request.attributes["NONCE"]
                for request, _ in way.requests
                if request.message_method is stun.Method.REFRESH
            }
        assert peer.connectionState == "connected"


# What ends it


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_server_that_starts_again_is_a_failure_and_a_restart_brings_all_back(transport, clock):
    with contextlib.ExitStack() as first:
        server = first.enter_context(coturn())
        port = int(server["urls"][0].rpartition(":")[2])
        relayed = over_relay({**server, "urls": [url for url in server["urls"] if url.endswith(transport)]})
        async with open_peers(relayed, None, **BRISK) as (peer, other):
            echoing(other)
            channel = await connect(peer, other)
            # A stream that ends tells at once that the allocation is gone.
            noticed = [("failed" if transport == "tcp" else "disconnected", peer), ("disconnected", other)]
            waits = [asyncio.ensure_future(reached(each, "iceConnectionState", state)) for state, each in noticed]
            first.close()
            with coturn(port=port):
                for each in waits:
                    await each
                failed = [
                    asyncio.ensure_future(reached(each, "iceConnectionState", "failed")) for each in (peer, other)
                ]
                clock(31)  # consent lasts 30 s
                for each in failed:
                    await each
                again = asyncio.ensure_future(reached(peer, "connectionState", "connected"))
                peer.restartIce()
                await negotiate(peer, other)
                await again
                await echo(channel)


async def test_an_allocation_that_is_not_there_any_more_ends_the_connection_when_it_is_refreshed(clock):
    with contextlib.ExitStack() as first:
        server = first.enter_context(coturn())
        port = int(server["urls"][0].rpartition(":")[2])
        async with open_peers(over_relay({**server, "urls": server["urls"][1]}), None) as (peer, other):
            await connect(peer, other)
            failed = asyncio.ensure_future(reached(peer, "iceConnectionState", "failed"))
            first.close()
            with coturn(port=port):
                # Of the two that would end it, this one is at hand: 437, and not consent.
                agent(peer).newest._consent.stop()
                clock(501)
                await failed


# Why there is none


async def errors_of(server, **seconds):
    """What the errors of a server say that is asked for a relay, in order."""
    async with open_peers(over_relay(server), **seconds) as (peer,):
        peer.createDataChannel("chat")
        errors = []
        peer.onicecandidateerror = errors.append
        await peer.setLocalDescription()
        await peer.gathering_complete()
        found = [c.type async for c in peer.ice_candidates() if c.candidate]
        assert found == ([] if errors else ["relay"])
        assert all((error.address, error.port) == (None, None) for error in errors)  # ours there is no candidate
        return [(error.url, error.errorCode, error.errorText) for error in errors]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("policy", ["all", "relay"])
async def test_an_error_tells_from_where_the_server_was_asked_if_that_address_is_known_anyway(transport, policy):
    home = next((address for address in host_addresses() if "." in address), None)
    if home is None:
        pytest.skip("this host has no IPv4 address but those of the loopback interface")
    with coturn(options=[f"--listening-ip={home}"]) as server:
        port = server["urls"][0].rpartition(":")[2]
        urls = f"turn:{home}:{port}?transport={transport}"
        wrong = {"iceServers": [{**server, "urls": urls, "credential": "wrong"}], "iceTransportPolicy": policy}
        async with open_peers(wrong) as (peer,):
            peer.createDataChannel("chat")
            errors = []
            peer.onicecandidateerror = errors.append
            await peer.setLocalDescription()
            await peer.gathering_complete()
            (error,) = errors
            assert (error.url, error.errorCode, error.errorText) == (urls, 401, "Unauthorized")
            hosts = {(c.address, c.port) async for c in peer.ice_candidates() if c.type == "host"}
            assert error.address == (home if policy == "all" else None)
            assert (error.port is None) == (error.address is None)
            assert (error.address, error.port) not in hosts  # it has a socket of its own


async def test_a_server_that_speaks_nonsense_over_tcp_is_one_error():
    async def serve(reader, writer):
        await reader.read(100)
        chance = random.Random(6062)
        writer.write(struct.pack("!HHI12sHHB3x", 0x0103, 8, 0x2112A442, bytes(12), 0x000D, 1, 1))
        writer.write(b"".join(chance.randbytes(chance.randrange(100)) for _ in range(100)))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"turn:127.0.0.1:{server.sockets[0].getsockname()[1]}?transport=tcp"
        errors = await errors_of({"urls": url, "username": "u", "credential": "c"}, servers=0.3)
    assert errors == [(url, 701, "the server did not answer within 0.3 s")]


@pytest.mark.parametrize("option", ["--user-quota=1", "--total-quota=1"])
async def test_a_quota_is_an_error_of_the_second_who_asks(option):
    with coturn(options=[option]) as server:
        url = server["urls"][1]
        server = {**server, "urls": url}
        async with open_peers(over_relay(server), None) as (peer, other):
            await connect(peer, other)
            assert await errors_of(server) == [(url, 486, "Allocation Quota Reached")]


@pytest.mark.parametrize(("lasts", "code"), [(HOUR, None), (-1, 401)])
async def test_credentials_that_have_expired_are_refused(lasts, code):
    name = f"{int(time.time()) + lasts}:user"
    password = base64.b64encode(hmac.digest(b"north", name.encode(), hashlib.sha1)).decode()
    with coturn(options=["--use-auth-secret", "--static-auth-secret=north"]) as server:
        url = server["urls"][1]
        errors = await errors_of({"urls": url, "username": name, "credential": password})
        assert errors == ([] if code is None else [(url, code, "Unauthorized")])


@pytest.mark.parametrize(
    ("name", "trusted", "host", "sentence"),
    [
        ("localhost", True, "localhost", None),
        ("127.0.0.1", True, "127.0.0.1", None),
        ("localhost", False, "localhost", "the server's certificate is not accepted: self-signed certificate"),
        ("localhost", True, "127.0.0.1", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("127.0.0.1", True, "localhost", "Hostname mismatch, certificate is not valid for 'localhost'"),
    ],
)
async def test_a_certificate_must_be_trusted_and_be_that_of_the_host(
    tmp_path, monkeypatch, name, trusted, host, sentence
):
    path = certify(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with coturn(certificate=path) as server:
        url = f"turns:{host}:{server['urls'][0].rpartition(':')[2]}"
        errors = await errors_of({**server, "urls": url})
        if sentence is None:
            assert errors == []
        else:
            ((failed, code, text),) = errors
            assert (failed, code) == (url, 701)
            assert sentence in text


async def test_each_server_that_fails_is_one_error(silent_server):
    with coturn(options=["--user-quota=1"]) as server, coturn("user:other") as stranger:
        url, refusing = server["urls"][1], stranger["urls"][2]
        silent = silent_server.replace("stun:", "turn:")
        async with open_peers(over_relay({**server, "urls": url}), None) as (peer, other):
            await connect(peer, other)
            errors = await errors_of({**server, "urls": [url, refusing, silent]}, servers=0.5)
        assert sorted(errors) == sorted(
            [
                (url, 486, "Allocation Quota Reached"),
                (refusing, 401, "Unauthorized"),
                (silent, 701, "the server did not answer within 0.5 s"),
            ]
        )


# What the network sends


async def test_strangers_at_a_relay_have_no_effect_and_cost_no_channel(turn):
    url = turn["urls"][1]
    async with open_peers(over_relay({**turn, "urls": url}), None) as (peer, other):
        echoing(other)
        channel = await connect(peer, other)
        (socket,) = agent(peer).newest._protocols
        candidate, client = socket.local_candidate, socket.transport._TurnTransport__inner_protocol
        channels, before, log = dict(client.channel_to_peer), await discarded(peer), Log(peer)
        chance = random.Random(8656)
        loop = asyncio.get_running_loop()
        # coturn lets pass what comes from the address of the remote side, whatever the port.
        address = other.sctp.transport.iceTransport.getSelectedCandidatePair().local.address
        stranger, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(address, 0), remote_addr=(candidate.host, candidate.port)
        )
        request = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        sent = 0
        for first in range(0, 256, 3):
            stranger.sendto(bytes([first]) + chance.randbytes(30))
            stranger.sendto(request[: first % 20 + 1])
            stranger.sendto(request)
            sent += 3
            await echo(channel)
        stranger.close()
        while await discarded(peer) - before < sent:
            await echo(channel)
        assert (await discarded(peer) - before, client.channel_to_peer, log.entries) == (sent, channels, [])


def indication(**attributes):
    message = stun.Message(stun.Method.DATA, stun.Class.INDICATION)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    return bytes(message)


STRANGER = ("203.0.113.77", 5)


@pytest.mark.parametrize(
    "datagram",
    [
        indication(XOR_PEER_ADDRESS=STRANGER, DATA=b"\x16abc"),
        indication(XOR_PEER_ADDRESS=STRANGER),
        indication(DATA=b"\x16abc"),
        indication(),
        b"\x4f\x00\x00\x04abcd",
    ],
    ids=["of a stranger", "without data", "of nobody", "empty", "of no channel"],
)
async def test_what_comes_from_a_turn_server_in_vain_is_counted(turn, datagram):
    async with passage(turn) as (way, server), open_peers(over_relay(server), None) as (peer, other):
        echoing(other)
        channel = await connect(peer, other)
        await way.all_answered()
        before = await discarded(peer)
        way.inject += [datagram] * 10
        await echo(channel)
        assert await discarded(peer) == before + 10


async def test_an_answer_that_a_turn_server_has_not_signed_is_counted_and_the_right_one_is_heard(turn):
    async with passage(turn) as (way, server), open_peers(over_relay(server), None) as (peer, other):
        echoing(other)
        channel = await connect(peer, other)
        await way.all_answered()
        (socket,) = agent(peer).newest._protocols
        client = socket.transport._TurnTransport__inner_protocol
        send_stun = client.send_stun

        def forge(message, address):
            forged = [stun.Message(message.message_method, kind, message.transaction_id) for kind in ANSWERS]
            forged[0].add_message_integrity(b"wrong")
            forged[1].attributes["ERROR-CODE"] = (437, "mismatch")
            way.inject += [bytes(each) for each in forged]
            send_stun(message, address)

        client.send_stun = forge
        before = await discarded(peer)
        client.channel_refresh_at[next(iter(client.channel_to_peer))] = 0
        await echo(channel)
        await way.all_answered()
        assert way.inject == []
        assert await discarded(peer) == before + len(ANSWERS)


ANSWERS = (stun.Class.RESPONSE, stun.Class.ERROR)


async def test_a_turn_server_that_sends_nonsense_is_not_heard(turn):
    def message(type, *lengths):
        body = b"".join(struct.pack("!HH", type, n) + bytes(n + -n % 4) for n in lengths)
        return struct.pack("!HHI12s", 0x0103, len(body), 0x2112A442, bytes(12)) + body

    nonsense = [message(type, length) for type in stun.ATTRIBUTES_BY_TYPE for length in (1, 3, 9)]
    nonsense += [b"\x40", b"\x4f\xff\0\x04abcd", *(random.Random(n).randbytes(n) for n in range(1, 40))]
    async with passage(turn) as (way, server), open_peers(over_relay(server), None) as (peer, other):
        echoing(other)
        way.inject += nonsense  # before the first answer
        channel = await connect(peer, other)
        way.inject += nonsense
        await echo(channel)
        assert way.inject == []
        assert await discarded(peer) > len(nonsense)
