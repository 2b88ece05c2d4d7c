import asyncio
import functools
import gc

import aiortc
import pytest

from peer import OperationError, RTCError, RTCIceCandidate, RTCPeerConnection
from peer._events import (
    Event,
    EventTarget,
    MediaStreamTrackEvent,
    RTCDataChannelEvent,
    RTCErrorEvent,
    RTCPeerConnectionIceErrorEvent,
    RTCPeerConnectionIceEvent,
    RTCTrackEvent,
    event_handler,
    repeated,
)
from peer._media_stream import MediaStream
from peer._promise import Promise
from peer._tasks import TaskQueue

CANDIDATE = RTCIceCandidate("candidate:1 1 udp 1 192.0.2.9 5 typ host", sdpMid="0")
MARKER = RTCIceCandidate("", sdpMid="0", usernameFragment="u")


class Failure(Exception):
    """What the listeners of these tests fail with."""


class Target(EventTarget):
    """Something that events are fired at."""

    onping = event_handler("ping")
    onpong = event_handler("pong")

    def fire(self, event="ping"):
        self._fire(Event(event) if isinstance(event, str) else event)


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def log():
    """What happened, in order."""
    return []


def logging(log, word, then=None):
    """A listener that logs *word*, then calls *then*."""

    def listener(event):
        log.append(word)
        if then is not None:
            then()

    return listener


def messages(loop_errors):
    """What was reported, which is taken back."""
    found = [(context["message"], str(context["exception"])) for context in loop_errors]
    loop_errors.clear()
    return found


@pytest.fixture
async def objects():
    """A channel and a transceiver, from a connection that goes nowhere."""
    pc = RTCPeerConnection()
    yield pc.createDataChannel("chat"), pc.addTransceiver("audio")
    await pc.close()


# The events


def test_an_event_has_a_type_and_gets_a_target_when_it_is_fired(target):
    event = Event("ping")
    assert (event.type, event.target) == ("ping", None)
    target.fire(event)
    assert (event.type, event.target) == ("ping", target)
    assert repr(event) == "<Event ping>"


@pytest.mark.parametrize("name", ["type", "target", "candidate", "url"])
def test_an_event_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(RTCPeerConnectionIceEvent("icecandidate"), name, "x")


@pytest.mark.parametrize(
    ("arguments", "keywords", "candidate", "url"),
    [
        ((), {}, None, None),
        ((None,), {}, None, None),
        (({},), {}, None, None),
        (({"candidate": CANDIDATE},), {}, CANDIDATE, None),
        (({"candidate": CANDIDATE, "url": "stun:x"},), {}, CANDIDATE, "stun:x"),
        (({"candidate": None},), {}, None, None),
        (({"url": "stun:x"},), {"candidate": MARKER}, MARKER, "stun:x"),
        ((), {"candidate": CANDIDATE, "url": "stun:x"}, CANDIDATE, "stun:x"),
        (({"candidate": CANDIDATE, "url": "stun:x"},), {"candidate": MARKER, "url": "stun:y"}, MARKER, "stun:y"),
        (({"candidate": CANDIDATE, "url": "stun:x"},), {"candidate": None, "url": None}, None, None),
        (({"candidate": "not looked at"},), {"candidate": CANDIDATE}, CANDIDATE, None),
        (({"url": 5},), {}, None, "5"),
        (({"url": "stun:\ud800"},), {}, None, "stun:\ufffd"),
    ],
)
def test_an_ice_event_has_a_candidate_and_the_server_it_came_from(arguments, keywords, candidate, url):
    event = RTCPeerConnectionIceEvent("icecandidate", *arguments, **keywords)
    assert (event.type, event.candidate, event.url) == ("icecandidate", candidate, url)


def test_an_ice_event_prints_its_candidate():
    assert repr(RTCPeerConnectionIceEvent("icecandidate", candidate=MARKER)) == (
        f"<RTCPeerConnectionIceEvent icecandidate {MARKER!r}>"
    )
    assert repr(RTCPeerConnectionIceEvent("icecandidate")) == "<RTCPeerConnectionIceEvent icecandidate None>"


@pytest.mark.parametrize("candidate", [CANDIDATE.toJSON(), CANDIDATE.candidate, 5, RTCIceCandidate])
def test_the_candidate_of_an_ice_event_is_a_candidate(candidate):
    with pytest.raises(TypeError, match="neither an RTCIceCandidate nor None"):
        RTCPeerConnectionIceEvent("icecandidate", {"candidate": candidate})


ERROR = {"address": "192.0.2.9", "port": 5, "url": "stun:x", "errorCode": 401, "errorText": "Unauthorized"}
UNKNOWN = {"address": None, "port": None, "url": "", "errorText": ""}


@pytest.mark.parametrize(
    ("arguments", "keywords", "expected"),
    [
        ((ERROR,), {}, ERROR),
        ((), ERROR, ERROR),
        ((None,), ERROR, ERROR),
        (({},), ERROR, ERROR),
        (({"errorCode": 701},), {}, UNKNOWN | {"errorCode": 701}),
        ((), {"errorCode": 701}, UNKNOWN | {"errorCode": 701}),
        ((ERROR,), {"errorCode": 701, "port": None}, ERROR | {"errorCode": 701, "port": None}),
        (({"errorText": "no", "url": "stun:x"},), {"errorCode": 701, "url": "stun:y"}, None),
        # converted as both browsers do it
        (
            ({"address": 5, "port": 70000, "url": 5, "errorCode": "701", "errorText": None},),
            {},
            {"address": "5", "port": 4464, "url": "5", "errorCode": 701, "errorText": "null"},
        ),
        (({"errorCode": "x"},), {}, UNKNOWN | {"errorCode": 0}),
    ],
)
def test_an_ice_error_event_says_which_server_failed_and_how(arguments, keywords, expected):
    expected = expected or UNKNOWN | {"errorCode": 701, "errorText": "no", "url": "stun:y"}
    event = RTCPeerConnectionIceErrorEvent("icecandidateerror", *arguments, **keywords)
    assert {name: getattr(event, name) for name in ERROR} == expected
    assert (event.type, event.target) == ("icecandidateerror", None)


@pytest.mark.parametrize("members", [{}, {"url": "stun:x", "errorText": "no"}])
def test_an_ice_error_event_needs_an_error_code(members):
    for arguments, keywords in (((members,), {}), ((), members), ((None,), members)):
        with pytest.raises(TypeError, match="needs an errorCode"):
            RTCPeerConnectionIceErrorEvent("icecandidateerror", *arguments, **keywords)


@pytest.mark.parametrize("name", [*ERROR, "type", "target"])
def test_an_ice_error_event_cannot_be_changed(name):
    event = RTCPeerConnectionIceErrorEvent("icecandidateerror", ERROR)
    with pytest.raises(AttributeError):
        setattr(event, name, "x")
    assert event.errorCode == 401


def test_the_dictionary_of_an_event_is_not_kept():
    given = dict(ERROR)
    event = RTCPeerConnectionIceErrorEvent("icecandidateerror", given, url="stun:y")
    given["errorCode"] = 701
    assert (event.errorCode, event.url, given["url"]) == (401, "stun:y", "stun:x")


def test_an_ice_error_event_prints_the_server_and_what_it_said():
    assert repr(RTCPeerConnectionIceErrorEvent("icecandidateerror", ERROR)) == (
        "<RTCPeerConnectionIceErrorEvent stun:x 401 Unauthorized>"
    )


async def test_a_track_event_has_a_receiver_a_track_and_a_transceiver(objects):
    _, transceiver = objects
    track = aiortc.AudioStreamTrack()
    members = {"receiver": transceiver.receiver, "track": track, "transceiver": transceiver}
    for event in (RTCTrackEvent("track", members), RTCTrackEvent("track", **members)):
        assert (event.receiver, event.track, event.transceiver) == (transceiver.receiver, track, transceiver)
        assert (event.type, event.streams) == ("track", ())
    streams = [MediaStream(), MediaStream()]
    assert RTCTrackEvent("track", members, streams=streams).streams == tuple(streams)


def test_a_media_stream_track_event_has_a_track():
    track = aiortc.AudioStreamTrack()
    for event in (MediaStreamTrackEvent("addtrack", {"track": track}), MediaStreamTrackEvent("addtrack", track=track)):
        assert (event.type, event.track) == ("addtrack", track)
    for given in ({}, {"track": None}, {"track": "one"}):
        with pytest.raises(TypeError, match="needs a track"):
            MediaStreamTrackEvent("addtrack", given)


async def test_keywords_outrank_the_dictionary_of_a_track_or_data_channel_event(objects):
    channel, transceiver = objects
    track = aiortc.AudioStreamTrack()
    wrong = {"receiver": None, "track": None, "transceiver": None, "channel": None}
    event = RTCTrackEvent("track", wrong, receiver=transceiver.receiver, track=track)
    assert (event.receiver, event.track, event.transceiver) == (transceiver.receiver, track, None)
    assert RTCDataChannelEvent("datachannel", wrong, channel=channel).channel is channel
    with pytest.raises(TypeError, match="needs a channel"):
        RTCDataChannelEvent("datachannel", {"channel": channel}, channel=None)


@pytest.mark.parametrize(
    ("members", "missing"),
    [
        ({}, "receiver, track, transceiver"),
        ({"track": None}, "receiver, transceiver"),
        ({"track": None, "receiver": None}, "transceiver"),
    ],
)
def test_a_track_event_names_what_it_lacks(members, missing):
    with pytest.raises(TypeError, match=f"needs {missing}$"):
        RTCTrackEvent("track", members)
    with pytest.raises(TypeError, match=f"needs {missing}$"):
        RTCTrackEvent("track", **members)


async def test_a_data_channel_event_has_a_channel(objects):
    channel, _ = objects
    assert RTCDataChannelEvent("datachannel", {"channel": channel}).channel is channel
    assert RTCDataChannelEvent("datachannel", channel=channel).channel is channel
    for nothing in ({}, {"channel": None}, {"channel": "chat"}):
        with pytest.raises(TypeError, match="needs a channel"):
            RTCDataChannelEvent("datachannel", nothing)


def test_an_error_event_has_an_error():
    error = RTCError({"errorDetail": "sctp-failure"}, "a sentence")
    event = RTCErrorEvent("error", {"error": error})
    assert (event.type, event.error) == ("error", error)
    assert RTCErrorEvent("error", error=error).error is error
    assert repr(event) == "<RTCErrorEvent error RTCError('a sentence')>"
    with pytest.raises(AttributeError):
        event.error = error
    for nothing in (None, {}, {"error": None}, {"error": OperationError("a sentence")}):
        with pytest.raises(TypeError, match="needs an error"):
            RTCErrorEvent("error", nothing)


# Listeners, as in the DOM


def test_listeners_are_called_with_the_event_in_the_order_in_which_they_were_added(target, log):
    for word in "abc":
        target.addEventListener("ping", lambda event, word=word: log.append((word, event)))
    event = Event("ping")
    target.fire(event)
    assert log == [("a", event), ("b", event), ("c", event)]


def test_a_listener_hears_of_the_events_it_was_added_for(target, log):
    target.addEventListener("ping", logging(log, "ping"))
    target.addEventListener("pong", logging(log, "pong"))
    target.fire("ping")
    target.fire("PING")
    target.fire("other")
    assert log == ["ping"]


def test_every_target_has_its_own_listeners(target, log):
    other = Target()
    target.addEventListener("ping", logging(log, "mine"))
    target.onping = logging(log, "mine, too")
    other.fire()
    assert log == []
    assert other.onping is None


class Listener:
    """An object whose methods listen; each access makes a new object of the method."""

    def __init__(self, log):
        self.log = log

    def listen(self, event):
        self.log.append("method")


def test_a_listener_that_is_there_is_not_added_again(target, log):
    listener, method = logging(log, "function"), Listener(log)
    for _ in range(2):
        target.addEventListener("ping", listener)
        target.addEventListener("ping", method.listen)
    target.addEventListener("pong", listener)
    target.fire()
    assert log == ["function", "method"]
    target.fire("pong")
    assert log[2:] == ["function"]


def test_a_listener_that_is_there_keeps_its_place_and_its_options(target, log):
    listener = logging(log, "a")
    target.addEventListener("ping", listener)
    target.addEventListener("ping", logging(log, "b"))
    target.addEventListener("ping", listener, once=True)
    target.fire()
    target.fire()
    assert log == ["a", "b", "a", "b"]


def test_two_partials_of_one_function_are_two_listeners(target, log):
    def listen(word, event):
        log.append(word)

    for _ in range(2):
        target.addEventListener("ping", functools.partial(listen, "partial"))
    target.fire()
    assert log == ["partial", "partial"]


@pytest.mark.parametrize(
    ("arguments", "keywords", "calls"),
    [
        ((), {}, 3),
        ((), {"once": True}, 1),
        (({"once": True},), {}, 1),
        (({"once": True, "passive": True},), {}, 1),
        (({"once": False},), {}, 3),
        (({"capture": True},), {}, 3),
        (({},), {"once": True}, 1),
        ((True,), {}, 3),  # it means capture
        ((False,), {}, 3),
        ((None,), {}, 3),
    ],
)
def test_a_listener_may_ask_for_one_event_only(target, log, arguments, keywords, calls):
    target.addEventListener("ping", logging(log, "ping"), *arguments, **keywords)
    for _ in range(3):
        target.fire()
    assert len(log) == calls


def test_a_listener_for_one_event_is_gone_before_it_is_called(target, log):
    target.addEventListener("ping", logging(log, "once", target.fire), once=True)
    target.fire()
    assert log == ["once"]


def test_a_listener_for_one_event_can_be_added_again_while_it_runs(target, log):
    def listener(event):
        log.append("once")
        target.addEventListener("ping", listener, once=True)

    target.addEventListener("ping", listener, once=True)
    target.fire()
    assert log == ["once"]
    target.fire()
    assert log == ["once", "once"]


def test_a_listener_can_be_removed(target, log):
    listener, method = logging(log, "function"), Listener(log)
    target.addEventListener("ping", listener)
    target.addEventListener("ping", method.listen)
    target.addEventListener("ping", logging(log, "other"))
    target.removeEventListener("ping", listener)
    target.removeEventListener("ping", method.listen)
    target.fire()
    assert log == ["other"]


def test_removing_what_was_not_added_is_nothing(target, log):
    target.removeEventListener("ping", logging(log, "unknown"))
    target.removeEventListener("ping", None)
    target.addEventListener("ping", logging(log, "known"))
    target.removeEventListener("ping", logging(log, "unknown"), {"capture": True})
    target.removeEventListener("ping", None)
    target.fire()
    assert log == ["known"]


def test_no_listener_is_no_listener(target):
    target.addEventListener("ping", None)
    target.fire()


@pytest.mark.parametrize("listener", [5, "ping", {}, object()])
def test_a_listener_that_cannot_be_called_is_a_type_error(target, listener):
    with pytest.raises(TypeError, match="the listener for ping cannot be called"):
        target.addEventListener("ping", listener)


def test_a_listener_that_is_removed_while_an_event_is_fired_is_not_called(target, log):
    last = logging(log, "last")
    target.addEventListener("ping", logging(log, "first", lambda: target.removeEventListener("ping", last)))
    target.addEventListener("ping", logging(log, "middle"))
    target.addEventListener("ping", last)
    target.fire()
    assert log == ["first", "middle"]


def test_a_listener_that_removes_itself_leaves_no_gap(target, log):
    def first(event):
        log.append("first")
        target.removeEventListener("ping", first)

    target.addEventListener("ping", first)
    target.addEventListener("ping", logging(log, "second"))
    target.fire()
    target.fire()
    assert log == ["first", "second", "second"]


def test_a_listener_that_is_removed_and_added_while_an_event_is_fired_waits_for_the_next(target, log):
    last = logging(log, "last")

    def again():
        target.removeEventListener("ping", last)
        target.addEventListener("ping", last)

    target.addEventListener("ping", logging(log, "first", again), once=True)
    target.addEventListener("ping", last)
    target.fire()
    assert log == ["first"]
    target.fire()
    assert log == ["first", "last"]


def test_a_listener_that_is_added_while_an_event_is_fired_waits_for_the_next(target, log):
    new = logging(log, "new")
    target.addEventListener("ping", logging(log, "old", lambda: target.addEventListener("ping", new)))
    target.fire()
    assert log == ["old"]
    target.fire()
    assert log == ["old", "old", "new"]


def test_a_listener_may_fire_another_event(target, log):
    target.addEventListener("ping", logging(log, "ping 1", lambda: target.fire("pong")))
    target.addEventListener("pong", logging(log, "pong"))
    target.addEventListener("ping", logging(log, "ping 2"))
    target.fire()
    assert log == ["ping 1", "pong", "ping 2"]


# Handlers: the on... attributes


def test_a_handler_can_be_set_read_replaced_and_cleared(target, log):
    assert target.onping is None
    first, second = logging(log, "first"), logging(log, "second")
    target.onping = first
    assert target.onping is first
    target.fire()
    target.onping = second
    assert target.onping is second
    target.fire()
    target.onping = None
    assert target.onping is None
    target.fire()
    assert log == ["first", "second"]


def test_a_handler_has_the_place_it_had_when_it_was_first_set(target, log):
    target.addEventListener("ping", logging(log, "a"))
    target.onping = logging(log, "handler")
    target.addEventListener("ping", logging(log, "b"))
    target.onping = logging(log, "another")
    target.fire()
    assert log == ["a", "another", "b"]


def test_a_handler_that_was_cleared_comes_back_at_the_end(target, log):
    target.onping = logging(log, "handler")
    target.addEventListener("ping", logging(log, "a"))
    target.onping = None
    target.onping = logging(log, "handler")
    target.fire()
    assert log == ["a", "handler"]


def test_clearing_a_handler_that_is_not_set_is_nothing(target):
    target.onping = None
    target.fire()
    assert target.onping is None


@pytest.mark.parametrize("value", [5, "ping", object(), {}])
def test_what_cannot_be_called_clears_the_handler(target, log, value):
    target.onping = logging(log, "handler")
    target.onping = value
    assert target.onping is None
    target.fire()
    assert log == []


def test_a_function_can_be_handler_and_listener_at_the_same_time(target, log):
    listener = logging(log, "called")
    target.onping = listener
    target.addEventListener("ping", listener)
    target.fire()
    assert log == ["called"] * 2
    target.removeEventListener("ping", listener)
    assert target.onping is listener
    target.fire()
    assert log == ["called"] * 3
    target.addEventListener("ping", listener)
    target.onping = None
    target.fire()
    assert log == ["called"] * 4


def test_removing_a_listener_does_not_remove_the_handler(target, log):
    target.onping = logging(log, "handler")
    target.removeEventListener("ping", target.onping)
    target.fire()
    assert log == ["handler"]


def test_a_handler_that_is_replaced_while_an_event_is_fired_gives_way_at_once(target, log):
    def replace():
        target.onping = logging(log, "new")

    target.addEventListener("ping", logging(log, "first", replace))
    target.onping = logging(log, "old")
    target.fire()
    assert log == ["first", "new"]


def test_a_handler_that_is_cleared_while_an_event_is_fired_is_not_called(target, log):
    def clear():
        target.onping = None

    target.addEventListener("ping", logging(log, "first", clear))
    target.onping = logging(log, "old")
    target.fire()
    assert log == ["first"]


def test_each_handler_is_for_its_own_event_and_explains_itself(target, log):
    target.onping = logging(log, "ping")
    target.onpong = logging(log, "pong")
    target.fire("pong")
    target.fire("ping")
    assert log == ["pong", "ping"]
    assert isinstance(Target.onping, event_handler)
    assert "``ping`` event" in Target.onping.__doc__


# Listeners, as in aiortc


def test_on_is_a_decorator_and_a_method(target, log):
    @target.on("ping")
    def decorated():
        log.append("decorated")

    assert target.on("ping", lambda: log.append("passed")) is not None
    assert decorated.__name__ == "decorated"
    target.fire()
    target.fire()
    assert log == ["decorated", "passed"] * 2


def test_once_is_for_one_event(target, log):
    @target.once("ping")
    def decorated():
        log.append("decorated")

    target.once("ping", lambda: log.append("passed"))
    target.fire()
    target.fire()
    assert log == ["decorated", "passed"]
    assert callable(decorated)


def test_what_was_added_with_on_can_be_removed(target, log):
    @target.on("ping")
    def listener():
        log.append("called")

    target.remove_listener("ping", listener)
    target.fire()
    target.on("ping", listener)
    target.removeEventListener("ping", listener)
    target.fire()
    assert log == []


def test_listeners_of_both_kinds_are_called_in_one_order(target, log):
    target.on("ping", lambda: log.append("on"))
    target.addEventListener("ping", logging(log, "listener"))
    target.onping = logging(log, "handler")
    target.once("ping", lambda: log.append("once"))
    target.fire()
    assert log == ["on", "listener", "handler", "once"]


def test_listeners_can_be_asked_for(target, log):
    handler, listener = logging(log, "handler"), logging(log, "listener")

    def on():
        log.append("on")

    assert target.listeners("ping") == []
    target.onping = handler
    target.addEventListener("ping", listener)
    target.on("ping", on)
    target.once("pong", on)
    assert target.listeners("ping") == [handler, listener, on]
    assert target.listeners("pong") == [on]
    target.listeners("ping").clear()
    target.removeEventListener("ping", listener)
    assert target.listeners("ping") == [handler, on]
    target.fire("pong")
    assert target.listeners("pong") == []


@pytest.mark.parametrize(("event", "left"), [("ping", "pong"), ("pong", "ping"), ("other", "ping pong"), (None, "")])
def test_all_listeners_for_one_event_or_for_all_can_be_removed(target, log, event, left):
    for type in ("ping", "pong"):
        setattr(target, f"on{type}", logging(log, type))
        target.addEventListener(type, logging(log, type))
        target.on(type, lambda type=type: log.append(type))
    target.remove_all_listeners(*[event] if event else [])
    target.fire("ping")
    target.fire("pong")
    assert log == [word for word in left.split() for _ in range(3)]
    for type in ("ping", "pong"):
        assert (getattr(target, f"on{type}") is not None) == (type in left)
        assert len(target.listeners(type)) == 3 * (type in left)


def test_listeners_that_are_all_removed_while_an_event_is_fired_are_not_called(target, log):
    target.addEventListener("ping", logging(log, "first", target.remove_all_listeners))
    target.addEventListener("ping", logging(log, "listener"))
    target.onping = logging(log, "handler")
    target.fire()
    assert log == ["first"]
    target.onping = logging(log, "new handler")
    target.fire()
    assert log == ["first", "new handler"]


async def test_on_hands_over_what_aiortc_does(target, objects):
    channel, transceiver = objects
    track = aiortc.AudioStreamTrack()
    events = {
        "track": RTCTrackEvent("track", receiver=transceiver.receiver, track=track, transceiver=transceiver),
        "datachannel": RTCDataChannelEvent("datachannel", channel=channel),
        "icecandidate": RTCPeerConnectionIceEvent("icecandidate", candidate=CANDIDATE),
        "icecandidateerror": RTCPeerConnectionIceErrorEvent("icecandidateerror", errorCode=701),
        "addtrack": MediaStreamTrackEvent("addtrack", track=track),
        "connectionstatechange": Event("connectionstatechange"),
    }
    given = {}
    for name, event in events.items():
        target.on(name, lambda *arguments, name=name: given.setdefault(name, arguments))
        target.fire(event)
    assert given == {
        "track": (track,),
        "datachannel": (channel,),
        "icecandidate": (events["icecandidate"],),
        "icecandidateerror": (events["icecandidateerror"],),
        "addtrack": (events["addtrack"],),
        "connectionstatechange": (),
    }


async def test_on_tells_of_a_track_once_as_aiortc_does(target, log, objects):
    _, transceiver = objects
    of = {"receiver": transceiver.receiver, "track": aiortc.AudioStreamTrack(), "transceiver": transceiver}
    target.addEventListener("track", logging(log, "listener"))
    target.on("track", lambda track: log.append("on"))
    target.once("track", lambda track: log.append("once"))
    target.fire(repeated(RTCTrackEvent("track", of)))
    assert log == ["listener"]
    target.fire(RTCTrackEvent("track", of))
    assert log == ["listener", "listener", "on", "once"]


# Async listeners


async def test_an_async_listener_begins_in_the_task_that_fires_the_event(target, log):
    queue = TaskQueue()

    async def listener(event):
        log.append(f"{event.type} begins")
        await asyncio.sleep(0)
        log.append(f"{event.type} ends")

    target.addEventListener("ping", listener)
    target.onpong = listener
    target.on("pong", lambda: listener(Event("on pong")))
    queue.post(lambda: (target.fire("ping"), log.append("task 1")))
    queue.post(lambda: (target.fire("pong"), log.append("task 2")))
    await queue.run("task 3", lambda: log.append("task 3"))
    begins = [word for word in log if not word.endswith("ends")]
    assert begins == ["ping begins", "task 1", "pong begins", "on pong begins", "task 2", "task 3"]
    await asyncio.sleep(0)
    assert log.count("pong ends") == 1


async def test_an_async_listener_does_not_hold_up_the_others(target, log):
    released = asyncio.Event()

    async def slow(event):
        log.append("slow begins")
        await released.wait()
        log.append("slow ends")

    target.addEventListener("ping", slow)
    target.addEventListener("ping", logging(log, "other"))
    target.fire()
    assert log == ["slow begins", "other"]
    released.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert log == ["slow begins", "other", "slow ends"]


async def test_an_async_listener_is_not_forgotten_while_it_runs(target, log):
    released = asyncio.Event()

    async def slow(event):
        await released.wait()
        log.append("done")

    target.addEventListener("ping", slow, once=True)
    target.fire()
    await asyncio.sleep(0)
    gc.collect()
    released.set()
    await asyncio.sleep(0)
    assert log == ["done"]


async def test_a_listener_may_return_anything_that_can_be_awaited(target, log):
    promise, future = Promise("call"), asyncio.get_running_loop().create_future()
    for awaitable in (promise, future, asyncio.create_task(asyncio.sleep(0))):
        target.addEventListener("ping", lambda event, awaitable=awaitable: awaitable)
    target.addEventListener("ping", lambda event: "not to be awaited")
    target.addEventListener("ping", logging(log, "next"))
    target.fire()
    promise.resolve(None)
    future.set_result(None)
    await asyncio.sleep(0)
    assert log == ["next"]


# Listeners that fail


@pytest.mark.parametrize("how", ["listener", "handler", "on"])
async def test_what_a_listener_raises_is_reported_with_the_name_of_the_event_and_stops_nobody(
    target, log, loop_errors, how
):
    def fails(*arguments):
        raise Failure("no")

    match how:
        case "listener":
            target.addEventListener("ping", fails)
        case "handler":
            target.onping = fails
        case "on":
            target.on("ping", fails)
    target.addEventListener("ping", logging(log, "next"))
    target.fire()
    assert log == ["next"]
    assert messages(loop_errors) == [("a listener for ping of Target failed", "no")]


async def test_what_an_async_listener_raises_is_reported_likewise(target, log, loop_errors):
    async def fails(event):
        await asyncio.sleep(0)
        raise Failure("no")

    target.addEventListener("ping", fails)
    target.addEventListener("ping", logging(log, "next"))
    target.fire()
    target.fire()
    assert log == ["next", "next"]
    for _ in range(3):
        await asyncio.sleep(0)
    assert messages(loop_errors) == [("a listener for ping of Target failed", "no")] * 2


async def test_a_failed_promise_that_a_listener_returned_is_reported_once(target, loop_errors):
    promises = [Promise("setLocalDescription")]
    target.addEventListener("ping", lambda event: promises[0], once=True)
    target.fire()
    promises.pop().reject(Failure("no"))
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert messages(loop_errors) == [("a listener for ping of Target failed", "no")]


async def test_an_async_listener_that_is_cancelled_is_no_failure(target, loop_errors):
    promise, tasks = Promise("call"), []

    async def waits(event):
        tasks.append(asyncio.current_task())
        await promise

    target.addEventListener("ping", waits)
    target.fire()
    await asyncio.sleep(0)
    promise.abandon()
    await asyncio.wait(tasks)
    assert tasks[0].cancelled()
    assert messages(loop_errors) == []


async def test_a_listener_that_takes_the_wrong_arguments_has_failed(target, log, loop_errors):
    target.addEventListener("ping", lambda: log.append("too few"))
    target.on("ping", lambda event: log.append("too many"))
    target.fire()
    assert log == []
    (first, _), (second, _) = messages(loop_errors)
    assert first == second == "a listener for ping of Target failed"


async def test_a_listener_that_asks_for_the_result_of_something_cancelled_stops_nobody(target, log, loop_errors):
    promise = Promise("call")
    promise.abandon()
    target.addEventListener("ping", lambda event: promise.result())
    target.addEventListener("ping", logging(log, "next"))
    target.fire()
    assert log == ["next"]
    loop_errors.clear()


def test_a_user_may_dispatch_an_event_of_their_own(target, log):
    target.addEventListener("mine", lambda event: log.append((event.type, event.target)))
    assert target.dispatchEvent(Event("mine")) is True
    assert log == [("mine", target)]
    with pytest.raises(TypeError):
        target.dispatchEvent("mine")
