"""The order in which things happen: tasks, and the operations chain.

The W3C's algorithms say "queue a task" wherever something becomes visible to users. A task is atomic: states,
descriptions and the events about them change together, in one turn of the loop, and the next task sees what the last
one left. Here:

- :class:`TaskQueue` runs tasks one a turn, in the order they were queued. The next one is scheduled only when the last
  one has run: whatever a handler scheduled in reaction to an event (the code behind an ``await``) runs before the next
  task, and so sees the states that belong to its event.
- :class:`OperationsChain` is the [[Operations]] slot of webrtc-pc 4.4.1.2: calls take their turn when they are made. On
  an empty chain the operation begins inside the call, and a call that fails at once returns a rejected promise. When
  an operation settles, the next one begins in the same turn, before any code that awaited the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ._promise import Promise

T = TypeVar("T")


class TaskQueue:
    """Tasks of one connection: one a turn, first come, first served."""

    def __init__(self) -> None:
        self._tasks: list[Callable[[], object]] = []  # grows with post(), shrinks each turn
        self._turns = False  # True while a turn is scheduled or runs
        self._closed = False  # changes once

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""
        return self._closed

    def post(self, task: Callable[[], object]) -> None:
        """Queue *task*. It must not raise; what it raises goes to the loop's exception handler."""
        if not self._closed:
            self._tasks.append(task)
            self._schedule()

    def run(self, what: str, task: Callable[[], T]) -> Promise[T]:
        """Queue *task*; the promise settles with what it returns or raises, in the same turn."""
        promise: Promise[T] = Promise(what)

        def settle() -> None:
            try:
                value = task()
            except Exception as error:
                promise.reject(error)
            else:
                promise.resolve(value)

        self.post(settle)
        return promise

    def close(self) -> None:
        """Forget all tasks, and take no more: the connection is closed."""
        self._closed = True
        self._tasks.clear()

    def _schedule(self) -> None:
        if self._tasks and not self._turns:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # the next task begins when there is a loop, with the next that is queued
                return
            self._turns = True
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        try:
            if self._tasks:  # else the connection was closed meanwhile
                self._tasks.pop(0)()
        finally:
            # Only now, so that whatever the task has woken runs before the next task.
            self._turns = False
            self._schedule()


class OperationsChain:
    """Operations of one connection: one at a time, in the order of the calls. *emptied* is called when all are done."""

    def __init__(self, emptied: Callable[[], None]) -> None:
        self._emptied = emptied
        # The first one is under way; grows with chain(), shrinks when it settles.
        self._operations: list[tuple[Callable[[], Promise[Any]], Promise[Any]]] = []

    def __len__(self) -> int:
        return len(self._operations)

    def chain(self, what: str, operation: Callable[[], Promise[T]]) -> Promise[T]:
        """Call *operation* when its turn comes: now, if the chain is empty. What it raises rejects the promise."""
        promise: Promise[T] = Promise(what)
        self._operations.append((operation, promise))
        if len(self._operations) == 1:
            self._advance()
        return promise

    def abandon(self) -> None:
        """Give up all operations: the connection is closed, and none of their promises will settle."""
        operations, self._operations = self._operations, []
        for _, promise in operations:
            promise.abandon()

    def _advance(self) -> None:
        # A loop, not a recursion: ten thousand queued calls that fail at once must not nest ten thousand deep.
        while self._operations and self._begin(*self._operations[0]):
            self._pop()

    def _pop(self) -> None:
        if self._operations:  # else the chain was abandoned meanwhile
            self._operations.pop(0)
            if not self._operations:
                self._emptied()

    def _begin(self, operation: Callable[[], Promise[Any]], promise: Promise[Any]) -> bool:
        """Start *operation*; True if it has settled already."""
        try:
            work = operation()
        except Exception as error:
            promise.reject(error)
            return True
        promise.follow(work)
        if work.done():
            return True
        work.react(self._settled)
        return False

    def _settled(self, work: Promise[Any]) -> None:
        self._pop()
        self._advance()
