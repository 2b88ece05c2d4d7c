"""How much goes through: bytes over a data channel, and RTP packets. Both ends are in one process."""

from __future__ import annotations

import asyncio
import fractions
from typing import Any

import aiortc
import av

from .pairs import connect, milliseconds

MESSAGE = bytes(16384)
HIGH, LOW = 1 << 20, 1 << 18  # bytes that wait in the sender: it pauses at the one and goes on at the other
SILENCE = b"\xf8\xff\xfe"  # in Opus


async def data(kind: str, megabytes: int) -> dict[str, float]:
    """Send so many MB in messages of 16 kB; returns how many came a second, until the last one was there."""
    count = megabytes * 1_000_000 // len(MESSAGE)
    received = 0
    all_there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(message: bytes) -> None:
        nonlocal received
        received += 1
        if received == count:
            all_there.set_result(None)

    def prepare(offerer: Any, answerer: Any) -> None:
        answerer.on("datachannel", lambda channel: channel.on("message", receive))

    pair = await connect(kind, prepare=prepare)
    low = asyncio.Event()
    pair.channel.bufferedAmountLowThreshold = LOW
    pair.channel.on("bufferedamountlow", low.set)
    start = milliseconds()
    for _ in range(count):
        if pair.channel.bufferedAmount > HIGH:
            low.clear()
            await low.wait()
        pair.channel.send(MESSAGE)
    await all_there
    took = milliseconds() - start
    await pair.close()
    return {"data": count * len(MESSAGE) / took / 1e3}


class Packets(aiortc.MediaStreamTrack):
    """An audio track that is encoded already: a packet of 20 ms whenever the loop comes round."""

    kind = "audio"
    _pts = 0

    async def recv(self) -> av.Packet[Any]:
        """The next packet."""
        await asyncio.sleep(0)
        packet = av.Packet(SILENCE)
        packet.pts, packet.time_base = self._pts, fractions.Fraction(1, 48000)
        self._pts += 960
        return packet


async def rtp(kind: str, seconds: float) -> dict[str, float]:
    """Send small RTP packets as fast as the loop turns; returns how many a second arrived."""
    consumers: list[asyncio.Task[None]] = []

    async def consume(track: Any) -> None:
        while True:
            await track.recv()

    def prepare(offerer: Any, answerer: Any) -> None:
        offerer.addTrack(Packets())
        answerer.on("track", lambda track: consumers.append(asyncio.create_task(consume(track))))

    pair = await connect(kind, prepare=prepare)
    receiver = pair.answerer.getReceivers()[0]

    async def arrived() -> int:
        stats = await receiver.getStats()
        return sum(entry.packetsReceived for entry in stats.values() if entry.type == "inbound-rtp")

    await asyncio.sleep(seconds / 4)  # until it is going
    before, start = await arrived(), milliseconds()
    await asyncio.sleep(seconds)
    count, took = await arrived() - before, milliseconds() - start
    await pair.close()
    for task in consumers:
        task.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    return {"rtp": count / took * 1e3}
