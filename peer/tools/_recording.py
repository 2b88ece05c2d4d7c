"""Writes down what happens at a connection, for people and programs to look at. The form is that of _entries.py."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

from peer._candidate import RTCIceCandidate
from peer._connection import RTCPeerConnection
from peer._data_channel import RTCDataChannel
from peer._events import Event
from peer._ice_transport import RTCIceTransport

from ._entries import Entry

Note = Callable[..., None]

_STATES = ("signalingState", "iceGatheringState", "iceConnectionState", "connectionState")
_CHECKED = ("in-progress", "succeeded", "failed")
_CHANNEL = ("open", "closing", "close", "error")
_CANDIDATE = (
    *("type", "protocol", "address", "port", "priority", "relatedAddress", "relatedPort"),
    *("tcpType", "relayProtocol", "url"),
)
# Unix time when the monotonic clock was at 0. Looked at once: a clock that is set meanwhile disturbs no order.
_EPOCH = time.time() - time.monotonic()


def record(
    target: RTCPeerConnection | RTCDataChannel, peer: str, to: TextIO | Callable[[Entry], object]
) -> Callable[..., None]:
    """Record the events of a connection under the name *peer*, with those of the channels that the other side opens.

    A channel of your own is a *target* like a connection. What is recorded goes *to* a text file, as lines of JSON,
    which ``python -m peer timeline`` shows, or to a function, as dictionaries. Times are those of :func:`now`.
    Messages and media are not recorded, addresses are. A file must stay open until the connection is closed.

    Of the checks of pairs no event tells. So the statistics are looked at whenever a state of ICE or of the connection
    changes, or the pair that is selected, and what is new there is recorded then, which may be a little late.

    Returns a function, ``note(event, value=None)``, that adds what you have to tell: anything that JSON can carry.
    """
    write = to if callable(to) else partial(_write_line, to)

    def note(event: str, value: Any = None) -> None:
        write(Entry(time=now(), peer=peer, event=event, value=value))

    if isinstance(target, RTCDataChannel):
        _record_channel(target, note)
    else:
        _record_connection(target, note)
    return note


def now() -> float:
    """The time that is recorded now: in milliseconds, to be compared with that of others on the same machine.

    It is Unix time, but goes on evenly when somebody sets the clock.
    """
    return round((_EPOCH + time.monotonic()) * 1000, 3)


def _write_line(file: TextIO, entry: Entry) -> None:
    file.write(json.dumps(entry) + "\n")


def _record_channel(channel: RTCDataChannel, note: Note) -> None:
    def tell(event: Any) -> None:
        error = {"message": event.error.message} if event.type == "error" else {}
        note(event.type, {"label": channel.label, **error})

    for type in _CHANNEL:
        channel.addEventListener(type, tell)


def _record_connection(pc: RTCPeerConnection, note: Note) -> None:
    seen: weakref.WeakSet[RTCIceTransport] = weakref.WeakSet()
    told: dict[str, str] = {}  # the last state of each pair that was recorded, by the pair's identifier

    def tell_state(attribute: str, event: Event) -> None:
        note(event.type, getattr(pc, attribute))

    def tell_error(event: Any) -> None:
        members = ("url", "errorCode", "errorText", "address", "port")
        note(event.type, {name: getattr(event, name) for name in members})

    def tell_channel(event: Any) -> None:
        note(event.type, {"label": event.channel.label})
        _record_channel(event.channel, note)

    def watch_transports(event: Event | None = None) -> None:  # new ones come with descriptions
        for transport in _ice_transports(pc):
            if transport not in seen:
                seen.add(transport)
                transport.addEventListener("selectedcandidatepairchange", tell_pair)
                transport.addEventListener("selectedcandidatepairchange", tell_checks)

    def tell_pair(event: Any) -> None:
        pair = event.target.getSelectedCandidatePair()
        note(event.type, {"local": _members(pair.local), "remote": _members(pair.remote)})

    async def tell_checks(event: Event) -> None:
        report = await pc.getStats()
        if pc.connectionState == "closed":  # meanwhile: nobody expects anything more
            return
        for pair in report.values():
            if pair.type == "candidate-pair" and pair.state in _CHECKED and told.get(pair.id) != pair.state:
                told[pair.id] = pair.state
                local, remote = report[pair.localCandidateId], report[pair.remoteCandidateId]
                note("candidatepair", {"state": pair.state, "local": _reported(local), "remote": _reported(remote)})

    for attribute in _STATES:
        pc.addEventListener(f"{attribute.lower()}change", partial(tell_state, attribute))
    for type in ("iceconnectionstatechange", "connectionstatechange"):
        pc.addEventListener(type, tell_checks)
    watch_transports()
    pc.addEventListener("signalingstatechange", watch_transports)
    pc.addEventListener("icecandidate", lambda event: note(event.type, event.candidate and _members(event.candidate)))
    pc.addEventListener("icecandidateerror", tell_error)
    pc.addEventListener("negotiationneeded", lambda event: note(event.type))
    pc.addEventListener("datachannel", tell_channel)
    pc.addEventListener("track", lambda event: note(event.type, {"kind": event.track.kind}))


def _ice_transports(pc: RTCPeerConnection) -> Iterator[RTCIceTransport]:
    for carrier in (pc.sctp, *pc.getSenders()):
        if carrier is not None:
            yield carrier.transport.iceTransport


def _members(candidate: RTCIceCandidate) -> dict[str, Any]:
    """What JSON can carry of a candidate, without what it lacks."""
    given = {name: getattr(candidate, name) for name in _CANDIDATE}
    return candidate.toJSON() | {name: value for name, value in given.items() if value is not None}


def _reported(candidate: Any) -> dict[str, Any]:
    """What is recorded of a candidate in statistics."""
    given = {name: getattr(candidate, name) for name in ("protocol", "address", "port", "priority", "url")}
    return {"type": candidate.candidateType} | {name: value for name, value in given.items() if value is not None}
