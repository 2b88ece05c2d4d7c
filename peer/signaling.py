"""Signalling: the messages with which two sides find each other, ways to carry them, and what to do with them.

    from peer.signaling import connect, negotiate

    async with connect("wss://example.org/signaling") as signaling:
        await negotiate(pc, signaling, polite=True)

A server meets each that connects: ``add_signaling(app, "/signaling", meet)``, where *app* is one of aiohttp's.

The W3C leaves signalling to applications; its example of perfect negotiation (webrtc-pc 10.7) is what is done here. The
messages are those of that example, so the other side may be any page that follows it. WebSockets are aiohttp's:
``pip install aiortc-peer[signaling]``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ._candidate import RTCIceCandidate
from ._connection import RTCPeerConnection, needs_negotiation, transports_of
from ._description import RTCSessionDescription
from ._errors import DOMException
from ._events import Event, RTCPeerConnectionIceEvent
from ._messages import CandidateMessage, DescriptionMessage, Message, MessageError, decode, encode, parse
from ._perfect_negotiation import Waiting, first_step, is_ignored

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse
    from aiohttp.web import Application, Request, WebSocketResponse

__all__ = [
    "CandidateMessage",
    "DescriptionMessage",
    "Message",
    "MessageError",
    "Signaling",
    "WebSocketSignaling",
    "add_signaling",
    "connect",
    "decode",
    "encode",
    "negotiate",
    "pair",
]


class Signaling(Protocol):
    """What carries messages to the other side and back, in order. Yours may be over anything: this is all it needs.

    What it sends is ``encode(message)``; what it yields is ``decode(text)``, or the dictionary that the JSON makes.
    """

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send ``{"description": pc.localDescription}`` or ``{"candidate": event.candidate}`` (webrtc-pc 10.7).

        Raises MessageError for what is no message, and ConnectionError when the signalling has ended.
        """

    def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        """Iterate over what the other side sends, until either side closes, or the way between them is lost.

        May raise MessageError instead of giving a message, and go on with the next one.
        """

    async def close(self) -> None:
        """End the signalling, for both sides. May be called again."""


def pair() -> tuple[Signaling, Signaling]:
    """Two ends of a signalling in memory: what one sends, the other gets, as the text that a wire would carry."""
    one: _Texts = asyncio.Queue()
    other: _Texts = asyncio.Queue()
    closed = asyncio.Event()
    return _End(one, other, closed), _End(other, one, closed)


_Texts = asyncio.Queue[str | None]  # what is under way; None at the end


class _End:
    """One end of a :func:`pair`."""

    def __init__(self, ours: _Texts, theirs: _Texts, closed: asyncio.Event) -> None:
        self._ours, self._theirs = ours, theirs  # what is under way to each
        self._closed = closed  # set once, by either end

    async def send(self, message: Mapping[str, Any]) -> None:
        text = encode(message)
        if self._closed.is_set():
            raise ConnectionError("the signalling is closed")
        self._theirs.put_nowait(text)

    def __aiter__(self) -> _End:
        return self

    async def __anext__(self) -> Message:
        text = await self._ours.get()
        if text is None:
            self._ours.put_nowait(None)  # there is nothing behind the end
            raise StopAsyncIteration
        return decode(text)

    async def close(self) -> None:
        self._closed.set()
        self._ours.put_nowait(None)
        self._theirs.put_nowait(None)


@contextlib.asynccontextmanager
async def connect(url: str, *, heartbeat: float | None = 20, **options: Any) -> AsyncIterator[WebSocketSignaling]:
    """Signal over a WebSocket to the server at *url*: ``async with connect(url) as signaling``.

    A server that does not answer a ping, one every *heartbeat* seconds, is lost; with None nobody looks. The *options*
    are those of aiohttp's ``ClientSession.ws_connect``, such as ``headers`` and ``ssl``. Raises ImportError without
    aiohttp, and aiohttp.ClientError if there is no such server.
    """
    try:
        import aiohttp
    except ImportError as error:
        raise ImportError("WebSockets need aiohttp: pip install aiortc-peer[signaling]", name="aiohttp") from error
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, heartbeat=heartbeat, **options) as socket,
    ):
        yield WebSocketSignaling(socket)


def add_signaling(
    app: Application,
    path: str,
    meet: Callable[[WebSocketSignaling, Request], Awaitable[object]],
    *,
    heartbeat: float | None = 20,
    **options: Any,
) -> None:
    """Let a server *meet* each that opens a WebSocket at *path*: ``add_signaling(app, "/signaling", meet)``.

        async def meet(signaling, request):
            pc = RTCPeerConnection()
            try:
                await negotiate(pc, signaling, polite=True)
            finally:
                await pc.close()

    *app* is yours, and not running yet. *meet* is called with the signalling, and the request that began it, which has
    the query, say. The WebSocket is closed when it returns, and all are when *app* shuts down. What *meet* raises ends
    its own WebSocket, and aiohttp logs it. Who asks for the path without a WebSocket gets the status 400.

    Who does not answer a ping, one every *heartbeat* seconds, is lost; with None nobody looks. The *options* are those
    of aiohttp's ``WebSocketResponse``, such as ``compress``. Raises RuntimeError if *app* is running.
    """
    from aiohttp import WSCloseCode
    from aiohttp.web import WebSocketResponse

    sockets: set[WebSocketResponse] = set()  # those that are open

    async def handle(request: Request) -> WebSocketResponse:
        socket = WebSocketResponse(heartbeat=heartbeat, **options)
        await socket.prepare(request)
        sockets.add(socket)
        try:
            await meet(WebSocketSignaling(socket), request)
        finally:
            sockets.discard(socket)
            await socket.close()
        return socket

    async def hang_up(_: Application) -> None:
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in sockets))

    app.router.add_get(path, handle)
    app.on_shutdown.append(hang_up)


class WebSocketSignaling:
    """Signalling over a WebSocket of aiohttp's: that of a server, which is prepared, or of a client.

    :func:`connect` and :func:`add_signaling` make it for you. You must close it, or *socket*, as you would without it.
    A server's is closed when its handler returns; with a heartbeat, ``WebSocketResponse(heartbeat=20)``, it ends when
    the other side is gone without a word, too.
    """

    def __init__(self, socket: WebSocketResponse | ClientWebSocketResponse) -> None:
        self._socket = socket
        self._order = asyncio.Lock()  # a message that takes aiohttp a while to compress is not overtaken

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send *message*, after those that were sent before it; see :meth:`Signaling.send`."""
        text = encode(message)
        async with self._order:
            await self._socket.send_str(text)

    def __aiter__(self) -> WebSocketSignaling:
        """Iterate over the messages; see :class:`Signaling`."""
        return self

    async def __anext__(self) -> Message:
        data = None if self._socket.closed else (await self._socket.receive()).data
        if not isinstance(data, str | bytes):  # the end is told by frames that have neither
            raise StopAsyncIteration
        return decode(data)

    async def close(self) -> None:
        """Close the WebSocket."""
        await self._socket.close()


async def negotiate(pc: RTCPeerConnection, signaling: Signaling, *, polite: bool) -> None:
    """Negotiate *pc* with the other side of *signaling* whenever that is needed (webrtc-pc 10.7, perfect negotiation).

    Runs until *signaling* ends or *pc* is closed, and closes neither. Meanwhile both sides may add tracks and channels
    and restart ICE whenever they like: descriptions and candidates are sent, and those that come are set and added.
    When both sides offer at once, the *polite* one takes its offer back. One side must be polite, and the other not.

    It can begin, and begin again over a new signalling, at any time: what was missed or lost meanwhile is made up for.
    Run one for each connection at a time, and let nobody else set descriptions. An other side that has begun anew, as a
    page does that is loaded again, needs a new connection here, too.

    What the other side sends in vain breaks nothing: what is no message, a description that is refused, and a candidate
    for which no description comes are reported to the loop's exception handler.

    Raises what *signaling* raises, but for ConnectionError, which is its end.
    """
    negotiation = _Negotiation(pc, signaling, polite)
    await _until_one_ends(negotiation.send(), negotiation.receive(), _closed(pc))


class _Negotiation:
    """The shell of the rules in _perfect_negotiation.py."""

    def __init__(self, pc: RTCPeerConnection, signaling: Signaling, polite: bool) -> None:
        self._pc, self._signaling, self._polite = pc, signaling, polite
        self._making_offer = False  # True while an offer of ours is made
        self._waiting = Waiting()  # changes with what comes
        # What is to be sent: one after the other, for a candidate must not overtake its description.
        self._unsent: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def send(self) -> None:
        """Send what there is to be sent. When the signalling has ended, :meth:`receive` sees its end, too."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self._signaling.send(await self._unsent.get())
        await asyncio.Event().wait()  # for what has come before the end is still to be dealt with

    async def receive(self) -> None:
        """Begin, and deal with what comes, one after the other, until the signalling ends."""
        self._pc.addEventListener("negotiationneeded", self._offer)
        self._pc.addEventListener("icecandidate", self._send_candidate)
        try:
            await self._begin()
            messages = aiter(self._signaling)
            while True:
                try:
                    await self._deal_with(parse(await anext(messages)))
                except MessageError as error:
                    self._report("something came that is no message", error)
        except (StopAsyncIteration, ConnectionError):
            pass
        finally:
            self._pc.removeEventListener("negotiationneeded", self._offer)
            self._pc.removeEventListener("icecandidate", self._send_candidate)

    async def _begin(self) -> None:
        # No event is fired before the first await: what is sent here is ahead of all candidates.
        match first_step(self._pc.signalingState, needed=needs_negotiation(self._pc)):
            case "offer":
                await self._offer()
            case "send description":
                self._send_description()
            case "send candidates":
                for candidate in transports_of(self._pc).gathering.announced:
                    self._unsent.put_nowait({"candidate": candidate})

    async def _offer(self, _: Event | None = None) -> None:
        # As a listener this begins when the event is fired: nothing comes in between.
        self._making_offer = True
        try:
            await self._pc.setLocalDescription()
        finally:
            self._making_offer = False
        self._send_description()

    def _send_description(self) -> None:
        self._unsent.put_nowait({"description": self._pc.localDescription})

    def _send_candidate(self, event: RTCPeerConnectionIceEvent) -> None:
        if event.candidate is not None:  # None is for us alone
            self._unsent.put_nowait({"candidate": event.candidate})

    async def _deal_with(self, message: Message) -> None:
        match message:
            case {"description": RTCSessionDescription() as description}:
                await self._describe(description)
            case {"candidate": RTCIceCandidate() as candidate}:
                await self._add(candidate)

    async def _describe(self, description: RTCSessionDescription) -> None:
        state = self._pc.signalingState
        if is_ignored(description.type, polite=self._polite, making_offer=self._making_offer, signaling_state=state):
            self._waiting.ignored(description.sdp)
            return
        try:
            await self._pc.setRemoteDescription(description)
            if description.type == "offer":
                await self._pc.setLocalDescription()
                self._send_description()
        except DOMException as error:
            self._report(f"the {description.type} of the other side is refused", error)
            return
        for candidate in self._waiting.described(description.sdp):
            await self._add(candidate)

    async def _add(self, candidate: RTCIceCandidate) -> None:
        try:
            await self._pc.addIceCandidate(candidate)
        except DOMException as error:
            for each in self._waiting.refused(candidate):
                self._report(f"no description has come for {each!r}", error)
        else:
            self._waiting.forget(candidate)

    def _report(self, what: str, error: Exception) -> None:
        if self._pc.signalingState != "closed":
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": f"negotiation: {what}", "exception": error})


async def _closed(pc: RTCPeerConnection) -> None:
    await transports_of(pc).closed


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until one has ended; then end the others. Raises what one of them raises."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:  # a call on a connection that is closed is cancelled, which is no error
        if isinstance(outcome, Exception):
            raise outcome
