"""MediaStream: which remote tracks belong together, as the lines a=msid say (webrtc-pc 5.1, RFC 8830)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiortc import MediaStreamTrack


class MediaStream:
    """Remote tracks that belong together; in the ``streams`` of a ``track`` event.

    Always the same object for the same :attr:`id` of a connection. Its tracks change when the remote side changes them;
    you cannot.
    """

    def __init__(self, id: str) -> None:
        self._id = id  # never changes
        self._tracks: tuple[MediaStreamTrack, ...] = ()  # changes with remote descriptions

    @property
    def id(self) -> str:
        """The name that the remote side has given it."""
        return self._id

    def getTracks(self) -> list[MediaStreamTrack]:
        """All its tracks."""
        return list(self._tracks)

    def getAudioTracks(self) -> list[MediaStreamTrack]:
        """Its tracks of the kind audio."""
        return [track for track in self._tracks if track.kind == "audio"]

    def getVideoTracks(self) -> list[MediaStreamTrack]:
        """Its tracks of the kind video."""
        return [track for track in self._tracks if track.kind == "video"]

    def __repr__(self) -> str:
        return f"<MediaStream {self._id} {len(self._tracks)} tracks>"


class RemoteStreams:
    """The remote streams of a connection."""

    def __init__(self) -> None:
        self._streams: dict[str, MediaStream] = {}  # by id; grows with each that is new
        # The tracks that are received, with their streams; replaced when a remote description is set.
        self._of: dict[MediaStreamTrack, tuple[MediaStream, ...]] = {}

    def associate(self, tracks: Mapping[MediaStreamTrack, Iterable[str]]) -> None:
        """The remote side sends these *tracks*, each with the ids of its streams, and no others."""
        self._of = {
            track: tuple(self._streams.setdefault(id, MediaStream(id)) for id in ids) for track, ids in tracks.items()
        }
        for stream in self._streams.values():
            stream._tracks = tuple(track for track, streams in self._of.items() if stream in streams)

    def of(self, track: MediaStreamTrack) -> tuple[MediaStream, ...]:
        """The streams that *track* is in."""
        return self._of.get(track, ())
