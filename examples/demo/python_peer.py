"""The Python peer. :func:`negotiate` is all the signalling there is: the part to copy."""

import contextlib
import platform
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from peer import RTCIceCandidate, RTCPeerConnection, RTCPeerConnectionIceEvent, __version__

from .timeline import Timeline

GREETING = f"Hello from aiortc-peer {__version__} on Python {platform.python_version()}"

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
Note = Callable[[str, str], None]  # called with an event's name and what there is to say about it


async def negotiate(
    pc: RTCPeerConnection,
    send: Callable[[dict[str, Any]], Awaitable[None]],
    messages: AsyncIterator[dict[str, Any]],
    *,
    offers: bool,
) -> None:
    """Connect *pc* with the peer that gets what we *send* and whose *messages* we read, until there are no more."""

    async def send_candidate(event: RTCPeerConnectionIceEvent) -> None:
        # A candidate whose text is "" tells the other side that there are no more: it is sent like all others. None is
        # for us alone.
        if event.candidate is not None:
            await send({"candidate": event.candidate.toJSON()})

    async def describe() -> None:
        # setLocalDescription begins to gather and waits for nothing: no candidate was announced when it returns. What
        # is sent right now, with no other await in between, is ahead of all candidates.
        await pc.setLocalDescription()
        await send({"description": pc.localDescription.toJSON()})

    pc.onicecandidate = send_candidate
    if offers:
        await describe()
    async for message in messages:
        match message:
            case {"description": description}:
                await pc.setRemoteDescription(description)
                if description["type"] == "offer":
                    await describe()
            case {"candidate": candidate}:
                await pc.addIceCandidate(candidate)


async def talk(socket: Socket, timeline: Timeline, side: str, *, offers: bool) -> None:
    """Be *side* of a conversation over *socket* until it closes: connect, say hello, and note all that happens."""

    def note(event: str, detail: str) -> None:
        timeline.note(side, event, detail)

    async def send(message: dict[str, Any]) -> None:
        if "description" in message:
            note(f"{message['description']['type']} sent", "")
        with contextlib.suppress(ConnectionResetError):  # as in a page, the reader is who learns that it has closed
            await socket.send_json(message)

    async def messages() -> AsyncIterator[dict[str, Any]]:
        async for frame in socket:
            message = frame.json()
            match message:
                case {"at": at, "event": event, "detail": detail}:  # something that happened to the page
                    timeline.note("page", event, detail, timeline.page_clock + at)
                case {"ping": _}:
                    await send({"pong": time.monotonic()})
                case {"pong": at}:
                    timeline.heard(timeline.page_clock + at)
                case {"description": {"type": kind}}:
                    note(f"{kind} received", "")
                    yield message
                case _:
                    yield message

    pc = RTCPeerConnection()
    try:
        watch(pc, note)
        if offers:
            greet(pc.createDataChannel("demo"), note)
        else:
            pc.ondatachannel = lambda event: greet(event.channel, note)
        await negotiate(pc, send, messages(), offers=offers)
    finally:
        await pc.close()


def greet(channel: Any, note: Note) -> None:
    """Say hello over *channel* when it is open, and listen."""

    def opened() -> None:
        note("open", f"data channel {channel.label}")
        channel.send(GREETING)

    channel.on("message", lambda text: note("message", text))
    if channel.readyState == "open":  # the other side's channels come open
        opened()
    else:
        channel.on("open", opened)


def watch(pc: RTCPeerConnection, note: Note) -> None:
    """Note the events of *pc*."""
    pc.addEventListener("icecandidate", lambda event: note(event.type, in_words(event.candidate)))
    pc.addEventListener("icegatheringstatechange", lambda event: note(event.type, pc.iceGatheringState))
    pc.addEventListener("iceconnectionstatechange", lambda event: note(event.type, pc.iceConnectionState))
    pc.addEventListener("connectionstatechange", lambda event: note(event.type, pc.connectionState))


def in_words(candidate: RTCIceCandidate | None) -> str:
    if candidate is None:
        return "null"
    if not candidate.candidate:
        return 'marker ""'
    address = f"[{candidate.address}]" if ":" in candidate.address else candidate.address
    return f"{candidate.type:<5}  {candidate.protocol}  {address}:{candidate.port}"
