"""What came of asking ICE servers for candidates: a verdict, from the entries of a recording. Pure decisions.

Gathering is complete. Each server that was asked comes to one outcome, the first one that applies:

    candidate     it gave us a candidate. Good.
    refused       it answered with an error. Bad.
    unreachable   we could not ask it, or it gave no answer of use: an error 701. Bad.
    nothing       a TURN server of which nothing was heard. Bad.
    not asked     a STUN server, and this host has no address to ask it from, or is to gather relayed ones only. Bad.
    known         a STUN server that told an address which is a candidate already: there is no NAT on the way, or
                  another server has told the same before. No event tells of that: it is what is left. Good. How long
                  it took, the statistics tell.

The verdict is good if all servers are, and there is a candidate. Without servers that is one of this host.

Candidates of some type may be missing. That is no fault where nobody was asked for them, but worth a word:

    host     this host has no address that can be used; not missed if only relays are wanted
    srflx    no STUN server was asked, or none was of use; not missed where one told what is known, or if only
             relays are wanted
    relay    no TURN server was asked, or none has given one
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from peer._facts import UNREACHABLE

from ._entries import Entry
from ._servers import Asked

_HINTS = {
    401: "are the user name and the password right?",
    486: "the user has as many relays as are allowed",
}


@dataclass(frozen=True)
class Outcome:
    """What came of asking one server."""

    url: str
    peer: str  # the connection that has asked it
    name: str  # what to call it
    outcome: str
    good: bool
    sentence: str
    time: float | None = None  # in ms, how long it took until that was known; None for one that was not asked
    errorCode: int | None = None
    errorText: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of it all."""

    good: bool
    servers: tuple[Outcome, ...]
    candidates: dict[str, int]  # how many there are of each type
    missing: dict[str, str]  # why there is none, by type


def verdict(
    servers: Sequence[Asked], entries: Sequence[Entry], times: Mapping[Asked, float], *, relay_only: bool
) -> Verdict:
    """Judge the *servers* by what has happened since they were asked, which the first of the *entries* tells.

    *times* are those that statistics have, in ms: from when a server was asked until it told an address.
    """
    found = Counter(_candidate(entry)["type"] for entry in entries if _candidate(entry))
    outcomes = tuple(_outcome(server, entries, times.get(server), found) for server in servers)
    return Verdict(
        good=bool(found) and all(outcome.good for outcome in outcomes),
        servers=outcomes,
        candidates=dict(found),
        missing=_missing(outcomes, found, relay_only=relay_only),
    )


def waiting(servers: Sequence[Asked], entries: Sequence[Entry], times: Mapping[Asked, float]) -> list[str]:
    """The names of those of the *servers* of which nothing was heard yet."""
    return [
        server.name
        for server in servers
        if server not in times and not any(_is_about(entry, server) for entry in entries)
    ]


def _outcome(server: Asked, entries: Sequence[Entry], time: float | None, found: Counter[str]) -> Outcome:
    of = partial(Outcome, server.url, server.peer, server.name)
    own = [entry for entry in entries if _is_about(entry, server)]
    if own:
        heard = own[0]["time"] - entries[0]["time"]
        types = " and ".join(dict.fromkeys(_candidate(entry)["type"] for entry in own if _candidate(entry)))
        if types:
            return of("candidate", True, f"{_answered(heard)}: {types}", heard)
        return _failure(of, own[0]["value"], heard)
    if not _is_stun(server.url):
        return of("nothing", False, "has given no relay")
    if not found["host"]:
        return of("not asked", False, "not asked: no address to ask from, or relayed candidates only")
    return of("known", True, f"{_answered(time)}: the address it told is a candidate already", time)


def _failure(of: Callable[..., Outcome], error: dict[str, Any], time: float) -> Outcome:
    code, text = error["errorCode"], error["errorText"]
    if code == UNREACHABLE:
        return of("unreachable", False, text, time, code, text)
    sentence = f"{_answered(time)}: {code} {text}".rstrip()
    if code in _HINTS:
        sentence += f"; {_HINTS[code]}"
    return of("refused", False, sentence, time, code, text)


def _answered(time: float | None) -> str:
    return "answered" if time is None else f"answered after {time:.0f} ms"


def _missing(servers: Sequence[Outcome], found: Counter[str], *, relay_only: bool) -> dict[str, str]:
    stun = [server for server in servers if _is_stun(server.url)]
    missing = {}
    if not relay_only:
        if not found["host"]:
            missing["host"] = "this host has no address that can be used"
        if not found["srflx"] and not any(server.good for server in stun):
            missing["srflx"] = "no STUN server was of use" if stun else "no STUN server was asked"
    if not found["relay"]:
        missing["relay"] = "no TURN server was asked" if len(stun) == len(servers) else "no TURN server has given one"
    return missing


def _is_about(entry: Entry, server: Asked) -> bool:
    """Whether an entry tells of a candidate or an error that came from the *server*."""
    about = entry["value"] if entry["event"] == "icecandidateerror" else _candidate(entry)
    return bool(about.get("url") == server.url and entry["peer"] == server.peer)


def _candidate(entry: Entry) -> dict[str, Any]:
    """The candidate that an entry tells of; empty for any other entry, and for the end of candidates."""
    value = entry["value"]
    return value if entry["event"] == "icecandidate" and value and value["candidate"] else {}


def _is_stun(url: str) -> bool:
    return url.lower().startswith("stun")
