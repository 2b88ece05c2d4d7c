"""Who takes turns at what. On a stage, peers in this process and pages in browsers; on a host, loads.

What a scenario adds to the samples has the keys of rows in report.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from peer.testing import Page

from . import candidates
from .layers import open_over_a_pipe
from .load import Run
from .meeting import meet
from .pairs import KINDS, SETTLE, find_candidate, open_channel, restart
from .samples import TOO_LONG, Attempt, Measured, Samples, Sizes, alternate
from .stage import Stage, in_page

_ROOMS = itertools.count()


async def connecting(stage: Stage, samples: Samples) -> None:
    """A channel opens."""
    await _with_servers(stage, samples, open_channel, "connect")
    await _in_turn(stage, samples, {"aiortc": open_over_a_pipe})


async def finding(stage: Stage, samples: Samples) -> None:
    """A peer finds its first candidate."""
    await _with_servers(stage, samples, find_candidate, "findCandidate")


async def restarting(stage: Stage, samples: Samples) -> None:
    """ICE is restarted; raw aiortc cannot."""
    pages = {name: partial(in_page, page, "restart", SETTLE * 1e3) for name, page in stage.pages.items()}
    await _in_turn(stage, samples, {"peer": restart, **pages})


async def relaying(stage: Stage, samples: Samples) -> None:
    """A page connects with itself, then with a peer of ours, whose offer it gets, and who gets its offer."""
    if stage.pages:
        await _in_turn(stage, samples, {name: partial(_relayed, stage, page) for name, page in stage.pages.items()})


async def parsing(stage: Stage, samples: Samples) -> None:
    """The texts of candidates are read."""

    async def read(kind: str) -> Measured:
        return candidates.parse(kind, inits)

    inits = candidates.texts(stage.sizes.parsed)
    pages = {name: partial(in_page, page, "parse", inits) for name, page in stage.pages.items()}
    await _in_turn(stage, samples, {kind: partial(read, kind) for kind in KINDS} | pages)


async def adding(stage: Stage, samples: Samples) -> None:
    """Few and many candidates are added."""
    bounds = {"checking": candidates.CHECKING * 1e3, "batch": candidates.BATCH, "limit": TOO_LONG}
    for count in stage.sizes.added:
        inits = candidates.texts(count)
        ours: dict[str, Attempt] = {"peer": partial(candidates.add, "peer", inits)}
        others: dict[str, Attempt] = {"aiortc": partial(candidates.add, "aiortc", inits)}
        others |= {name: partial(in_page, page, "add", inits, bounds) for name, page in stage.pages.items()}
        if count < candidates.MANY:
            await alternate(samples, stage.sizes.adding_rounds, ours | others)
        else:
            await alternate(samples, stage.sizes.adding_rounds, ours)
            await alternate(samples, 1, others)  # they take as long as they may


ON_STAGE: dict[str, Callable[[Stage, Samples], Awaitable[None]]] = {
    "connect": connecting,
    "find": finding,
    "restart": restarting,
    "relay": relaying,
    "parse": parsing,
    "add": adding,
}


async def throughput(run: Run, sizes: Sizes, samples: Samples) -> None:
    """Bytes over a data channel, and RTP packets."""
    await _loads(run, samples, sizes.load_rounds, "data", sizes.megabytes)
    await _loads(run, samples, sizes.load_rounds, "rtp", sizes.rtp_seconds)


async def memory(run: Run, sizes: Sizes, samples: Samples) -> None:
    """What idle connections take."""
    await _loads(run, samples, sizes.idle_rounds, "idle", sizes.idle_pairs)


async def many(run: Run, sizes: Sizes, samples: Samples) -> None:
    """Many connections in one process."""
    await _loads(run, samples, 1, "many", sizes.many_pairs, sizes.many_interval, sizes.many_seconds)


async def cycles(run: Run, sizes: Sizes, samples: Samples) -> None:
    """What closed connections leave behind."""
    await _loads(run, samples, 1, "cycles", sizes.cycles_warmup, sizes.cycles)


ON_HOST: dict[str, Callable[[Run, Sizes, Samples], Awaitable[None]]] = {
    "throughput": throughput,
    "memory": memory,
    "many": many,
    "cycles": cycles,
}


async def _in_turn(stage: Stage, samples: Samples, attempts: Mapping[str, Attempt]) -> None:
    sizes = stage.sizes
    await alternate(samples, sizes.rounds, attempts, in_a_row=sizes.in_a_row, warmup=sizes.warmup)


async def _with_servers(
    stage: Stage, samples: Samples, measure: Callable[[str, str | None], Awaitable[Measured]], function: str
) -> None:
    """Measure it without a server, and with a STUN server that never answers; pages call a function of page.js."""

    async def both(measure: Callable[[str | None], Awaitable[Measured]]) -> Measured:
        return await measure(None) | await silent(measure)

    async def silent(measure: Callable[[str | None], Awaitable[Measured]]) -> Measured:
        return {f"silent-{what}": value for what, value in (await measure(stage.silent)).items()}

    pages = {name: partial(both, partial(in_page, page, function)) for name, page in stage.pages.items()}
    ours, raw = partial(measure, "peer"), partial(measure, "aiortc")
    attempts: dict[str, Attempt] = {"peer": partial(both, ours), "aiortc": partial(raw, None), **pages}
    await _in_turn(stage, samples, attempts)
    await alternate(samples, stage.sizes.silent_rounds, {"aiortc": partial(silent, raw)})  # 5 or 10 s each


async def _relayed(stage: Stage, page: Page) -> Measured:
    def side(url: str, offers: bool, ours: bool) -> Awaitable[Any]:
        return meet(stage.session, url, offers) if ours else in_page(page, "meet", url, offers)

    measured: dict[str, float] = {}
    for what, we_offer, we_answer in (("", False, False), ("-offer", True, False), ("-answer", False, True)):
        url = f"{stage.relay}{next(_ROOMS)}"
        measured[f"relay{what}"] = math.inf
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TOO_LONG / 1e3):
                measured[f"relay{what}"], _ = await asyncio.gather(
                    side(url, True, we_offer), side(url, False, we_answer)
                )
    return measured


async def _loads(run: Run, samples: Samples, rounds: int, name: str, *numbers: float) -> None:
    await alternate(samples, rounds, {kind: partial(run, name, kind, *numbers) for kind in KINDS})
