"""Coroutines of aiortc's that are run in this turn."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run in this turn a coroutine of aiortc's that waits only for tasks that it has no use for.

    They gather candidates and add remote ones, in one asyncio.gather() each. Our agents do neither when aiortc says so:
    the tasks do nothing, a turn later.
    """
    try:
        while True:
            coroutine.send(None).set_result([])
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of aiortc's that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("aiortc waits where it did not wait before; this version of it is not supported")
