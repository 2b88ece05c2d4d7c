"""One timeline of what two sides saw, told while it happens and in the order in which it happened."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

# What each side must have told before the timeline is complete, and what it lacks until then.
MILESTONES = {"open": "an open data channel", "message": "a message", "null": "the end of its candidates"}


class Missing(Exception):
    """What the demo waited for in vain: a sentence."""


class Row(NamedTuple):
    ms: float  # since the beginning
    side: str
    event: str
    detail: str


class Timeline:
    """What two *sides* told; the second one may tell late. All times are of this process's clock, until in a row."""

    def __init__(self, *sides: str) -> None:
        self.sides = sides
        self.page_clock = 0.0  # the clock here when the page's was at 0; measured before the beginning
        self.first: dict[str, dict[str, Row]] = {side: {} for side in sides}  # each side's milestones, once passed
        self._held: list[Row] = []  # until nothing can come before them
        self._began = 0.0
        self._heard = 0.0  # what happened before this is here

    def begin(self) -> None:
        """Let the time be 0 ms now."""
        self._began = time.monotonic()

    def note(self, side: str, event: str, detail: str, at: float | None = None) -> None:
        """Add what *side* saw, now or *at* some moment before."""
        at = time.monotonic() if at is None else at
        row = Row((at - self._began) * 1000, side, event, detail)
        self._held.append(row)
        milestone = detail if event == "icecandidate" else event
        if milestone in MILESTONES:
            self.first[side].setdefault(milestone, row)

    def heard(self, at: float) -> None:
        """The second side has told all that it saw before this moment."""
        self._heard = at

    def missing(self) -> list[str]:
        """What each side lacks, the first thing first."""
        return [
            f"{side} lacks {next(what for name, what in MILESTONES.items() if name not in passed)}"
            for side, passed in self.first.items()
            if len(passed) < len(MILESTONES)
        ]

    async def rows(self) -> AsyncIterator[Row]:
        """Iterate over the rows in their order, while they come; the end is when nothing is missing."""
        while self._held or self.missing():
            await asyncio.sleep(0.01)
            self._held.sort(key=lambda row: row.ms)  # keeps the order within a side, whatever its clock resolves
            while self._held and self._held[0].ms <= (self._heard - self._began) * 1000:
                yield self._held.pop(0)
