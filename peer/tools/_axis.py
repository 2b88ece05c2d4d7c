"""Where things go on a time line: moments on the axis, and labels above them. Pure geometry, in pixels.

**The axis** is linear, but for long silences, which would leave no room for what happens: they are cut out, and shown
as a gap of one size. A silence is long if it takes more than a tenth of a second and more than four times as long as
all that is shown in full: the shorter silences together. So there is a cut between two restarts a minute apart, and
before the end of a gathering that waits for a server for 5 s, and none in a conversation.

**Labels** are flags: each stands on a vertical line that rises from its moment, in rows. Of labels that would overlap,
the earlier one stands higher, so that no line crosses a label: beside it there are only later ones. They are placed
from the last one on, each in the lowest row that is free.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CUT = 72  # the width of what stands for a long silence
_NOTHING = 1e-6  # ms: less than any clock tells
_LONG = 100.0  # ms
_TICKS_APART = 64


@dataclass(frozen=True)
class Part:
    """A part of the axis without long silences."""

    start: float  # in ms
    end: float
    x: float  # of its start

    def at(self, time: float, scale: float) -> float:
        """Where *time* is."""
        return self.x + (time - self.start) * scale


class Axis:
    """The axis for things that happen at *times*, in ms, of which there is at least one.

    All that is shown in full is *width* wide together.
    """

    def __init__(self, times: Sequence[float], width: float) -> None:
        moments = sorted(set(times))
        cuts = _long_silences(moments)
        starts = [moments[0], *(end for _, end in cuts)]
        ends = [*(start for start, _ in cuts), moments[-1]]
        shown = sum(end - start for start, end in zip(starts, ends, strict=True))
        self.scale = width / shown if shown > _NOTHING else 0.0  # pixels for a millisecond
        self.parts: list[Part] = []
        x = 0.0
        for start, end in zip(starts, ends, strict=True):
            self.parts.append(Part(start, end, x))
            x = self.parts[-1].at(end, self.scale) + CUT
        self.width = x - CUT

    def x(self, time: float) -> float:
        """Where *time* is, one of those that the axis was made for."""
        part = self.parts[bisect_right([part.start for part in self.parts], time) - 1]
        return part.at(time, self.scale)

    def cuts(self) -> list[tuple[float, float]]:
        """The silences that are cut out: where the gap begins, and how many ms it stands for."""
        return [(one.at(one.end, self.scale), other.start - one.end) for one, other in pairwise(self.parts)]

    def ticks(self) -> list[tuple[float, float]]:
        """Where the axis has a line, and for which time. Each part begins with one, the others are round."""
        step = _round_step(_TICKS_APART / self.scale) if self.scale else 1.0
        found: list[tuple[float, float]] = []
        for part in self.parts:
            found.append((part.x, part.start))
            for number in range(math.floor(part.start / step) + 1, math.floor(part.end / step) + 1):
                x = part.at(number * step, self.scale)
                if x - part.x >= _TICKS_APART * 0.8:
                    found.append((x, number * step))
        return found


def _long_silences(moments: Sequence[float]) -> list[tuple[float, float]]:
    """Those between *moments* that are to be cut out, in their order."""
    shown = 0.0
    for start, end in sorted(pairwise(moments), key=lambda silence: silence[1] - silence[0]):
        if end - start > max(_LONG, 4 * shown):
            shortest = end - start
            return [(one, other) for one, other in pairwise(moments) if other - one >= shortest]
        shown += end - start
    return []


def _round_step(least: float) -> float:
    """The first of 1, 2 and 5, and of these times a power of ten, that is not less than *least*."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step for factor in (1, 2, 5, 10) if (step := factor * power) >= least or factor == 10)


def rows(labels: Sequence[tuple[float, float]]) -> list[int]:
    """The row of each label, the lowest one is 0; *labels* are where they begin and end, in their order."""
    free: list[float] = []  # for each row, up to where it is free; falls
    found: list[int] = []
    for start, end in reversed(labels):
        row = next((row for row, limit in enumerate(free) if end <= limit), len(free))
        if row == len(free):
            free.append(start)
        free[: row + 1] = [min(limit, start) for limit in free[: row + 1]]
        found.append(row)
    return found[::-1]
