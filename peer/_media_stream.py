"""MediaStream: which tracks belong together (mediacapture-streams 4.2), and those of the remote side (webrtc-pc 5.1.1).

Streams do nothing by themselves. Those that a track of ours is in are named in our descriptions, in lines a=msid (RFC
8830), and so the other side knows what to play together. For those that the remote side names there are streams here;
_tracks.py tells how their tracks come and go.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from aiortc import MediaStreamTrack

from ._description import Description
from ._emitters import guard
from ._errors import ArgumentTypeError
from ._events import Event, EventTarget, MediaStreamTrackEvent, RTCTrackEvent, event_handler, repeated
from ._tasks import TaskQueue
from ._tracks import Difference, Received, difference, received

if TYPE_CHECKING:
    from ._transceiver import Transceiver


class MediaStream(EventTarget):
    """Tracks that belong together: ``MediaStream()``, ``MediaStream([track, ...])``, ``MediaStream(stream)``.

    See mediacapture-streams 4.2, and webrtc-pc 9.2 for those of the remote side.

    For ``addTrack`` and its kin, which take note of its :attr:`id` only; and in the ``streams`` of a ``track`` event,
    always the same object for the same id of a connection. The tracks of such a stream change when the remote side
    changes them; then ``addtrack`` and ``removetrack`` are fired. They are not when you do.

    Raises TypeError for what is neither a stream nor a list of tracks.
    """

    onaddtrack = event_handler("addtrack", "mediacapture-streams 4.2")
    onremovetrack = event_handler("removetrack", "mediacapture-streams 4.2")

    def __init__(self, streamOrTracks: MediaStream | Iterable[MediaStreamTrack] = (), /) -> None:
        super().__init__()
        self._id = str(uuid.uuid4())  # set by whoever makes one for the remote side; never changes after that
        self._tracks: list[MediaStreamTrack] = []  # changes with calls, and with descriptions if it is a remote one
        if isinstance(streamOrTracks, MediaStream):
            streamOrTracks = streamOrTracks.getTracks()
        elif not isinstance(streamOrTracks, Iterable):
            raise ArgumentTypeError(f"{streamOrTracks!r} is neither a stream nor a list of tracks")
        for track in streamOrTracks:
            self.addTrack(track)

    @property
    def id(self) -> str:
        """Its name on both sides (mediacapture-streams 4.2)."""
        return self._id

    @property
    def active(self) -> bool:
        """Whether one of its tracks has not ended (mediacapture-streams 4.2)."""
        return any(track.readyState == "live" for track in self._tracks)

    def getTracks(self) -> list[MediaStreamTrack]:
        """All its tracks (mediacapture-streams 4.2)."""
        return list(self._tracks)

    def getAudioTracks(self) -> list[MediaStreamTrack]:
        """Its tracks of the kind audio (mediacapture-streams 4.2)."""
        return [track for track in self._tracks if track.kind == "audio"]

    def getVideoTracks(self) -> list[MediaStreamTrack]:
        """Its tracks of the kind video (mediacapture-streams 4.2)."""
        return [track for track in self._tracks if track.kind == "video"]

    def getTrackById(self, trackId: str) -> MediaStreamTrack | None:
        """Its track with this id, or None (mediacapture-streams 4.2)."""
        return next((track for track in self._tracks if track.id == trackId), None)

    def addTrack(self, track: MediaStreamTrack) -> None:
        """Add *track*, unless it is there (mediacapture-streams 4.2). Raises TypeError for what is no track.

        That sends nothing, and fires nothing: a connection has an ``addTrack`` of its own.
        """
        if not isinstance(track, MediaStreamTrack):
            raise ArgumentTypeError(f"{track!r} is no track")
        if track not in self._tracks:
            self._tracks.append(track)

    def removeTrack(self, track: MediaStreamTrack) -> None:
        """Remove *track*, if it is there (mediacapture-streams 4.2). That fires nothing."""
        if track in self._tracks:
            self._tracks.remove(track)

    def __repr__(self) -> str:
        return f"<MediaStream {self._id} {len(self._tracks)} tracks>"


def stream_ids(streams: Any) -> tuple[str, ...]:
    """The ids of *streams*, each once; raises TypeError for what is no list of streams."""
    if not isinstance(streams, Iterable):
        raise ArgumentTypeError(f"{streams!r} is no list of streams")
    ids: dict[str, None] = {}
    for stream in streams:
        if not isinstance(stream, MediaStream):
            raise ArgumentTypeError(f"{stream!r} is no stream")
        ids[stream.id] = None
    return tuple(ids)


class RemoteTracks:
    """The tracks that the remote side of a connection sends, and their streams.

    *fire* is called with each ``track`` event; the other events are those of the streams.
    """

    def __init__(self, tasks: TaskQueue, fire: Callable[[Event], None]) -> None:
        self._tasks = tasks
        self._fire = fire
        self._streams: dict[str, MediaStream] = {}  # by id; grows with each that is new
        self._received: Received[Transceiver] = {}  # replaced when a description is set
        self._stable: Received[Transceiver] = {}  # what that was in the last stable state
        # Those for which ``track`` was fired ever; None before the first one: most connections have no use for it.
        self._told: WeakSet[MediaStreamTrack] | None = None

    def describe(
        self, side: str, description: Description | None, transceivers: Mapping[str | None, Transceiver], state: str
    ) -> Difference[Transceiver]:
        """*side* has set *description*, None for a rollback, after which the signaling state is *state*."""
        before = self._received
        self._received = received(side, description, transceivers, before, self._stable)
        if state == "stable":
            self._stable = self._received
        return difference(before, self._received)

    def tell(self, found: Difference[Transceiver]) -> None:
        """Let users see what has changed, in the task in which it has. They may have changed a stream themselves."""
        for id, transceiver in found.left:
            stream, track = self._stream(id), transceiver.receiver.track
            if track in stream._tracks:
                stream.removeTrack(track)
                self._fire_at(stream, MediaStreamTrackEvent("removetrack", track=track))
        for id, transceiver in found.joined:
            stream, track = self._stream(id), transceiver.receiver.track
            if track not in stream._tracks:
                stream.addTrack(track)
                self._fire_at(stream, MediaStreamTrackEvent("addtrack", track=track))
        for transceiver in found.told:
            self._tell(transceiver)

    def _fire_at(self, stream: MediaStream, event: Event) -> None:
        if not self._tasks.closed:  # a listener may have closed the connection in the middle of a task
            stream._fire(event)

    def _tell(self, transceiver: Transceiver) -> None:
        track = transceiver.receiver.track
        streams = [self._stream(id) for id in self._received[transceiver]]
        of = {"receiver": transceiver.receiver, "track": track, "transceiver": transceiver}
        event = RTCTrackEvent("track", of, streams=streams)
        if self._told is None:
            self._told = WeakSet()
        if track in self._told:
            self._fire(repeated(event))
        else:
            self._told.add(track)
            guard(track)
            self._fire(event)

    def _stream(self, id: str) -> MediaStream:
        if id not in self._streams:
            self._streams[id] = MediaStream()
            self._streams[id]._id = id
        return self._streams[id]
