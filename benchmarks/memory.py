"""What an idle connection keeps: memory, once there are many; and what a closed one leaves behind."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from .pairs import connect

COLLECT = 100  # connections that are closed before garbage is collected
SETTLE = 0.2  # seconds until what connecting has left to do is done


def resident() -> int:
    """The memory of this process that is resident, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _settled() -> None:
    await asyncio.sleep(SETTLE)
    gc.collect()


async def idle(kind: str, count: int) -> dict[str, float]:
    """Open so many pairs; returns the kB that each connection takes."""
    await (await connect(kind)).close()  # what is loaded once is nobody's
    await _settled()
    before = resident()
    pairs = [await connect(kind) for _ in range(count)]
    await _settled()
    growth = resident() - before
    await asyncio.gather(*[pair.close() for pair in pairs])
    return {"memory": growth / count / 2 / 1e3}


async def cycles(kind: str, warmup: int, count: int) -> dict[str, float]:
    """Connect and close so many times; returns what there is more afterwards than before."""
    await _connect_and_close(kind, warmup)
    before = _held()
    await _connect_and_close(kind, count)
    after = _held()
    return {what: after[what] - before[what] for what in before}


async def _connect_and_close(kind: str, count: int) -> None:
    for number in range(1, count + 1):
        await (await connect(kind)).close()
        # Else it is chance how much garbage there is at once, and the process keeps the place it took.
        if number % COLLECT == 0:
            gc.collect()
    await _settled()


def _held() -> dict[str, float]:
    return {
        "cycles-memory": resident() / 1e6,
        "cycles-tasks": len(asyncio.all_tasks()),
        "cycles-descriptors": len(os.listdir("/proc/self/fd")),
        "cycles-objects": len(gc.get_objects()),
    }
