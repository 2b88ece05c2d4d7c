"""Send files to each page, and take those that pages send: ``python -m examples.file_transfer FILE ...``."""

import asyncio
from pathlib import Path

from examples.file_transfer.transfer import Inbox, Report, send
from examples.server import arguments, say, serve
from peer import InvalidStateError, RTCDataChannelEvent, RTCPeerConnection
from peer.signaling import Signaling, negotiate

HERE = Path(__file__).parent

# What ends a transfer early: the connection or the disk, or words of the other side that make no sense.
INTERRUPTIONS = (OSError, LookupError, TypeError, ValueError, InvalidStateError)


async def meet(signaling: Signaling, files: list[Path], inbox: Inbox) -> None:
    """Send and receive until the page is closed, or calls again because the connection is lost."""
    pc = RTCPeerConnection()

    async def give(path: Path) -> None:
        try:
            complete = await send(pc.createDataChannel("file"), path, progress("sent"))
            say(f"{path.name} has arrived" if complete else f"{path.name} has arrived as another file")
        except INTERRUPTIONS as error:
            say(f"{path.name} is interrupted: {error}")

    async def take(event: RTCDataChannelEvent) -> None:
        try:
            path = await inbox.receive(event.channel, progress("received"))
            say(f"{path} is complete" if path else "a file has arrived as another one")
        except INTERRUPTIONS as error:
            say(f"a file is interrupted: {error}")
            event.channel.close()

    def watch(_: object) -> None:
        if pc.sctp:
            transport = pc.sctp.transport.iceTransport
            transport.onselectedcandidatepairchange = lambda event: say("there is a new pair of candidates")

    pc.ondatachannel = take
    pc.onsignalingstatechange = watch
    giving = [asyncio.create_task(give(path)) for path in files]
    try:
        await negotiate(pc, signaling, polite=True)
    finally:
        await pc.close()
        await asyncio.gather(*giving)


def progress(done: str) -> Report:
    """A report that says where a transfer begins, and each tenth of the file that is *done*."""
    last: int | None = None

    def report(name: str, position: int, size: int) -> None:
        nonlocal last
        tenth = 10 * position // size if size else 10
        if last is None:
            say(f"{name}: from byte {position} on")
        elif tenth > last:
            say(f"{name}: {10 * tenth} % {done}")
        last = tenth

    return report


def main() -> None:
    parser = arguments(HERE, __doc__)
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="what each page gets")
    parser.add_argument("--folder", type=Path, default=Path("received"), help="what pages send (default: %(default)s)")
    options = parser.parse_args()
    for file in options.files:
        if not file.is_file():
            parser.error(f"{file} is no file")
    inbox = Inbox(options.folder)
    serve(HERE, lambda signaling, _: meet(signaling, options.files, inbox), options)


if __name__ == "__main__":
    main()
