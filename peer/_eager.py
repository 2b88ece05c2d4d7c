"""Coroutines that begin at once.

An ``async`` function of JavaScript runs up to its first ``await`` when it is called. Programs count on that: perfect
negotiation notes that an offer is being made before any other message can be looked at (webrtc-pc 10.7). A task of
asyncio begins one turn of the loop later, and in between other callbacks run.

So the first step of a coroutine is taken here, in the name of the task that goes on with it: that task's own first step
only learns what the coroutine waits for, or how it has ended. What this takes of asyncio is what it documents for those
who extend it. (Python 3.12 has eager tasks; the project starts at 3.11.)
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import _enter_task, _leave_task
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def begin(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run *coroutine* up to its first ``await``, now; the rest is done by the task that is returned.

    Never raises: what the coroutine raises is the task's.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    begun = _Begun(coroutine)
    task = loop.create_task(begun, context=context)
    caller = asyncio.current_task()
    if caller is not None:
        _leave_task(loop, caller)
    _enter_task(loop, task)  # so that the first step, too, finds itself in its task
    try:
        context.run(begun.take_first_step)
    finally:
        _leave_task(loop, task)
        if caller is not None:
            _enter_task(loop, caller)
    return task


class _Begun(Coroutine[Any, Any, T]):
    """A coroutine of which one step has been taken that its task does not know of yet."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine  # never changes
        self._untold = True  # whether the task is still to learn of the first step
        self._yielded: Any = None  # what the first step waits for: a future, or a turn; set once
        self._ended: BaseException | None = None  # how the coroutine ended in the first step; set once
        self.__qualname__ = getattr(coroutine, "__qualname__", type(coroutine).__name__)  # for asyncio's debug mode

    def take_first_step(self) -> None:
        try:
            self._yielded = self._coroutine.send(None)
        except BaseException as ended:
            self._ended = ended
        self._wait_for_yielded(False)  # others may wait for it until the task does

    def send(self, value: Any) -> Any:
        if not self._untold:
            return self._coroutine.send(value)
        self._untold = False
        if self._ended is not None:
            raise self._ended
        self._wait_for_yielded(True)
        return self._yielded

    def _wait_for_yielded(self, waits: bool) -> None:
        """Set the mark by which a future knows that it was yielded to a task, and by which the task knows it."""
        if asyncio.isfuture(self._yielded):
            self._yielded._asyncio_future_blocking = waits  # noqa: SLF001

    def throw(self, *error: Any) -> Any:
        self._untold = False
        if self._ended is not None:
            raise self._ended
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        raise NotImplementedError("a task drives this")
