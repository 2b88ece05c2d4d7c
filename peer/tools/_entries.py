"""What a recording consists of: entries, one for each thing that has happened at a connection. Pure.

A recording is a text. Each of its lines is an entry, as JSON:

    {"time": 1754000000000.125, "peer": "alice", "event": "icegatheringstatechange", "value": "gathering"}

time is in milliseconds, of a clock that all entries share that are looked at together. event is the type of an event,
or whatever its user has noted. value depends on it:

    icecandidate                null; or the candidate: what toJSON() gives and what its text says, the end of
                                candidates with an empty text
    icecandidateerror           url, errorCode, errorText, and address and port, if known
    selectedcandidatepairchange local and remote, two candidates
    candidatepair               state, that of the check of local and remote: in-progress, succeeded or failed
    ...statechange              the state
    datachannel, open, ...      label, that of the channel; with error, message, too
    track                       kind
    trouble                     what became of a message
    verdict                     good, and more: what gather thinks of servers
    what users note             anything that JSON has, or null

Whoever writes such lines, a page for one, can have them shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

_AGES = 1e15  # ms; beyond, a float does not know the milliseconds any more


class Entry(TypedDict):
    """Something that has happened."""

    time: float
    """In milliseconds."""
    peer: str
    """The name of the connection at which it happened."""
    event: str
    """What it was."""
    value: Any
    """What there is to say about it."""


def parse(text: str) -> list[Entry]:
    """The entries of a recording, which is a text. Raises ValueError, which names the first line that is wrong."""
    return [_entry(line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def parse_cut(text: str) -> tuple[list[Entry], int | None]:
    """As :func:`parse`, but a last line that is cut off is left out; its number is returned, too, or None.

    A writer that is killed leaves half a line: one without an end, which is no JSON. It follows others, for otherwise
    this may be no recording at all.
    """
    whole, _, last = text.rpartition("\n")
    if whole.strip() and last.strip() and not _is_json(last):
        return parse(whole), text.count("\n") + 1
    return parse(text), None


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _entry(line: str, number: int) -> Entry:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"line {number} is not JSON") from None
    match found:
        case {"time": int() | float() as time, "peer": str(peer), "event": str(event)} if (
            not isinstance(time, bool) and abs(time) < _AGES
        ):
            return Entry(time=round(float(time), 3), peer=peer, event=event, value=found.get("value"))
    raise ValueError(f"line {number} is not an entry: it needs a time, a peer and an event")


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The *entries* in the order of their times, and those that have the same time as they come."""
    return sorted(entries, key=lambda entry: entry["time"])


def merged(recordings: Sequence[tuple[str, Sequence[Entry]]]) -> list[Entry]:
    """The entries of several recordings, each with a name. That tells peers apart that have one name in several."""
    several = Counter(peer for _, entries in recordings for peer in {entry["peer"] for entry in entries})
    return [
        Entry(**{**entry, "peer": f"{entry['peer']} ({name})"}) if several[entry["peer"]] > 1 else entry
        for name, entries in recordings
        for entry in entries
    ]
