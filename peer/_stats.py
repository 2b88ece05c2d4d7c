"""The statistics of ICE (webrtc-stats: transport, local-candidate, remote-candidate, candidate-pair). Pure.

Entries are dataclasses like aiortc's, with those members of the standard that are known here; one without a value is
None. Identifiers are made of the transport's and of hashes, so that they stay the same from one report to the next,
whatever is added in between, and can hardly be guessed (webrtc-pc 8.4). Of a local candidate whose address is hidden
behind a name there is no address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiortc.stats import RTCStats, RTCTransportStats

from ._candidate import RTCIceCandidate
from ._dns import is_name
from ._facts import CheckedPair

if TYPE_CHECKING:  # what it is given knows asyncio, which this module does not
    from ._ice_transport import IceTransportSlots, RTCIceCandidatePair


@dataclass
class TransportStats(RTCTransportStats):
    """RTCTransportStats with what ICE adds to it; server_times is not the W3C's."""

    iceState: str
    iceLocalUsernameFragment: str | None
    selectedCandidatePairId: str | None
    selectedCandidatePairChanges: int
    server_times: dict[str, float]  # seconds, by URL: how long each ICE server took to tell us an address
    datagrams_discarded: int
    """Not the W3C's: datagrams that had no effect. They were malformed, forged, came from somebody else or too late."""
    rtcpTransportStatsId: str | None = None


@dataclass
class IceCandidateStats(RTCStats):
    """RTCIceCandidateStats: one local or remote candidate."""

    transportId: str
    address: str | None
    port: int | None
    protocol: str | None
    candidateType: str | None
    priority: int | None
    url: str | None
    relayProtocol: str | None
    foundation: str | None
    relatedAddress: str | None
    relatedPort: int | None
    usernameFragment: str | None
    tcpType: str | None


@dataclass
class IceCandidatePairStats(RTCStats):
    """RTCIceCandidatePairStats: two candidates, the state of their check, and what went over them."""

    transportId: str
    localCandidateId: str
    remoteCandidateId: str
    state: str
    nominated: bool
    packetsSent: int
    packetsReceived: int
    bytesSent: int
    bytesReceived: int
    totalRoundTripTime: float  # seconds
    currentRoundTripTime: float | None  # seconds
    requestsReceived: int
    responsesSent: int
    responsesReceived: int
    requestsSent: int
    consentRequestsSent: int


def transport_entries(
    transport: RTCTransportStats,
    slots: IceTransportSlots,
    server_times: Mapping[str, float],
    checked: Iterable[CheckedPair],
    pair_of: Callable[[CheckedPair], RTCIceCandidatePair],
    datagrams_discarded: int,
) -> list[RTCStats]:
    """All entries of one transport.

    *transport* is aiortc's; its agent knows *server_times* and *checked* pairs, and has discarded
    *datagrams_discarded*.
    """
    candidates: dict[tuple[str, RTCIceCandidate], IceCandidateStats] = {}

    def candidate_id(kind: str, candidate: RTCIceCandidate) -> str:
        known = candidates.get((kind, candidate))
        if known is None:
            known = _candidate(transport, kind, f"{transport.id}_{kind}_{_digest(candidate)}", candidate)
            candidates[kind, candidate] = known
        return known.id

    for candidate in slots.local_candidates:
        candidate_id("local-candidate", candidate)
    for candidate in slots.remote_candidates:
        candidate_id("remote-candidate", candidate)
    pairs: list[RTCStats] = []
    selected = None
    for check in checked:
        pair = pair_of(check)
        local, remote = candidate_id("local-candidate", pair.local), candidate_id("remote-candidate", pair.remote)
        entry = _pair(transport, local, remote, check)
        pairs.append(entry)
        if pair == slots.selected_pair:
            selected = entry.id
    whole = TransportStats(
        **{f.name: getattr(transport, f.name) for f in dataclasses.fields(RTCTransportStats)} | {"iceRole": slots.role},
        iceState=slots.state,
        iceLocalUsernameFragment=slots.local_parameters.usernameFragment if slots.local_parameters else None,
        selectedCandidatePairId=selected,
        selectedCandidatePairChanges=slots.pair_changes,
        server_times=dict(server_times),
        datagrams_discarded=datagrams_discarded,
    )
    return [whole, *candidates.values(), *pairs]


def _digest(*values: object) -> str:
    return f"{hash(values) % 2**64:016x}"


def _candidate(transport: RTCTransportStats, kind: str, id: str, candidate: RTCIceCandidate) -> IceCandidateStats:
    hidden = kind == "local-candidate" and is_name(candidate.address or "")
    return IceCandidateStats(
        timestamp=transport.timestamp,
        type=kind,
        id=id,
        transportId=transport.id,
        address=None if hidden else candidate.address,
        port=candidate.port,
        protocol=candidate.protocol,
        candidateType=candidate.type,
        priority=candidate.priority,
        url=candidate.url,
        relayProtocol=candidate.relayProtocol,
        foundation=candidate.foundation,
        relatedAddress=candidate.relatedAddress,
        relatedPort=candidate.relatedPort,
        usernameFragment=candidate.usernameFragment,
        tcpType=candidate.tcpType,
    )


def _pair(transport: RTCTransportStats, local: str, remote: str, check: CheckedPair) -> IceCandidatePairStats:
    traffic = check.traffic
    return IceCandidatePairStats(
        timestamp=transport.timestamp,
        type="candidate-pair",
        id=f"{transport.id}_pair_{_digest(local, remote)}",
        transportId=transport.id,
        localCandidateId=local,
        remoteCandidateId=remote,
        state=check.state,
        nominated=check.nominated,
        packetsSent=traffic.packets_sent,
        packetsReceived=traffic.packets_received,
        bytesSent=traffic.bytes_sent,
        bytesReceived=traffic.bytes_received,
        totalRoundTripTime=traffic.round_trips,
        currentRoundTripTime=traffic.last_round_trip,
        requestsReceived=traffic.requests_received,
        responsesSent=traffic.requests_received,
        responsesReceived=traffic.responses_received,
        requestsSent=traffic.requests_sent,
        consentRequestsSent=traffic.consent_requests_sent,
    )
