"""The statistics of ICE: which entries there are, and how they name one another."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from aiortc import RTCIceParameters
from aiortc.stats import RTCTransportStats

from peer import RTCIceCandidate, RTCIceCandidatePair
from peer._candidate import parse_candidate, peer_reflexive
from peer._facts import CheckedPair, Traffic
from peer._ice_transport import IceTransportSlots
from peer._stats import transport_entries

TIMES = {"stun:stun.example": 0.25}
NOW = datetime(2024, 1, 2, tzinfo=UTC)
OURS = "candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host"
THEIRS = "candidate:2 1 udp 1694498815 198.51.100.7 4 typ srflx raddr 192.0.2.8 rport 5"
LEARNED = parse_candidate("candidate:3 1 udp 1 203.0.113.5 6 typ prflx")


def known(text):
    return RTCIceCandidate(text, sdpMid="0", sdpMLineIndex=0, usernameFragment="frag")


def checked(remote=THEIRS, state="succeeded", nominated=True):
    remote = parse_candidate(remote) if isinstance(remote, str) else remote
    traffic = Traffic()
    traffic.sent(b"123")
    traffic.received(b"12")
    traffic.received(b"1")
    traffic.answered(0.25)
    traffic.answered(0.5)
    traffic.requests_received = 3
    return CheckedPair(parse_candidate(OURS), remote, "frag", "guff", state, nominated, traffic)


@pytest.fixture
def transport():
    """What aiortc says of a transport."""
    values = dict.fromkeys((f.name for f in dataclasses.fields(RTCTransportStats)), 0)
    return RTCTransportStats(**values | {"timestamp": NOW, "type": "transport", "id": "t", "iceRole": "nonsense"})


@pytest.fixture
def slots():
    return IceTransportSlots(role="controlled", state="connected", local_candidates=[known(OURS)])


def entries(transport, slots, *pairs):
    """The entries, by type."""

    def pair_of(pair):
        remote = known(THEIRS) if pair.remote is not LEARNED else peer_reflexive(LEARNED, "0", 0, "guff")
        return RTCIceCandidatePair(known(OURS), remote)

    found = {}
    for entry in transport_entries(transport, slots, TIMES, pairs, pair_of, 7):
        found.setdefault(entry.type, []).append(entry)
    assert {entry.timestamp for each in found.values() for entry in each} == {NOW}
    return found


def test_a_transport_without_pairs_has_its_own_entry_and_those_of_its_candidates(transport, slots):
    found = entries(transport, slots)
    (whole,), (local,) = found["transport"], found["local-candidate"]
    assert found.keys() == {"transport", "local-candidate"}
    assert (whole.iceRole, whole.iceState, whole.iceLocalUsernameFragment) == ("controlled", "connected", None)
    assert (whole.selectedCandidatePairId, whole.selectedCandidatePairChanges) == (None, 0)
    assert whole.datagrams_discarded == 7
    assert whole.server_times == TIMES
    assert (local.transportId, local.address, local.port, local.candidateType) == ("t", "192.0.2.9", 50000, "host")
    assert (local.protocol, local.priority, local.foundation) == ("udp", 2130706431, "1")
    assert local.usernameFragment == "frag"


def test_a_pair_names_its_candidates_and_the_transport_the_pair_that_is_selected(transport, slots):
    slots.local_parameters = RTCIceParameters("frag", "secret")
    slots.remote_candidates[known(THEIRS)] = None
    slots.selected_pair = RTCIceCandidatePair(known(OURS), known(THEIRS))
    found = entries(transport, slots, checked(), checked(LEARNED, "failed", nominated=False))
    (whole,), (local,), (theirs, learned) = found["transport"], found["local-candidate"], found["remote-candidate"]
    first, second = found["candidate-pair"]
    assert whole.iceLocalUsernameFragment == "frag"
    assert whole.selectedCandidatePairId == first.id != second.id
    assert (first.localCandidateId, first.remoteCandidateId) == (local.id, theirs.id)
    assert (second.localCandidateId, second.remoteCandidateId) == (local.id, learned.id)
    assert (theirs.relatedAddress, theirs.relatedPort) == ("192.0.2.8", 5)
    assert (learned.candidateType, learned.address) == ("prflx", None)
    assert [(pair.state, pair.nominated) for pair in (first, second)] == [("succeeded", True), ("failed", False)]
    assert (first.packetsSent, first.bytesSent, first.packetsReceived, first.bytesReceived) == (1, 3, 2, 3)
    assert (first.totalRoundTripTime, first.currentRoundTripTime, first.responsesReceived) == (0.75, 0.5, 2)
    assert (first.requestsReceived, first.responsesSent) == (3, 3)


def test_identifiers_stay_when_something_is_added(transport, slots):
    before = entries(transport, slots, checked(LEARNED))["candidate-pair"][0]
    slots.remote_candidates[known(THEIRS)] = None
    after = entries(transport, slots, checked(), checked(LEARNED))["candidate-pair"][1]
    assert (before.id, before.remoteCandidateId) == (after.id, after.remoteCandidateId)
