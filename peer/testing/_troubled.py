"""The shell of trouble: delivers what _trouble.py says, when it says so."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from peer._messages import parse
from peer.signaling import MessageError, Signaling, decode, encode
from peer.tools import Entry, now

from ._trouble import Fates, Way, in_words, kind


@contextlib.asynccontextmanager
async def troubled(
    signaling: Signaling,
    trouble: Fates,
    *,
    names: tuple[str, str] = ("here", "there"),
    to: Callable[[Entry], object] | None = None,
) -> AsyncIterator[Signaling]:
    """Have trouble on the way, in both directions: ``async with troubled(signaling, Trouble(...)) as signaling``.

    *trouble* is a :class:`Trouble`, or a function that is called with the name of the sender, the number of the
    message among those of the sender, from 0, and the message, and returns its :class:`Fate`. What we send is sent by
    the first of the *names*, what comes by the second one. What is not delivered yet when either side closes is lost.

    What becomes of messages goes *to* a function, as entries of a recording (peer.tools).

    Use what it gives within the context, and *signaling* nowhere else. It closes neither.
    """
    loop = asyncio.get_running_loop()
    numbers = {name: itertools.count() for name in names}

    def fate(sender: str, message: Mapping[str, Any]) -> Any:
        found = trouble(sender, next(numbers[sender]), message)
        if to is not None and (words := in_words(found)):
            to(Entry(time=now(), peer=sender, event="trouble", value=f"{kind(message)} {words}"))
        return found

    end = _Troubled(signaling, lambda message: fate(names[0], message), lambda message: fate(names[1], message))
    tasks = [loop.create_task(work) for work in (end.there.carry(), end.back.carry(), end.receive())]
    try:
        yield end
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


class _Direction:
    """One direction: messages wait here for their time, and are delivered one after the other."""

    def __init__(self, fate: Callable[[Mapping[str, Any]], Any], deliver: Callable[[Any], Awaitable[None]]) -> None:
        self._fate, self._deliver = fate, deliver
        self._way: Way[Mapping[str, Any]] = Way()
        self._news = asyncio.Event()  # set when something is put on the way

    def put(self, message: Mapping[str, Any]) -> None:
        """Send *message*."""
        self._way.put(message, self._fate(message), asyncio.get_running_loop().time())
        self._news.set()

    async def carry(self) -> None:
        """Deliver, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            for message in self._way.take(loop.time()):
                await self._deliver(message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._way.next_time()):
                    await self._news.wait()


class _Troubled:
    """Signalling, with two directions in between."""

    def __init__(
        self,
        signaling: Signaling,
        there: Callable[[Mapping[str, Any]], Any],
        back: Callable[[Mapping[str, Any]], Any],
    ) -> None:
        self._signaling = signaling
        self._has_ended = False  # changes once
        self._came: asyncio.Queue[Any] = asyncio.Queue()  # messages, errors, and at the end None or an error
        self.there = _Direction(there, self._send_on)
        self.back = _Direction(back, self._came.put)

    async def send(self, message: Mapping[str, Any]) -> None:
        text = encode(message)
        if self._has_ended:
            raise ConnectionError("the signalling has ended")
        self.there.put(decode(text))

    async def _send_on(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):  # receive() sees the end, too
            await self._signaling.send(message)

    async def receive(self) -> None:
        """Take what comes from the other side, until the end."""
        messages = aiter(self._signaling)
        while True:
            try:
                self.back.put(parse(await anext(messages)))
            except MessageError as error:
                self._came.put_nowait(error)
            except (StopAsyncIteration, ConnectionError):
                self._end(None)
                return
            except Exception as error:
                self._end(error)
                return

    def _end(self, reason: Exception | None) -> None:
        self._has_ended = True
        self._came.put_nowait(reason)

    def __aiter__(self) -> _Troubled:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        came: Any = await self._came.get()
        if came is None:
            self._came.put_nowait(None)  # there is nothing behind the end
            raise StopAsyncIteration
        if isinstance(came, Exception):
            raise came
        return came  # type: ignore[no-any-return]

    async def close(self) -> None:
        self._end(None)
        await self._signaling.close()
