"""What a recording looks like: which entry belongs where on a time line, and in which words. Pure decisions.

Each peer has nine lanes, of which those are shown that any peer has something for:

    signalling    the signaling state, and what asks for negotiation
    trouble       what became of messages on purpose (peer.testing)
    gathering     the ICE gathering state, and the verdict on servers
    candidates    candidates, each by its type, the end of them, and servers that yield none
    checks        pairs of candidates, by the type of the local one: that they are checked, and what came of it
    ICE           the ICE connection state, and the pairs that were selected
    connection    the connection state: ICE and DTLS
    channels      data channels, messages and tracks
    notes         all else: what users note

A state lasts until the next one in its lane, the last one for ever. What there was before its first change nobody has
recorded, and nothing is shown. All else is a mark at one moment. Recordings may come from anybody: an entry
whose value is not what its event suggests is shown by its name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._entries import Entry, ordered

LANES = ("signalling", "trouble", "gathering", "candidates", "checks", "ICE", "connection", "channels", "notes")

_LANE_OF = {
    "signalingstatechange": "signalling",
    "negotiationneeded": "signalling",
    "trouble": "trouble",
    "verdict": "gathering",
    "candidatepair": "checks",
    "icegatheringstatechange": "gathering",
    "icecandidate": "candidates",
    "icecandidateerror": "candidates",
    "iceconnectionstatechange": "ICE",
    "selectedcandidatepairchange": "ICE",
    "connectionstatechange": "connection",
    **dict.fromkeys(("datachannel", "open", "message", "closing", "close", "error", "track"), "channels"),
}
_STATES = ("signalingstatechange", "icegatheringstatechange", "iceconnectionstatechange", "connectionstatechange")
_KIND_OF_STATE = {
    **dict.fromkeys(("stable", "complete", "connected", "completed"), "good"),
    **dict.fromkeys(("failed", "disconnected"), "bad"),
    **dict.fromkeys(("new", "closed"), "idle"),
}
_TYPES = ("host", "srflx", "prflx", "relay")
_LONGEST = 64  # characters of a label


@dataclass(frozen=True)
class Item:
    """Something on a lane."""

    start: float  # in ms since the recording began
    end: float | None  # of a state, infinite for one that lasts; None for a mark
    kind: str  # how it looks: "good", "bad", "busy" or "idle" for a state; what it is for a mark
    label: str
    title: str  # all that there is to say about it


def lanes(entries: Iterable[Entry]) -> dict[str, dict[str, list[Item]]]:
    """The items of each lane of each peer, in their order. The recording begins with the first of the *entries*."""
    recording = ordered(entries)
    if not recording:
        return {}
    began = recording[0]["time"]
    shown = [name for name in LANES if any(lane(entry) == name for entry in recording)]
    peers = dict.fromkeys(entry["peer"] for entry in recording)
    return {
        peer: {name: _items([e for e in recording if (e["peer"], lane(e)) == (peer, name)], began) for name in shown}
        for peer in peers
    }


def lane(entry: Entry) -> str:
    """The lane that an entry belongs to."""
    return _LANE_OF.get(entry["event"], "notes")


def _items(entries: Sequence[Entry], began: float) -> list[Item]:
    """The items of one lane."""
    found: list[Item] = []
    until = math.inf
    for entry in reversed(entries):
        is_state = entry["event"] in _STATES
        words = in_words(entry)
        found.append(
            Item(
                start=entry["time"] - began,
                end=until if is_state else None,
                kind=kind(entry),
                label=words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…",
                title=_title(entry, began),
            )
        )
        if is_state:
            until = entry["time"] - began
    return found[::-1]


def kind(entry: Entry) -> str:
    """How an entry looks: see :class:`Item`."""
    match entry:
        case {"event": event, "value": state} if event in _STATES:
            return _KIND_OF_STATE.get(str(state), "busy")
        case {"event": "icecandidate", "value": {"candidate": ""}}:
            return "end"
        case {"event": "icecandidate", "value": {"type": str(type)}} if type in _TYPES:
            return type
        case {"event": "candidatepair", "value": {"state": "failed"}} | {"event": "verdict", "value": {"good": False}}:
            return "error"
        case {
            "event": "selectedcandidatepairchange" | "candidatepair",
            "value": {"local": {"type": str(type)}},
        } if type in _TYPES:
            return type
        case {"event": "icecandidate", "value": None}:
            return "null"
        case {"event": "icecandidateerror" | "error"}:
            return "error"
    return "note"


def in_words(entry: Entry) -> str:
    """What an entry says, briefly and on one line: what its lane says already is left out."""
    return " ".join(_words(entry["event"], entry["value"]).split())


def _words(event: str, value: Any) -> str:
    match event, value:
        case "icecandidate", None:
            return "null"
        case "icecandidate", {"candidate": ""}:
            return 'marker ""'
        case "icecandidate", {"type": str()}:
            return _candidate(value)
        case "icecandidateerror", {"errorCode": int(code), "url": str(url)}:
            return f"{code} {url}"
        case "selectedcandidatepairchange", {"local": {} as local, "remote": {} as remote}:
            return f"{_candidate(local)} → {_candidate(remote)}"
        case "candidatepair", {"state": str(state), "local": {} as local, "remote": {} as remote}:
            return f"{state}: {_candidate(local)} → {_candidate(remote)}"
        case "verdict", {"good": bool(good)}:
            return "verdict: good" if good else "verdict: bad"
        case "trouble", str():
            return value
        case _, {"label": str(label)}:
            return f"{event} {label}".strip()
        case "track", {"kind": str(kind)}:
            return f"track {kind}"
        case _, str() if event in _STATES:
            return value
        case _, str():
            return f"{event} {value}"
    return event


def _candidate(candidate: Mapping[str, Any]) -> str:
    """A candidate: its type, its protocol unless it is the usual one, and where it is, if that is known."""
    address = candidate.get("address")
    words = [str(candidate.get("type", "candidate"))]
    if candidate.get("protocol", "udp") != "udp":
        words.append(str(candidate["protocol"]))
    if address is not None:
        words.append(f"{_host(str(address))}:{candidate.get('port')}")
    return " ".join(words)


def _host(address: str) -> str:
    """An address as a URL has it; of the long names that browsers invent, the beginning."""
    if address.endswith(".local") and len(address) > 20:
        return f"{address[:8]}….local"
    return f"[{address}]" if ":" in address and not address.startswith("[") else address  # Chromium's have them


def _title(entry: Entry, began: float) -> str:
    value = entry["value"]
    said = f"{value}" if isinstance(value, str) else ", ".join(_said(value))
    return f"{entry['time'] - began:.1f} ms  {entry['peer']}  {entry['event']}  {said}".rstrip()


def _said(value: Any) -> list[str]:
    """The members of *value* that say something, one by one."""
    if isinstance(value, Mapping):
        return [f"{name}: {_flat(member)}" for name, member in value.items() if member not in (None, "")]
    return [] if value is None else [str(value)]


def _flat(member: Any) -> str:
    return f"({', '.join(_said(member))})" if isinstance(member, Mapping) else str(member)
