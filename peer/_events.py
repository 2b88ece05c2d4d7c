"""Events, and the objects they are fired at (DOM, section 2).

Listeners are the user's code. They are called in the order they were added; each may be a plain or an ``async``
function, which then runs up to its first ``await`` as it does in a browser, and goes on as a task. What a listener
raises is reported to the loop's exception handler with the event's name, as a browser reports it to the console, and
stops neither the other listeners nor the connection.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

import aiortc
from aiortc import MediaStreamTrack, RTCRtpReceiver, RTCRtpTransceiver

from ._candidate import RTCIceCandidate
from ._eager import begin
from ._errors import ArgumentTypeError, RTCError
from ._promise import Promise
from ._webidl import dom_string, nullable, unsigned_short, usv_string

if TYPE_CHECKING:
    from ._data_channel import RTCDataChannel
    from ._media_stream import MediaStream

Listener = Callable[..., Any]
L = TypeVar("L", bound=Listener)


class Event:
    """Something that happened at :attr:`target`. ``Event(type)`` (DOM, section 2.2)."""

    def __init__(self, type: str) -> None:
        self._type = type  # never changes
        self._target: EventTarget | None = None  # set when the event is fired

    @property
    def type(self) -> str:
        """The name under which listeners registered, such as ``"icecandidate"`` (DOM, section 2.2)."""
        return self._type

    @property
    def target(self) -> EventTarget | None:
        """The object at which the event was fired; None before that (DOM, section 2.2)."""
        return self._target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._type}>"


class RTCPeerConnectionIceEvent(Event):
    """An ``icecandidate`` event: ``RTCPeerConnectionIceEvent(type, {"candidate": ..., "url": ...})`` (webrtc-pc 4.8.2).

    There are three kinds. A :attr:`candidate` with a text: it was found, send it to the other side. A candidate whose
    text is "": the transport's generation has no more; send this to the other side, too. None: all transports have
    finished; there is nothing to send.

    Raises TypeError for a candidate that is none.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        members = {"candidate": None, "url": None, **(eventInitDict or {}), **members}
        if not isinstance(members["candidate"], RTCIceCandidate | None):
            raise ArgumentTypeError("candidate is neither an RTCIceCandidate nor None")
        self._candidate: RTCIceCandidate | None = members["candidate"]  # never changes
        self._url = nullable(usv_string, members["url"])  # never changes

    @property
    def candidate(self) -> RTCIceCandidate | None:
        """The candidate, the end-of-candidates marker, or None (webrtc-pc 4.8.2)."""
        return self._candidate

    @property
    def url(self) -> str | None:
        """The STUN or TURN server the candidate came from; None for host candidates (webrtc-pc 4.8.2). Deprecated."""
        return self._url

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type} {self._candidate!r}>"


class RTCPeerConnectionIceErrorEvent(Event):
    """An ``icecandidateerror`` event: a STUN or TURN server yielded no candidate (webrtc-pc 4.8.3).

    Raises TypeError without an errorCode.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        members = {"address": None, "port": None, "url": "", "errorText": "", **(eventInitDict or {}), **members}
        if "errorCode" not in members:
            raise ArgumentTypeError("an RTCPeerConnectionIceErrorEvent needs an errorCode")
        self._address = nullable(dom_string, members["address"])  # never changes
        self._port = nullable(unsigned_short, members["port"])  # never changes
        self._url = usv_string(members["url"])  # never changes
        self._error_code = unsigned_short(members["errorCode"])  # never changes
        self._error_text = usv_string(members["errorText"])  # never changes

    @property
    def address(self) -> str | None:
        """Our address from which the server was asked, if it is that of a candidate, else None (webrtc-pc 4.8.3)."""
        return self._address

    @property
    def port(self) -> int | None:
        """Our port from which the server was asked, or None (webrtc-pc 4.8.3)."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of the server (webrtc-pc 4.8.3)."""
        return self._url

    @property
    def errorCode(self) -> int:
        """The STUN error code that the server answered with; 701 if it could not be reached (webrtc-pc 4.8.3)."""
        return self._error_code

    @property
    def errorText(self) -> str:
        """The server's reason, or what is known about why it could not be reached (webrtc-pc 4.8.3)."""
        return self._error_text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} {self.errorCode} {self.errorText}>"


class RTCTrackEvent(Event):
    """A ``track`` event: the remote side will send media (webrtc-pc 5.7).

    The same track is told again when the remote side sends it again, and when it puts it in one more stream.

    Raises TypeError without a receiver, a track or a transceiver.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        members = {"streams": (), **(eventInitDict or {}), **members}
        missing = {"receiver", "track", "transceiver"} - members.keys()
        if missing:
            raise ArgumentTypeError(f"an RTCTrackEvent needs {', '.join(sorted(missing))}")
        self._receiver: RTCRtpReceiver = members["receiver"]  # never changes
        self._track: MediaStreamTrack = members["track"]  # never changes
        self._transceiver: RTCRtpTransceiver = members["transceiver"]  # never changes
        self._streams: tuple[MediaStream, ...] = tuple(members["streams"])  # never changes
        self._repeated = False  # changes once, in repeated()

    @property
    def receiver(self) -> RTCRtpReceiver:
        """The receiver of the track (webrtc-pc 5.7)."""
        return self._receiver

    @property
    def track(self) -> MediaStreamTrack:
        """The remote track (webrtc-pc 5.7)."""
        return self._track

    @property
    def streams(self) -> tuple[MediaStream, ...]:
        """The streams that the remote side has put the track in (webrtc-pc 5.7)."""
        return self._streams

    @property
    def transceiver(self) -> RTCRtpTransceiver:
        """The transceiver that :attr:`receiver` belongs to (webrtc-pc 5.7)."""
        return self._transceiver


def repeated(event: RTCTrackEvent) -> RTCTrackEvent:
    """The *event*, as one for a track that was told before: listeners registered with on() do not get it."""
    event._repeated = True
    return event


class MediaStreamTrackEvent(Event):
    """An ``addtrack`` or ``removetrack`` event: the remote side has changed a stream (mediacapture-streams 4.4).

    Raises TypeError without a track.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        members = {**(eventInitDict or {}), **members}
        if not isinstance(members.get("track"), MediaStreamTrack):
            raise ArgumentTypeError("a MediaStreamTrackEvent needs a track")
        self._track: MediaStreamTrack = members["track"]  # never changes

    @property
    def track(self) -> MediaStreamTrack:
        """The track that has joined the stream, or has left it (mediacapture-streams 4.4)."""
        return self._track


class RTCDataChannelEvent(Event):
    """A ``datachannel`` event: the remote side has opened a channel (webrtc-pc 6.3).

    Raises TypeError without a channel.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        members = {**(eventInitDict or {}), **members}
        if not isinstance(members.get("channel"), aiortc.RTCDataChannel):
            raise ArgumentTypeError("an RTCDataChannelEvent needs a channel")
        self._channel: RTCDataChannel = members["channel"]  # never changes

    @property
    def channel(self) -> RTCDataChannel:
        """The channel, which is open (webrtc-pc 6.3)."""
        return self._channel


class RTCErrorEvent(Event):
    """An ``error`` event of a data channel: what it rests on has failed (webrtc-pc 11.2).

    Raises TypeError without an error that is an :class:`RTCError`.
    """

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        error = {**(eventInitDict or {}), **members}.get("error")
        if not isinstance(error, RTCError):
            raise ArgumentTypeError("an RTCErrorEvent needs an error, which is an RTCError")
        self._error = error  # never changes

    @property
    def error(self) -> RTCError:
        """What has failed (webrtc-pc 11.2)."""
        return self._error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type} {self._error!r}>"


class MessageEvent(Event):
    """A ``message`` event of a data channel (HTML, section 9.1; webrtc-pc 6.2)."""

    def __init__(
        self,
        type: str,
        eventInitDict: Mapping[str, Any] | None = None,
        /,
        **members: Any,
    ) -> None:
        super().__init__(type)
        self._data: Any = {"data": None, **(eventInitDict or {}), **members}["data"]  # never changes

    @property
    def data(self) -> Any:
        """The message: a text, or bytes (HTML, section 9.1)."""
        return self._data


class _Registration:
    """One listener for one type of event."""

    def __init__(self, listener: Listener, once: bool, arguments: Callable[[Event], tuple[Any, ...] | None]) -> None:
        self.listener = listener  # an event handler's is replaced in place, so that it keeps its turn
        self.once = once
        self.arguments = arguments  # what the listener is called with; None if it is not called
        self.removed = False  # True once removed, also for a dispatch that is under way

    def same_as(self, other: _Registration) -> bool:
        """Whether adding *other* would only call the same listener with the same arguments once more."""
        return self.listener == other.listener and self.arguments is other.arguments


def _the_event(event: Event) -> tuple[Any, ...]:
    return (event,)


def _as_aiortc(event: Event) -> tuple[Any, ...] | None:
    """What aiortc hands to listeners registered with on(): the bare track or channel, nothing with a state change.

    None where it would not call them: it tells of a track once.
    """
    match event:
        case RTCTrackEvent():
            return None if event._repeated else (event.track,)
        case RTCDataChannelEvent():
            return (event.channel,)
        case RTCPeerConnectionIceEvent() | RTCPeerConnectionIceErrorEvent() | MediaStreamTrackEvent():
            return (event,)  # the browser's form: aiortc has none
    return ()


class EventTarget:
    """Keeps listeners and calls them (DOM, section 2.7); with aiortc's :meth:`on` beside the browser's methods."""

    def __init__(self) -> None:
        self._registrations: dict[str, list[_Registration]] = {}  # by type; changes with every add and remove
        self._handlers: dict[str, _Registration] = {}  # those of the on... attributes, by type
        self._listener_tasks: dict[asyncio.Future[Any], None] = {}  # async listeners that are still running

    def addEventListener(
        self,
        type: str,
        listener: Listener | None,
        options: Mapping[str, Any] | bool | None = None,
        /,
        *,
        once: bool = False,
    ) -> None:
        """Call *listener* with each event of *type*; only with the next one if *once* (or ``{"once": True}``).

        Adding a listener again that is there already does nothing (DOM, section 2.7). Raises TypeError if it cannot be
        called.
        """
        if listener is None:  # as in the DOM
            return
        if not callable(listener):
            raise ArgumentTypeError(f"the listener for {type} cannot be called: {listener!r}")
        if isinstance(options, Mapping):
            once = bool(options.get("once", once))
        self._add(type, _Registration(listener, once, _the_event))

    def removeEventListener(self, type: str, listener: Listener | None, options: object = None, /) -> None:
        """Stop calling *listener* (DOM, section 2.7). A listener that was not added is ignored."""
        handler = self._handlers.get(type)
        for registration in list(self._registrations.get(type, ())):
            if registration.listener == listener and registration is not handler:
                self._remove(type, registration)

    def dispatchEvent(self, event: Event, /) -> bool:
        """Call the listeners of *event* now (DOM, section 2.7); True, as no event here can be cancelled.

        What listeners raise is reported. Raises TypeError for what is no event.
        """
        if not isinstance(event, Event):
            raise ArgumentTypeError(f"{event!r} is not an event")
        self._fire(event)
        return True

    remove_listener = removeEventListener

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Stop calling the listeners for *event*, or all listeners."""
        for type in [event] if event is not None else list(self._registrations):
            for registration in list(self._registrations.get(type, ())):
                self._remove(type, registration)
            self._handlers.pop(type, None)

    def listeners(self, event: str) -> list[Listener]:
        """The listeners for *event*, in the order they are called."""
        return [registration.listener for registration in self._registrations.get(event, ())]

    @overload
    def on(self, event: str) -> Callable[[L], L]: ...

    @overload
    def on(self, event: str, f: L) -> L: ...

    def on(self, event: str, f: Listener | None = None) -> Any:
        """Call *f*, or the function this decorates, with what aiortc hands over: ``@pc.on("track")`` gets a track once.

        With ``icecandidate``, which aiortc does not have, it gets the event; with a state change, nothing.
        """
        return self._register(event, f, once=False)

    def once(self, event: str, f: Listener | None = None) -> Any:
        """Like :meth:`on`, for the next event only."""
        return self._register(event, f, once=True)

    def _register(self, event: str, f: Listener | None, *, once: bool) -> Any:
        def register(listener: L) -> L:
            self._add(event, _Registration(listener, once, _as_aiortc))
            return listener

        return register if f is None else register(f)

    def _handler(self, type: str) -> Listener | None:
        registration = self._handlers.get(type)
        return registration.listener if registration else None

    def _set_handler(self, type: str, listener: Listener | None) -> None:
        registration = self._handlers.get(type)
        if not callable(listener):  # as in a browser: what cannot be called is no handler
            if registration:
                del self._handlers[type]
                self._remove(type, registration)
        elif registration:
            registration.listener = listener
        else:
            self._handlers[type] = _Registration(listener, False, _the_event)
            self._registrations.setdefault(type, []).append(self._handlers[type])

    def _add(self, type: str, registration: _Registration) -> None:
        registrations = self._registrations.setdefault(type, [])
        handler = self._handlers.get(type)
        if not any(known.same_as(registration) for known in registrations if known is not handler):
            registrations.append(registration)

    def _remove(self, type: str, registration: _Registration) -> None:
        registration.removed = True
        self._registrations[type].remove(registration)

    def _fire(self, event: Event) -> None:
        """Call the listeners of *event*. Never raises."""
        event._target = self
        for registration in list(self._registrations.get(event.type, ())):
            arguments = registration.arguments(event)
            if registration.removed or arguments is None:
                continue
            if registration.once:
                self._remove(event.type, registration)
            self._call(registration.listener, arguments, f"a listener for {event.type}")

    def _call(self, listener: Listener, arguments: tuple[Any, ...], what: str) -> None:
        """Call the user's *listener*, and await what it returns if that can be awaited. Never raises."""
        try:
            result = listener(*arguments)
            if inspect.isawaitable(result):
                self._await(result, what)
        except (Exception, asyncio.CancelledError) as error:  # the latter from a result() that was cancelled, say
            self._report(error, what)

    def _await(self, awaitable: Awaitable[Any], what: str) -> None:
        if isinstance(awaitable, Promise):  # which needs no task
            awaitable.react(partial(self._settled, what))
            return
        task = begin(awaitable) if inspect.iscoroutine(awaitable) else asyncio.ensure_future(awaitable)
        self._listener_tasks[task] = None

        def ended(task: asyncio.Future[Any]) -> None:
            self._listener_tasks.pop(task, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._report(error, what)

        task.add_done_callback(ended)

    def _settled(self, what: str, promise: Promise[Any]) -> None:
        try:
            promise.result()
        except Exception as error:
            self._report(error, what)

    def _report(self, error: BaseException, what: str) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{what} of {type(self).__name__} failed", "exception": error}
        )


class event_handler:
    """An ``on...`` attribute: one listener that can be set, replaced and cleared (HTML, section 8.1.8.1).

    The *section* is that of the W3C's text that lists events of this *type*.
    """

    def __init__(self, type: str, section: str = "webrtc-pc 12") -> None:
        self._type = type
        self.__doc__ = f"Called with each ``{type}`` event ({section}); None for nobody."

    @overload
    def __get__(self, target: None, owner: type[EventTarget]) -> event_handler: ...

    @overload
    def __get__(self, target: EventTarget, owner: type[EventTarget]) -> Listener | None: ...

    def __get__(self, target: EventTarget | None, owner: type[EventTarget]) -> event_handler | Listener | None:
        return self if target is None else target._handler(self._type)

    def __set__(self, target: EventTarget, listener: Listener | None) -> None:
        target._set_handler(self._type, listener)
