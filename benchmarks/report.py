"""From samples to medians, ratios, targets, and the text of the tables. Pure.

All is compared by medians. A side that was not measured has none, nor has a ratio with it, and there is none with what
took too long to wait for.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from .samples import BROWSERS, SIDES, TOO_LONG, Samples, Sizes

SECTION = "## How fast it is"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    more_is_better: bool = False
    brief: bool = False
    """Whether the README of the project has it, too."""


@dataclass(frozen=True)
class Target:
    """A promise, and the number that must keep it."""

    says: str
    number: Callable[[Medians], float | None]
    limit: float
    unit: str = ""
    at_least: bool = False

    def met(self, number: float) -> bool:
        """Whether the promise is kept."""
        return number >= self.limit if self.at_least else number <= self.limit


class Medians:
    """The medians of all samples."""

    def __init__(self, samples: Samples) -> None:
        self._medians = {
            (key, side): median(values) for key, sides in samples.items() for side, values in sides.items() if values
        }

    def of(self, key: str, side: str = "peer") -> float | None:
        """The median of one side."""
        return self._medians.get((key, side))

    def faster_browser(self, key: str) -> float | None:
        """The median of the browser whose median is lower."""
        found = [value for side in BROWSERS if (value := self.of(key, side)) is not None]
        return min(found, default=None)


def ratio(number: float | None, to: float | None) -> float | None:
    """How many times *to* the number is. What grew cannot be compared with what shrank."""
    if number is None or not to or math.isinf(number) or min(number, to) < 0:
        return None
    return number / to


def better(row: Row, ours: float | None, theirs: float | None) -> float | None:
    """How many times better ours is: above 1 it is, below 1 theirs."""
    return ratio(ours, theirs) if row.more_is_better else ratio(theirs, ours)


def rows(sizes: Sizes) -> list[Row]:
    """The lines of the table, in their order."""
    pairs = f"{sizes.many_pairs} pairs in one process"
    cycles = f"{sizes.cycles:,} times connected and closed"
    return [
        Row("open", "data channel open", "ms", brief=True),
        Row("whole", "the same, and the connections made", "ms"),
        Row("layers", "DTLS, SCTP and the channel alone, over a pipe", "ms"),
        Row("first", "first candidate", "ms", brief=True),
        Row("silent-open", "data channel open, silent STUN server", "ms", brief=True),
        Row("silent-first", "first candidate, silent STUN server", "ms"),
        Row("restart", "ICE restarted", "ms", brief=True),
        Row("relay", "open through a relay: a page with itself", "ms", brief=True),
        Row("relay-offer", "open through a relay: aiortc-peer offers to the page", "ms", brief=True),
        Row("relay-answer", "open through a relay: the page offers to aiortc-peer", "ms", brief=True),
        Row("parse", "a candidate read", "µs"),
        *(Row(f"add-{n}", f"{n:,} candidate{'s' * (n > 1)} added", "ms", brief=n == 100) for n in sizes.added),
        Row("data", "data channel", "MB/s", more_is_better=True, brief=True),
        Row("rtp", "RTP packets", "1/s", more_is_better=True, brief=True),
        Row("memory", "memory of an idle connection", "kB", brief=True),
        Row("many-lag", f"{pairs}: worst lag of the loop", "ms", brief=True),
        Row("cycles-memory", f"{cycles}: memory", "MB"),
        Row("cycles-objects", f"{cycles}: objects", ""),
        Row("cycles-tasks", f"{cycles}: tasks", ""),
        Row("cycles-descriptors", f"{cycles}: descriptors", ""),
    ]


def targets() -> list[Target]:
    """What is promised, in the order of the rows."""
    found = [
        Target("open: of the faster browser's", _of_browser("open"), 0.7),
        Target("open: raw aiortc's to ours", lambda m: ratio(m.of("open", "aiortc"), m.of("open")), 3.5, at_least=True),
        Target("open: a silent STUN server to none", lambda m: ratio(m.of("silent-open"), m.of("open")), 1.1),
        Target("first candidate: how soon", lambda m: m.of("first"), 1.0, "ms"),
        Target("first candidate: of the faster browser's", _of_browser("first"), 1.0),
        Target("restart", lambda m: m.of("restart"), 8.0, "ms"),
    ]
    for side in BROWSERS:
        for key, who in (("relay-offer", "we offer"), ("relay-answer", "it offers")):
            found.append(_with_page(side, key, who))
    found += [
        Target("data channel: of raw aiortc's", _of_aiortc("data"), 0.98, at_least=True),
        Target("RTP packets: of raw aiortc's", _of_aiortc("rtp"), 0.98, at_least=True),
        Target("memory of an idle connection: of raw aiortc's", _of_aiortc("memory"), 1.1),
        Target("many pairs: worst lag of the loop", lambda m: m.of("many-lag"), 50, "ms"),
        Target("connected and closed: memory", lambda m: m.of("cycles-memory"), 1, "MB"),
        Target("connected and closed: objects", lambda m: m.of("cycles-objects"), 0),
        Target("connected and closed: tasks", lambda m: m.of("cycles-tasks"), 0),
        Target("connected and closed: descriptors", lambda m: m.of("cycles-descriptors"), 0),
    ]
    return found


def _of_browser(key: str) -> Callable[[Medians], float | None]:
    return lambda m: ratio(m.of(key), m.faster_browser(key))


def _of_aiortc(key: str) -> Callable[[Medians], float | None]:
    return lambda m: ratio(m.of(key), m.of(key, "aiortc"))


def _with_page(side: str, key: str, who: str) -> Target:
    return Target(
        f"with a page of {SIDES[side]}, {who}: of its time with itself",
        lambda m: ratio(m.of(key, side), m.of("relay", side)),
        1.0,
    )


def measured_table(samples: Samples, shown: Iterable[Row]) -> list[str]:
    """One line a row: the medians, and how much better ours are."""
    medians = Medians(samples)
    head = ["", "", *SIDES.values(), "better than aiortc", "than the faster browser"]
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for row in shown:
        values = [medians.of(row.key, side) for side in SIDES]
        browser = None if row.more_is_better else medians.faster_browser(row.key)
        ratios = [better(row, values[0], theirs) for theirs in (values[1], browser)]
        lines.append([row.title, row.unit, *map(_shown, values), *map(_times, ratios)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def targets_table(samples: Samples, wanted: Iterable[Target]) -> list[str]:
    """One line a target: what must be, what is, and whether that is enough."""
    medians = Medians(samples)
    lines = ["| | target | measured | |", "|---|---:|---:|---|"]
    for target in wanted:
        number = target.number(medians)
        sign = "≥" if target.at_least else "≤"
        unit = f" {target.unit}".rstrip()
        said = "-" if number is None else f"{number:.3g}{unit}"
        verdict = _verdict(target, medians).replace("missed", "**missed**")
        lines.append(f"| {target.says} | {sign} {target.limit:g}{unit} | {said} | {verdict} |")
    return lines


def _verdict(target: Target, medians: Medians) -> str:
    number = target.number(medians)
    return "" if number is None else "met" if target.met(number) else "missed"


def document(samples: Samples, sizes: Sizes, machine: Sequence[str]) -> str:
    """The whole of results.md."""
    return "\n".join(
        [
            "# Results",
            "",
            "`make bench` has written this; [README.md](README.md) says what the rows mean. Medians; in the last two",
            "columns, 2x says that aiortc-peer is twice as good, 0.5x half as good. A dash: not measured, or no use.",
            "",
            *(f"- {line}" for line in machine),
            "",
            *measured_table(samples, rows(sizes)),
            "",
            "![the same as bars](results.png)",
            "",
            "## Targets",
            "",
            *targets_table(samples, targets()),
            "",
        ]
    )


def with_section(readme: str, samples: Samples, sizes: Sizes, machine: Sequence[str]) -> str:
    """The README of the project with what was measured last, where it has a section about that."""
    verdicts = [verdict for target in targets() if (verdict := _verdict(target, Medians(samples)))]
    section = [
        SECTION,
        "",
        *textwrap.wrap(f"`make bench` wrote this. {'; '.join(machine)}.", 138),
        "Medians; in the last two columns, 2x says that aiortc-peer is twice as good, 0.5x half as good.",
        "",
        *measured_table(samples, [row for row in rows(sizes) if row.brief]),
        "",
        f"Of {len(verdicts)} targets, {verdicts.count('met')} are met: [all results](benchmarks/results.md), and",
        "[what they mean](benchmarks/README.md).",
        "",
    ]
    before, heading, rest = readme.partition(f"{SECTION}\n")
    _, next_heading, after = rest.partition("\n## ")
    if not next_heading:
        raise ValueError(f"there is no section {heading or SECTION} that another one follows")
    return before + "\n".join(section) + next_heading + after


def _shown(number: float | None) -> str:
    """Three digits that count."""
    if number is None:
        return "-"
    if math.isinf(number):
        return f"> {TOO_LONG:,.0f}"
    digits = 0 if number == 0 or abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if number == int(number) and "." in text else text


def _times(number: float | None) -> str:
    return "-" if number is None else f"{_shown(number)}x"
