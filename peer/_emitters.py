"""What users listen to on aiortc's own objects: channels and tracks. Their listeners can break nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiortc


def guard(emitter: Any) -> None:
    """Report what a user's listener on one of aiortc's objects raises, instead of letting it end aiortc's own work.

    An emitter of aiortc hands such an exception to its listeners for "error", and raises it if there are none.
    """

    def report(error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a listener of {type(emitter).__name__} failed", "exception": error}
        )

    emitter.on("error", report)


def hold_back(channel: aiortc.RTCDataChannel, wanted: Callable[[], bool]) -> Callable[[], None]:
    """Keep what a channel emits that the remote side has opened; call what is returned to announce it as open.

    aiortc tells nobody that such a channel is open, and hands over what came in the same packet at once. What was kept
    is dropped if the channel ends when it is not *wanted* any more.
    """
    emit = channel.emit
    kept: list[tuple[Any, ...]] = []

    def keep(event: str, *given: Any) -> bool:
        if event == "close" and not wanted():
            kept.clear()
        kept.append((event, *given))
        if event == "close":  # aiortc takes all listeners away after this one
            release()
        return True

    def release() -> None:
        if channel.emit is keep:
            del channel.emit
            for each in kept:
                emit(*each)

    def announce() -> None:
        if channel.readyState == "open":
            kept.insert(0, ("open",))
        release()

    channel.emit = keep  # type: ignore[method-assign]
    return announce
