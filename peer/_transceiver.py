"""The transceiver: aiortc's own, that tells when it needs negotiation."""

from __future__ import annotations

from collections.abc import Callable

import aiortc

from ._errors import ArgumentTypeError

# What is left of a direction where nothing is sent any more.
RECEIVING = {"sendrecv": "recvonly", "sendonly": "inactive", "recvonly": "recvonly", "inactive": "inactive"}


class Transceiver(aiortc.RTCRtpTransceiver):
    """A transceiver that tells when it has *changed* in a way that needs negotiation."""

    changed: Callable[[], None]
    _ended = False  # changes once, in end()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, for good."""
        return self._ended

    @property
    def direction(self) -> str:
        """The direction we want: sendrecv, sendonly, recvonly or inactive."""
        return super().direction

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in RECEIVING:
            raise ArgumentTypeError(f"{direction!r} is no direction")
        aiortc.RTCRtpTransceiver.direction.fset(self, direction)  # type: ignore[attr-defined]
        self.changed()

    async def stop(self) -> None:
        """Stop for good. It is stopped at once; what it was doing has ended when this returns."""
        if not self._ended:
            self.end()
        await super().stop()

    def end(self) -> None:
        """Be stopped from now on."""
        self._ended = True
        self.changed()
