"""Show a webcam, a file, or a test picture and a tone, to each page: ``python -m examples.media``."""

from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaPlayer, MediaRelay
from av import FFmpegError

from examples.media.generated import picture_and_tone
from examples.server import arguments, pages, run, say
from peer import MediaStream, RTCPeerConnection
from peer.signaling import Signaling, add_signaling, negotiate

HERE = Path(__file__).parent

Source = Callable[[], list[MediaStreamTrack]]  # makes new tracks for each page


async def show(source: Source, signaling: Signaling) -> None:
    """Show a page what *source* has, until the page is closed."""
    pc = RTCPeerConnection()
    pc.onconnectionstatechange = lambda event: say(f"a page is {pc.connectionState}")
    stream = MediaStream()  # sound and picture that belong together
    tracks = source()
    for track in tracks:
        pc.addTrack(track, stream)  # and so negotiate() offers
    try:
        await negotiate(pc, signaling, polite=True)
    finally:
        await pc.close()
        for track in tracks:
            track.stop()


def each_sees(file: str) -> Source:
    """Each page sees the file from its beginning."""
    MediaPlayer(file)  # raises if it cannot be played
    return lambda: tracks_of(MediaPlayer(file))


def all_see(camera: MediaPlayer, app: web.Application) -> Source:
    """All pages see the same, for a device can be opened once only. It is closed with *app*."""
    relay = MediaRelay()

    async def stop(_: web.Application) -> None:
        for track in tracks_of(camera):
            track.stop()

    app.on_cleanup.append(stop)
    return lambda: [relay.subscribe(track, buffered=False) for track in tracks_of(camera)]


def tracks_of(player: MediaPlayer) -> list[MediaStreamTrack]:
    return [track for track in (player.video, player.audio) if track]


def main() -> None:
    parser = arguments(HERE, __doc__)
    parser.add_argument("file", nargs="?", help="what to play to each page, from the beginning")
    parser.add_argument("--webcam", nargs="?", const="/dev/video0", help="a device to show (default: %(const)s)")
    parser.add_argument("--format", default="v4l2", help="that of webcams here; macOS: avfoundation, Windows: dshow")
    options = parser.parse_args()
    app = pages(HERE)
    try:
        if options.webcam:
            source = all_see(MediaPlayer(options.webcam, options.format, {"video_size": "640x480"}), app)
        elif options.file:
            source = each_sees(options.file)
        else:
            source = picture_and_tone
    except (FFmpegError, ValueError) as error:  # the latter for a format that does not exist
        parser.error(str(error))
    add_signaling(app, "/signaling", lambda signaling, _: show(source, signaling))
    run(app, options)


if __name__ == "__main__":
    main()
