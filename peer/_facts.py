"""The facts that ICE tells: the words in which a generation speaks to its agent, and an agent to its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from ._candidate import CandidateAttribute, RTCIceServerTransportProtocol

UNREACHABLE = 701  # webrtc-pc 4.8.3, errorCode

G = TypeVar("G", contravariant=True)
A = TypeVar("A", contravariant=True)


@dataclass(frozen=True)
class LocalCandidate:
    """A candidate of ours, as it goes over the wire, and the server it came from."""

    text: str
    url: str | None = None
    relay_protocol: RTCIceServerTransportProtocol | None = None


@dataclass(frozen=True)
class ServerError:
    """Why a STUN or TURN server yielded no candidate (webrtc-pc 4.8.3)."""

    url: str
    code: int  # the server's STUN error code, or UNREACHABLE
    text: str
    address: str | None = None  # ours, from which it was asked, if that is the address of a candidate
    port: int | None = None  # likewise


@dataclass(frozen=True)
class SelectedPair:
    """The pair that datagrams are sent on."""

    local: CandidateAttribute
    remote: CandidateAttribute
    local_ufrag: str
    remote_ufrag: str | None


@dataclass(slots=True)
class Traffic:
    """What went over a pair, in the words of webrtc-stats. Packets and their bytes are those that are no STUN."""

    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    requests_sent: int = 0  # checks, each counted once however often it was sent
    consent_requests_sent: int = 0
    responses_received: int = 0  # to both
    requests_received: int = 0  # authentic ones, of checks and of consent; each was answered
    last_round_trip: float | None = None  # seconds, from when a request was first sent; None before the first response
    round_trips: float = 0.0  # the sum of all

    def sent(self, data: bytes) -> None:
        """A packet was sent."""
        self.packets_sent += 1
        self.bytes_sent += len(data)

    def received(self, data: bytes) -> None:
        """A packet was received."""
        self.packets_received += 1
        self.bytes_received += len(data)

    def answered(self, seconds: float) -> None:
        """A request was answered after so many seconds."""
        self.responses_received += 1
        self.last_round_trip = seconds
        self.round_trips += seconds


@dataclass(frozen=True)
class CheckedPair(SelectedPair):
    """A pair on the check list."""

    state: str  # an RTCStatsIceCandidatePairState: "frozen", "waiting", "in-progress", "succeeded" or "failed"
    nominated: bool
    traffic: Traffic  # which goes on


class Observer(Protocol[G]):
    """Who is told what happens to a generation."""

    def candidate_found(self, generation: G, candidate: LocalCandidate) -> None:
        """A local candidate was found."""

    def server_failed(self, generation: G, error: ServerError) -> None:
        """A server yielded no candidate."""

    def server_answered(self, generation: G, url: str, seconds: float) -> None:
        """A server has told an address, which may be known already, after so many seconds; more than once, maybe."""

    def gathering_ended(self, generation: G) -> None:
        """There will be no more local candidates."""

    def checking(self, generation: G) -> None:
        """Checks have begun: there is a remote candidate."""

    def works(self, generation: G) -> None:
        """A pair was found to work, and none is nominated yet: datagrams can be sent."""

    def selected(self, generation: G) -> None:
        """A pair was nominated; the first one, or another one."""

    def heard(self, generation: G, heard: bool) -> None:
        """The remote side has stopped to answer on the selected pair, or answers again."""

    def role_changed(self, generation: G) -> None:
        """The remote side has the same role, and won the conflict."""

    def over(self, generation: G) -> None:
        """No pair works, none will, or consent was lost on the one that did."""

    def datagram_received(self, data: bytes) -> None:
        """A datagram arrived that is no STUN message."""

    def datagram_discarded(self) -> None:
        """A datagram arrived that has no effect."""


class AgentObserver(Protocol[A]):
    """Who is told what happens to an agent, and with which generation (its ufrag)."""

    def candidate_found(self, agent: A, ufrag: str, candidate: LocalCandidate) -> None:
        """A local candidate was found."""

    def server_failed(self, agent: A, error: ServerError) -> None:
        """A STUN or TURN server yielded no candidate."""

    def gathering_ended(self, agent: A, ufrag: str) -> None:
        """The generation has no more candidates."""

    def generation_ended(self, agent: A, ufrag: str) -> None:
        """Nothing more is announced of the generation, whether or not it has gathered all its candidates."""

    def generation_closed(self, agent: A, ufrag: str, remote_ufrag: str | None) -> None:
        """The generation, which talked to *remote_ufrag*, is gone."""

    def ice_changed(self, agent: A, state: str, pair: SelectedPair | None) -> None:
        """The agent has entered an RTCIceTransportState, or selected a pair, or both."""

    def role_changed(self, agent: A, role: str) -> None:
        """The agent has lost a role conflict."""
