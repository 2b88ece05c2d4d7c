"""Timers by name: each is gone when its time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Timers of one object."""

    def __init__(self) -> None:
        self._handles: dict[str, asyncio.TimerHandle] = {}  # those that run, by name

    def start(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        """Call *then* in so many seconds. If the timer *name* runs, it begins anew."""
        self.stop(name)
        self._handles[name] = asyncio.get_running_loop().call_later(seconds, self._expire, name, then)

    def is_running(self, name: str) -> bool:
        """Whether the timer *name* was started, and neither stopped nor its time is up."""
        return name in self._handles

    def stop(self, name: str) -> None:
        """Stop the timer *name*, if it runs."""
        if name in self._handles:
            self._handles.pop(name).cancel()

    def stop_all(self) -> None:
        """Stop all timers."""
        for name in list(self._handles):
            self.stop(name)

    def _expire(self, name: str, then: Callable[[], None]) -> None:
        del self._handles[name]
        then()
