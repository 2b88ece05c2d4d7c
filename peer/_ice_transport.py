"""RTCIceTransport: what users see of one transport's ICE (webrtc-pc 5.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiortc import RTCIceParameters

from ._candidate import RTCIceCandidate
from ._events import Event, EventTarget, event_handler


@dataclass(frozen=True)
class RTCIceCandidatePair:
    """A local and a remote candidate that work together (webrtc-pc 5.6.2)."""

    local: RTCIceCandidate
    """Ours (webrtc-pc 5.6.2)."""
    remote: RTCIceCandidate
    """Theirs (webrtc-pc 5.6.2). One learned from a check is "prflx", without text and address; do not send it on."""


def to_nobody(event: Event) -> None:
    """Fire *event* at nobody: there is no transport yet, or no more."""


@dataclass(eq=False)
class IceTransportSlots:
    """The internal slots of an RTCIceTransport. They change in the connection's tasks."""

    role: str = "unknown"  # changes with the first offer, and with a role conflict
    state: str = "new"  # changes with what the ICE agent tells
    gathering_state: str = "new"  # changes when gathering begins, and when it is complete
    local_candidates: list[RTCIceCandidate] = field(default_factory=list)  # grows; shrinks after a restart
    remote_candidates: dict[RTCIceCandidate, None] = field(default_factory=dict)  # likewise
    selected_pair: RTCIceCandidatePair | None = None  # changes when a pair is nominated
    pair_changes: int = 0  # grows when a pair is nominated
    local_parameters: RTCIceParameters | None = None  # changes when a local description is set
    remote_parameters: RTCIceParameters | None = None  # changes when a remote description is set
    fire: Callable[[Event], None] = to_nobody  # set when there is a transport to fire at


class RTCIceTransport(EventTarget):
    """The ICE transport of one or several m-lines (webrtc-pc 5.6); reached as ``iceTransport`` of a DTLS transport.

    That is ``pc.sctp.transport.iceTransport``, ``sender.transport.iceTransport`` and the like; always the same object
    for the same transport. You do not create one.
    """

    ongatheringstatechange = event_handler("gatheringstatechange")
    onselectedcandidatepairchange = event_handler("selectedcandidatepairchange")
    onstatechange = event_handler("statechange")

    def __init__(self, slots: IceTransportSlots) -> None:
        super().__init__()
        self._slots = slots
        slots.fire = self._fire

    @property
    def role(self) -> str:
        """unknown, controlling or controlled (webrtc-pc 5.6.5); known with the first offer."""
        return self._slots.role

    @property
    def component(self) -> str:
        """Always rtp, for RTCP is multiplexed (webrtc-pc 5.6.6)."""
        return "rtp"

    @property
    def state(self) -> str:
        """new, checking, connected, disconnected, failed or closed (webrtc-pc 5.6.4); never completed.

        Fires statechange when it changes, except to closed.
        """
        return self._slots.state

    @property
    def gatheringState(self) -> str:
        """new, gathering or complete (webrtc-pc 5.6.3). Fires gatheringstatechange when it changes."""
        return self._slots.gathering_state

    def getLocalCandidates(self) -> list[RTCIceCandidate]:
        """The local candidates announced so far, but for those that a restart has replaced (webrtc-pc 5.6)."""
        return list(self._slots.local_candidates)

    def getRemoteCandidates(self) -> list[RTCIceCandidate]:
        """The remote candidates added so far, but for those that a restart has replaced (webrtc-pc 5.6)."""
        return list(self._slots.remote_candidates)

    def getSelectedCandidatePair(self) -> RTCIceCandidatePair | None:
        """The pair that packets are sent on; None before there is one, and once closed (webrtc-pc 5.6).

        Fires selectedcandidatepairchange when it changes.
        """
        return None if self.state in ("new", "closed") else self._slots.selected_pair

    def getLocalParameters(self) -> RTCIceParameters | None:
        """Our ufrag and password, once a local description has them; None before (webrtc-pc 5.6)."""
        return self._slots.local_parameters

    def getRemoteParameters(self) -> RTCIceParameters | None:
        """The remote side's ufrag and password, once a remote description has them; None before (webrtc-pc 5.6)."""
        return self._slots.remote_parameters

    def __repr__(self) -> str:
        return f"<RTCIceTransport {self.role} {self.state} gathering={self.gatheringState}>"
