"""STUN, TURN and web servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def find_turnserver() -> str | None:
    """The path of coturn's server, or None where it is not installed."""
    return shutil.which("turnserver")


@contextlib.contextmanager
def coturn(
    user: str = "user:secret",
    *,
    inside: Sequence[str] = (),
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    certificate: Path | None = None,
    tls_port: int | None = None,
    options: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """Run coturn on these *addresses*; gives an ICE server with the URLs of the first: STUN, and TURN over UDP and TCP.

    *user* is a name and a password, or a name and the key that a realm makes of both. *inside* is the command that runs
    another one where the server is to be, *port* 3478 or what you say; without it, one that is free on this machine.
    With a *certificate*, its key beside it (see certify()), the server talks TLS, too, at the same port or *tls_port*.
    Other *options* are coturn's.
    """
    path = find_turnserver()
    assert path is not None
    if port is None:
        with socket.create_server((addresses[0], 0)) as free:
            port = free.getsockname()[1]
    tls = ["--no-tls"]
    if certificate is not None:
        tls = [f"--cert={certificate}", f"--pkey={certificate.with_suffix('.key')}"]
    with tempfile.TemporaryDirectory(prefix="coturn-") as directory:
        command = [
            *inside,
            path,
            "-n",
            "--no-cli",
            *tls,
            "--no-dtls",
            "--lt-cred-mech",
            f"--user={user}",
            "--realm=test",
            "--allow-loopback-peers",
            *[f"--listening-ip={address}" for address in addresses],
            *[f"--relay-ip={address}" for address in addresses],
            f"--listening-port={port}",
            f"--tls-listening-port={tls_port or port}",
            f"--pidfile={directory}/pid",
            f"--userdb={directory}/db",
            "--log-file=stdout",
            *options,
        ]
        with (Path(directory) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            for waited in {port, tls_port or port}:
                _wait_for(waited, len(addresses), server)
            place = f"{_bracketed(addresses[0])}:{port}"
            urls = [f"stun:{place}", *(f"turn:{place}?transport={t}" for t in ("udp", "tcp"))]
            yield {"urls": urls, "username": "user", "credential": "secret"}
        finally:
            server.terminate()
            server.wait(5)


def _wait_for(port: int, count: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server accepts connections at *port* of so many addresses, in whatever namespace it is."""
    deadline = time.monotonic() + 10
    while _listeners(port, server.pid) < count:
        if server.poll() is not None or time.monotonic() > deadline:
            raise ConnectionRefusedError(f"coturn does not listen at port {port}")
        time.sleep(0.02)


def _listeners(port: int, process: int) -> int:
    places = {
        local
        for family in ("tcp", "tcp6")
        for _, local, _, state, *_ in map(str.split, Path(f"/proc/{process}/net/{family}").read_text().splitlines()[1:])
        if state == "0A" and int(local.rpartition(":")[2], 16) == port
    }
    return len(places)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def certify(directory: Path, *names: str) -> Path:
    """Make a certificate, and its key, for a server with these *names* or addresses; returns the file of the former.

    It has signed itself: who trusts in it has that file for a CA's.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of the tests")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    places = x509.SubjectAlternativeName([_general_name(name) for name in names])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    certificate = builder.add_extension(places, critical=False).sign(key, hashes.SHA256())
    file = directory / "server.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.with_suffix(".key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class MappingServer(asyncio.DatagramProtocol):
    """A STUN server that says of everybody that they come from the same address, as behind a NAT: in an *attribute*."""

    def __init__(
        self,
        mapped: tuple[str, int],
        attribute: str | None = "XOR-MAPPED-ADDRESS",
        kind: stun.Class = stun.Class.RESPONSE,
    ) -> None:
        self._attributes = {attribute: mapped} if attribute else {}
        self._kind = kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

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
    try:
        yield [f"stun:{_bracketed(host)}:{transport.get_extra_info('sockname')[1]}" for transport in transports]
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
        self._front = cast(asyncio.DatagramTransport, transport)
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
async def passage(server: dict[str, Any]) -> AsyncIterator[tuple[Passage, dict[str, Any]]]:
    """A way over UDP to the TURN server that :func:`coturn` gives, and an ICE server that takes it."""
    port = int(server["urls"][0].rpartition(":")[2])
    _, way = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Passage(port), local_addr=("127.0.0.1", 0)
    )
    try:
        yield way, {**server, "urls": f"turn:127.0.0.1:{way.port}"}
    finally:
        way.close()


@contextlib.asynccontextmanager
async def running(app: web.Application, **options: Any) -> AsyncIterator[str]:
    """Run a server of ours, with *options* of aiohttp's runner; gives its URL."""
    runner = web.AppRunner(app, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
