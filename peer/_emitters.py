"""What users listen to on aiortc's own objects: tracks and transports. Their listeners can break nothing."""

from __future__ import annotations

import asyncio
from typing import Any


def guard(emitter: Any) -> None:
    """Report what a user's listener on one of aiortc's objects raises, instead of letting it end aiortc's own work.

    An emitter of aiortc hands such an exception to its listeners for "error", and raises it if there are none.
    """

    def report(error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a listener of {type(emitter).__name__} failed", "exception": error}
        )

    emitter.on("error", report)
