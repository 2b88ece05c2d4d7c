"""The states of a connection, as tables (webrtc-pc 4.3; RFC 9429, section 3.2).

Everything here is a function of its arguments. Who calls it when is told in _session.py and _transports.py.
"""

from __future__ import annotations

from collections.abc import Collection

from ._errors import InvalidStateError

# (state, side that sets a description, its type) -> the state after it. What is not in the table is an error.
_SIGNALING = {
    ("stable", "local", "offer"): "have-local-offer",
    ("stable", "remote", "offer"): "have-remote-offer",
    ("have-local-offer", "local", "offer"): "have-local-offer",
    ("have-local-offer", "remote", "answer"): "stable",
    ("have-local-offer", "local", "rollback"): "stable",
    ("have-local-offer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-remote-pranswer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-remote-pranswer", "remote", "answer"): "stable",
    ("have-remote-offer", "remote", "offer"): "have-remote-offer",
    ("have-remote-offer", "local", "answer"): "stable",
    ("have-remote-offer", "remote", "rollback"): "stable",
    ("have-remote-offer", "local", "pranswer"): "have-local-pranswer",
    ("have-local-pranswer", "local", "pranswer"): "have-local-pranswer",
    ("have-local-pranswer", "local", "answer"): "stable",
}


def signaling_state(state: str, side: str, type: str) -> str:
    """The signaling state after *side* ("local" or "remote") has set a description of *type*.

    Raises InvalidStateError where RFC 9429 has no such transition.
    """
    after = _SIGNALING.get((state, side, type))
    if after is None:
        raise InvalidStateError(f"there can be no {side} {type} in the signaling state {state}")
    return after


def implied_type(state: str) -> str:
    """The type of description that setLocalDescription() makes when it is told none (webrtc-pc 4.4.2)."""
    return "answer" if state in ("have-remote-offer", "have-local-pranswer") else "offer"


def ice_gathering_state(transports: Collection[str]) -> str:
    """RTCIceGatheringState, from the gathering states of the transports (webrtc-pc 4.3.2)."""
    if "gathering" in transports:
        return "gathering"
    if not transports or "new" in transports:
        return "new"
    return "complete"


def ice_transport_state(*, usable: bool, heard: bool, selected: bool, checking: bool, failed: bool) -> str:
    """RTCIceTransportState of an agent that is not closed (webrtc-pc 5.6.4), from what its generations say.

    *selected* tells whether a pair was ever selected, *usable* whether it can still be sent on, *heard* whether the
    remote side answers on it. *failed* is about the generation that was negotiated last; *checking*, too, if that is
    another one: an ICE restart that leads nowhere does no harm while the old pair works.
    """
    if usable and heard:
        return "connected"
    if failed and not usable:
        return "failed"
    if checking and not failed:
        return "checking"
    return "disconnected" if selected else "new"


def ice_connection_state(transports: Collection[str]) -> str:
    """RTCIceConnectionState of an open connection, from the states of its ICE transports (webrtc-pc 4.3.4)."""
    alive = set(transports) - {"closed"}
    for state in ("failed", "disconnected"):
        if state in alive:
            return state
    if alive <= {"new"}:
        return "new"
    if alive & {"new", "checking"}:
        return "checking"
    return "completed" if alive == {"completed"} else "connected"


def connection_state(ice: str, dtls: Collection[str]) -> str:
    """RTCPeerConnectionState of an open connection (webrtc-pc 4.3.3).

    *ice* is its ICE connection state, *dtls* the states of its DTLS transports. The W3C's row for "connected" names
    the ICE state "connected" only; that "completed" is connected, too, nobody doubts.
    """
    if ice == "failed" or "failed" in dtls:
        return "failed"
    if ice == "disconnected":
        return "disconnected"
    if ice == "new" and set(dtls) <= {"new", "closed"}:
        return "new"
    if ice in ("connected", "completed") and set(dtls) <= {"connected", "closed"}:
        return "connected"
    return "connecting"
