"""What the methods of a connection return: an awaitable that is already running.

A W3C method returns a promise: the work has begun when the call returns, whether or not anybody awaits it. A
coroutine, which begins only when awaited, would get the order of calls wrong, and an asyncio.Future differs in two ways
that users would feel:

- Cancelling a task that awaits a future cancels the future, and with it everybody else who awaits it. A promise
  belongs to the operation; giving up on waiting does not end it.
- A future's callbacks run one turn of the loop later. What the W3C does in the same task as the settling (starting
  the next operation of the chain, for one) must run inside :meth:`Promise.resolve`: those are *reactions*.

A promise can be pending, fulfilled, rejected, or abandoned: the W3C leaves promises pending for ever once the
connection is closed, so that the code behind an ``await`` never runs. A Python task that waits for ever is a leak, so
here such an await raises :class:`asyncio.CancelledError`: the code behind it does not run, its ``finally`` blocks do.

A promise also has a coroutine's methods, because programs written for aiortc, whose methods are coroutines, hand what
they return to ``asyncio.create_task`` or ``asyncio.run``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, ParamSpec, TypeVar, cast

T = TypeVar("T")
P = ParamSpec("P")


class Promise(Coroutine[Any, Any, T]):
    """The outcome of a call that is under way. Await it as often as you like.

    A rejection that nobody ever awaited is reported to the loop's exception handler when the promise is dropped.
    """

    def __init__(self, what: str) -> None:
        self._what = self.__qualname__ = what  # names the call in reports, and to asyncio's debug mode; never changes
        self._state = "pending"  # changes once: to "fulfilled", "rejected" or "abandoned"
        self._value: T | None = None  # set when fulfilled
        self._error: BaseException | None = None  # set when rejected
        self._heeded = False  # True as soon as somebody was given the rejection
        self._waiters: list[asyncio.Future[None]] = []  # one for each await under way
        self._reactions: list[Callable[[Promise[T]], None]] = []  # emptied when settled
        self._loop: asyncio.AbstractEventLoop | None = None  # set when rejected, for the report
        # One for each task that drives this as a coroutine; gone when that task has the outcome.
        self._steps: dict[asyncio.Task[Any] | None, Generator[Any, None, T]] = {}

    def __repr__(self) -> str:
        return f"<Promise of {self._what} {self._state}>"

    # Awaiting

    def __await__(self) -> Generator[Any, None, T]:
        if self._state == "pending":
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                yield from waiter
            finally:
                self._waiters.remove(waiter)
        return self.result()

    def result(self) -> T:
        """The value, once fulfilled; raises the error, once rejected, and CancelledError, once abandoned."""
        if self._state == "rejected":
            self._heeded = True
            assert self._error is not None
            raise self._error.with_traceback(None)
        if self._state == "abandoned":
            raise asyncio.CancelledError(f"{self._what}: the connection was closed")
        if self._state == "pending":
            raise asyncio.InvalidStateError(f"{self._what} is still under way")
        return cast(T, self._value)

    def done(self) -> bool:
        """True once there is an outcome."""
        return self._state != "pending"

    def send(self, value: Any) -> Any:
        """Run as a coroutine would, for asyncio.create_task and its kin; any number of tasks may."""
        return self._step(lambda steps: steps.send(value))

    def throw(self, *error: Any) -> Any:
        """Raise where a coroutine would be suspended."""
        return self._step(lambda steps: steps.throw(*error))

    def close(self) -> None:
        """End what :meth:`send` began for the current task. The operation itself goes on."""
        steps = self._steps.pop(asyncio.current_task(), None)
        if steps is not None:
            steps.close()

    def _step(self, advance: Callable[[Generator[Any, None, T]], Any]) -> Any:
        task = asyncio.current_task()
        steps = self._steps.pop(task, None) or self.__await__()
        yielded = advance(steps)
        self._steps[task] = steps  # not reached once the outcome, or StopIteration with it, was raised
        return yielded

    # Settling, for those who made the promise

    def resolve(self, value: T) -> None:
        """Fulfil the promise. What is already settled stays as it is."""
        if self._state == "pending":
            self._value = value
            self._settle("fulfilled")

    def reject(self, error: BaseException) -> None:
        """Reject the promise. What is already settled stays as it is.

        The error's traceback begins anew where it is awaited. The old one leads, frame by frame, back to this promise,
        and an error and a promise that hold each other are dropped late: the failure would be reported late, too.
        """
        if self._state == "pending":
            self._error = error.with_traceback(None)
            self._loop = asyncio.get_running_loop()
            self._settle("rejected")

    def abandon(self) -> None:
        """Give the promise up: whoever awaits it is cancelled, and no reaction runs."""
        if self._state == "pending":
            self._reactions.clear()
            self._settle("abandoned")

    def follow(self, other: Promise[T]) -> None:
        """Settle as *other* does, in the same turn."""
        other.react(self._adopt)

    def react(self, reaction: Callable[[Promise[T]], None]) -> None:
        """Call *reaction* with this promise when it is fulfilled or rejected: in that same turn, or right now."""
        if self._state == "pending":
            self._reactions.append(reaction)
        elif self._state != "abandoned":
            reaction(self)

    def _adopt(self, other: Promise[T]) -> None:
        other._heeded = True
        if self.done():  # abandoned meanwhile
            return
        if other._error is None:
            self.resolve(cast(T, other._value))
        else:
            self._error, self._loop = other._error, other._loop
            self._settle("rejected")

    def _settle(self, state: str) -> None:
        self._state = state
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        reactions, self._reactions = self._reactions, []
        for reaction in reactions:
            reaction(self)

    def __del__(self) -> None:
        if self._heeded or self._loop is None:
            return
        self._loop.call_exception_handler(
            {"message": f"{self._what} failed, and nobody awaited it", "exception": self._error}
        )


def promised(call: Callable[P, Promise[T]]) -> Callable[P, Promise[T]]:
    """Let *call* be made where no loop runs: it then takes its turn when what it returns is first awaited.

    ``loop.run_until_complete(pc.close())`` makes the call before the loop runs, and
    ``asyncio.run_coroutine_threadsafe(pc.close(), loop)`` makes it in another thread.
    """

    @functools.wraps(call)
    def begin(*args: P.args, **keywords: P.kwargs) -> Promise[T]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return cast(Promise[T], later(*args, **keywords))
        return call(*args, **keywords)

    async def later(*args: P.args, **keywords: P.kwargs) -> T:
        return await call(*args, **keywords)

    return begin


def resolved(what: str, value: T) -> Promise[T]:
    """A promise that is fulfilled already."""
    promise: Promise[T] = Promise(what)
    promise.resolve(value)
    return promise


def rejected(what: str, error: BaseException) -> Promise[Any]:
    """A promise that is rejected already."""
    promise: Promise[Any] = Promise(what)
    promise.reject(error)
    return promise
