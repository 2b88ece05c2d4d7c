"""RTCDataChannel: a channel of aiortc's in the browser's shape (webrtc-pc 6.2).

The object is the one that aiortc has made, and all that aiortc offers works as it did. aiortc tells it at any time that
its state changes, or that a message has come. Users see this in tasks of the connection, in the order in which it was
told. The rules, which are those of the W3C as both browsers follow them:

1. A channel of ours is connecting, and becomes open in the task that fires ``open``. One that the remote side has made
   is open when ``datachannel`` is fired; ``open`` follows in the next task.
2. close() makes it closing at once, and fires nothing. If the remote side closes it, ``closing`` is fired. ``close`` is
   fired when it is closed.
3. Messages are handed over while the channel is open, and are lost otherwise. Those that are waiting for their task
   share it: a connection has one task a turn, and a datagram may hold many messages.
4. A message says as much as the acknowledgement of the channel that it comes through (RFC 8832, section 6).
5. When the association ends, all channels are closed at once, whatever they were, and ``close`` is fired. If it ended
   with an error (see _association.py), ``error`` is fired before that, in the same task, and the channel is closed
   already. No ``closing``: Chromium fires it, Firefox does not, and the text has it for the closing procedure only.
6. When the connection is closed, ``close`` is fired, though no other event is.

aiortc's own ``error`` is another one: its listeners, those that were added with ``on()``, get what listeners raise.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import aiortc

from ._errors import ArgumentTypeError, InvalidStateError, NotSupportedError, RTCError, translated
from ._events import Event, EventTarget, MessageEvent, RTCErrorEvent, event_handler
from ._tasks import TaskQueue
from ._webidl import enforced, usv_string

_STATES = ("connecting", "open", "closing", "closed")  # in the order in which a channel can have them
_LARGEST = 2**32 - 1


class RTCDataChannel(aiortc.RTCDataChannel, EventTarget):  # type: ignore[misc]  # aiortc's on() stays aiortc's
    """A channel for messages, texts or bytes, as a browser has it; given by createDataChannel and ``datachannel``.

    See webrtc-pc 6.2. What is not listed here is aiortc's: label, protocol, ordered, negotiated, id, maxRetransmits,
    maxPacketLifeTime (in milliseconds), readyState and bufferedAmount (in bytes).

    It has the browser's events beside aiortc's ``on()``, whose listeners are called first, with what aiortc hands over.
    Listeners may be ``async``; what they raise is reported, and given to the listeners that ``on("error")`` has added,
    as with aiortc. The browser's ``error``, an :class:`RTCErrorEvent`, is fired before ``close`` if the remote side has
    aborted the association, as it does when its connection is closed, or does not answer any more.
    """

    onbufferedamountlow = event_handler("bufferedamountlow")
    onclose = event_handler("close")
    onclosing = event_handler("closing")
    onerror = event_handler("error")
    onmessage = event_handler("message")
    onopen = event_handler("open")

    _tasks: TaskQueue  # those of the connection
    _told: str  # the state of which aiortc told last, which may be ahead of what users see
    _messages: list[str | bytes]  # those that wait for the task in which they are handed over
    _failure: RTCError | None  # with what the association has ended; set once, before the channel is told

    @property
    def binaryType(self) -> str:
        """Always "arraybuffer": binary messages are ``bytes`` (webrtc-pc 6.2).

        Setting it to "blob" raises NotSupportedError; others are ignored.
        """
        return "arraybuffer"

    @binaryType.setter
    def binaryType(self, binaryType: str) -> None:
        if binaryType == "blob":
            raise NotSupportedError("there are no blobs: binary messages are bytes")

    @property
    def bufferedAmountLowThreshold(self) -> int:
        """``bufferedamountlow`` is fired when bufferedAmount has fallen to so many bytes (webrtc-pc 6.2).

        Raises TypeError when it is set to what is no number from 0 to 4294967295.
        """
        return super().bufferedAmountLowThreshold

    @bufferedAmountLowThreshold.setter
    def bufferedAmountLowThreshold(self, value: int) -> None:
        number = enforced(value, _LARGEST)
        if number is None:
            raise ArgumentTypeError(f"bufferedAmountLowThreshold is not a number from 0 to {_LARGEST}: {value!r}")
        aiortc.RTCDataChannel.bufferedAmountLowThreshold.fset(self, number)  # type: ignore[attr-defined]

    def send(self, data: Any) -> None:
        """Send a text, or bytes: ``bytes``, ``bytearray``, ``memoryview``, whatever has a buffer (webrtc-pc 6.2).

        Never waits: what is not sent yet is kept, and counts in bufferedAmount, in bytes. Who sends much must wait for
        ``bufferedamountlow`` in between.

        Raises InvalidStateError unless the channel is open, and TypeError for other data and for more than the remote
        side takes.
        """
        if isinstance(data, str):
            data = usv_string(data)
        elif not isinstance(data, bytes):
            try:
                data = bytes(memoryview(data))
            except TypeError:
                raise ArgumentTypeError(f"{type(data).__name__} is neither a text nor bytes") from None
        if self.readyState != "open":
            raise InvalidStateError(f"the channel is {self.readyState}")
        if self._told == "open":  # else nobody will get it, of which users do not know yet
            with translated(ArgumentTypeError):
                super().send(data)

    def close(self) -> None:
        """Close the channel (webrtc-pc 6.2). May be called again.

        What was sent is delivered first; ``close`` is fired when both sides have closed it.
        """
        if _rank(self._told) < _rank("closing"):
            super().close()  # which tells us
        if _rank(self.readyState) < _rank("closing"):
            self._change("closing")

    # What aiortc tells

    def emit(self, event: str, *given: Any, **keywords: Any) -> bool:
        """Called by aiortc: hands an event to all listeners, in a task of the connection. Returns True.

        Of an event that is not aiortc's, those that on() has added hear at once; returns whether there are any.
        """
        match event:
            case "message":
                tell(self, "open")
                self._messages.append(given[0])
                if len(self._messages) == 1:
                    self._tasks.post(self._deliver)
            case "bufferedamountlow":
                self._tasks.post(partial(self._hand_over, Event(event)))
            case "open" | "close":  # in a task already: _change() was called there
                if event == "close" and self._failure is not None and not self._tasks.closed:
                    self._fire(RTCErrorEvent("error", error=self._failure))
                self._hand_over(Event(event))
            case "error":  # a listener has failed, which nobody need listen to
                self._report(given[0], "a listener")
                return bool(self.listeners(event)) and super().emit(event, *given)
            case _:
                return super().emit(event, *given, **keywords)
        return True

    def _change(self, state: str) -> None:
        """Let users see *state*; aiortc emits ``open`` and ``close``."""
        raise NotImplementedError

    # Tasks

    def _announce(self) -> None:
        if self.readyState == "open":
            self.emit("open")

    def _enter(self, state: str) -> None:
        if _rank(state) <= _rank(self.readyState):  # close() was faster
            return
        self._change(state)
        if state == "closing":
            self._fire(Event("closing"))

    def _deliver(self) -> None:
        while self._messages and not self._tasks.closed:  # a listener may have closed the connection
            data = self._messages.pop(0)
            if self.readyState == "open":
                self._hand_over(MessageEvent("message", data=data), data)

    def _hand_over(self, event: Event, *given: Any) -> None:
        super().emit(event.type, *given)
        self._fire(event)


# What the seam to aiortc calls


def begin(channel: RTCDataChannel, tasks: TaskQueue) -> None:
    """Make *channel*, which aiortc has made, one of the connection that has these *tasks*."""
    EventTarget.__init__(channel)  # aiortc's constructor was another class's
    channel._tasks = tasks
    channel._told = channel.readyState
    channel._messages = []
    channel._failure = None


def announce(channel: RTCDataChannel) -> None:
    """Let ``open`` be fired at a channel that the remote side has made."""
    channel._tasks.post(channel._announce)


def tell(channel: RTCDataChannel, state: str) -> None:
    """The state is *state*; users see it in a task. What comes late, or twice, says nothing."""
    if _rank(state) > _rank(channel._told):
        channel._told = state
        channel._tasks.post(partial(channel._enter, state))


def lose(channel: RTCDataChannel, failure: RTCError | None) -> None:
    """The association has ended, and that was a *failure*, or none. A channel that was closed before has not failed."""
    if channel._told != "closed":
        channel._failure = failure
    tell(channel, "closed")


def end(channel: RTCDataChannel) -> None:
    """The connection was closed, and has no tasks any more."""
    channel._told = "closed"
    channel._change("closed")  # which fires nothing if it is closed already


def _rank(state: str) -> int:
    return _STATES.index(state)
