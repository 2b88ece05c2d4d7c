"""The Python peer. :func:`negotiate` is all the signalling there is: the part to copy."""

import contextlib
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from peer import RTCDataChannel, RTCPeerConnection, RTCPeerConnectionIceEvent, __version__
from peer.tools import Entry, now, record

from .timeline import Timeline

GREETING = f"Hello from aiortc-peer {__version__} on Python {platform.python_version()}"

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


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
    pc = RTCPeerConnection()
    note = record(pc, side, timeline.add)

    async def send(message: dict[str, Any]) -> None:
        if "description" in message:
            note(f"{message['description']['type']} sent")
        with contextlib.suppress(ConnectionResetError):  # as in a page, the reader is who learns that it has closed
            await socket.send_json(message)

    async def messages() -> AsyncIterator[dict[str, Any]]:
        async for frame in socket:
            message = frame.json()
            match message:
                case {"at": at, "event": event, "value": value}:  # something that happened to the page
                    timeline.add(Entry(time=timeline.page_clock + at, peer="page", event=event, value=value))
                case {"ping": _}:
                    await send({"pong": now()})
                case {"pong": at}:
                    timeline.heard(timeline.page_clock + at)
                case {"description": {"type": kind}}:
                    note(f"{kind} received")
                    yield message
                case _:
                    yield message

    def greet(channel: RTCDataChannel) -> None:
        channel.onmessage = lambda event: note("message", event.data)
        channel.onopen = lambda event: channel.send(GREETING)

    try:
        if offers:
            channel = pc.createDataChannel("demo")
            record(channel, side, timeline.add)
            greet(channel)
        else:
            pc.ondatachannel = lambda event: greet(event.channel)
        await negotiate(pc, send, messages(), offers=offers)
    finally:
        await pc.close()
