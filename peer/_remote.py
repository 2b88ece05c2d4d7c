"""What addIceCandidate answers. Pure decisions, in the order of webrtc-pc 4.4.2, "addIceCandidate".

    before the operations chain   text that is not empty, sdpMid and sdpMLineIndex both null   -> TypeError
    on the chain                  no remote description                                        -> InvalidStateError
                                  an sdpMid that no section has                                -> OperationError
                                  no sdpMid, an sdpMLineIndex beyond the last section          -> OperationError
                                  a section that was rejected, or whose transceiver is stopped -> accepted, no effect
                                  a ufrag that the section never carried                       -> OperationError
                                  a text that does not parse                                   -> OperationError
                                  anything else                                                -> accepted

A good sdpMid makes the sdpMLineIndex irrelevant. A candidate belongs to the generation that its usernameFragment names,
and without one to the newest. An empty usernameFragment is none, as in both browsers; the W3C would compare it. The
empty text ends a generation of one section, or of all sections when neither sdpMid nor sdpMLineIndex is given.

A candidate that is accepted is written into the description, whether or not it can be used: a browser does the same
with a TCP candidate or a name that cannot be resolved. After the end of candidates, more of them are still accepted and
written, and ignored (RFC 8838, section 14).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._candidate import CandidateAttribute, RTCIceCandidate, candidate_line, parse_candidate
from ._description import Description
from ._errors import ArgumentTypeError, InvalidStateError, OperationError
from ._webidl import dom_string, members, nullable, unsigned_short

# No port at all, and those of other protocols, which nobody must be made to talk to (Fetch, section 2.10, bad port).
BAD_PORTS = frozenset(
    int(port)
    for port in """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123
    135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995
    1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080
    """.split()  # noqa: SIM905
)

_TCP_TYPE = {"udp": None, "tcp": "passive"}
_MEMBERS = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment")


@dataclass(frozen=True)
class CandidateInit:
    """The members of the argument that count (webrtc-pc 4.8.1, RTCIceCandidateInit)."""

    candidate: str = ""
    mid: str | None = None
    index: int | None = None
    ufrag: str | None = None


@dataclass(frozen=True)
class Addition:
    """A candidate accepted for the generation *ufrag* of the section *index*."""

    index: int
    ufrag: str | None
    line: str  # "candidate:...", or "" for the end of candidates
    candidate: CandidateAttribute | None  # what to try to connect to; None if there is nothing, or nothing usable

    @property
    def prohibited(self) -> bool:
        """Whether nobody must contact it (webrtc-pc 4.4.2): then it is one that does not answer."""
        return self.candidate is not None and self.candidate.port in BAD_PORTS

    @property
    def hidden(self) -> bool:
        """Whether the address is a name of mDNS: nothing to look up for those who only want to be relayed.

        draft-ietf-mmusic-mdns-ice-candidates, section 3.2.
        """
        return self.candidate is not None and self.candidate.address.lower().endswith(".local")


def candidate_init(value: Any) -> CandidateInit:
    """Convert the argument of addIceCandidate. Raises TypeError for what is no candidate, or names no m-line."""
    if isinstance(value, RTCIceCandidate):  # was converted when it was made
        return CandidateInit(value.candidate, value.sdpMid, value.sdpMLineIndex, value.usernameFragment or None)
    if not isinstance(value, Mapping | None) and not hasattr(value, "candidate"):
        raise ArgumentTypeError(f"{value!r} is not a candidate")
    given = members(value, _MEMBERS, "a candidate")
    init = CandidateInit(
        dom_string(given.get("candidate", "")),
        nullable(dom_string, given.get("sdpMid")),
        nullable(unsigned_short, given.get("sdpMLineIndex")),
        nullable(dom_string, given.get("usernameFragment")) or None,
    )
    if init.candidate and init.mid is None and init.index is None:
        raise ArgumentTypeError("a candidate needs an sdpMid or an sdpMLineIndex")
    return init


def additions(
    init: CandidateInit,
    current: Description | None,
    pending: Description | None,
    stopped: Collection[str] = (),
) -> list[Addition]:
    """What to add where; *stopped* are the mids of stopped transceivers. Raises the error to reject the call with."""
    newest = pending or current
    if newest is None:
        raise InvalidStateError("candidates can be added when there is a remote description")
    sections = newest.sections
    indices = [i for i in _sections(init, newest) if not sections[i].rejected and sections[i].mid not in stopped]
    if not indices:
        return []
    if init.ufrag is not None:
        indices = [i for i in indices if _ever_carried(i, init.ufrag, current, pending)]
        if not indices:
            raise OperationError(f"no remote description carries the ufrag {init.ufrag!r}")
    line = candidate_line(init.candidate)
    attribute = parse_candidate(line) if line else None
    if line and attribute is None:
        raise OperationError(f"not a candidate: {init.candidate!r}")
    return [
        Addition(
            i,
            ufrag := sections[i].ufrag if init.ufrag is None else init.ufrag,
            line,
            attribute if _usable(attribute) and not _ended(i, ufrag, current, pending) else None,
        )
        for i in indices
    ]


def contained(description: Description) -> list[Addition]:
    """The candidates, and ends of candidates, that a remote description came with.

    Where its side does not trickle, what it came with is all there is to expect (webrtc-pc 5.6.4). In a section that
    was rejected, nothing counts, as in addIceCandidate.
    """
    found = []
    for index, section in enumerate(description.sections):
        if section.rejected:
            continue
        for line in section.candidates:
            candidate = parse_candidate(line)
            if candidate is not None:
                found.append(Addition(index, section.ufrag, line, candidate if _usable(candidate) else None))
        if section.ended or not description.trickle:
            found.append(Addition(index, section.ufrag, "", None))
    return found


def write(addition: Addition, descriptions: Sequence[Description | None]) -> None:
    """Write *addition* into those of *descriptions* that carry its generation."""
    for description in descriptions:
        if description is not None and description.carries(addition.index, addition.ufrag):
            if addition.line:
                description.add_candidate(addition.index, addition.line)
            else:
                description.end_candidates(addition.index)


def _sections(init: CandidateInit, description: Description) -> list[int]:
    if init.mid is not None:
        index = description.index(init.mid)
        if index is None:
            raise OperationError(f"the remote description has no mid {init.mid!r}")
        return [index]
    if init.index is not None:
        if init.index >= len(description.sections):
            raise OperationError(
                f"the remote description has {len(description.sections)} m-lines, none at {init.index}"
            )
        return [init.index]
    return list(range(len(description.sections)))


def _ever_carried(index: int, ufrag: str, *descriptions: Description | None) -> bool:
    return any(d is not None and d.carries(index, ufrag) for d in descriptions)


def _ended(index: int, ufrag: str | None, *descriptions: Description | None) -> bool:
    return any(d is not None and d.carries(index, ufrag) and d.sections[index].ended for d in descriptions)


def _usable(candidate: CandidateAttribute | None) -> bool:
    """Whether we could check it: RTP and RTCP share one component, and TCP connections are made by us only."""
    return candidate is not None and candidate.component == 1 and candidate.tcp_type == _TCP_TYPE[candidate.protocol]
