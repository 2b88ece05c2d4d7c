from types import SimpleNamespace

import pytest

from peer import RTCIceCandidate, RTCPeerConnection
from peer._candidate import parse_candidate
from peer._description import Description
from peer._errors import InvalidStateError, OperationError
from peer._remote import BAD_PORTS, Addition, CandidateInit, additions, candidate_init, contained, write

UDP = "candidate:1 1 udp 1 192.0.2.9 5 typ host"
TCP = "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active"
PASSIVE = "candidate:1 1 tcp 1 192.0.2.9 5000 typ host tcptype passive"
RTCP = "candidate:1 2 udp 1 192.0.2.9 5 typ host"
MDNS = "candidate:1 1 udp 1 deadbeef-0000-0000-0000-000000000000.local 5 typ host"
NAME = "candidate:1 1 udp 1 nosuch.invalid 5 typ host"
PORT_0 = "candidate:1 1 udp 1 192.0.2.9 0 typ host"

REMOTE = (
    "v=0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=ice-options:trickle\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:good\r\n"
    "a=mid:0\r\n"
)
NO_ARGUMENT = object()
END = "end-of-candidates"

# What addIceCandidate was given in two browsers whose remote description was like REMOTE, and what Chromium 156 and
# Firefox 153 answered: + resolved, T TypeError, I InvalidStateError, O OperationError. There are four answers of each:
# with no remote description, with a remote offer, in the stable state, and closed. The last column is the line that we
# write into the description where the answer is +, as Firefox does (Chromium adds "generation 0" to it).
STATES = ("no remote description", "have-remote-offer", "stable", "closed")
ANSWERS = {"+": None, "T": "TypeError", "I": "InvalidStateError", "O": "OperationError"}
ASKED = {
    "no argument": (NO_ARGUMENT, "+++I", "I++I", END),
    "undefined or null": (None, "+++I", "I++I", END),
    "{}": ({}, "+++I", "I++I", END),
    "empty string only": ({"candidate": ""}, "+++I", "I++I", END),
    "empty + mid": ({"candidate": "", "sdpMid": "0"}, "+++I", "I++I", END),
    "empty + unknown mid": ({"candidate": "", "sdpMid": "nope"}, "+++I", "IOOI", None),
    "no mid no index": ({"candidate": UDP}, "TTTI", "TTTT", None),
    "both null": ({"candidate": UDP, "sdpMid": None, "sdpMLineIndex": None}, "TTTI", "TTTT", None),
    "unknown mid": ({"candidate": UDP, "sdpMid": "nope"}, "IOOI", "IOOI", None),
    "unknown mid, good index": ({"candidate": UDP, "sdpMid": "nope", "sdpMLineIndex": 0}, "IOOI", "IOOI", None),
    "good mid, bad index": ({"candidate": UDP, "sdpMid": "0", "sdpMLineIndex": 7}, "I++I", "I++I", UDP),
    "index too large": ({"candidate": UDP, "sdpMLineIndex": 7}, "IOOI", "IOOI", None),
    "wrong ufrag": ({"candidate": UDP, "sdpMid": "0", "usernameFragment": "evil"}, "I++I", "IOOI", None),
    "wrong ufrag on end": ({"candidate": "", "sdpMid": "0", "usernameFragment": "evil"}, "+++I", "IOOI", None),
    "empty ufrag": ({"candidate": UDP, "sdpMid": "0", "usernameFragment": ""}, "I++I", "I++I", UDP),
    "empty ufrag on end": ({"candidate": "", "sdpMid": "0", "usernameFragment": ""}, "+++I", "I++I", END),
    "garbage": ({"candidate": "candidate:garbage", "sdpMid": "0"}, "IOOI", "IOOI", None),
    "bad port": ({"candidate": UDP.replace(" 5 ", " x "), "sdpMid": "0"}, "IOOI", "I++I", None),
    "a= prefix": ({"candidate": f"a={UDP}", "sdpMid": "0"}, "I++I", "I++I", UDP),
    "tcp": ({"candidate": TCP, "sdpMid": "0"}, "I++I", "I++I", TCP),
    "component 2": ({"candidate": RTCP, "sdpMid": "0"}, "I++I", "I++I", RTCP),
    "unresolvable mdns": ({"candidate": MDNS, "sdpMid": "0"}, "I++I", "I++I", MDNS),
    "hostname": ({"candidate": NAME, "sdpMid": "0"}, "I++I", "I++I", NAME),
    "port 0": ({"candidate": PORT_0, "sdpMid": "0"}, "I++I", "I++I", PORT_0),
    "duplicate": ({"candidate": UDP, "sdpMid": "0"}, "I++I", "I++I", UDP),
    "number": (5, "TTTT", "TTTT", None),
    "string": (UDP, "TTTT", "TTTT", None),
}
# Where the browsers differ, the algorithm of webrtc-pc 4.4.2 decides.
THE_END_NEEDS_A_DESCRIPTION = ("Firefox", "no candidate can be added without a remote description, nor its end")
ARGUMENT_FIRST = ("Firefox", "the argument is looked at before the chain is, and the chain is what looks at closed")
THE_UFRAG_COUNTS = ("Firefox", "the ufrag must be in a remote description that was applied")
BROWSERS_DIFFER = {
    "no argument": THE_END_NEEDS_A_DESCRIPTION,
    "undefined or null": THE_END_NEEDS_A_DESCRIPTION,
    "{}": THE_END_NEEDS_A_DESCRIPTION,
    "empty string only": THE_END_NEEDS_A_DESCRIPTION,
    "empty + mid": THE_END_NEEDS_A_DESCRIPTION,
    "empty ufrag on end": THE_END_NEEDS_A_DESCRIPTION,
    "empty + unknown mid": ("Firefox", "the mid is compared whatever the text is"),
    "no mid no index": ARGUMENT_FIRST,
    "both null": ARGUMENT_FIRST,
    "wrong ufrag": THE_UFRAG_COUNTS,
    "wrong ufrag on end": THE_UFRAG_COUNTS,
    "bad port": ("Chromium", "what does not fit the grammar could not be added"),
}


def expected(name, state):
    """The answer in *state*: that of both browsers, or of the one that follows the W3C."""
    _, chromium, firefox, _ = ASKED[name]
    browser, _ = BROWSERS_DIFFER.get(name, ("Firefox", "they agree"))
    return ANSWERS[(chromium if browser == "Chromium" else firefox)[STATES.index(state)]]


def test_where_browsers_differ_is_written_down_with_the_reason():
    assert {name for name, (_, chromium, firefox, _) in ASKED.items() if chromium != firefox} == set(BROWSERS_DIFFER)


def error_of(given, current, pending):
    """The error that addIceCandidate answers *given* with, or None; what it accepts is written."""
    try:
        init = candidate_init(None if given is NO_ARGUMENT else given)
        for addition in additions(init, current, pending):
            write(addition, (pending, current))
    except (TypeError, InvalidStateError, OperationError) as error:
        return getattr(error, "name", "TypeError")
    return None


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("state", STATES[:3])
def test_add_ice_candidate_answers_as_a_browser_does(state, name):
    remote = Description("offer", REMOTE)
    current, pending = {
        "no remote description": (None, None),
        "have-remote-offer": (None, remote),
        "stable": (remote, None),
    }[state]
    error = expected(name, state)
    given, _, _, line = ASKED[name]
    assert error_of(given, current, pending) == error
    assert remote.value.sdp == (f"{REMOTE}a={line}\r\n" if error is None else REMOTE)


@pytest.mark.parametrize("name", ASKED)
async def test_a_closed_connection_takes_no_candidate_of_any_kind(name):
    pc = RTCPeerConnection()
    await pc.close()
    arguments = [given for given in ASKED[name][:1] if given is not NO_ARGUMENT]
    with pytest.raises((TypeError, InvalidStateError)) as caught:
        await pc.addIceCandidate(*arguments)
    assert getattr(caught.value, "name", "TypeError") == expected(name, "closed")


def test_all_that_is_accepted_is_written_before_the_end_in_the_order_of_the_calls():
    """Firefox's remote description had these lines after the calls in ASKED, and the bad port."""
    remote = Description("offer", REMOTE)
    for given, *_ in ASKED.values():
        error_of(given, None, remote)
    lines = (UDP, UDP, UDP, TCP, RTCP, MDNS, NAME, PORT_0, UDP, END)
    assert remote.value.sdp == REMOTE + "".join(f"a={line}\r\n" for line in lines)


@pytest.mark.parametrize(
    ("given", "init"),
    [
        (None, CandidateInit()),
        ({}, CandidateInit()),
        ({"more": 1, "candidate": ""}, CandidateInit()),
        ({"candidate": UDP, "sdpMid": "0"}, CandidateInit(UDP, "0")),
        ({"candidate": UDP, "sdpMLineIndex": 0}, CandidateInit(UDP, None, 0)),
        ({"candidate": UDP, "sdpMid": ""}, CandidateInit(UDP, "")),
        ({"candidate": UDP, "sdpMid": 0, "sdpMLineIndex": "1"}, CandidateInit(UDP, "0", 1)),
        ({"candidate": UDP, "sdpMLineIndex": 65537}, CandidateInit(UDP, None, 1)),
        ({"candidate": None, "sdpMid": "0"}, CandidateInit("null", "0")),
        ({"sdpMid": "0", "usernameFragment": "u"}, CandidateInit("", "0", None, "u")),
        ({"sdpMid": "0", "usernameFragment": ""}, CandidateInit("", "0")),
        ({"sdpMid": "0", "usernameFragment": []}, CandidateInit("", "0")),
        ({"sdpMid": "0", "usernameFragment": 1234}, CandidateInit("", "0", None, "1234")),
        (RTCIceCandidate(UDP, sdpMid="0", usernameFragment="u"), CandidateInit(UDP, "0", None, "u")),
        (RTCIceCandidate("", sdpMLineIndex=3), CandidateInit("", None, 3)),
        (RTCIceCandidate(UDP, sdpMid="0", usernameFragment=""), CandidateInit(UDP, "0")),
        (SimpleNamespace(candidate=UDP, sdpMid="0", other=1), CandidateInit(UDP, "0")),
    ],
    ids=str,
)
def test_the_argument_is_converted_as_in_a_browser(given, init):
    assert candidate_init(given) == init


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (5, "5 is not a candidate"),
        (True, "True is not a candidate"),
        (UDP, "is not a candidate"),
        (UDP.encode(), "is not a candidate"),
        ([], r"\[\] is not a candidate"),
        ([("candidate", UDP)], "is not a candidate"),
        pytest.param(object(), "is not a candidate", id="object"),
        (SimpleNamespace(sdpMid="0", sdpMLineIndex=0), "is not a candidate"),  # aiortc's class looks like this
        (RTCIceCandidate, "must be a dictionary"),
        ({"candidate": UDP}, "needs an sdpMid or an sdpMLineIndex"),
        ({"candidate": None}, "needs an sdpMid or an sdpMLineIndex"),
        ({"candidate": " "}, "needs an sdpMid or an sdpMLineIndex"),
        # the event instead of its candidate
        (SimpleNamespace(type="icecandidate", candidate=RTCIceCandidate(UDP, sdpMid="0")), "needs an sdpMid"),
        (SimpleNamespace(type="icecandidate", candidate=None), "needs an sdpMid"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_candidate_or_names_no_m_line_is_a_type_error(given, sentence):
    with pytest.raises(TypeError, match=sentence):
        candidate_init(given)


# Several m-lines: 0 as usual, 1 with a ufrag of its own, 2 rejected, 3 waiting for its bundle.
FOUR = (
    "v=0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=ice-ufrag:uuuu\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:b\r\na=ice-ufrag:vvvv\r\n"
    "m=video 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:c\r\n"
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=ice-ufrag:uuuu\r\na=bundle-only\r\n"
)


@pytest.mark.parametrize(
    ("init", "found"),
    [
        (CandidateInit(UDP, "a"), [(0, "uuuu", UDP)]),
        (CandidateInit(UDP, None, 1), [(1, "vvvv", UDP)]),
        (CandidateInit(UDP, "b", 0), [(1, "vvvv", UDP)]),
        (CandidateInit(UDP, "b", 9), [(1, "vvvv", UDP)]),
        (CandidateInit(UDP, "b", None, "vvvv"), [(1, "vvvv", UDP)]),
        (CandidateInit(UDP, "d"), [(3, "uuuu", UDP)]),
        (CandidateInit("", "b"), [(1, "vvvv", "")]),
        (CandidateInit("", None, 3), [(3, "uuuu", "")]),
        (CandidateInit(""), [(0, "uuuu", ""), (1, "vvvv", ""), (3, "uuuu", "")]),
        (CandidateInit("", None, None, "uuuu"), [(0, "uuuu", ""), (3, "uuuu", "")]),
        # rejected: accepted, without effect, whatever it says
        (CandidateInit(UDP, "c"), []),
        (CandidateInit("", None, 2), []),
        (CandidateInit(UDP, "c", None, "nope"), []),
        (CandidateInit("garbage", "c"), []),
    ],
)
def test_a_candidate_belongs_to_the_m_line_and_the_generation_that_it_names(init, found):
    remote = Description("offer", FOUR)
    for current, pending in ((remote, None), (None, remote)):
        assert [(a.index, a.ufrag, a.line) for a in additions(init, current, pending)] == found


@pytest.mark.parametrize(
    ("init", "sentence"),
    [
        (CandidateInit(UDP, "e"), "no mid 'e'"),
        (CandidateInit(UDP, ""), "no mid ''"),
        (CandidateInit(UDP, "e", 0), "no mid 'e'"),
        (CandidateInit(UDP, None, 4), "has 4 m-lines, none at 4"),
        (CandidateInit("", None, 65535), "none at 65535"),
        (CandidateInit(UDP, "a", None, "vvvv"), "no remote description carries the ufrag 'vvvv'"),
        (CandidateInit("", None, None, "nope"), "carries the ufrag 'nope'"),
        (CandidateInit("garbage", "a", None, "nope"), "carries the ufrag 'nope'"),
        (CandidateInit("garbage", "a"), "not a candidate: 'garbage'"),
        (CandidateInit(" ", "a"), "not a candidate: ' '"),
        (CandidateInit(f"{UDP}\r\na=evil:1", "a"), "not a candidate"),
        (CandidateInit(f"{UDP}\u2028a=evil:1", "a"), "not a candidate"),
    ],
)
def test_what_fits_nowhere_is_an_operation_error_that_says_why(init, sentence):
    with pytest.raises(OperationError, match=sentence):
        additions(init, Description("offer", FOUR), None)


def test_a_description_without_m_lines_has_no_candidates_to_end():
    nothing = Description("offer", "v=0\r\n")
    assert additions(CandidateInit(), nothing, None) == []
    with pytest.raises(OperationError, match="has 0 m-lines"):
        additions(CandidateInit(UDP, None, 0), nothing, None)


def test_a_stopped_transceiver_takes_no_candidates_and_that_is_no_error():
    remote = Description("offer", FOUR)
    mids = [section.mid for section in remote.sections]
    assert additions(CandidateInit(UDP, mids[0]), remote, None, stopped={mids[0]}) == []
    ends = additions(CandidateInit(), remote, None, stopped={mids[0]})
    assert [remote.sections[end.index].mid for end in ends] == [
        section.mid for section in remote.sections[1:] if not section.rejected
    ]


@pytest.mark.parametrize(
    ("address", "hidden"),
    [("192.0.2.9", False), ("a.example", False), ("a.local", True), ("A.LOCAL", True), ("local", False)],
)
def test_a_name_of_mdns_hides_an_address(address, hidden):
    line = f"candidate:1 1 udp 1 {address} 50000 typ host"
    assert Addition(0, None, line, parse_candidate(line)).hidden is hidden
    assert not Addition(0, None, line, None).hidden


# A restart: the current description has the old generation, the pending one the new.
OLD = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=ice-ufrag:old\r\n"
NEW = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=ice-ufrag:new\r\n"


@pytest.mark.parametrize(
    ("named", "generation", "into_current", "into_pending"),
    [(None, "new", False, True), ("new", "new", False, True), ("old", "old", True, False)],
)
@pytest.mark.parametrize("text", [UDP, ""])
def test_a_candidate_without_a_ufrag_is_one_of_the_newest_generation(
    text, named, generation, into_current, into_pending
):
    current, pending = Description("answer", OLD), Description("offer", NEW)
    (addition,) = additions(CandidateInit(text, "a", None, named), current, pending)
    assert addition.ufrag == generation
    write(addition, (pending, current))
    line = f"a={text or 'end-of-candidates'}\r\n"
    assert current.value.sdp == OLD + line * into_current
    assert pending.value.sdp == NEW + line * into_pending


def test_a_generation_that_both_descriptions_carry_is_written_into_both():
    current, pending = Description("answer", OLD), Description("offer", OLD)
    (addition,) = additions(CandidateInit(UDP, "a"), current, pending)
    write(addition, (None, pending, None, current))
    assert current.value.sdp == pending.value.sdp == f"{OLD}a={UDP}\r\n"


def test_only_the_pending_description_says_which_m_lines_there_are():
    both = OLD + "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:b\r\n"
    with pytest.raises(OperationError, match="no mid 'b'"):
        additions(CandidateInit(UDP, "b"), Description("answer", both), Description("offer", NEW))


def test_an_m_line_of_the_pending_description_that_the_current_one_lacks_takes_candidates():
    both = NEW + "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:b\r\na=ice-ufrag:new\r\n"
    current, pending = Description("answer", OLD), Description("offer", both)
    (addition,) = additions(CandidateInit(UDP, "b", None, "new"), current, pending)
    write(addition, (pending, current))
    assert pending.value.sdp == f"{both}a={UDP}\r\n"
    assert current.value.sdp == OLD


def test_a_section_without_a_ufrag_takes_candidates_without_one():
    text = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\n"
    remote = Description("offer", text)
    (addition,) = additions(CandidateInit(UDP, "a"), remote, None)
    write(addition, (remote,))
    assert remote.value.sdp == f"{text}a={UDP}\r\n"


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        (UDP, True),
        (MDNS, True),
        (NAME, True),
        ("candidate:1 1 udp 0 192.0.2.9 5 typ prflx", True),
        ("candidate:1 1 UDP 1 2001:db8::9 65535 typ relay raddr 0.0.0.0 rport 0", True),
        (PASSIVE, True),
        (TCP, False),
        (TCP.replace("active", "so"), False),
        (TCP.removesuffix(" tcptype active"), False),
        (RTCP, False),
        (PORT_0, True),  # as far as its text goes: it is prohibited, see below
        ("candidate:1 256 udp 1 192.0.2.9 5 typ host", False),
    ],
)
def test_a_candidate_is_tried_if_a_check_can_be_sent_to_it(text, usable):
    remote = Description("offer", OLD)
    (addition,) = additions(CandidateInit(text, "a"), remote, None)
    assert addition.line == text
    assert addition.candidate == (parse_candidate(text) if usable else None)


# Bad ports (Fetch, section 2.10): nobody shall be made to talk to the servers of other protocols.


def at_port(port, *more):
    return " ".join(["candidate:1 1 udp 1 192.0.2.9", str(port), "typ host", *more])


@pytest.mark.parametrize("port", sorted(BAD_PORTS))
def test_a_candidate_at_a_bad_port_is_accepted_and_written_and_prohibited(port):
    remote = Description("offer", OLD)
    (addition,) = additions(CandidateInit(at_port(port), "a"), remote, None)
    assert addition == Addition(0, "old", at_port(port), parse_candidate(at_port(port)))
    assert addition.prohibited
    write(addition, (remote,))
    assert remote.value.sdp == f"{OLD}a={at_port(port)}\r\n"
    first, end = contained(Description("offer", remote.value.sdp))
    assert first.prohibited
    assert not end.prohibited


@pytest.mark.parametrize("port", [2, 80, 443, 445, 1024, 3478, 5000, 5062, 6001, 6664, 6670, 8080, 10081, 65535])
def test_a_candidate_at_any_other_port_is_tried(port):
    remote = Description("offer", OLD)
    (addition,) = additions(CandidateInit(at_port(port), "a"), remote, None)
    assert addition.candidate == parse_candidate(at_port(port))


def test_the_bad_ports_are_those_of_the_fetch_standard():
    assert len(BAD_PORTS) == 83
    assert sorted(BAD_PORTS)[:8] == [0, 1, 7, 9, 11, 13, 15, 17]
    assert sorted(BAD_PORTS)[-8:] == [6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080]
    smtp, dns, ntp, snmp, sips, x11 = 25, 53, 123, 161, 5061, 6000
    assert {smtp, dns, ntp, snmp, sips, x11} < BAD_PORTS


def test_however_a_bad_port_is_written_it_is_bad():
    (addition,) = additions(CandidateInit(at_port("00025"), "a"), Description("offer", OLD), None)
    assert addition.prohibited


def test_a_bad_port_that_a_candidate_is_derived_from_does_no_harm():
    text = at_port(5000).replace("host", "srflx raddr 192.0.2.1 rport 25")
    (addition,) = additions(CandidateInit(text, "a"), Description("offer", OLD), None)
    assert addition.candidate == parse_candidate(text)
    assert not addition.prohibited


def test_after_the_end_of_candidates_more_of_them_are_written_and_not_tried():
    remote = Description("offer", OLD)
    for addition in additions(CandidateInit(), remote, None):
        write(addition, (remote,))
    (late,) = additions(CandidateInit(UDP, "a"), remote, None)
    assert late == Addition(0, "old", UDP, None)
    write(late, (remote,))
    assert remote.value.sdp == f"{OLD}a={UDP}\r\na=end-of-candidates\r\n"


def test_the_end_of_one_generation_is_not_that_of_another():
    current = Description("answer", OLD + "a=end-of-candidates\r\n")
    pending = Description("offer", NEW)
    (new,) = additions(CandidateInit(UDP, "a"), current, pending)
    assert new.candidate == parse_candidate(UDP)
    (old,) = additions(CandidateInit(UDP, "a", None, "old"), current, pending)
    assert old.candidate is None


# What a description comes with

TRICKLE = "a=ice-options:trickle\r\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"v=0\r\n{TRICKLE}", [], id="no m-line"),
        pytest.param(OLD, [Addition(0, "old", "", None)], id="no candidate, and none to come"),
        pytest.param(OLD + TRICKLE, [], id="no candidate yet"),
        pytest.param(
            f"{OLD}{TRICKLE}a={UDP}\r\na={TCP}\r\na={MDNS}\r\n",
            [
                Addition(0, "old", UDP, parse_candidate(UDP)),
                Addition(0, "old", TCP, None),
                Addition(0, "old", MDNS, parse_candidate(MDNS)),
            ],
            id="some, and more to come",
        ),
        pytest.param(
            f"{OLD}a={UDP}\r\na=candidate:garbage\r\n",
            [Addition(0, "old", UDP, parse_candidate(UDP)), Addition(0, "old", "", None)],
            id="all there are",
        ),
        pytest.param(
            f"{OLD}{TRICKLE}a=end-of-candidates\r\na={UDP}\r\n",
            [Addition(0, "old", UDP, parse_candidate(UDP)), Addition(0, "old", "", None)],
            id="all there are, though it could trickle",
        ),
        pytest.param(
            f"{OLD}{TRICKLE}a={TCP}\r\na={RTCP}\r\n",
            [Addition(0, "old", TCP, None), Addition(0, "old", RTCP, None)],
            id="some, none of them usable, and more to come",
        ),
        pytest.param(
            f"v=0\r\na=end-of-candidates\r\n{OLD.removeprefix('v=0')[2:]}{TRICKLE}a={UDP}\r\n",
            [Addition(0, "old", UDP, parse_candidate(UDP)), Addition(0, "old", "", None)],
            id="all there are, as the session says",
        ),
        pytest.param(
            f"v=0\r\n{TRICKLE}a=ice-ufrag:all\r\nm=audio 9 RTP/AVP 0\r\na={UDP}\r\nm=video 9 RTP/AVP 0\r\na={UDP}\r\n",
            [Addition(0, "all", UDP, parse_candidate(UDP)), Addition(1, "all", UDP, parse_candidate(UDP))],
            id="the generation of the session",
        ),
        pytest.param(
            f"{OLD}{TRICKLE}a={UDP}  \r\na={UDP}\r\n",
            [Addition(0, "old", UDP, parse_candidate(UDP))] * 2,
            id="as often as they are written, without white space at the end",
        ),
        pytest.param(
            f"{OLD}{TRICKLE}a=end-of-candidates\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\n{TRICKLE}a={RTCP}\r\na={UDP}\r\n",
            [
                Addition(0, "old", "", None),
                Addition(1, None, RTCP, None),
                Addition(1, None, UDP, parse_candidate(UDP)),
            ],
            id="each m-line for itself",
        ),
        pytest.param(
            f"{OLD}m=video 0 UDP/TLS/RTP/SAVPF 0\r\na={UDP}\r\na=end-of-candidates\r\n",
            [Addition(0, "old", "", None)],
            id="nothing, where the m-line is rejected",
        ),
        pytest.param(
            f"{OLD}{TRICKLE}m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:other\r\n",
            [Addition(0, "old", "", None), Addition(1, "other", "", None)],
            id="a side of which one m-line does not trickle does not trickle",
        ),
    ],
)
def test_a_description_may_come_with_candidates_and_their_end(text, found):
    assert contained(Description("offer", text)) == found
