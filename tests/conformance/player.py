"""Plays a scenario with two of our connections, A and B, and returns what happened. Its twin is page.js."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiortc

import peer as package
from peer import MediaStream, RTCError, RTCErrorEvent, RTCIceCandidate, RTCPeerConnection

STATES = ("signalingState", "iceGatheringState", "iceConnectionState", "connectionState")
EVENTS = (
    "negotiationneeded",
    "signalingstatechange",
    "icegatheringstatechange",
    "iceconnectionstatechange",
    "connectionstatechange",
    "icecandidate",
    "icecandidateerror",
    "datachannel",
    "track",
)
DESCRIPTIONS = ("currentLocal", "pendingLocal", "currentRemote", "pendingRemote")
CHANNEL_EVENTS = ("open", "closing", "error", "close")
STREAM_EVENTS = ("addtrack", "removetrack")
TRANSPORT_EVENTS = ("gatheringstatechange", "statechange", "selectedcandidatepairchange")
LINES = re.compile(
    r"(m=|c=|a=(group|mid|ice-ufrag|ice-options|candidate|end-of-candidates|bundle-only|(send|recv)(recv|only)|inactive)\b)"
)
ATTRIBUTES = (
    *("foundation", "component", "priority", "address", "protocol", "port", "type", "tcpType", "relatedAddress"),
    *("relatedPort", "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "relayProtocol", "url"),
)
ERROR_ATTRIBUTES = ("name", "errorDetail", "sdpLineNumber", "sctpCauseCode", "receivedAlert", "sentAlert", "message")

Step = Sequence[Any]
Outcome = str | Awaitable[str]


class GivenUp(Exception):
    """A call failed that no step expected to fail."""


async def play(configuration: dict[str, Any], steps: Sequence[Step], limit: float) -> dict[str, Any]:
    """Take *steps*, but for no longer than *limit* seconds; returns the log and the features this side has."""
    return await Player(configuration).play(steps, limit)


def name_of(error: BaseException) -> str:
    return str(getattr(error, "name", None) or type(error).__name__)


class Player:
    def __init__(self, configuration: dict[str, Any]) -> None:
        self._configuration = configuration
        self.log: list[dict[str, Any]] = []
        self.trickling = False
        self.deliveries: list[asyncio.Future[None]] = []  # candidates that are being added
        self._streams: dict[str, MediaStream] = {}  # those that the steps name
        self._waits: list[tuple[str, str, int, asyncio.Future[None]]] = []
        self._reactions: list[tuple[str, str, Step]] = []
        self._tasks: set[asyncio.Future[Any]] = set()  # calls that nobody waits for
        self.peers = {name: Peer(self, name, configuration.get(name)) for name in ("A", "B")}

    async def play(self, steps: Sequence[Step], limit: float) -> dict[str, Any]:
        try:
            await self._take_all(steps, limit)
            for peer in self.peers.values():
                descriptions = {side: peer.lines(f"{side}Description") for side in ("local", "remote")}
                self.note(peer.name, "end", "", **descriptions)
            return {"log": list(self.log), "features": features()}
        finally:
            for peer in self.peers.values():
                await peer.pc.close()
            for task in (left := [*self._tasks, *self.deliveries]):
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _take_all(self, steps: Sequence[Step], limit: float) -> None:
        step: Step = ()
        try:
            async with asyncio.timeout(limit):
                for step in steps:
                    await self.take(step)
                if all(peer.pc.signalingState != "closed" for peer in self.peers.values()):
                    await asyncio.gather(*self.deliveries)
        except GivenUp as error:
            self.log.append({"who": "-", "what": "gave up", "value": str(error)})
        except TimeoutError:
            self.log.append({"who": "-", "what": "gave up", "value": f"waiting for {step}"})

    def note(self, who: str, what: str, value: str, **more: Any) -> None:
        peer = self.peers[who.partition(".")[0]]
        seen = {name: getattr(peer.pc, name) for name in STATES}
        self.log.append({"who": who, "what": what, "value": value, "seen": seen, **more})
        due = [reaction for reaction in self._reactions if self.count(*reaction[:2])]
        self._reactions = [reaction for reaction in self._reactions if reaction not in due]
        for _, _, step in due:
            self.start(step)
        for awaited, words, times, future in self._waits:
            if not future.done() and self.count(awaited, words) >= times:
                future.set_result(None)

    def stream(self, name: str) -> MediaStream:
        return self._streams.setdefault(name, MediaStream())

    def name_of_stream(self, stream: MediaStream) -> str:
        return next((name for name, known in self._streams.items() if known.id == stream.id), "unknown")

    def count(self, who: str, words: str) -> int:
        return sum(e["who"] == who and f"{e['what']} {e['value']}".startswith(words) for e in self.log)

    # Steps. The calls of a step are made before take() returns; what it returns is waited for before the next step.

    def take(self, step: Step) -> Awaitable[Any]:
        name, *given = step
        who, _, verb = name.partition(".")
        method: Callable[..., Any] | None
        if not verb:
            return _awaitable(getattr(self, f"_{name}")(*given))
        if method := getattr(self, f"_peer_{verb}", None):
            return _awaitable(method(self.peers[who], *given))
        return self._told(self.peers[who], verb, self.peers[who].call(verb, given))

    def start(self, step: Step) -> None:
        task = asyncio.ensure_future(_ignoring_failure(self.take(step)))
        self._tasks.add(task)

    def _told(self, peer: Peer, verb: str, outcome: Outcome) -> Awaitable[None]:
        def tell(outcome: str) -> None:
            self.note(peer.name, "call", f"{verb} {outcome}", local=peer.lines("localDescription"))
            if not outcome.startswith(("returned", "resolved")):
                raise GivenUp(f"{peer.name}.{verb}")

        async def wait(outcome: Awaitable[str]) -> None:
            tell(await outcome)

        if not isinstance(outcome, str):
            return wait(outcome)
        try:
            tell(outcome)
        except GivenUp as error:
            return _failed(error)
        return _nothing()

    def _trickle(self) -> None:
        self.trickling = True
        for peer in self.peers.values():
            peer.flush()

    def _start(self, step: Step) -> None:
        self.start(step)

    def _together(self, *steps: Step) -> Awaitable[Any]:
        return asyncio.gather(*[self.take(step) for step in steps])

    def _upon(self, who: str, words: str, step: Step) -> None:
        self._reactions.append((who, words, step))

    def _try(self, step: Step) -> Awaitable[None]:
        return _ignoring_failure(self.take(step))

    async def _settle(self) -> None:
        probe = RTCPeerConnection()
        probe.createDataChannel("probe")
        complete = asyncio.get_running_loop().create_future()
        probe.onicecandidate = lambda event: event.candidate or complete.set_result(None)
        await probe.setLocalDescription()
        await complete
        await probe.close()

    async def _construct(self, name: str, rows: dict[str, list[Any]]) -> None:
        for row, given in rows.items():
            outcome: Any = "returned"
            try:
                made = getattr(package, name)(*given)
            except Exception as error:
                outcome = f"threw {name_of(error)}"
            else:
                if isinstance(made, RTCIceCandidate):
                    outcome = {name: getattr(made, name) for name in ATTRIBUTES} | {"toJSON": made.toJSON()}
                if isinstance(made, RTCError):
                    outcome = " ".join(_in_javascript(getattr(made, name)) for name in ERROR_ATTRIBUTES).strip()
                if isinstance(made, RTCPeerConnection):
                    await made.close()
            self.note("A", "row", row, given=given, outcome=outcome)

    def _members(self, name: str, members: list[str]) -> None:
        there = getattr(package, name, None)
        for member in members:
            self.note("A", "row", member, outcome="there" if hasattr(there, member) else "missing")

    async def _anew(self, rows: dict[str, list[Any]], before: Sequence[Step]) -> None:
        for row, (method, *given) in rows.items():
            await self.peers["A"].pc.close()
            peer = self.peers["A"] = Peer(self, "A", self._configuration.get("A"))
            for step in before:
                await self.take(step)
            seen = peer.negotiated()
            outcome = peer.call(method, given)
            outcome = outcome if isinstance(outcome, str) else await outcome
            failed = not outcome.startswith(("returned", "resolved"))
            changed = ", changed" if failed and peer.negotiated() != seen else ""
            self.note("A", "row", row, outcome=f"{outcome}, {peer.pc.signalingState}{changed}")

    async def _peer_sees(self, peer: Peer, words: str, times: int = 1) -> None:
        if self.count(peer.name, words) < times:
            future = asyncio.get_running_loop().create_future()
            self._waits.append((peer.name, words, times, future))
            await future

    async def _peer_rests(self, peer: Peer) -> None:
        await self._settle()
        if peer.pc.iceGatheringState == "gathering":
            await self._peer_sees(peer, "icecandidate null", self.count(peer.name, "icecandidate null") + 1)

    def _peer_directs(self, peer: Peer, direction: str) -> None:
        peer.pc.getTransceivers()[0].direction = direction

    def _peer_prefers(self, peer: Peer, codec: str) -> None:
        transceiver = peer.pc.getTransceivers()[0]
        known = aiortc.RTCRtpSender.getCapabilities(transceiver.kind).codecs
        transceiver.setCodecPreferences([each for each in known if each.mimeType == f"{transceiver.kind}/{codec}"])

    def _peer_setsStreams(self, peer: Peer, *names: str) -> None:
        peer.pc.getSenders()[0].setStreams(*map(self.stream, names))

    def _peer_inspects(self, peer: Peer) -> None:
        for transport in peer.transports:
            for name in ("role", "state", "gatheringState"):
                self.note(peer.name, "reads", f"{name} {getattr(transport, name)}")

    async def _peer_callsBack(self, peer: Peer, candidate: Any) -> None:
        called = asyncio.get_running_loop().create_future()
        try:
            await peer.pc.addIceCandidate(
                candidate,
                lambda: called.set_result("success without a value"),
                lambda error: called.set_result(f"failure {name_of(error)}"),
            )
            self.note(peer.name, "reads", await called)
        except Exception as error:
            self.note(peer.name, "reads", f"failed {name_of(error)}")

    def _peer_shows(self, peer: Peer, description: str) -> None:
        self.note(peer.name, "shows", description, lines=peer.lines(description))

    def _peer_reads(self, peer: Peer, attribute: str) -> None:
        value = getattr(peer.pc, attribute)
        self.note(peer.name, "reads", f"{attribute} {_in_javascript(value)}")

    def _peer_sends(self, peer: Peer, text: str) -> None:
        try:
            peer.channels[0].send(text)
        except Exception as error:
            self.note(peer.name, "reads", f"send threw {name_of(error)}")

    def _peer_closesChannel(self, peer: Peer) -> None:
        peer.channels[0].close()

    def _peer_readsChannel(self, peer: Peer, attribute: str) -> None:
        self.note(peer.name, "reads", f"{attribute} {_in_javascript(getattr(peer.channels[0], attribute))}")

    async def _peer_tries(self, peer: Peer, rows: dict[str, list[Any]]) -> None:
        for row, (method, *given) in rows.items():
            before = peer.candidate_lines()
            outcome = peer.call(method, given)
            outcome = outcome if isinstance(outcome, str) else await outcome
            if peer.candidate_lines() > before:
                outcome += ", written"
            self.note(peer.name, "row", row, outcome=outcome)


class Peer:
    def __init__(self, player: Player, name: str, configuration: Any) -> None:
        self.name = name
        self.pc = RTCPeerConnection(configuration)
        self.channels: list[Any] = []
        self._player = player
        self._created: Any = None  # what createOffer or createAnswer gave last
        self._outbox: list[dict[str, Any]] = []  # candidates to be sent to the other side
        self._described = False  # whether the other side was given our description
        self.transports: list[Any] = []
        self._watched: set[MediaStream] = set()  # remote streams
        for type in EVENTS:
            self.pc.addEventListener(type, self._hear)

    @property
    def other(self) -> Peer:
        return self._player.peers["B" if self.name == "A" else "A"]

    def lines(self, which: str) -> list[str] | None:
        """The lines of a description that count, or None."""
        description = getattr(self.pc, which)
        return [line for line in description.sdp.split("\r\n") if LINES.match(line)] if description else None

    def negotiated(self) -> Any:
        """What a call that fails must not change."""
        kept = re.compile("m=|a=(group|mid|ice-ufrag|(send|recv)(recv|only)|inactive)")
        described = [self.lines(f"{which}Description") for which in DESCRIPTIONS]
        transceivers = [(t.mid, t.direction, t.currentDirection, t.stopped) for t in self.pc.getTransceivers()]
        return (
            self.pc.signalingState,
            [lines and [line.split(" ")[0] for line in lines if kept.match(line)] for lines in described],
            transceivers,
            len(self.pc.getSenders()),
            len(self.pc.getReceivers()),
        )

    def candidate_lines(self) -> int:
        return sum(line.startswith("a=candidate:") for line in self.lines("remoteDescription") or ())

    def _note(self, what: str, value: str, **more: Any) -> None:
        self._player.note(self.name, what, value, **more)

    def _hear(self, event: Any) -> None:
        state = next((name for name in STATES if f"{name.lower()}change" == event.type), None)
        if event.type == "icecandidate":
            self._hear_candidate(event.candidate)
        elif event.type == "icecandidateerror":
            self._note(event.type, str(event.errorCode), url=event.url)
        elif event.type == "datachannel":
            self._watch(event.channel)
            self._note(event.type, event.channel.label)
        elif event.type == "track":
            for stream in event.streams:
                self._watch_stream(stream)
            self._note(event.type, " ".join([event.track.kind, *map(self._player.name_of_stream, event.streams)]))
        else:
            self._note(event.type, getattr(self.pc, state) if state else "")

    def _watch_stream(self, stream: MediaStream) -> None:
        def hear(event: Any) -> None:
            self._note(event.type, f"{event.track.kind} {self._player.name_of_stream(stream)}")

        if stream not in self._watched:
            self._watched.add(stream)
            for type in STREAM_EVENTS:
                stream.addEventListener(type, hear)

    def _hear_candidate(self, candidate: RTCIceCandidate | None) -> None:
        value = "null" if candidate is None else "candidate" if candidate.candidate else "end"
        json = candidate and candidate.toJSON()
        if json:
            self._outbox.append(json)
        self._note("icecandidate", value, candidate=json, local=self.lines("localDescription"))
        self.flush()

    def flush(self) -> None:
        """Send what is in the outbox, if the other side can know what it belongs to."""
        if not self._player.trickling or not self._described:
            return
        outbox, self._outbox = self._outbox, []
        for candidate in outbox:
            added = self.other.pc.addIceCandidate(candidate)
            self._player.deliveries.append(asyncio.ensure_future(self._delivered(candidate, added)))

    async def _delivered(self, candidate: dict[str, Any], added: Awaitable[None]) -> None:
        try:
            await added
        except Exception as error:
            if self.other.pc.signalingState != "closed":
                self.other._note("refused", name_of(error), candidate=candidate)

    def _watch(self, channel: Any) -> None:
        self.channels.append(channel)
        for type in CHANNEL_EVENTS:
            channel.addEventListener(type, lambda event: self._note(event.type, _told(channel, event)))
        channel.addEventListener("message", lambda event: self._note("message", event.data))

    def _watch_transports(self) -> None:
        """Listen to the ICE transports that have come into being, in the order of transceivers, then of data."""
        carriers = [*(transceiver.sender for transceiver in self.pc.getTransceivers()), self.pc.sctp]
        for carrier in carriers:
            transport = getattr(getattr(carrier, "transport", None), "iceTransport", None)
            if transport is not None and transport not in self.transports:
                self.transports.append(transport)
                self._watch_transport(transport, f"{self.name}.transport{len(self.transports)}")

    def _watch_transport(self, transport: Any, who: str) -> None:
        values = {"gatheringstatechange": "gatheringState", "statechange": "state"}

        def hear(event: Any) -> None:
            attribute = values.get(event.type)
            self._player.note(who, event.type, getattr(transport, attribute) if attribute else "")

        for type in TRANSPORT_EVENTS:
            transport.addEventListener(type, hear)

    def call(self, method: str, given: Sequence[Any]) -> Outcome:
        """Call a method. The call is made before this returns; what is returned tells its outcome."""
        values = [self._value(value) for value in given]
        if method == "setLocalDescription":
            self._described = False
            self._outbox.clear()  # what is there is in the description if it still holds
        if method == "setRemoteDescription":
            self.other._described = True
        if not hasattr(self.pc, method):
            return "threw TypeError"  # what calling undefined throws
        try:
            returned = getattr(self.pc, method)(*values)
        except Exception as error:
            return f"threw {name_of(error)}"
        if method == "setRemoteDescription":
            self.other.flush()
        if method == "createDataChannel":
            self._watch(returned)
        if method == "close" or not isinstance(returned, Awaitable):
            return "returned"
        return self._outcome(method, returned)

    async def _outcome(self, method: str, promise: Awaitable[Any]) -> str:
        try:
            value = await promise
        except Exception as error:
            return f"rejected {name_of(error)}"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await asyncio.get_running_loop().create_future()  # closed meanwhile: a browser's stays pending for ever
        if method in ("createOffer", "createAnswer"):
            self._created = value
        if method.endswith("Description"):
            self._watch_transports()
        return "resolved"

    def _value(self, given: Any) -> Any:
        """What an argument stands for: a description of one of the two, the remote ufrag, streams, or itself."""
        if not isinstance(given, dict):
            return given
        if "streams" in given:
            return {**given, "streams": [self._player.stream(name) for name in given["streams"]]}
        if source := given.get("local") or given.get("created"):
            other = self._player.peers[source]
            description = other.pc.localDescription if "local" in given else other._created
            sdp = description.sdp
            for before, after in given.get("edits", ()):
                sdp = sdp.replace(before, after)
            return {"type": given.get("type", description.type), "sdp": sdp}
        if given.get("usernameFragment") == "$ufrag":
            ufrags = [line[12:] for line in self.lines("remoteDescription") or () if line.startswith("a=ice-ufrag:")]
            return {**given, "usernameFragment": ufrags[0] if ufrags else "none"}
        return given


def features() -> list[str]:
    """What this side has of what not every side has."""
    transport = getattr(package, "RTCIceTransport", None)
    there = {
        "negotiationneeded": hasattr(RTCPeerConnection, "onnegotiationneeded"),
        "icecandidateerror": hasattr(RTCPeerConnection, "onicecandidateerror"),
        "RTCIceTransport": transport is not None,
        "selectedcandidatepairchange": hasattr(transport, "onselectedcandidatepairchange"),
    }
    return [name for name, is_there in there.items() if is_there]


def _told(channel: Any, event: Any) -> str:
    return f"{channel.label} {event.error.errorDetail}" if isinstance(event, RTCErrorEvent) else channel.label


def _in_javascript(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _awaitable(value: Any) -> Awaitable[Any]:
    return _nothing() if value is None else value


async def _nothing() -> None:
    pass


async def _failed(error: Exception) -> None:
    raise error


async def _ignoring_failure(work: Awaitable[Any]) -> None:
    with contextlib.suppress(GivenUp):
        await work
