"""Tracks that need neither a camera nor a file: a filter of FFmpeg makes their frames."""

import asyncio

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from av.filter import Graph


class Generated(MediaStreamTrack):
    """A track of the frames that a *source* of FFmpeg makes with these *options*, each at its time."""

    def __init__(self, kind: str, source: str, options: str) -> None:
        super().__init__()
        self.kind = kind
        self._frames = Graph()
        sink = self._frames.add("buffersink" if kind == "video" else "abuffersink")
        self._frames.link_nodes(self._frames.add(source, options), sink).configure()
        self._began: float | None = None  # the loop's time of the first frame; set once

    async def recv(self) -> VideoFrame | AudioFrame:
        """The next frame, when it is due: whoever sends a track asks as fast as it gives."""
        if self.readyState != "live":
            raise MediaStreamError
        frame = self._frames.pull()
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        await asyncio.sleep(self._began + frame.time - now)
        return frame


def picture_and_tone() -> list[MediaStreamTrack]:
    """A test picture with a clock, and a tone."""
    return [
        Generated("video", "testsrc", "size=640x480:rate=15"),
        Generated("audio", "sine", "frequency=440:sample_rate=48000:samples_per_frame=960"),
    ]
