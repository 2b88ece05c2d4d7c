"""Connect across NATs and firewalls, and write a table: ``python -m benchmarks.networks``; see docs/networks.md.

The networks are those of the tests (tests/internet.py). Each attempt has two processes, a peer of ours in each, or of
raw aiortc, which does not trickle: descriptions are signalled when all is gathered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.internet import SERVER, SERVER6, SITUATIONS, Internet, Situation
from tests.servers import certify, find_turnserver

from .load import obstacle
from .machine import describe

ATTEMPTS = 5
BOUND = 90.0  # seconds that an attempt may take

SECTION = "## What comes of it\n"
HEADER = """\
| situation | pair | ms | raw aiortc: pair | ms |
| --- | --- | ---: | --- | ---: |
"""


@dataclass(frozen=True)
class Attempt:
    """What came of one attempt; both None if the two did not connect."""

    pair: str | None
    ms: float | None


def main() -> None:
    """Read the arguments and connect."""
    names = [situation.name for situation in SITUATIONS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("situations", nargs="*", metavar="SITUATION", help=f"which; default: all ({'; '.join(names)})")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="for each situation and side")
    parser.add_argument("--output", type=Path, help="write the table into this page")
    options = parser.parse_args()
    if unknown := set(options.situations) - set(names):
        parser.error(f"there is no situation {', '.join(sorted(unknown))}")
    if reason := obstacle() or (None if find_turnserver() else "no turnserver on PATH"):
        parser.error(reason)
    wanted = [situation for situation in SITUATIONS if situation.name in (options.situations or names)]
    found = section([asyncio.run(row(situation, options.attempts)) for situation in wanted], options.attempts)
    print(found, end="")
    if options.output:
        options.output.write_text(with_section(options.output.read_text(), found))


def section(rows: Iterable[str], attempts: int) -> str:
    """The table, and what it was measured on."""
    machine = "; ".join(describe([])[:2])
    start = f"{SECTION}\n`make networks` wrote this. {machine}.\nMedians of {attempts}.\n\n{HEADER}"
    return start + "".join(f"{line}\n" for line in rows)


def with_section(page: str, section: str) -> str:
    """The *page* with this *section* as its last one. Raises ValueError if it has none."""
    return page[: page.index(SECTION)] + section


async def row(situation: Situation, attempts: int) -> str:
    """The line of the table for a *situation*. Ours and raw aiortc take turns."""
    print(f"{situation.name} ...", file=sys.stderr)
    ours: list[Attempt] = []
    theirs: list[Attempt] = []
    with Internet() as internet, tempfile.TemporaryDirectory() as directory:
        situation.build(internet)
        certificate = certify(Path(directory), SERVER, SERVER6)
        with internet.server(certificate):
            for _ in range(attempts):
                ours.append(await attempt(internet, situation, certificate, raw=False))
                if not any(one.ms is None for one in theirs):  # who fails once will not be waited for again
                    theirs.append(await attempt(internet, situation, certificate, raw=True))
    return f"| {situation.name} | {cells(ours)} | {cells(theirs)} |"


async def attempt(internet: Internet, situation: Situation, certificate: Path, *, raw: bool) -> Attempt:
    """Connect once."""
    configurations = dict.fromkeys("ab", situation.configuration)
    async with internet.hosts(configurations=configurations, fronted=situation.fronted, trust=certificate, raw=raw) as (
        a,
        b,
    ):
        await a.tell("offer")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BOUND):
                await a.until("connection", lambda states: bool({"connected", "failed"}.intersection(states)))
                if "connected" in a.of("connection"):
                    await asyncio.gather(a.tells("open"), b.tells("open"))
        if not a.of("open"):
            return Attempt(None, None)
        pair = " - ".join(candidate["type"] for candidate in a.of("selected")[-1])
        return Attempt(pair, a.of("took")[0])


def cells(attempts: Sequence[Attempt]) -> str:
    """The pairs, and the median of the times."""
    times = [one.ms for one in attempts if one.ms is not None]
    if len(times) < len(attempts):
        return "does not connect | -"
    pairs = sorted({one.pair for one in attempts if one.pair})
    return f"{' or '.join(pairs)} | {median(times):,.0f}"


if __name__ == "__main__":
    main()
