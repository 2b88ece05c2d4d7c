"""What becomes of signalling messages on a bad way: when each is delivered, how often, and in which order. Pure.

**A fate is decided for each message,** by a function of its sender, its number among those of the sender, from 0, and
itself: a :class:`Trouble`, or any other. A fate is a delay in seconds for each copy that is delivered: none if the
message is dropped, two if it is duplicated; and how many later ones pass it.

**Chance has no memory.** What a :class:`Trouble` says depends on its seed, the sender and the number, and on nothing
else: not on the time, nor on what became of other messages. All dice are thrown for each message, wanted or not. So a
test that has failed has the same trouble again with its seed, and a probability that changes leaves the others alone.

**The order is kept** unless a fate says otherwise: who is delayed delays those behind. A copy that others are to pass
holds up nobody: it waits until the next so many copies have been delivered. They do not wait themselves, whatever their
fate: so some order is lost even if all are to be passed. If there are not so many, it is delivered all the same when it
has waited for long: the last message must not wait for ever.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

LONG = 0.25  # seconds, after its delay, that a message waits for others to pass
_FARTHEST = 3  # others that pass a message, at most

Item = TypeVar("Item")


@dataclass(frozen=True)
class Fate:
    """What becomes of one message."""

    delays: Sequence[float] = (0.0,)
    """In seconds, one for each copy that is delivered; there are none if the message is dropped."""
    passed_by: int = 0
    """How many that are sent later are delivered first; fewer if there are none for a while.

    It comes right behind them, whatever its delay.
    """


Fates = Callable[[str, int, Mapping[str, Any]], Fate]
"""Decides what becomes of each message: a :class:`Trouble`, or a function of yours.

It is called with the name of the sender, the number of the message among those of that sender, from 0, and the message,
and returns its :class:`Fate`. It must not wait. What it raises ends the signalling, and is raised where that is used.
"""


@dataclass(frozen=True)
class Trouble:
    """Trouble at random, the same again with the same *seed*: what to give as ``trouble``.

    It is a function ``trouble(sender, number, message)`` that gives a :class:`Fate`; another function of yours will do
    as well: ``lambda sender, number, message: Fate(delays=()) if number == 2 else Fate()`` drops the third message of
    either side. Raises ValueError for what is no probability, and for a delay below 0.
    """

    seed: int | str = 0
    """Whatever it is, it fixes what becomes of each message."""
    delay: float = 0.0
    """In seconds: each message takes a random time up to this."""
    reorder: float = 0.0
    """The probability that one to three later messages pass a message."""
    drop: float = 0.0
    """The probability that a message is lost."""
    duplicate: float = 0.0
    """The probability that a message comes twice."""
    kinds: Sequence[str] = ("description", "candidate")
    """Which messages are in trouble. Negotiation does not survive the loss of a description; of candidates it does."""

    def __post_init__(self) -> None:
        for name in ("reorder", "drop", "duplicate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.delay < math.inf:
            raise ValueError(f"delay is a number of seconds, not {self.delay}")
        if not set(self.kinds) <= {"description", "candidate"}:
            raise ValueError(f'kinds are "description" and "candidate", not {self.kinds}')

    def __call__(self, sender: str, number: int, message: Mapping[str, Any]) -> Fate:
        """What becomes of this *message*, the one with this *number*, from 0, of those of the *sender*."""
        if kind(message) not in self.kinds:
            return Fate()
        chance = random.Random(f"{self.seed}/{sender}/{number}")
        is_dropped = chance.random() < self.drop
        copies = 1 + (chance.random() < self.duplicate)
        is_passed = chance.random() < self.reorder
        passed_by = chance.randint(1, _FARTHEST)
        delays = [chance.uniform(0, self.delay) for _ in range(2)]
        return Fate(() if is_dropped else tuple(delays[:copies]), passed_by if is_passed else 0)


def kind(message: Mapping[str, Any]) -> str:
    """Whether *message* is a "description" or a "candidate"."""
    return "candidate" if message.get("description") is None else "description"


def in_words(fate: Fate) -> str:
    """What is told of a *fate*; nothing of one that is no trouble."""
    words = []
    if not fate.delays:
        return "dropped"
    if len(fate.delays) > 1:
        words.append(f"comes {len(fate.delays)} times")
    if any(fate.delays):
        words.append("delayed by " + ", ".join(f"{1000 * delay:.0f} ms" for delay in fate.delays))
    if fate.passed_by:
        words.append(f"passed by {fate.passed_by}")
    return ", ".join(words)


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item]):
    """A copy that others are to pass."""

    item: Item
    behind: int  # the place of the last one of those
    until: float  # the time at which it is delivered at the latest


class Way(Generic[Item]):
    """The way of messages in one direction. Times are in seconds, of any clock that never goes back."""

    def __init__(self) -> None:
        self._place = 0  # that of the last copy; changes with each
        self._in_order: deque[tuple[float, int, Item]] = deque()  # the time of each, its place, and itself
        self._waiting: list[_Waiting[Item]] = []  # those that others overtake; changes with each message

    def put(self, item: Item, fate: Fate, now: float) -> None:
        """Send *item*, and let its *fate* be this."""
        for delay in fate.delays:
            self._place += 1
            passes = any(self._place <= waiting.behind for waiting in self._waiting)
            if fate.passed_by and not passes:
                self._waiting.append(_Waiting(item, self._place + fate.passed_by, now + delay + LONG))
            else:
                self._in_order.append((now + delay, self._place, item))

    def take(self, now: float) -> list[Item]:
        """What is delivered by *now*, in its order, and was not before."""
        taken = self._released(0, now)
        while self._in_order and self._in_order[0][0] <= now:
            _, place, item = self._in_order.popleft()
            taken += [item, *self._released(place, now)]
        return taken

    def next_time(self) -> float | None:
        """When to :meth:`take` again if nothing is sent before; None if nothing is under way."""
        times = [waiting.until for waiting in self._waiting]
        if self._in_order:
            times.append(self._in_order[0][0])
        return min(times, default=None)

    def _released(self, delivered: int, now: float) -> list[Item]:
        """Those that have waited enough, if that place was *delivered* last."""
        due = [waiting for waiting in self._waiting if waiting.behind <= delivered or waiting.until <= now]
        self._waiting = [waiting for waiting in self._waiting if waiting not in due]
        return [waiting.item for waiting in due]
