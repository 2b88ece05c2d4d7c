"""STUN and TURN servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from aioice import stun


def turnserver() -> str | None:
    """The path of coturn's server, or None where it is not installed."""
    return shutil.which("turnserver")


@contextlib.contextmanager
def coturn(user: str = "user:secret", *options: str, port: int | None = None) -> Iterator[dict[str, object]]:
    """Run coturn on 127.0.0.1; gives an ICE server with a STUN URL and a TURN URL for UDP and TCP each.

    *user* is a name and a password, or a name and the key that a realm makes of both; *options* are more of coturn's.
    It speaks TLS if one of them is a certificate.
    """
    path = turnserver()
    assert path is not None
    if port is None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="coturn-") as directory:
        arguments = [
            "-n",
            "--no-cli",
            *(() if any(option.startswith("--cert=") for option in options) else ("--no-tls",)),
            "--no-dtls",
            "--lt-cred-mech",
            f"--user={user}",
            "--realm=test",
            "--allow-loopback-peers",
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            f"--listening-port={port}",
            f"--tls-listening-port={port}",
            f"--pidfile={directory}/pid",
            f"--userdb={directory}/db",
            "--log-file=stdout",
            *options,
        ]
        with (Path(directory) / "log").open("wb") as log:
            server = subprocess.Popen([path, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_for(port, server)
            urls = [f"stun:127.0.0.1:{port}", *(f"turn:127.0.0.1:{port}?transport={t}" for t in ("udp", "tcp"))]
            yield {"urls": urls, "username": "user", "credential": "secret"}
        finally:
            server.terminate()
            server.wait(5)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except ConnectionRefusedError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class MappingServer(asyncio.DatagramProtocol):
    """A STUN server that says of everybody that they come from the same address, as behind a NAT: in an *attribute*."""

    def __init__(self, mapped: tuple[str, int], attribute: str | None, kind: stun.Class) -> None:
        self._attributes = {attribute: mapped} if attribute else {}
        self._kind = kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=self._kind,
            transaction_id=request.transaction_id,
            attributes=dict(self._attributes),
        )
        self._transport.sendto(bytes(response), addr)


@contextlib.asynccontextmanager
async def babbling_server(says: bytes) -> AsyncIterator[str]:
    """Run a TCP server that *says* the same to everybody, or ends the connection; gives the URL of a TURN server."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(says)
        if says:
            await reader.read()  # until the other side ends the connection
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        yield f"turn:127.0.0.1:{server.sockets[0].getsockname()[1]}?transport=tcp"


@contextlib.asynccontextmanager
async def mapping_server(
    *mapped: tuple[str, int],
    host: str = "127.0.0.1",
    attribute: str | None = "XOR-MAPPED-ADDRESS",
    kind: stun.Class = stun.Class.RESPONSE,
) -> AsyncIterator[list[str]]:
    """Run a server for each mapped address, on *host*; gives their URLs. They may lack the *attribute* to answer in."""
    loop = asyncio.get_running_loop()
    transports = []
    for address in mapped:
        transport, _ = await loop.create_datagram_endpoint(
            functools.partial(MappingServer, address, attribute, kind), local_addr=(host, 0)
        )
        transports.append(transport)
    name = f"[{host}]" if ":" in host else host
    try:
        yield [f"stun:{name}:{transport.get_extra_info('sockname')[1]}" for transport in transports]
    finally:
        for transport in transports:
            transport.close()


class Passage(asyncio.DatagramProtocol):
    """A way to a server on 127.0.0.1 that notes what the clients ask it."""

    def __init__(self, server: int) -> None:
        self.requests: list[tuple[stun.Message, float]] = []  # each once, and the loop's time; grows
        self.inject: list[bytes] = []  # what clients receive before the next datagram; emptied then
        self._answered = asyncio.Event()
        self._pending: set[bytes] = set()  # identifiers of requests
        self._server = server
        self._ways: dict[tuple[str, int], socket.socket] = {}
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._front = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        way = self._ways.get(addr)
        if way is None:
            way = self._ways[addr] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.setblocking(False)
            way.connect(("127.0.0.1", self._server))
            self._loop.add_reader(way, self._back, way, addr)
        if data[0] < 4:
            request = stun.parse_message(data)
            if request.message_class is stun.Class.REQUEST and request.transaction_id not in self._pending:
                self._pending.add(request.transaction_id)
                self.requests.append((request, self._loop.time()))
        way.send(data)

    def _back(self, way: socket.socket, addr: tuple[str, int]) -> None:
        data = way.recv(65536)
        for datagram in (*self.inject, data):
            self._front.sendto(datagram, addr)
        self.inject.clear()
        if data[0] < 4:
            self._pending.discard(stun.parse_message(data).transaction_id)
            self._answered.set()

    async def all_answered(self) -> None:
        """Wait until the server has answered all requests."""
        while self._pending:
            self._answered.clear()
            await self._answered.wait()

    def close(self) -> None:
        self._front.close()
        for way in self._ways.values():
            self._loop.remove_reader(way)
            way.close()


@contextlib.asynccontextmanager
async def passage(server: dict[str, object]) -> AsyncIterator[tuple[Passage, dict[str, object]]]:
    """A way over UDP to the TURN server that :func:`coturn` gives, and an ICE server that takes it."""
    port = int(server["urls"][0].rpartition(":")[2])
    _, way = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Passage(port), local_addr=("127.0.0.1", 0)
    )
    try:
        yield way, {**server, "urls": f"turn:127.0.0.1:{way.port}"}
    finally:
        way.close()
