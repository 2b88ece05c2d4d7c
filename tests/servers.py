"""STUN and TURN servers on this machine."""

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
from typing import cast

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TLS_PORT = 5349


def turnserver() -> str | None:
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
    options: Sequence[str] = (),
) -> Iterator[dict[str, object]]:
    """Run coturn on these *addresses*; gives an ICE server with the URLs of the first: STUN, and TURN over UDP and TCP.

    *user* is a name and a password, or a name and the key that a realm makes of both. *inside* is the command that runs
    another one where the server is to be, *port* 3478 or what you say; without it, one that is free on this machine.
    With a *certificate*, its key beside it (see certify()), the server talks TLS at port 5349, too. Other *options* are
    coturn's.
    """
    path = turnserver()
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
            f"--pidfile={directory}/pid",
            f"--userdb={directory}/db",
            "--log-file=stdout",
            *options,
        ]
        with (Path(directory) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            for waited in {port} if certificate is None else {port, TLS_PORT}:
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


def certify(directory: Path, *addresses: str) -> Path:
    """Make a certificate for a server that has these *addresses*, and its key; returns the file of the former.

    It has signed itself: who trusts in it has that file for a CA's.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of the tests")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)) for address in addresses])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    certificate = builder.add_extension(places, critical=False).sign(key, hashes.SHA256())
    file = directory / "server.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.with_suffix(".key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file


class MappingServer(asyncio.DatagramProtocol):
    """A STUN server that says of everybody that they come from the same address, as behind a NAT."""

    def __init__(self, mapped: tuple[str, int]) -> None:
        self._mapped = mapped

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = self._mapped
        self._transport.sendto(bytes(response), addr)


@contextlib.asynccontextmanager
async def mapping_server(*mapped: tuple[str, int], host: str = "127.0.0.1") -> AsyncIterator[list[str]]:
    """Run a server for each mapped address, on *host*; gives their URLs."""
    loop = asyncio.get_running_loop()
    transports = []
    for address in mapped:
        transport, _ = await loop.create_datagram_endpoint(
            functools.partial(MappingServer, address), local_addr=(host, 0)
        )
        transports.append(transport)
    try:
        yield [f"stun:{_bracketed(host)}:{transport.get_extra_info('sockname')[1]}" for transport in transports]
    finally:
        for transport in transports:
            transport.close()
