"""What DTLS, SCTP and a data channel of aiortc's take, with nothing below and nothing around them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiortc

from .pairs import milliseconds


class Pipe:
    """What aiortc's DTLS takes for an ICE transport that is connected. Datagrams arrive in the next turn."""

    state = "completed"

    def __init__(self, role: str) -> None:
        self.role = role
        self.other: Pipe
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def _recv(self) -> bytes:
        return await self.arrived.get()

    async def _send(self, data: bytes) -> None:
        self.other.arrived.put_nowait(data)

    def on(self, event: str, listener: Any) -> None:
        """Nothing ever happens here."""


async def open_over_a_pipe() -> dict[str, float]:
    """From when DTLS starts until a channel is open."""
    ends: Any = Pipe("controlling"), Pipe("controlled")
    ends[0].other, ends[1].other = ends[1], ends[0]
    dtls = [aiortc.RTCDtlsTransport(end, [aiortc.RTCCertificate.generateCertificate()]) for end in ends]
    sctp = [aiortc.RTCSctpTransport(each) for each in dtls]
    opened = asyncio.get_running_loop().create_future()
    channel = aiortc.RTCDataChannel(sctp[0], aiortc.RTCDataChannelParameters(label="chat"))
    channel.on("open", lambda: opened.set_result(milliseconds()))

    async def start(one: int, other: int) -> None:
        await dtls[one].start(dtls[other].getLocalParameters())
        await sctp[one].start(sctp[other].getCapabilities(), 5000)

    began = milliseconds()
    await asyncio.gather(start(0, 1), start(1, 0))
    took = await opened - began
    for association in sctp:
        await association.stop()
    for transport in dtls:
        await transport.stop()
    return {"layers": took}
