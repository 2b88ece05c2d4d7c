"""A description that is refused changes nothing, whatever is wrong with it, and in whatever state."""

from __future__ import annotations

import asyncio
import gc
import re
from contextlib import asynccontextmanager

import pytest
from conformance.scenarios import descriptions, scenarios
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import STATES, Tone, connect_once, negotiate, open_peers, opened, reached, send_candidates, visible

from peer import DOMException, InvalidAccessError, InvalidModificationError, InvalidStateError

TEXTS = {type: descriptions(type) for type in ("offer", "pranswer", "answer")}


def everything(peer):
    """What users see, with what changes without calls."""
    transports = {carrier.transport for carrier in (*peer.getSenders(), *peer.getReceivers(), peer.sctp) if carrier}
    ice = [transport.iceTransport for transport in transports]
    seen = {transport: (transport.state, transport.gatheringState, transport.getLocalCandidates()) for transport in ice}
    descriptions = peer.localDescription, peer.remoteDescription
    return visible(peer), [getattr(peer, state) for state in STATES], seen, descriptions, peer._session._last_created


# Each of these brings a peer into a state, and gives the function that goes on from there to a connection.


async def new(peer, other):
    other.addTrack(Tone())
    open_ = opened(other.createDataChannel("chat"))

    async def go_on():
        await negotiate(other, peer)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer), open_)

    return go_on


async def negotiated(peer, other):
    other.addTrack(Tone())
    open_ = opened(other.createDataChannel("chat"))
    await negotiate(other, peer)

    async def go_on():
        await negotiate(other, peer)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer), open_)

    return go_on


async def connected(peer, other):
    other.addTrack(Tone())
    await connect_once(other, peer)

    async def go_on():
        other.restartIce()
        await negotiate(other, peer)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer))
        await reached(peer, "connectionState", "connected")

    return go_on


async def have_remote_offer(peer, other):
    other.addTrack(Tone())
    open_ = opened(other.createDataChannel("chat"))
    await other.setLocalDescription()
    await peer.setRemoteDescription(other.localDescription)

    async def go_on():
        await peer.setLocalDescription()
        await other.setRemoteDescription(peer.localDescription)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer), open_)

    return go_on


async def have_local_offer(peer, other):
    peer.addTrack(Tone())
    open_ = opened(peer.createDataChannel("chat"))
    await peer.setLocalDescription()

    async def go_on():
        await other.setRemoteDescription(peer.localDescription)
        await other.setLocalDescription()
        await peer.setRemoteDescription(other.localDescription)
        await asyncio.gather(send_candidates(peer, other), send_candidates(other, peer), open_)

    return go_on


async def have_remote_pranswer(peer, other):
    go_on = await have_local_offer(peer, other)
    await peer.setRemoteDescription(type="pranswer", sdp=TEXTS["pranswer"]["as it should be"])
    return go_on


async def have_local_pranswer(peer, other):
    go_on = await have_remote_offer(peer, other)
    await peer.setLocalDescription({"type": "pranswer"})
    return go_on


STATES_OF_SIGNALING = [
    *(new, negotiated, have_remote_offer, have_local_offer),
    *(have_local_pranswer, have_remote_pranswer),
]


@asynccontextmanager
async def in_state(state):
    """A peer in *state*, with nothing under way; it must be able to connect from there in the end."""
    async with open_peers(None, None) as (peer, other):
        go_on = await state(peer, other)
        for each in (peer, other):
            if each.localDescription is not None:
                await each.gathering_complete()
        yield peer
        await go_on()


def names():
    """The errors that the W3C names for the texts of rows/descriptions.json, in one state or another, by row."""
    specs = [scenario.spec for scenario in scenarios() if scenario.name.startswith("descriptions-")]
    found = {row: {text for spec in specs for text in spec.get(row, ())} for row in TEXTS["offer"]}
    return {row: set(re.findall(r"rejected (\w+)", " ".join(texts))) for row, texts in found.items()}


NAMES = names()
BEYOND_US = {"an m-line of an unknown kind", "two m-lines for data"}  # OperationError, where the W3C has none
# What is taken: always, as an offer, as an offer where nothing was negotiated, as an answer.
SOUND = {
    *("as it should be", "LF line ends", "no mids and no group", "no group", "one m-line in the group"),
    *("no rtpmap for PCMU", "an rtcp that is garbage", "no message size", "all rejected"),
    *("a second fingerprint with an unknown hash", "no ICE credentials in the second m-line"),
}
OFFERS = {*SOUND, "the setup actpass", "an m-line more", "no codec that is known"}
FIRST_OFFERS = {
    *OFFERS,
    *("no m-lines", "an m-line less", "the m-lines in another order", "another kind", "another mid"),
    *("the mids exchanged", "a rejected m-line in the group"),
}
ANSWERS = {*SOUND, "no ufrag in the second m-line", "no setup"}


@pytest.mark.parametrize(
    ("state", "type", "taken"),
    [
        (new, "offer", FIRST_OFFERS),
        (negotiated, "offer", OFFERS),
        (connected, "offer", OFFERS),
        (have_remote_offer, "offer", OFFERS),
        (have_local_offer, "offer", FIRST_OFFERS),
        (have_local_offer, "pranswer", ANSWERS),
        (have_local_offer, "answer", ANSWERS),
        (have_remote_pranswer, "pranswer", ANSWERS),
        (have_remote_pranswer, "answer", ANSWERS),
    ],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
async def test_whatever_is_wrong_with_a_description_nothing_is_changed(state, type, taken):
    async with in_state(state) as peer:
        before = everything(peer)
        rows = TEXTS[type].keys() - taken
        assert len(rows) > 60
        for row in sorted(rows):
            with pytest.raises(DOMException) as raised:
                await peer.setRemoteDescription(type=type, sdp=TEXTS[type][row])
            assert raised.value.name in NAMES[row] or row in BEYOND_US, row
            assert everything(peer) == before, row


@pytest.mark.parametrize("state", STATES_OF_SIGNALING)
async def test_what_is_not_due_changes_nothing(state):
    types = {
        new: ("answer", "pranswer", "rollback"),
        negotiated: ("answer", "pranswer", "rollback"),
        have_remote_offer: ("answer", "pranswer"),
        have_local_offer: ("rollback",),
        have_local_pranswer: ("offer", "pranswer", "answer", "rollback"),
        have_remote_pranswer: ("offer", "rollback"),
    }
    async with in_state(state) as peer:
        before = everything(peer)
        for type in types[state]:
            for row in ("as it should be", "garbage"):
                with pytest.raises(InvalidStateError):
                    await peer.setRemoteDescription(type=type, sdp=TEXTS["answer"][row])
                assert everything(peer) == before


@pytest.mark.parametrize("state", STATES_OF_SIGNALING)
async def test_what_is_not_due_or_not_ours_cannot_be_set_here(state):
    types = {
        new: {"pranswer", "answer", "rollback"},
        negotiated: {"pranswer", "answer", "rollback"},
        have_remote_offer: {"offer", "rollback"},
        have_local_offer: {"pranswer", "answer"},
        have_local_pranswer: {"offer", "rollback"},
        have_remote_pranswer: {"offer", "pranswer", "answer", "rollback"},
    }
    async with in_state(state) as peer:
        before = everything(peer)
        for type in types[state]:
            with pytest.raises(InvalidStateError):
                await peer.setLocalDescription({"type": type})
            assert everything(peer) == before
        for type in ("offer", "pranswer", "answer"):
            for text in ("garbage", TEXTS[type]["as it should be"], *described(peer)):
                with pytest.raises(InvalidModificationError):
                    await peer.setLocalDescription({"type": type, "sdp": text})
                assert everything(peer) == before


def described(peer):
    """The local description of *peer*, changed."""
    return [] if peer.localDescription is None else [peer.localDescription.sdp.replace("s=-", "s=mine")]


async def test_the_answer_to_an_offer_of_another_connection_is_refused():
    async with in_state(have_local_offer) as peer, open_peers(None, None) as (caller, callee):
        caller.createDataChannel("chat")
        await caller.setLocalDescription()
        await callee.setRemoteDescription(caller.localDescription)
        await callee.setLocalDescription()
        before = everything(peer)
        with pytest.raises(InvalidAccessError):
            await peer.setRemoteDescription(callee.localDescription)
        assert everything(peer) == before


# Descriptions that are damaged at random

LINES = [line for type in ("offer", "answer") for line in TEXTS[type]["as it should be"].split("\r\n")]
NASTY = [
    *LINES,
    "",
    "a=",
    "a=mid:2",
    "a=bundle-only",
    "a=group:BUNDLE",
    "a=inactive",
    "m=audio 0 X 0",
    "m=video 9 X 96",
]
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("lost"), st.integers(0)),
        st.tuples(st.just("doubled"), st.integers(0)),
        st.tuples(st.just("moved"), st.integers(0), st.integers(0)),
        st.tuples(st.just("inserted"), st.integers(0), st.sampled_from(NASTY)),
        st.tuples(st.just("changed"), st.integers(0), st.integers(0), st.characters() | st.sampled_from("0 :/=9\r\n")),
        st.tuples(st.just("cut off"), st.integers(0), st.integers(0)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(sdp, damage):
    lines = sdp.split("\r\n")
    for what, number, *how in damage:
        place = number % len(lines)
        match what, how:
            case "lost", []:
                del lines[place]
            case "doubled", []:
                lines.insert(place, lines[place])
            case "moved", [to]:
                lines.insert(to % len(lines), lines.pop(place))
            case "inserted", [line]:
                lines.insert(place, line)
            case "changed", [at, character]:
                at %= len(lines[place]) + 1
                lines[place] = lines[place][:at] + character + lines[place][at + 1 :]
            case "cut off", [at]:
                lines[place] = lines[place][: at % (len(lines[place]) + 1)]
        lines = lines or [""]
    return "\r\n".join(lines)


async def set_damaged(state, type, damage, reports):
    """Set a damaged description of another connection, and go on if it is taken."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with open_peers(None, None) as (peer, other):
        await state(peer, other)
        if type == "offer":
            other.addTransceiver("video")
            whole = (await other.createOffer()).sdp
        else:
            await other.setRemoteDescription(peer.localDescription)
            whole = (await other.createAnswer()).sdp
        for each in (peer, other):
            if each.localDescription is not None:
                await each.gathering_complete()
        before = everything(peer)
        outcome = await asyncio.gather(
            peer.setRemoteDescription(type=type, sdp=damaged(whole, damage)), return_exceptions=True
        )
        if outcome != [None]:
            assert outcome[0].name in ("OperationError", "InvalidAccessError")
            assert everything(peer) == before
        else:
            if type == "offer":
                await peer.setLocalDescription()
            assert peer.signalingState == "stable"
            await peer.createOffer()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([(new, "offer"), (negotiated, "offer"), (have_local_offer, "offer"), (have_local_offer, "answer")]),
    DAMAGE,
)
def test_damaged_descriptions_are_taken_or_refused_by_name_and_those_that_are_refused_change_nothing(when, damage):
    reports = []
    asyncio.run(set_damaged(*when, damage, reports))
    gc.collect()
    assert reports == []
