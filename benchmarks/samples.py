"""Who is measured, how much, and how: by turns, so that whatever else the machine does meets all alike.

What is measured has a name, the key of a row in report.py, and each side has its samples of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

SIDES = {"peer": "aiortc-peer", "aiortc": "aiortc", "chromium": "Chromium", "firefox": "Firefox"}
BROWSERS = ("chromium", "firefox")
TOO_LONG = 10_000.0  # ms: who takes longer is not waited for, and its sample is infinite
REST = 0.05  # seconds after the attempts of a side, in which what they left to do is done

Measured = dict[str, float]
Samples = dict[str, dict[str, list[float]]]  # by what was measured, and by side
Attempt = Callable[[], Awaitable[Measured]]


@dataclass(frozen=True)
class Sizes:
    """How often, how many and how long."""

    rounds: int
    """Of what takes milliseconds."""
    in_a_row: int
    """Attempts of a side in each of these rounds."""
    warmup: int
    """Rounds before those, which do not count."""
    silent_rounds: int
    """Of raw aiortc with a STUN server that does not answer: each takes 10 s."""
    parsed: int
    added: tuple[int, ...]
    adding_rounds: int
    load_rounds: int
    megabytes: int
    rtp_seconds: float
    idle_rounds: int
    idle_pairs: int
    many_pairs: int
    many_interval: float
    """Seconds between two messages of a pair."""
    many_seconds: float
    cycles: int
    cycles_warmup: int
    """So many before: the standard library's caches (of `re`, 512 entries) fill up."""


FULL = Sizes(
    rounds=8,
    in_a_row=5,
    warmup=1,
    silent_rounds=3,
    parsed=1000,
    added=(1, 10, 100, 1000, 10_000),
    adding_rounds=5,
    load_rounds=18,
    megabytes=8,
    rtp_seconds=0.75,
    idle_rounds=3,
    idle_pairs=200,
    many_pairs=500,
    many_interval=2.0,
    many_seconds=10.0,
    cycles=1000,
    cycles_warmup=300,
)
QUICK = Sizes(
    rounds=1,
    in_a_row=1,
    warmup=0,
    silent_rounds=0,
    parsed=50,
    added=(1, 10, 100),
    adding_rounds=1,
    load_rounds=1,
    megabytes=4,
    rtp_seconds=0.1,
    idle_rounds=1,
    idle_pairs=3,
    many_pairs=3,
    many_interval=0.05,
    many_seconds=0.2,
    cycles=5,
    cycles_warmup=2,
)


async def alternate(
    samples: Samples, rounds: int, attempts: Mapping[str, Attempt], *, in_a_row: int = 1, warmup: int = 0
) -> None:
    """Let each side make its attempts, *rounds* times so many *in_a_row*, and add what it measured to the *samples*.

    Who goes first changes from round to round.
    """
    sides = list(attempts)
    for number in range(-warmup, rounds):
        first = number % len(sides)
        for side in sides[first:] + sides[:first]:
            for _ in range(in_a_row):
                measured = await attempts[side]()
                if number >= 0:
                    for what, value in measured.items():
                        samples.setdefault(what, {}).setdefault(side, []).append(value)
            await asyncio.sleep(REST)
