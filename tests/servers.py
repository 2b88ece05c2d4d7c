"""STUN and TURN servers on this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def turnserver() -> str | None:
    """The path of coturn's server, or None where it is not installed."""
    return shutil.which("turnserver")


@contextlib.contextmanager
def coturn() -> Iterator[dict[str, object]]:
    """Run coturn on 127.0.0.1; gives an ICE server with a STUN URL and a TURN URL for UDP and TCP each."""
    path = turnserver()
    assert path is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="coturn-") as directory:
        options = [
            "-n",
            "--no-cli",
            "--no-tls",
            "--no-dtls",
            "--lt-cred-mech",
            "--user=user:secret",
            "--realm=test",
            "--allow-loopback-peers",
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            f"--listening-port={port}",
            f"--pidfile={directory}/pid",
            f"--userdb={directory}/db",
            "--log-file=stdout",
        ]
        with (Path(directory) / "log").open("wb") as log:
            server = subprocess.Popen([path, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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
