"""RTCIceTransport over slots that were made by hand; with real agents, see tests/test_ice_transport.py."""

import dataclasses

import pytest
from aiortc import RTCIceParameters

from peer import Event, RTCIceCandidate, RTCIceTransport
from peer._ice_transport import IceTransportSlots, RTCIceCandidatePair, to_nobody

LOCAL = RTCIceCandidate("candidate:1 1 udp 1 192.0.2.9 5 typ host", sdpMid="0")
REMOTE = RTCIceCandidate("candidate:1 1 udp 1 192.0.2.8 6 typ host", sdpMid="0")
PAIR = RTCIceCandidatePair(LOCAL, REMOTE)


@pytest.fixture
def slots():
    return IceTransportSlots()


@pytest.fixture
def transport(slots):
    return RTCIceTransport(slots)


def test_a_new_transport_knows_nothing(transport):
    assert (transport.role, transport.component, transport.state, transport.gatheringState) == (
        *("unknown", "rtp"),
        *("new", "new"),
    )
    assert transport.getLocalCandidates() == transport.getRemoteCandidates() == []
    assert transport.getSelectedCandidatePair() is None
    assert transport.getLocalParameters() is None
    assert transport.getRemoteParameters() is None


def test_a_transport_shows_what_is_in_its_slots(transport, slots):
    slots.role, slots.state, slots.gathering_state = "controlled", "checking", "complete"
    slots.local_candidates.append(LOCAL)
    slots.remote_candidates[REMOTE] = None
    slots.local_parameters, slots.remote_parameters = RTCIceParameters("a", "b"), RTCIceParameters("c", "d")
    assert (transport.role, transport.component, transport.state) == ("controlled", "rtp", "checking")
    assert transport.gatheringState == "complete"
    assert transport.getLocalCandidates() == [LOCAL]
    assert transport.getRemoteCandidates() == [REMOTE]
    assert transport.getLocalParameters() == RTCIceParameters("a", "b")
    assert transport.getRemoteParameters() == RTCIceParameters("c", "d")


def test_the_lists_of_candidates_are_copies(transport, slots):
    slots.local_candidates.append(LOCAL)
    slots.remote_candidates[REMOTE] = None
    before = transport.getLocalCandidates(), transport.getRemoteCandidates()
    for candidates in before:
        candidates.clear()
    assert (slots.local_candidates, slots.remote_candidates) == ([LOCAL], {REMOTE: None})
    slots.local_candidates.append(REMOTE)
    assert before == ([], [])
    assert transport.getLocalCandidates() == [LOCAL, REMOTE]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("new", False),
        ("checking", True),
        ("connected", True),
        ("completed", True),
        ("disconnected", True),
        ("failed", True),
        ("closed", False),
    ],
)
def test_the_selected_pair_is_shown_unless_the_transport_is_new_or_closed(transport, slots, state, shown):
    slots.state = state
    assert transport.getSelectedCandidatePair() is None
    slots.selected_pair = PAIR
    assert transport.getSelectedCandidatePair() is (PAIR if shown else None)


def test_a_pair_is_a_value(slots):
    assert RTCIceCandidatePair(LOCAL, REMOTE) == PAIR
    assert RTCIceCandidatePair(REMOTE, LOCAL) != PAIR
    assert hash(RTCIceCandidatePair(local=LOCAL, remote=REMOTE)) == hash(PAIR)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAIR.local = REMOTE


@pytest.mark.parametrize("name", ["role", "component", "state", "gatheringState"])
def test_a_transport_cannot_be_changed_from_outside(transport, name):
    with pytest.raises(AttributeError):
        setattr(transport, name, "closed")


def test_each_transport_has_slots_of_its_own(transport, slots):
    other = RTCIceTransport(IceTransportSlots())
    slots.state = "failed"
    slots.local_candidates.append(LOCAL)
    assert (other.state, other.getLocalCandidates()) == ("new", [])
    assert slots != IceTransportSlots(state="failed", local_candidates=[LOCAL])


EVENTS = ("statechange", "gatheringstatechange", "selectedcandidatepairchange")


@pytest.mark.parametrize("type", EVENTS)
def test_what_is_fired_through_the_slots_is_fired_at_the_transport(transport, slots, type):
    heard = []
    for other in EVENTS:
        setattr(transport, f"on{other}", lambda event: heard.append(("handler", event.type, event.target)))
        transport.addEventListener(other, lambda event: heard.append(("listener", event.type, event.target)))
        transport.on(other, lambda other=other: heard.append(("on", other, transport)))
    slots.fire(Event(type))
    assert heard == [(how, type, transport) for how in ("handler", "listener", "on")]


def test_a_listener_finds_the_slots_as_they_are(transport, slots):
    found = []
    transport.onstatechange = lambda event: found.append((event.target.state, event.target.getSelectedCandidatePair()))
    slots.state, slots.selected_pair = "connected", PAIR
    slots.fire(Event("statechange"))
    assert found == [("connected", PAIR)]


def test_before_there_is_a_transport_events_go_nowhere(slots):
    event = Event("statechange")
    assert slots.fire is to_nobody
    slots.fire(event)
    assert event.target is None


def test_events_can_be_sent_nowhere_again(transport, slots):
    heard = []
    transport.onstatechange = heard.append
    slots.fire = to_nobody
    slots.fire(Event("statechange"))
    assert heard == []


def test_a_transport_prints_its_role_and_its_states(transport, slots):
    assert repr(transport) == "<RTCIceTransport unknown new gathering=new>"
    slots.role, slots.state, slots.gathering_state = "controlling", "connected", "complete"
    assert repr(transport) == "<RTCIceTransport controlling connected gathering=complete>"
