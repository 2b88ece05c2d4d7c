"""One timeline of what two sides saw, told while it happens and in the order in which it happened."""

import asyncio
from collections.abc import AsyncIterator

from peer.tools import Entry

# What each side must have told before the timeline is complete, and what it lacks until then.
MILESTONES = {"open": "an open data channel", "message": "a message", "null": "the end of its candidates"}


class Missing(Exception):
    """What the demo waited for in vain: a sentence."""


class Timeline:
    """What two *sides* told; the second one may tell late. All times are in ms, of the clock of peer.tools."""

    def __init__(self, *sides: str) -> None:
        self.sides = sides
        self.page_clock = 0.0  # the time here when it was 0 on the page; measured before the beginning
        self.first: dict[str, dict[str, Entry]] = {side: {} for side in sides}  # each side's milestones, once passed
        self.entries: list[Entry] = []  # those that were told, in their order
        self._held: list[Entry] = []  # until nothing can come before them
        self._heard = 0.0  # what happened before this is here

    def add(self, entry: Entry) -> None:
        """Add what a side saw, now or at some moment before."""
        self._held.append(entry)
        is_null = (entry["event"], entry["value"]) == ("icecandidate", None)
        milestone = "null" if is_null else entry["event"]
        if milestone in MILESTONES:
            self.first[entry["peer"]].setdefault(milestone, entry)

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

    async def told(self) -> AsyncIterator[list[Entry]]:
        """Iterate over what happened, in the order of time, while it happens; the end is when nothing is missing."""
        while self._held or self.missing():
            await asyncio.sleep(0.01)
            self._held.sort(key=lambda entry: entry["time"])  # keeps the order within a side, whatever its clock knows
            new = [entry for entry in self._held if entry["time"] <= self._heard]
            if new:
                del self._held[: len(new)]
                self.entries += new
                yield new
