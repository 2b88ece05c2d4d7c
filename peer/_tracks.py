"""Which events tell of the tracks that the remote side sends (webrtc-pc 5.1.1, "process remote tracks"). Pure.

What is received is a table: the transceivers to which the remote side sends, each with the ids of the streams that its
track is in. To be in the table is what the W3C calls a [[FiredDirection]] that receives. The table is replaced

- by a remote description: what its m-lines say, without those that are rejected or do not send;
- by an answer of ours, which takes out what it refuses to receive;
- by a rollback: the table is that of the last stable state again.

The difference that this makes is told in this order:

1. A track leaves the streams that it is in no longer: all of them, if it is not received any more.
2. A track joins the streams that it was not in.
3. ``track`` is fired for what was not received before, and for a track that has joined a stream. So the same track is
   told again when the remote side sends again, and when it has come into one more stream; not when it has left one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ._description import Description

T = TypeVar("T")  # a transceiver
Received = Mapping[T, tuple[str, ...]]  # with the ids of the streams of its track, each once


@dataclass(frozen=True)
class Difference(Generic[T]):
    """What is told, in this order."""

    left: tuple[tuple[str, T], ...]  # the ids of streams, and whose track has left them
    joined: tuple[tuple[str, T], ...]
    told: tuple[T, ...]  # for whom ``track`` is fired


def received(
    side: str,
    description: Description | None,
    transceivers: Mapping[str | None, T],
    before: Received[T],
    stable: Received[T],
) -> Received[T]:
    """What is received when *side* ("local" or "remote") has set *description*; None stands for a rollback.

    *transceivers* are known by their mids. It was *before*, and *stable* in the last stable state.
    """
    if description is None:
        return stable
    sections = [(section, transceivers[section.mid]) for section in description.sections if section.mid in transceivers]
    if side == "remote":
        return {transceiver: tuple(section.streams) for section, transceiver in sections if section.sends}
    if description.type == "offer":
        return before
    receiving = [transceiver for section, transceiver in sections if section.receives]
    return {transceiver: ids for transceiver, ids in before.items() if transceiver in receiving}


def difference(before: Received[T], after: Received[T]) -> Difference[T]:
    """What is told when what is received was *before*, and is *after* now."""
    joined = _only(after, before)
    more = [transceiver for _, transceiver in joined]
    told = [transceiver for transceiver in after if transceiver not in before or transceiver in more]
    return Difference(_only(before, after), joined, tuple(told))


def _only(one: Received[T], other: Received[T]) -> tuple[tuple[str, T], ...]:
    """The streams that tracks are in according to *one*, and not according to the *other*."""
    return tuple((id, found) for found, ids in one.items() for id in ids if id not in other.get(found, ()))
