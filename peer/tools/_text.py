"""Recordings as plain text: one line for each entry, in their order. Pure.

ms     peer   lane        what has happened
12.7   alice  ICE         host 192.0.2.1:50764 → host 192.0.2.2:48237
"""

from __future__ import annotations

from collections.abc import Iterable

from ._entries import Entry, ordered
from ._lanes import in_words, kind, lane

_COLOURS = {  # of kinds (_lanes.py), as terminals number them
    "host": 34,
    "srflx": 32,
    "prflx": 33,
    "relay": 35,
    "error": 31,
    "good": 32,
    "busy": 33,
    "bad": 31,
    "idle": 90,
    "end": 90,
    "null": 90,
}


def as_text(recording: Iterable[Entry], *, colours: bool = False) -> str:
    """The time line of a recording, of one or several peers, for terminals and logs; *colours* only for the former.

    Times are in milliseconds since the first entry.
    """
    entries = ordered(recording)
    width = max((len(printable(entry["peer"])) for entry in entries), default=0)
    return "".join(as_line(entry, entries[0]["time"], width=width, colours=colours) + "\n" for entry in entries)


def as_line(entry: Entry, began: float, *, width: int = 0, colours: bool = False) -> str:
    """One line of :func:`as_text`, of a recording that *began* then, in milliseconds of its clock.

    The names of peers are made so many letters wide as *width* says.
    """
    words = painted(printable(in_words(entry)), kind(entry), colours)
    return f"{entry['time'] - began:8.1f}  {printable(entry['peer']):<{width}}  {lane(entry):<10}  {words}"


def painted(text: str, kind: str, colours: bool) -> str:
    """*text* in the colour of its *kind*, if it has one and *colours* are wanted."""
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if colours and kind in _COLOURS else text


def printable(text: str) -> str:
    """*text* without what would move the cursor: servers and peers may say anything."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
