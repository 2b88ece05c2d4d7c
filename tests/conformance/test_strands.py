"""What of a log is compared, and what is not."""

from __future__ import annotations

import pytest
from strands import facts

SDP = ["a=group:BUNDLE 0", "a=ice-options:trickle", "m=application 9 UDP/DTLS/SCTP x", "a=mid:0", "a=ice-ufrag:abcd"]
HOST = "candidate:1 1 udp 1 192.0.2.9 {} typ host"


def entry(what, value="", who="A", gathering="gathering", **more):
    states = ("have-local-offer", gathering, "new", "new")
    names = ("signalingState", "iceGatheringState", "iceConnectionState", "connectionState")
    return {"who": who, "what": what, "value": value, "seen": dict(zip(names, states, strict=True)), **more}


def candidate(port=1, text=None, local=None, gathering="gathering", **members):
    """A candidate of the first m-line; "" is the end of them, and None the end of gathering."""
    text = HOST.format(port) if text is None else text
    json = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd", **members}
    lines = [*SDP, f"a={text}" if text else "a=end-of-candidates"] if local is None else local
    return entry("icecandidate", "candidate" if text else "end", gathering=gathering, candidate=json, local=lines)


def gathering(state):
    return entry("icegatheringstatechange", state)


NULL = entry("icecandidate", "null", gathering="complete", candidate=None, local=SDP)
LOCAL = entry("call", "setLocalDescription resolved")


def test_a_run_of_candidates_is_one():
    log = [LOCAL, gathering("gathering"), candidate(1), candidate(2), candidate(text=""), gathering("complete"), NULL]
    said = facts(log)
    assert said["A gathering of 0"] == (
        "setLocalDescription, gathering: gathering, candidate, end, gathering: complete, null"
    )
    assert said["A gathering"] == "setLocalDescription, gathering: gathering, gathering: complete, null"
    assert facts([*log[:2], *log[3:]]) == said


def test_events_of_one_strand_may_not_change_places():
    early = [candidate(1), gathering("gathering")]
    assert facts(early) != facts(early[::-1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (entry("iceconnectionstatechange", "checking"), candidate(1)),
        (entry("iceconnectionstatechange", "checking", who="B"), candidate(1)),
        (entry("signalingstatechange", "stable"), candidate(1)),
        (entry("datachannel", "chat"), entry("connectionstatechange", "connected")),
    ],
    ids=["connecting", "the other peer", "signaling", "channels"],
)
def test_events_of_different_strands_may(one, other):
    assert facts([one, other], also=["channels"]) == facts([other, one], also=["channels"])


@pytest.mark.parametrize(
    ("wrong", "remark"),
    [
        (candidate(local=SDP), "not in the description"),
        (candidate(local=[*SDP, "m=audio 9 x", f"a={HOST.format(1)}"]), "not in the description"),
        (candidate(sdpMid="1"), "of another m-line"),
        (candidate(sdpMLineIndex=4), "of another m-line"),
        (candidate(usernameFragment="other"), "of another ufrag"),
        (candidate(gathering="new"), "while new"),
        (candidate(text="candidate:nonsense"), "malformed"),
        (candidate(text="", local=SDP), "not in the description"),
        ({**NULL, "seen": {**NULL["seen"], "iceGatheringState": "gathering"}}, "while gathering"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_about_an_event_is_said(wrong, remark):
    assert any(f"[{remark}]" in text for text in facts([wrong]).values())


def test_nothing_is_said_of_what_is_right():
    written = candidate(local=[*SDP, f"a={HOST.format(1).replace('udp', 'UDP')} generation 0"])
    assert "[" not in "".join(facts([written, candidate(text=""), NULL]).values())


def test_a_new_ufrag_is_a_new_generation():
    again = [*SDP[:-1], "a=ice-ufrag:other", f"a={HOST.format(1)}"]
    log = [candidate(), candidate(usernameFragment="other", local=again)]
    assert facts(log)["A gathering of 0"] == "candidate, candidate (2)"


def test_a_failed_call_says_how():
    assert facts([entry("call", "createAnswer rejected InvalidStateError")]) == {
        "A negotiation": "createAnswer rejected InvalidStateError"
    }


def test_only_events_count_after_close():
    log = [entry("call", "close returned"), entry("call", "createOffer rejected InvalidStateError"), entry("end")]
    log[-1] |= {"local": None, "remote": None}
    assert "A after close" not in facts(log)
    assert facts([*log[:2], gathering("complete"), log[-1]])["A after close"] == "gathering: complete"


def test_the_events_of_the_only_transport_are_ordered_with_those_of_the_connection():
    own = entry("statechange", "checking", who="A.transport1")
    theirs = entry("iceconnectionstatechange", "checking")
    assert facts([own, theirs])["A transport 1 ice"] == "transport: checking, ice: checking"
    another = entry("statechange", "closed", who="A.transport2")
    assert facts([own, theirs, another])["A transport 1 ice"] == "transport: checking"


def test_only_the_first_selected_pair_counts():
    pair = entry("selectedcandidatepairchange", who="A.transport1")
    connected = entry("statechange", "connected", who="A.transport1")
    assert facts([pair, connected, pair])["A transport 1 ice"] == "pair selected, transport: connected"


def test_descriptions_are_compared_in_the_end():
    local = [*SDP, f"a={HOST.format(1)}", "m=video 0 x", "a=mid:1", "a=recvonly", "a=bundle-only", "m=audio 0 x"]
    said = facts([entry("end", local=local, remote=[*SDP, "a=end-of-candidates"])])
    assert said["A local 0"] == "application, bundled, trickle, candidates"
    assert said["A local 1"] == "video, recvonly, bundle-only, trickle"
    assert said["A local 2"] == "audio, rejected, trickle"
    assert said["A remote 0"] == "application, ended"


def test_the_default_candidate_is_looked_at():
    shown = [*SDP[:2], "m=application 9 x", "c=IN IP4 0.0.0.0"], [*SDP[:2], "m=application 5 x", "c=IN IP6 fd00::1"]
    log = [entry("shows", "localDescription", lines=lines) for lines in shown]
    assert facts(log)["A reads"] == (
        "localDescription without a default candidate, localDescription with a default candidate"
    )


def test_an_error_has_no_address():
    log = [entry("icecandidateerror", "701", url="stun:127.0.0.1:5000")]
    assert facts(log) == {"A errors": "701 stun:host"}


def test_rows_are_facts():
    empty = dict.fromkeys(("foundation", "component", "priority", "address", "protocol", "port", "type", "tcpType"))
    made = empty | dict.fromkeys(("relatedAddress", "relatedPort", "sdpMLineIndex", "usernameFragment", "url"))
    made |= {"candidate": "x", "sdpMid": "0", "relayProtocol": None, "component": "rtp"}
    made["toJSON"] = {"candidate": "y", "sdpMid": None}
    log = [
        entry("row", "one", outcome="resolved, written"),
        entry("row", "two", outcome=made, given=[{"candidate": "x"}]),
    ]
    assert facts(log) == {
        "one": "resolved, written",
        "two": "- rtp - - - - - - - -",
        "two: attributes": 'candidate as given, sdpMid "0"',
        "two: toJSON": 'candidate "y", sdpMid null',
    }


def test_what_was_given_up_says_nothing_else():
    assert facts([LOCAL, {"who": "-", "what": "gave up", "value": "A.x"}]) == {"gave up": "A.x"}
