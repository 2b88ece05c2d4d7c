"""What users listen to on aiortc's own objects: tracks and transports. Their listeners can break nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any


def guard(emitter: Any) -> None:
    """Report what a user's listener on one of aiortc's objects raises, instead of letting it end aiortc's own work.

    An emitter of aiortc hands such an exception to its listeners for "error", and raises it if there are none.
    """

    emitter.on("error", _reporter(type(emitter).__name__))


@cache
def _reporter(name: str) -> Callable[[BaseException], None]:
    """What reports the failure of a listener of the class *name*: one for all its objects."""

    def failed(error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a listener of {name} failed", "exception": error}
        )

    return failed
