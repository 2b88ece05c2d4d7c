"""Files over data channels, as in transfer.js: each has a channel of its own, which the side makes that sends it.

    sender      {"name": ..., "size": ..., "sha256": ...}   the digest says which file it is, whatever its name
    receiver    {"from": 0}                                 or more, if so many bytes are here already
    sender      the bytes from there on, in binary messages
    receiver    {"complete": true}                          or false, if what has come has another digest

A restart of ICE is nothing to a channel. If a channel ends early, the receiver keeps what it has, and the sender offers
the file again, over a channel of any later connection.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peer import RTCDataChannel

CHUNK = 65536  # bytes; aiortc takes no larger messages
ENOUGH = 1 << 20  # bytes that wait to be sent; then the sender waits, too,
LITTLE = 1 << 18  # until only so many are left

Report = Callable[[str, int, int], None]  # hears of a name, how many bytes are done, and of how many


class Events:
    """The events of a channel, to be waited for. Several messages may come at once, so there is a queue."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        for type in ("open", "message", "bufferedamountlow", "close"):
            channel.addEventListener(type, self._queue.put_nowait)

    async def next(self, type: str) -> Any:
        """The next one of this *type*. Raises ConnectionError if the channel is closed before."""
        while (event := await self._queue.get()).type != type:
            if event.type == "close":
                raise ConnectionError("the channel is closed")
        return event


async def send(channel: RTCDataChannel, path: Path, report: Report) -> bool:
    """Send a file over a *channel* of ours; return whether it arrived as it is.

    Raises ConnectionError if the channel is closed before, or the channel's InvalidStateError.
    """
    events = Events(channel)
    channel.bufferedAmountLowThreshold = LITTLE
    sha256 = await digest(path)
    if channel.readyState == "connecting":
        await events.next("open")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        channel.send(json.dumps({"name": path.name, "size": size, "sha256": sha256}))
        answer = json.loads((await events.next("message")).data)
        file.seek(answer["from"])
        report(path.name, file.tell(), size)
        while chunk := file.read(CHUNK):
            channel.send(chunk)
            report(path.name, file.tell(), size)
            if channel.bufferedAmount > ENOUGH:
                await events.next("bufferedamountlow")
    answer = json.loads((await events.next("message")).data)
    channel.close()
    return bool(answer["complete"])


class Inbox:
    """A folder for what is received. A file that is not complete stays there until the rest comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest: dict[str, RTCDataChannel] = {}  # that which a file comes over, by digest

    async def receive(self, channel: RTCDataChannel, report: Report) -> Path | None:
        """Receive a file over a *channel* of the other side's; return where it is, or None if it arrived as another.

        Raises ConnectionError if the channel is closed before, or the file comes over a newer one, and LookupError,
        TypeError or ValueError for what is no offer.
        """
        events = Events(channel)
        offer = json.loads((await events.next("message")).data)
        name, size, sha256 = Path(offer["name"]).name, int(offer["size"]), bytes.fromhex(offer["sha256"]).hex()
        self._newest[sha256] = channel  # the way over which it came before may not know yet that it is lost
        path = self._folder / sha256 / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path if path.exists() else path.with_name(f"{name}.part")
        with part.open("ab", buffering=0) as file:
            channel.send(json.dumps({"from": file.tell()}))
            report(name, file.tell(), size)
            while file.tell() < size:
                data = (await events.next("message")).data
                self._check(sha256, channel)
                file.write(data)
                report(name, file.tell(), size)
        complete = await digest(part) == sha256
        self._check(sha256, channel)
        if complete:
            part.rename(path)
        else:
            part.unlink()
        channel.send(json.dumps({"complete": complete}))
        return path if complete else None

    def _check(self, sha256: str, channel: RTCDataChannel) -> None:
        if self._newest[sha256] is not channel:
            raise ConnectionError("the file comes over another channel")


async def digest(path: Path) -> str:
    """The SHA-256 of a file."""

    def read() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return await asyncio.to_thread(read)
