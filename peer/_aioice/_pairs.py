"""Candidates and pairs: how aioice has them, and how users see them.

aioice shows the base of a pair where the remote side sees another address; here it is the address behind the NAT
(RFC 8445, section 7.2.5.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import aioice
from aioice import ice

from peer._candidate import CandidateAttribute, parse_candidate
from peer._facts import Traffic
from peer._priorities import priority
from peer._upstream import require

from ._sockets import Socket

# Not underscored, but not among the names that aioice lists either.
_UNLISTED = {ice: ("CandidatePair",)}
require("aioice", _UNLISTED)
require(
    "aioice",
    {
        aioice.Candidate: ("_network_host",),
        # Not underscored, but not documented either.
        ice.CandidatePair: ("protocol", "remote_addr", "state", "task"),
    },
)

UNCHECKED = (ice.CandidatePair.State.WAITING, ice.CandidatePair.State.FROZEN)
UNFINISHED = (*UNCHECKED, ice.CandidatePair.State.IN_PROGRESS)


class OwnCandidate(aioice.Candidate):
    """A candidate of ours. To tell which pairs it can form, aioice reads both addresses anew for each."""

    def can_pair_with(self, other: aioice.Candidate) -> bool:
        """Whether *other*, a remote candidate, has the same component, transport and family of addresses."""
        return (self.component, self.transport, ":" in self.host) == (
            other.component,
            other.transport,
            ":" in other._network_host,
        )


def text_of(candidate: aioice.Candidate) -> str:
    """The text of *candidate*."""
    return f"candidate:{candidate.to_sdp()}"


def read(text: str) -> CandidateAttribute:
    """A candidate of aioice's, of which this is the text, as users see it."""
    attribute = parse_candidate(text)
    assert attribute is not None
    return attribute


def candidate_of(attribute: CandidateAttribute) -> aioice.Candidate:
    """A candidate that was signalled, as aioice has it."""
    return aioice.Candidate(
        foundation=attribute.foundation,
        component=attribute.component,
        transport=attribute.protocol,
        priority=attribute.priority,
        host=attribute.address,
        port=attribute.port,
        type=attribute.type,
        related_address=attribute.related_address,
        related_port=attribute.related_port,
        tcptype=attribute.tcp_type,
    )


def socket_of(pair: ice.CandidatePair) -> Socket:
    """The socket that *pair* is checked from."""
    assert isinstance(pair.protocol, Socket)
    return pair.protocol


def traffic_of(pair: ice.CandidatePair) -> Traffic:
    """What went over *pair*."""
    return socket_of(pair).traffic[pair.remote_addr]


def seen_candidate(pair: ice.CandidatePair, ours: Sequence[aioice.Candidate]) -> aioice.Candidate:
    """Our candidate in *pair*: once the remote side has answered, the one that it sees (RFC 8445, 7.2.5.3).

    It is one of *ours*, or one that was learned from a check.
    """
    base = pair.local_candidate
    host, port = socket_of(pair).seen_as.get(pair.remote_addr, (base.host, base.port))
    for known in (base, *ours):
        if (known.host, known.port) == (host, port):
            return known
    said = priority("prflx", 65535)  # by our check
    return aioice.Candidate(f"{base.foundation}p", 1, "udp", said, host, port, "prflx", base.host, base.port)


def is_relayed(pair: ice.CandidatePair) -> bool:
    """Whether *pair* goes by way of a TURN server."""
    return "relay" in (pair.local_candidate.type, pair.remote_candidate.type)


def bound(check_list: list[ice.CandidatePair], size: int) -> None:
    """Keep no more pairs than *size* (RFC 8445, section 6.1.2.5).

    Those that have failed give way, then those that wait, then those that are checked; of each, the last first.
    """
    for states in ((ice.CandidatePair.State.FAILED,), UNCHECKED, (ice.CandidatePair.State.IN_PROGRESS,)):
        for pair in reversed(check_list):
            if len(check_list) <= size:
                return
            if pair.state in states:
                check_list.remove(pair)
                if pair.task is not None:
                    pair.task.cancel()
