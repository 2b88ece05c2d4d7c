"""What takes TCP connections for a peer that does not, and passes on what comes over them, and what the peer answers.

To those who connect it is a peer with a passive TCP candidate (RFC 6544), such as many media servers are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from peer._framing import Deframer, framed


def listening(host: str) -> socket.socket:
    """A socket that takes connections at *host*, at some port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio delays nothing if it says TCP
    listener.bind((host, 0))
    listener.listen()
    return listener


def passive(host: str, port: int) -> dict[str, object]:
    return {"candidate": f"candidate:9 1 tcp 1518280447 {host} {port} typ host tcptype passive", "sdpMLineIndex": 0}


class Front(asyncio.DatagramProtocol):
    """What stands in front of a peer and takes TCP connections for it; see takes_tcp()."""

    def __init__(self, fronts: Fronts, writer: asyncio.StreamWriter) -> None:
        self._fronts = fronts
        self._writer = writer

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._writer.write(framed(data))
        self._fronts.answered.set()


class Fronts:
    """The connections that were taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.taken = 0
        self.answered = asyncio.Event()  # set when the peer has sent something
        self.tasks: set[asyncio.Task[None]] = set()
        self.writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """End all connections."""
        for writer in self.writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def takes_tcp(host: str, port: int, listener: socket.socket | None = None) -> AsyncIterator[Fronts]:
    """Take TCP connections at *host*, and talk UDP to the *port* of the same host for each."""
    listener = listener or listening(host)
    fronts = Fronts(listener.getsockname()[1])

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fronts.taken += 1
        fronts.writers.append(writer)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Front(fronts, writer), remote_addr=(host, port), local_addr=(host, 0)
        )
        deframer = Deframer()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                for datagram in deframer.datagrams(data):
                    transport.sendto(datagram)
        transport.close()
        writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(take(reader, writer))
        fronts.tasks.add(task)
        task.add_done_callback(fronts.tasks.discard)

    server = await asyncio.start_server(accepted, sock=listener)
    try:
        yield fronts
    finally:
        server.close()
        fronts.cut()
        if fronts.tasks:
            await asyncio.wait(fronts.tasks)
