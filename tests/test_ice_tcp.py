"""ICE over TCP (RFC 6544), the active side: for those whom no UDP reaches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from fronts import passive, takes_tcp
from peers import BRISK, heard, next_event, open_peers, reached, without_candidates

from peer import RTCPeerConnection
from peer._candidate import parse_candidate

NICE = Path(__file__).with_name("nice_host.py")


async def described(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> tuple[str, int]:
    """Offer and answer, and tell neither of any candidate; returns the address of one of the answerer's."""
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(without_candidates(offerer.localDescription.toJSON()))
    await answerer.setLocalDescription()
    await answerer.gathering_complete()
    answer = answerer.localDescription.toJSON()
    await offerer.setRemoteDescription(without_candidates(answer))
    host, port = re.search(r"a=candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host", answer["sdp"]).groups()
    return host, int(port)


async def test_active_candidates_come_after_all_of_udp_with_the_attributes_of_active_ones():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        candidates = [candidate async for candidate in peer.ice_candidates() if candidate.candidate]
    active = [candidate for candidate in candidates if candidate.protocol == "tcp"]
    assert candidates[-len(active) :] == active
    udp = candidates[: -len(active)]
    assert [candidate.address for candidate in active] == [candidate.address for candidate in udp]
    assert {(c.type, c.tcpType, c.port, c.component, c.relatedAddress) for c in active} == {
        ("host", "active", 9, "rtp", None)
    }
    foundations = [candidate.foundation for candidate in candidates]
    assert len(set(foundations)) == len(foundations)
    priorities = [candidate.priority for candidate in candidates]
    assert priorities == sorted(set(priorities), reverse=True)


ACTIVE = r"""
    const pc = new RTCPeerConnection();
    pc.createDataChannel("chat");
    const found = [];
    const complete = new Promise((resolve) => {
        pc.onicecandidate = ({candidate}) => candidate === null ? resolve() : found.push(candidate);
    });
    await pc.setLocalDescription();
    await complete;
    pc.close();
    const bare = (address) => address.replace(/[\[\]]/g, "");  // Chromium puts IPv6 addresses into brackets
    const active = found.filter(({tcpType}) => tcpType === "active");
    return active.map((c) => [bare(c.address), c.port, c.type, c.protocol, c.component, c.relatedAddress]);
"""


async def test_active_candidates_are_those_of_browsers(page):
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        active = [candidate async for candidate in peer.ice_candidates() if candidate.tcpType == "active"]
    ours = [[c.address, c.port, c.type, c.protocol, c.component, c.relatedAddress] for c in active]
    assert sorted(ours) == sorted(await page.evaluate(ACTIVE))


async def test_who_only_wants_to_be_relayed_has_none_and_connects_to_nobody():
    async with open_peers({"iceTransportPolicy": "relay"}, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            await offerer.addIceCandidate(passive(host, fronts.port))
            await offerer.addIceCandidate()
            assert "a=candidate" not in offerer.localDescription.sdp
        assert fronts.taken == 0


async def test_who_is_reached_over_tcp_only_is_reached_and_everything_flows():
    async with open_peers(None, None) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            opened = heard(channel, "open")
            incoming = asyncio.ensure_future(next_event(answerer, "datachannel"))
            await offerer.addIceCandidate(passive(host, fronts.port))
            await opened
            theirs = (await incoming).channel
            for one, other in ((channel, theirs), (theirs, channel)):
                for message in ("hello", bytes(100_000)):  # which takes many datagrams
                    arrival = heard(other, "message")
                    one.send(message)
                    assert (await arrival).data == message
            pair = offerer.sctp.transport.iceTransport.getSelectedCandidatePair()
            assert (pair.local.protocol, pair.local.tcpType) == ("tcp", "active")
            assert (pair.remote.protocol, pair.remote.tcpType, pair.remote.port) == ("tcp", "passive", fronts.port)
            assert fronts.taken == 1
            await offerer.close()
            await answerer.close()


async def test_udp_that_is_signalled_later_is_preferred_as_well():
    async with open_peers(None, None, precedence=3600) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            opened = heard(channel, "open")
            await offerer.addIceCandidate(passive(host, fronts.port))
            await fronts.answered.wait()
            udp = f"candidate:8 1 udp 2130706431 {host} {port} typ host"
            await offerer.addIceCandidate({"candidate": udp, "sdpMLineIndex": 0})
            await opened
            assert offerer.sctp.transport.iceTransport.getSelectedCandidatePair().remote.protocol == "udp"


async def test_udp_is_preferred_where_both_get_through_and_the_connection_is_closed():
    async with open_peers(None, None) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            opened = heard(channel, "open")
            # The same address and the same port, but for the protocol: each is a candidate of its own.
            udp = f"candidate:8 1 udp 2130706431 {host} {port} typ host"
            await offerer.addIceCandidate({"candidate": udp, "sdpMLineIndex": 0})
            await offerer.addIceCandidate(passive(host, fronts.port))
            await opened
            assert offerer.sctp.transport.iceTransport.getSelectedCandidatePair().remote.protocol == "udp"
            if fronts.tasks:
                await asyncio.wait(fronts.tasks)


async def test_a_candidate_that_refuses_connections_or_is_no_peer_at_all_fails_like_any_other():
    async with open_peers(None, None, patience=0.1) as (offerer, answerer):
        offerer.createDataChannel("chat")
        host, _ = await described(offerer, answerer)

        async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x00\x00\x00\x05junk!\xff\xff" + bytes(9))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk_nonsense, host, 0)
        failed = asyncio.ensure_future(reached(offerer, "iceConnectionState", "failed"))
        nonsense = server.sockets[0].getsockname()[1]
        unused = await asyncio.start_server(talk_nonsense, host, 0)
        refuses = unused.sockets[0].getsockname()[1]
        unused.close()
        await offerer.addIceCandidate(passive(host, refuses))
        await offerer.addIceCandidate(passive(host, nonsense))
        await offerer.addIceCandidate()
        await failed
        server.close()


async def test_a_connection_that_breaks_is_lost_and_a_restart_makes_another():
    async with open_peers(None, None, **BRISK) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            opened = heard(channel, "open")
            await offerer.addIceCandidate(passive(host, fronts.port))
            await opened
            failed = asyncio.ensure_future(reached(offerer, "iceConnectionState", "failed"))
            fronts.cut()
            await failed
        offerer.restartIce()
        connected = asyncio.ensure_future(reached(offerer, "iceConnectionState", "connected"))
        host, port = await described(offerer, answerer)
        async with takes_tcp(host, port) as fronts:
            await offerer.addIceCandidate(passive(host, fronts.port))
            await connected
            theirs = fronts.taken
        assert theirs == 1


class Nice:
    """libnice, see nice_host.py."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.log: list[tuple[str, Any]] = []  # all that it told

    async def until(self, what: str) -> Any:
        """Wait until it tells this; returns the value."""
        while True:
            line = await self._reader.readline()
            assert line, f"it has ended: {self.log}"
            self.log.append(json.loads(line))
            if self.log[-1][0] == what:
                return self.log[-1][1]

    def check(self, ufrag: str, password: str, candidates: list[str]) -> None:
        """Tell it of the other side."""
        remote = {"ufrag": ufrag, "password": password, "candidates": candidates}
        self._writer.write(json.dumps(["remote", remote]).encode() + b"\n")


@contextlib.contextmanager
def _process(*command: str | Path) -> Iterator[socket.socket]:
    """Run a command; gives the socket to talk to it. It must end by itself when that is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs)
    with ours:
        yield ours
    assert process.wait(10) == 0


@contextlib.asynccontextmanager
async def libnice(python: str, address: str) -> AsyncIterator[Nice]:
    """Run it at an *address* of this host, with a Python that has it."""
    with _process(python, NICE, address) as ours:
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            yield Nice(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()


async def test_libnice_takes_our_connections_and_our_datagrams(nice_python):
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        text = peer.localDescription.sdp
        (ufrag,), (password,) = (re.findall(f"a=ice-{name}:(.*)\r\n", text) for name in ("ufrag", "pwd"))
        ours = re.findall(r"a=(candidate:.*) ufrag .*\r\n", text)
        address = next(c.address for c in map(parse_candidate, ours) if ":" not in c.address)
        async with libnice(nice_python, address) as nice:
            their_ufrag, their_password = await nice.until("credentials")
            await nice.until("gathered")
            nice.check(ufrag, password, ours)
            answer = without_candidates(peer.localDescription.toJSON())["sdp"]
            answer = answer.replace("a=setup:actpass", "a=setup:passive")
            answer = answer.replace(ufrag, their_ufrag).replace(password, their_password)
            connected = asyncio.ensure_future(reached(peer, "iceConnectionState", "connected"))
            await peer.setRemoteDescription({"type": "answer", "sdp": answer})
            for candidate in [value for what, value in nice.log if what == "candidate"]:
                await peer.addIceCandidate({"candidate": candidate, "sdpMLineIndex": 0})
            await connected
            pair = peer.sctp.transport.iceTransport.getSelectedCandidatePair()
            assert (pair.local.tcpType, pair.remote.tcpType) == ("active", "passive")
            assert await nice.until("datagram") == 22  # DTLS begins
