"""The transceiver and its sender: aiortc's own, that tell when they need negotiation, and know streams."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import aiortc

from ._errors import ArgumentTypeError, InvalidStateError
from ._media_stream import MediaStream, stream_ids
from ._promise import Promise, promised
from ._tasks import TaskQueue

if TYPE_CHECKING:
    from ._aiortc import DtlsTransport, Receiver

# What is left of a direction where nothing is sent any more.
RECEIVING = {"sendrecv": "recvonly", "sendonly": "inactive", "recvonly": "recvonly", "inactive": "inactive"}


class Sender(aiortc.RTCRtpSender):
    """A sender that knows the streams its track is in, and tells when they have *changed*."""

    transport: DtlsTransport
    tasks: TaskQueue  # those of the connection
    changed: Callable[[], None]
    stream_ids: tuple[str, ...]  # [[AssociatedMediaStreamIds]]; changes with setStreams()

    def setStreams(self, *streams: MediaStream) -> None:
        """Let the track be in these streams, and in no others, on the other side (webrtc-pc 5.2).

        Needs negotiation. Raises TypeError for what is no stream, and InvalidStateError once the connection is closed.
        """
        ids = stream_ids(streams)
        if self.tasks.closed:
            raise InvalidStateError("the connection is closed")
        self.stream_ids = ids
        self.changed()


class Transceiver(aiortc.RTCRtpTransceiver):
    """A transceiver that tells when it has *changed* in a way that needs negotiation."""

    changed: Callable[[], None]
    behind: Callable[[Coroutine[Any, Any, None]], None]  # has work done behind this turn
    of_track = False  # whether addTrack() has made it; changes once
    has_sent = False  # whether it was ever negotiated that it sends; changes once
    gone = False  # whether both sides have rejected its m-line; changes once
    _ended = False  # changes once, in stop()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, for good (webrtc-pc 5.4)."""
        return self._ended

    @property
    def sender(self) -> Sender:
        """What sends (webrtc-pc 5.4)."""
        return super().sender  # type: ignore[return-value]  # it was made one

    @property
    def receiver(self) -> Receiver:
        """What receives (webrtc-pc 5.4)."""
        return super().receiver  # type: ignore[return-value]  # it was made one

    @property
    def direction(self) -> str:
        """The direction we want: sendrecv, sendonly, recvonly or inactive (webrtc-pc 5.4).

        Setting it raises TypeError for what is none, and InvalidStateError once stopped.
        """
        return super().direction

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in RECEIVING:
            raise ArgumentTypeError(f"{direction!r} is no direction")
        if self._ended:
            raise InvalidStateError("the transceiver is stopped")
        aiortc.RTCRtpTransceiver.direction.fset(self, direction)  # type: ignore[attr-defined]
        self.changed()

    @promised
    def stop(self) -> Promise[None]:
        """Stop for good (webrtc-pc 5.4). It is stopped at once; what it was doing has ended when this is fulfilled."""
        if not self._ended:
            self._ended = True
            self.changed()
        stopped: Promise[None] = Promise("stop")
        self.behind(self._stop(stopped))
        return stopped

    async def _stop(self, stopped: Promise[None]) -> None:
        try:
            await super().stop()
        finally:
            stopped.resolve(None)
