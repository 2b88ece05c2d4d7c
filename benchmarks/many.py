"""Many connections in one process: is it still responsive?"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from .pairs import Pair, connect

TICK = 0.01  # seconds


async def pairs(kind: str, count: int, interval: float, seconds: float) -> dict[str, float]:
    """Connect so many pairs, each of which sends a message every *interval*; returns how late a timer is, in ms.

    Nothing is asked of it while they connect; what connecting has left is collected before.
    """
    received = 0

    def receive(message: str) -> None:
        nonlocal received
        received += 1

    def prepare(offerer: Any, answerer: Any) -> None:
        answerer.on("datachannel", lambda channel: channel.on("message", receive))

    connected = [await connect(kind, prepare=prepare) for _ in range(count)]
    gc.collect()
    loop = asyncio.get_running_loop()
    talk = asyncio.create_task(_talk(connected, interval))
    late: list[float] = []
    end = loop.time() + seconds
    while loop.time() < end:
        due = loop.time() + TICK
        await asyncio.sleep(TICK)
        late.append((loop.time() - due) * 1e3)
    talk.cancel()
    await asyncio.gather(*[pair.close() for pair in connected])
    if not received:
        raise RuntimeError("no message has arrived")
    return {"many-lag": max(late)}


async def _talk(connected: list[Pair], interval: float) -> None:
    """Let one pair after the other send a message, evenly over the interval."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for pair in connected:
            pair.channel.send("now and then")
            due += interval / len(connected)
            await asyncio.sleep(max(0, due - loop.time()))
