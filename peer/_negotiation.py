"""Whether negotiation is needed (webrtc-pc 4.7.3). A pure decision, in the order of the W3C's checks:

1. ICE is to be restarted, and the current local description still has credentials that are to be replaced.
2. A data channel was created, and no m-line for data was negotiated yet.
3. A transceiver is stopped, and its m-line is rejected on neither side; or it is not stopped, and
   - has no m-line yet,
   - wants to send, and its m-line in the last local description says nothing of streams, or names others,
   - or another direction than was negotiated: offered by one of the two sides, if the last local description was an
     offer; what the offered direction leaves of it, if that was an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ._description import Description, Section

_REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True)
class TransceiverState:
    """What counts of a transceiver."""

    mid: str | None
    stopped: bool
    direction: str
    streams: tuple[str, ...]  # the ids of those that its sender's track is in, in any order


def negotiation_needed(
    local: Description | None,
    remote: Description | None,
    *,
    restarts: bool,
    channels: bool,
    transceivers: Iterable[TransceiverState],
) -> bool:
    """Whether the current descriptions, *local* and *remote*, no longer say what the connection is.

    *restarts* tells whether ICE is to be restarted, *channels* whether a data channel was created.
    """
    if restarts or (channels and not _has_data(local)):
        return True
    return any(_differs(transceiver, local, remote) for transceiver in transceivers)


def _has_data(local: Description | None) -> bool:
    return local is not None and any(section.kind == "application" for section in local.sections)


def _differs(transceiver: TransceiverState, local: Description | None, remote: Description | None) -> bool:
    ours, theirs = _section(local, transceiver.mid), _section(remote, transceiver.mid)
    if transceiver.stopped:
        return ours is not None and not ours.rejected and (theirs is None or not theirs.rejected)
    if local is None or ours is None:
        return True
    if transceiver.direction in ("sendrecv", "sendonly") and (
        not ours.has_msid or sorted(ours.streams) != sorted(transceiver.streams)
    ):
        return True
    offered = _REVERSED[theirs.direction] if theirs is not None else "inactive"
    if local.type == "offer":
        return transceiver.direction not in (ours.direction, offered)
    return ours.direction != _both(transceiver.direction, offered)


def _section(description: Description | None, mid: str | None) -> Section | None:
    index = description.index(mid) if description is not None and mid is not None else None
    return description.sections[index] if description is not None and index is not None else None


def _both(one: str, other: str) -> str:
    """What two directions have in common."""
    sends = all(direction in ("sendrecv", "sendonly") for direction in (one, other))
    receives = all(direction in ("sendrecv", "recvonly") for direction in (one, other))
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, receives), "inactive"
    )
