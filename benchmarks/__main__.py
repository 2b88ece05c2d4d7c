"""Measure, and write what came out: ``python -m benchmarks``; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from peer.testing import PROGRAMS, find_browser

from .load import host, obstacle
from .machine import describe
from .plot import draw
from .report import document, with_section
from .samples import BROWSERS, FULL, QUICK, Samples, Sizes
from .scenarios import ON_HOST, ON_STAGE
from .stage import stage


def main() -> None:
    """Read the arguments and run the benchmarks."""
    names = [*ON_STAGE, *ON_HOST]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"which; default: all ({', '.join(names)})")
    parser.add_argument("--quick", action="store_true", help="to see that it works; the numbers say little")
    parser.add_argument("--output", type=Path, help="write results.md and results.png into this directory")
    parser.add_argument("--readme", type=Path, help="write a few lines of the results into this README.md")
    options = parser.parse_args()
    wanted = options.scenarios or names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    if options.scenarios and (options.output or options.readme):
        parser.error("some scenarios are measured to be looked at: only all are written")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)  # now, and not when all is measured
    sizes = QUICK if options.quick else FULL
    browsers = [name for name in BROWSERS if find_browser(name)]
    left_out = [f"{name}: no {' or '.join(PROGRAMS[name])} on PATH" for name in BROWSERS if name not in browsers]
    loads = [name for name in ON_HOST if name in wanted]
    if loads and (reason := obstacle()):
        left_out.append(f"{', '.join(loads)}: {reason}")
        loads = []
    left_out = [f"LEFT OUT: {what}" for what in left_out]
    sys.stderr.writelines(f"{line}\n" for line in left_out)
    samples = asyncio.run(measure([name for name in ON_STAGE if name in wanted], loads, browsers, sizes))
    quick = ["QUICK: these numbers say little"] if options.quick else []
    machine = [*describe(browsers), *left_out, *quick]
    print(text := document(samples, sizes, machine))
    if options.output:
        (options.output / "results.md").write_text(text)
        draw(samples, "\n".join(machine), options.output / "results.png")
    if options.readme:
        options.readme.write_text(with_section(options.readme.read_text(), samples, sizes, machine))


async def measure(on_stage: list[str], on_host: list[str], browsers: list[str], sizes: Sizes) -> Samples:
    """Run these scenarios, one after the other."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    samples: Samples = {}
    for name in on_stage:  # each with new browsers: Chromium's pages forget closed connections late, and may have 500
        with said(name):
            async with stage(sizes, browsers) as built:
                await ON_STAGE[name](built, samples)
    if on_host:
        with host() as run:
            for name in on_host:
                with said(name):
                    await ON_HOST[name](run, sizes, samples)
    return samples


@contextlib.contextmanager
def said(name: str) -> Iterator[None]:
    """Tell who waits what is going on, and how long it took."""
    print(f"{name} ...", end="", file=sys.stderr, flush=True)
    start = time.monotonic()
    yield
    print(f" {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
