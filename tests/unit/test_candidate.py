import copy
import json
import pickle
from types import SimpleNamespace

import pytest

from peer._candidate import (
    CandidateAttribute,
    RTCIceCandidate,
    candidate_line,
    candidate_text,
    parse_candidate,
    peer_reflexive,
)

HOST = "candidate:1 1 udp 2122260223 192.0.2.9 50000 typ host"
SRFLX = (
    "candidate:2 1 udp 1686052607 203.0.113.5 40000 typ srflx raddr 192.0.2.9 rport 50000 "
    "generation 0 ufrag abcd network-cost 10"
)
PASSIVE = "candidate:5 1 tcp 1518280447 192.0.2.9 4444 typ host tcptype passive"
MDNS = "11111111-2222-3333-4444-555555555555.local"

DERIVED = (
    *("foundation", "component", "priority", "address", "protocol", "port", "type", "tcpType"),
    *("relatedAddress", "relatedPort"),
)


def derived(*values):
    """The attributes read from the text, in the order of DERIVED; those left out are null."""
    return dict(zip(DERIVED, values + (None,) * (len(DERIVED) - len(values)), strict=True))


UNPARSED = derived()
HOST_SAYS = derived("1", "rtp", 2122260223, "192.0.2.9", "udp", 50000, "host")

# Constructed in Chromium 156 and in Firefox 153: the dictionary, its members as toJSON() gave them
# back (candidate, sdpMid, sdpMLineIndex, usernameFragment), and the derived attributes.
# Where the browsers differ, this says what we do; BROWSERS_DIFFER below says whom that follows.
CONSTRUCTED = {
    "sdpMid only": ({"sdpMid": "0"}, ("", "0", None, None), UNPARSED),
    "sdpMLineIndex only": ({"sdpMLineIndex": 0}, ("", None, 0, None), UNPARSED),
    "candidate null": (
        {"candidate": None, "sdpMid": "0"},
        ("null", "0", None, None),
        UNPARSED,
    ),
    "host": ({"candidate": HOST, "sdpMid": "0"}, (HOST, "0", None, None), HOST_SAYS),
    "a= prefix": (
        {"candidate": "a=" + HOST, "sdpMid": "0"},
        ("a=" + HOST, "0", None, None),
        HOST_SAYS,
    ),
    "no candidate: prefix": (
        {"candidate": "1 1 udp 2122260223 192.0.2.9 50000 typ host", "sdpMid": "0"},
        ("1 1 udp 2122260223 192.0.2.9 50000 typ host", "0", None, None),
        UNPARSED,
    ),
    "srflx": (
        {"candidate": SRFLX, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd"},
        (SRFLX, "0", 0, "abcd"),
        derived(
            *("2", "rtp", 1686052607, "203.0.113.5", "udp", 40000, "srflx", None),
            *("192.0.2.9", 50000),
        ),
    ),
    "relay": (
        {
            "candidate": "candidate:3 1 udp 41885439 203.0.113.9 60000 typ relay raddr 203.0.113.5 rport 40000",
            "sdpMid": "0",
        },
        (
            "candidate:3 1 udp 41885439 203.0.113.9 60000 typ relay raddr 203.0.113.5 rport 40000",
            *("0", None, None),
        ),
        derived(
            *("3", "rtp", 41885439, "203.0.113.9", "udp", 60000, "relay", None),
            *("203.0.113.5", 40000),
        ),
    ),
    "prflx": (
        {
            "candidate": "candidate:4 1 udp 1 203.0.113.9 60000 typ prflx raddr 0.0.0.0 rport 0",
            "sdpMid": "0",
        },
        (
            "candidate:4 1 udp 1 203.0.113.9 60000 typ prflx raddr 0.0.0.0 rport 0",
            *("0", None, None),
        ),
        derived("4", "rtp", 1, "203.0.113.9", "udp", 60000, "prflx", None, "0.0.0.0", 0),
    ),
    "tcp active": (
        {
            "candidate": "candidate:5 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
            "sdpMid": "0",
        },
        ("candidate:5 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active", "0", None, None),
        derived("5", "rtp", 1518280447, "192.0.2.9", "tcp", 9, "host", "active"),
    ),
    "tcp passive": (
        {
            "candidate": "candidate:5 1 TCP 1518280447 192.0.2.9 4444 typ host tcptype passive",
            "sdpMid": "0",
        },
        ("candidate:5 1 TCP 1518280447 192.0.2.9 4444 typ host tcptype passive", "0", None, None),
        derived("5", "rtp", 1518280447, "192.0.2.9", "tcp", 4444, "host", "passive"),
    ),
    "component 2": (
        {"candidate": "candidate:1 2 udp 2122260222 192.0.2.9 50001 typ host", "sdpMid": "0"},
        ("candidate:1 2 udp 2122260222 192.0.2.9 50001 typ host", "0", None, None),
        derived("1", "rtcp", 2122260222, "192.0.2.9", "udp", 50001, "host"),
    ),
    "component 3": (
        {"candidate": "candidate:1 3 udp 1 192.0.2.9 50001 typ host", "sdpMid": "0"},
        ("candidate:1 3 udp 1 192.0.2.9 50001 typ host", "0", None, None),
        derived("1", None, 1, "192.0.2.9", "udp", 50001, "host"),
    ),
    "ipv6": (
        {"candidate": "candidate:1 1 udp 2122260223 2001:db8::1 50000 typ host", "sdpMid": "0"},
        ("candidate:1 1 udp 2122260223 2001:db8::1 50000 typ host", "0", None, None),
        HOST_SAYS | {"address": "2001:db8::1"},
    ),
    "mdns": (
        {"candidate": f"candidate:1 1 udp 2122260223 {MDNS} 50000 typ host", "sdpMid": "0"},
        (f"candidate:1 1 udp 2122260223 {MDNS} 50000 typ host", "0", None, None),
        HOST_SAYS | {"address": MDNS},
    ),
    "port 70000": (
        {"candidate": "candidate:1 1 udp 2122260223 192.0.2.9 70000 typ host", "sdpMid": "0"},
        ("candidate:1 1 udp 2122260223 192.0.2.9 70000 typ host", "0", None, None),
        UNPARSED,
    ),
    "priority too large": (
        {"candidate": "candidate:1 1 udp 99999999999 192.0.2.9 50000 typ host", "sdpMid": "0"},
        ("candidate:1 1 udp 99999999999 192.0.2.9 50000 typ host", "0", None, None),
        UNPARSED,
    ),
    "bad type": (
        {"candidate": "candidate:1 1 udp 1 192.0.2.9 50000 typ wat", "sdpMid": "0"},
        ("candidate:1 1 udp 1 192.0.2.9 50000 typ wat", "0", None, None),
        UNPARSED,
    ),
    "bad protocol": (
        {"candidate": "candidate:1 1 sctp 1 192.0.2.9 50000 typ host", "sdpMid": "0"},
        ("candidate:1 1 sctp 1 192.0.2.9 50000 typ host", "0", None, None),
        UNPARSED,
    ),
    "truncated": (
        {"candidate": "candidate:1 1 udp", "sdpMid": "0"},
        ("candidate:1 1 udp", "0", None, None),
        UNPARSED,
    ),
    "garbage": (
        {"candidate": "garbage", "sdpMid": "0"},
        ("garbage", "0", None, None),
        UNPARSED,
    ),
    "ufrag extension only": (
        {"candidate": HOST + " ufrag wxyz", "sdpMid": "0"},
        (HOST + " ufrag wxyz", "0", None, None),
        HOST_SAYS,
    ),
    "index 65535": (
        {"candidate": HOST, "sdpMLineIndex": 65535},
        (HOST, None, 65535, None),
        HOST_SAYS,
    ),
    "index 65536": (
        {"candidate": HOST, "sdpMLineIndex": 65536},
        (HOST, None, 0, None),
        HOST_SAYS,
    ),
    "index -1": ({"candidate": HOST, "sdpMLineIndex": -1}, (HOST, None, 65535, None), HOST_SAYS),
    'index "1"': ({"candidate": HOST, "sdpMLineIndex": "1"}, (HOST, None, 1, None), HOST_SAYS),
    "mid number": ({"candidate": HOST, "sdpMid": 5}, (HOST, "5", None, None), HOST_SAYS),
    "local url+relayProtocol": (
        {"candidate": HOST, "sdpMid": "0", "url": "stun:x", "relayProtocol": "udp"},
        (HOST, "0", None, None),
        HOST_SAYS,
    ),
}

# Both browsers throw a TypeError.
REFUSED = {
    "no argument": [],
    "empty dict": [{}],
    "null": [None],
    "string argument": [HOST],
    "sdpMid null index null": [{"candidate": HOST, "sdpMid": None, "sdpMLineIndex": None}],
}

# Where the browsers differ: what was asked of which candidate, the answers of Chromium and Firefox,
# and the one we follow. W3C means that neither answer is the specification's.
MISSING = object()
SERVER = {"sdpMid": "0", "url": "stun:x", "relayProtocol": "udp"}
BROWSERS_DIFFER = {
    "an sdpMid of null, in JSON": (
        *({"sdpMLineIndex": 0}, lambda c: c.toJSON()["sdpMid"]),
        *("", None, "Firefox"),
    ),
    "a usernameFragment of null, in JSON": (
        *({"sdpMid": "0"}, lambda c: c.toJSON()["usernameFragment"]),
        *("", None, "Firefox"),
    ),
    "an sdpMLineIndex of null, in JSON": (
        *({"sdpMid": "0"}, lambda c: c.toJSON().get("sdpMLineIndex", MISSING)),
        *(MISSING, None, "Firefox"),
    ),
    "an IPv6 address": (
        *({"candidate": HOST.replace("192.0.2.9", "2001:db8::1"), "sdpMid": "0"},),
        *(lambda c: c.address, "[2001:db8::1]", "2001:db8::1", "Firefox"),
    ),
    "no url": ({"sdpMid": "0"}, lambda c: c.url, None, MISSING, "Chromium"),
    "no relayProtocol": ({"sdpMid": "0"}, lambda c: c.relayProtocol, None, MISSING, "Chromium"),
    "a url": (SERVER, lambda c: c.url, None, MISSING, "W3C"),
    "a relayProtocol": (SERVER, lambda c: c.relayProtocol, None, MISSING, "W3C"),
}


def attributes(candidate):
    return {name: getattr(candidate, name) for name in DERIVED}


@pytest.mark.parametrize(("init", "signalled", "says"), CONSTRUCTED.values(), ids=CONSTRUCTED.keys())
def test_a_candidate_is_what_it_is_in_browsers(init, signalled, says):
    candidate = RTCIceCandidate(init)

    names = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment")
    assert candidate.toJSON() == dict(zip(names, signalled, strict=True))
    assert attributes(candidate) == says
    assert tuple(getattr(candidate, name) for name in names) == signalled


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED.keys())
def test_what_browsers_refuse_is_a_type_error(arguments):
    with pytest.raises(TypeError, match="needs an sdpMid or an sdpMLineIndex"):
        RTCIceCandidate(*arguments)


@pytest.mark.parametrize(
    ("init", "ask", "chromium", "firefox", "followed"),
    BROWSERS_DIFFER.values(),
    ids=BROWSERS_DIFFER.keys(),
)
def test_where_browsers_differ_the_specification_decides(init, ask, chromium, firefox, followed):
    answer = ask(RTCIceCandidate(init))

    agreeing = {"Chromium": answer == chromium, "Firefox": answer == firefox}
    assert [browser for browser, agrees in agreeing.items() if agrees] == ([followed] if followed != "W3C" else [])


def test_url_and_relay_protocol_come_from_the_dictionary():
    candidate = RTCIceCandidate(SERVER)

    assert (candidate.url, candidate.relayProtocol) == ("stun:x", "udp")


# The forms of the constructor


def test_keywords_make_a_candidate():
    candidate = RTCIceCandidate(
        candidate=HOST,
        sdpMid="0",
        sdpMLineIndex=1,
        usernameFragment="abcd",
        relayProtocol="tls",
        url="turns:x",
    )

    assert candidate == RTCIceCandidate(
        {
            "candidate": HOST,
            "sdpMid": "0",
            "sdpMLineIndex": 1,
            "usernameFragment": "abcd",
            "relayProtocol": "tls",
            "url": "turns:x",
        }
    )


@pytest.mark.parametrize("where", [{"sdpMid": "0"}, {"sdpMLineIndex": 0}])
def test_a_text_with_its_m_line_makes_a_candidate(where):
    assert RTCIceCandidate(HOST, **where) == RTCIceCandidate({"candidate": HOST} | where)


def test_a_candidate_is_copied_with_what_only_this_side_knows():
    original = RTCIceCandidate(SERVER | {"candidate": HOST})

    assert RTCIceCandidate(original) == original
    assert RTCIceCandidate(original).url == "stun:x"


@pytest.mark.parametrize(
    "init",
    [
        {"candidate": HOST, "sdpMid": "0", "usernameFragment": "abcd"},
        RTCIceCandidate(HOST, sdpMid="0", usernameFragment="abcd"),
        SimpleNamespace(candidate=HOST, sdpMid="0", usernameFragment="abcd"),
    ],
    ids=["dictionary", "candidate", "object"],
)
def test_keywords_outrank_the_first_argument(init):
    candidate = RTCIceCandidate(init, sdpMid=None, sdpMLineIndex=3)

    assert candidate == RTCIceCandidate(HOST, sdpMLineIndex=3, usernameFragment="abcd")


def test_the_first_argument_is_not_changed():
    init = {"sdpMid": "0"}
    RTCIceCandidate(init, sdpMid="1")

    assert init == {"sdpMid": "0"}


def test_keywords_are_converted_like_members():
    candidate = RTCIceCandidate(candidate=None, sdpMid=5, sdpMLineIndex="1", usernameFragment=True)

    assert candidate.toJSON() == {
        "candidate": "null",
        "sdpMid": "5",
        "sdpMLineIndex": 1,
        "usernameFragment": "true",
    }


def test_unknown_members_are_ignored():
    assert RTCIceCandidate({"sdpMid": "0", "sdpMLine": 1, "type": "candidate"}).type is None


def test_unknown_keywords_are_a_type_error():
    with pytest.raises(TypeError, match="sdpMLine"):
        RTCIceCandidate(HOST, sdpMid="0", sdpMLine=1)


@pytest.mark.parametrize("init", [5, 1.5, True, [HOST], b"0", object(), RTCIceCandidate])
def test_a_candidate_cannot_be_made_of_anything(init):
    with pytest.raises(TypeError, match="candidateInitDict must be a dictionary"):
        RTCIceCandidate(init, sdpMid="0")


def test_an_object_without_a_text_is_not_taken_for_the_end_of_candidates():
    """aiortc's own RTCIceCandidate is such an object."""
    foreign = SimpleNamespace(sdpMid="0", sdpMLineIndex=0, ip="192.0.2.9", port=50000)

    with pytest.raises(TypeError, match="no candidate attribute: SimpleNamespace"):
        RTCIceCandidate(foreign)


@pytest.mark.parametrize("protocol", ["udp", "tcp", "tls", None])
def test_the_relay_protocol_is_one_of_three_words(protocol):
    assert RTCIceCandidate(sdpMid="0", relayProtocol=protocol).relayProtocol == protocol


@pytest.mark.parametrize("protocol", ["", "UDP", "sctp", 5, False])
def test_any_other_relay_protocol_is_a_type_error(protocol):
    with pytest.raises(TypeError, match="relayProtocol must be udp, tcp or tls"):
        RTCIceCandidate({"sdpMid": "0", "relayProtocol": protocol})


def test_a_url_has_no_lone_surrogates():
    assert RTCIceCandidate(sdpMid="0", url="stun:\ud800").url == "stun:\ufffd"


# The value


@pytest.mark.parametrize("name", ["candidate", "sdpMid", "port", "url", "sdpmid"])
def test_a_candidate_never_changes(name):
    candidate = RTCIceCandidate(HOST, sdpMid="0")

    with pytest.raises(AttributeError):
        setattr(candidate, name, "1")
    with pytest.raises(AttributeError):
        delattr(candidate, name)
    assert candidate == RTCIceCandidate(HOST, sdpMid="0")


def test_a_candidate_has_no_room_for_anything_else():
    assert not hasattr(RTCIceCandidate(sdpMid="0"), "__dict__")


MEMBERS = {
    "candidate": SRFLX,
    "sdpMid": "0",
    "sdpMLineIndex": 1,
    "usernameFragment": "abcd",
    "relayProtocol": "udp",
    "url": "turn:x",
}


def test_candidates_with_equal_members_are_equal():
    one, other = RTCIceCandidate(MEMBERS), RTCIceCandidate(MEMBERS)

    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"candidate": HOST},
        {"sdpMid": None},
        {"sdpMLineIndex": 2},
        {"usernameFragment": "wxyz"},
        {"relayProtocol": "tcp"},
        {"url": "turn:y"},
    ],
    ids=str,
)
def test_candidates_that_differ_in_a_member_differ(change):
    assert RTCIceCandidate(MEMBERS | change) != RTCIceCandidate(MEMBERS)


def test_a_candidate_is_not_its_dictionary():
    assert RTCIceCandidate(MEMBERS) != MEMBERS


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copied", "copied deeply", "pickled"],
)
def test_a_candidate_can_be_copied_and_pickled(copied):
    candidate = RTCIceCandidate(MEMBERS)

    assert copied(candidate) == candidate
    assert attributes(copied(candidate)) == attributes(candidate)


@pytest.mark.parametrize("init", [case[0] for case in CONSTRUCTED.values()], ids=CONSTRUCTED.keys())
def test_a_candidate_survives_signalling(init):
    candidate = RTCIceCandidate(init, url=None, relayProtocol=None)

    assert RTCIceCandidate(json.loads(json.dumps(candidate.toJSON()))) == candidate


def test_what_only_this_side_knows_is_not_signalled():
    assert set(RTCIceCandidate(MEMBERS).toJSON()) == {
        "candidate",
        "sdpMid",
        "sdpMLineIndex",
        "usernameFragment",
    }


LONG = "x" * 1000
REPRS = [
    (
        {"candidate": HOST, "sdpMid": "0", "usernameFragment": "abcd"},
        "RTCIceCandidate(udp host 192.0.2.9:50000 mid=0 ufrag=abcd)",
    ),
    (
        {"candidate": HOST, "sdpMLineIndex": 1},
        "RTCIceCandidate(udp host 192.0.2.9:50000 index=1)",
    ),
    (
        {"candidate": HOST.replace("192.0.2.9", "2001:db8::1"), "sdpMid": "0", "sdpMLineIndex": 0},
        "RTCIceCandidate(udp host [2001:db8::1]:50000 mid=0)",
    ),
    (
        {"candidate": "candidate:5 1 TCP 1 192.0.2.9 9 typ host tcptype active", "sdpMid": "audio"},
        "RTCIceCandidate(tcp host 192.0.2.9:9 active mid=audio)",
    ),
    (
        {"sdpMid": "0", "usernameFragment": "abcd"},
        "RTCIceCandidate(end-of-candidates mid=0 ufrag=abcd)",
    ),
    ({"candidate": "garbage", "sdpMid": "0"}, "RTCIceCandidate('garbage' mid=0)"),
    ({"candidate": LONG, "sdpMid": "0"}, f"RTCIceCandidate('{LONG[:37]}...' mid=0)"),
    (
        {"sdpMid": LONG, "usernameFragment": LONG},
        f"RTCIceCandidate(end-of-candidates mid={LONG[:37]}... ufrag={LONG[:37]}...)",
    ),
    (
        {"candidate": "\n", "sdpMid": "\n", "usernameFragment": ""},
        r"RTCIceCandidate('\n' mid='\n' ufrag='')",
    ),
]


@pytest.mark.parametrize(("init", "expected"), REPRS, ids=lambda value: str(value)[:40])
def test_a_candidate_fits_into_a_log_line(init, expected):
    assert repr(RTCIceCandidate(init)) == expected


# Peer-reflexive candidates

PRFLX = "candidate:9 1 udp 7 203.0.113.7 6 typ prflx raddr 192.0.2.9 rport 5"


def test_a_candidate_that_was_learned_from_a_check_has_no_text_and_hides_its_address():
    learned = peer_reflexive(parse_candidate(PRFLX), "0", 1, "abcd")

    assert learned.toJSON() == {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 1, "usernameFragment": "abcd"}
    assert attributes(learned) == attributes(RTCIceCandidate(PRFLX, sdpMid="0")) | {"address": None}
    assert (learned.url, learned.relayProtocol) == (None, None)


def test_a_learned_candidate_says_in_a_log_what_it_is():
    learned = peer_reflexive(parse_candidate(PRFLX), "0", 1, None)

    assert repr(learned) == "RTCIceCandidate(prflx mid=0)"
    assert repr(RTCIceCandidate(PRFLX, sdpMid="0")) == "RTCIceCandidate(udp prflx 203.0.113.7:6 mid=0)"


def test_a_learned_candidate_is_not_the_end_of_candidates():
    learned = peer_reflexive(parse_candidate(PRFLX), "0", 1, "abcd")

    assert learned != RTCIceCandidate(learned.toJSON())
    assert learned == peer_reflexive(parse_candidate(PRFLX), "0", 1, "abcd")
    assert learned != peer_reflexive(parse_candidate(PRFLX.replace(" 6 ", " 8 ")), "0", 1, "abcd")


def test_a_learned_candidate_never_changes():
    learned = peer_reflexive(parse_candidate(PRFLX), "0", 1, None)

    with pytest.raises(AttributeError):
        learned.address = "203.0.113.7"
    assert learned.address is None


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copied", "copied deeply", "pickled"],
)
def test_a_learned_candidate_can_be_copied_and_pickled(copied):
    learned = peer_reflexive(parse_candidate(PRFLX), "0", 1, "abcd")

    assert copied(learned) == learned


# The grammar


def test_a_candidate_attribute_is_parsed_into_its_fields():
    assert parse_candidate(SRFLX) == CandidateAttribute(
        foundation="2",
        component=1,
        protocol="udp",
        priority=1686052607,
        address="203.0.113.5",
        port=40000,
        type="srflx",
        tcp_type=None,
        related_address="192.0.2.9",
        related_port=50000,
    )


def says(text, **fields):
    """Say whether the text parses, to something that has these fields."""
    parsed = parse_candidate(text)
    return (
        parsed is not None
        and fields.items() <= {name: getattr(parsed, name) for name in CandidateAttribute.__slots__}.items()
    )


def line(**fields):
    """The text of a host candidate with some of its fields written otherwise."""
    words = {
        "foundation": "candidate:1",
        "component": "1",
        "transport": "udp",
        "priority": "1",
        "address": "192.0.2.9",
        "port": "9",
        "typ": "typ",
        "type": "host",
    }
    return " ".join((words | fields).values())


ADDRESSES = [
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "2001:DB8::1",
    "::ffff:192.0.2.9",
    "fe80::1%eth0",
    "fe80::1%25",
    "localhost",
    "example.com.",
    "3com.example",
    "1.2.3.4.example",
    "xn--bcher-kva.example",
    "0xcafe-host",
    "a" * 63 + ".local",
    ".".join(["a" * 49] * 5),
]

UNDERSTOOD = [
    # one rule at a time, with what the rule is about
    (line(foundation="candidate:" + "aZ9+/" * 6 + "aZ"), {"foundation": "aZ9+/" * 6 + "aZ"}),
    (line(component="256"), {"component": 256}),
    (line(component="00001"), {"component": 1}),
    (line(priority="0"), {"priority": 0}),
    (line(priority="4294967295"), {"priority": 2**32 - 1}),
    (line(port="0"), {"port": 0}),
    (line(port="65535"), {"port": 65535}),
    *((line(address=address), {"address": address}) for address in ADDRESSES),
    # words in any case
    ("CANDIDATE:aB 1 UDP 1 192.0.2.9 9 TYP HOST", {"foundation": "aB", "protocol": "udp"}),
    (line(type="SrFlx RADDR 192.0.2.1 RPORT 8"), {"type": "srflx", "related_port": 8}),
    (line(transport="TCP", type="host TcpType SO"), {"protocol": "tcp", "tcp_type": "so"}),
    # what comes with a line cut out of an SDP
    ("a=" + HOST + "\r\n", {"port": 50000}),
    (HOST + " \t", {"port": 50000}),
    # raddr and rport
    (line(type="relay raddr example.com"), {"related_address": "example.com"}),
    (line(type="relay raddr 2001:db8::2 rport 0"), {"related_address": "2001:db8::2"}),
    (line(type="srflx rport 7"), {"related_address": None, "related_port": 7}),
    (line(type="srflx rport 7 raddr ?"), {"related_address": None, "related_port": 7}),
    (line(type="srflx x y raddr ? rport ?"), {"related_address": None, "related_port": None}),
    (line(type="host raddr 192.0.2.1 rport 7"), {"related_address": None, "related_port": None}),
    # extensions
    (line(transport="tcp"), {"tcp_type": None}),
    (line(transport="tcp", type="host tcptype active"), {"tcp_type": "active"}),
    (line(transport="tcp", type="host generation 0 tcptype passive"), {"tcp_type": "passive"}),
    (line(transport="tcp", type="host tcptype so tcptype active"), {"tcp_type": "so"}),
    (
        line(transport="tcp", type="srflx raddr 192.0.2.1 rport 7 tcptype so"),
        {"tcp_type": "so", "related_port": 7},
    ),
    (line(transport="udp", type="host tcptype active"), {"tcp_type": None}),
    (line(type="host \" ' x ="), {"type": "host"}),
    (line() + " n v" * 250_000, {"port": 9}),
    # extensions with an empty value, or an empty name, or none at all
    (line(type="host generation"), {"type": "host"}),
    (line(type="host generation 0 ufrag"), {"type": "host"}),
    (line(type="host generation  ufrag abcd"), {"type": "host"}),
    (line(type="host  generation 0"), {"type": "host"}),
    (line(type="host generation \r\n"), {"type": "host"}),
    (line(transport="tcp", type="host x  tcptype active"), {"tcp_type": "active"}),
    (line(transport="tcp", type="host x tcptype active"), {"tcp_type": None}),
    (line(transport="tcp", type="host tcptype active x"), {"tcp_type": "active"}),
    (line(type="srflx  raddr 192.0.2.1 rport 7"), {"related_address": None, "related_port": None}),
    (line(type="srflx raddr 192.0.2.1  rport 7"), {"related_address": "192.0.2.1", "related_port": None}),
    (line() + " n v" * 250_000 + " n", {"port": 9}),
    (line() + " n" + " " * 250_000 + "n", {"port": 9}),
]


@pytest.mark.parametrize(("text", "fields"), UNDERSTOOD, ids=lambda value: str(value)[:60])
def test_what_the_grammar_allows_is_understood(text, fields):
    assert says(text, **fields)


MILLION = 1_000_000
REFUSED_ADDRESSES = [
    "[2001:db8::1]",
    "[192.0.2.9]",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.9.",
    "192.0.02.9",
    "1.2.3.4.5",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0X1",
    "example.7",
    "1..2",
    ".",
    "....",
    "2001:db8::1::2",
    "2001:db8:::1",
    "12345::",
    "fe80::1%",
    "fe80::1%a%b",
    "fe80::1%[",
    "192.0.2.9%eth0",
    "192.0.2.9:50000",
    "192.0.2.9/24",
    "2001:db8::1/64",
    "example..com",
    ".example.com",
    "example.com..",
    "-example.com",
    "example-.com",
    "my_host",
    "ex@mple",
    "*",
    "a" * 64,
    ".".join(["a" * 50] * 5),
    "a" * MILLION,
    "a." * MILLION,
    "1." * MILLION,
    "1:" * MILLION,
    "-" * MILLION,
    "fe80::1%" + "a" * MILLION + "!",
]

NOT_UNDERSTOOD = [
    "",
    " ",
    "null",
    "a=",
    "candidate:",
    "end-of-candidates",
    # the prefix
    "A=" + HOST,
    "a=a=" + HOST,
    "a= " + HOST,
    " " + HOST,
    HOST.replace(":", "", 1),
    HOST.replace("candidate:", "candidate: "),
    HOST.replace("candidate:", "candidate :"),
    # fields
    *(HOST.replace(" ", "  ", count) for count in range(1, 8)),
    HOST.replace(" ", "\t"),
    HOST.removesuffix(" host"),
    HOST.replace("typ ", "type "),
    line(foundation="candidate:"),
    line(foundation="candidate:" + "a" * 33),
    line(foundation="candidate:" + "a" * MILLION),
    line(foundation="candidate:a-b"),
    *(line(component=text) for text in ("0", "257", "-1", "+1", "1.0", "x", "000001")),
    *(line(transport=text) for text in ("sctp", "udp6", "tls", "u")),
    *(line(priority=text) for text in ("4294967296", "-1", "1e9", "00000000001", "0x1")),
    *(line(address=text) for text in REFUSED_ADDRESSES),
    *(line(port=text) for text in ("65536", "-1", "", "1_0", "000009", "1" * MILLION)),
    *(line(type=text) for text in ("", "hos", "hosts", "local")),
    # raddr, rport and extensions
    *(line(type=f"srflx raddr {text} rport 7") for text in ("?", "[::1]", "127.1", "1" * MILLION)),
    *(line(type=f"srflx raddr 192.0.2.1 rport {text}") for text in ("65536", "x", "1" * MILLION)),
    line(type="host raddr ? rport 7"),
    line(type="srflx raddr"),
    line(type="srflx raddr 192.0.2.1 rport"),
    line(type="srflx raddr  rport 7"),
    line(type="srflx rport "),
    line(transport="tcp", type="host tcptype"),
    line(transport="tcp", type="host tcptype  x y"),
    line(transport="tcp", type="host tcptype server"),
    line(transport="tcp", type="host tcptype so tcptype server"),
    line(transport="udp", type="host tcptype server"),
    # what must never reach an SDP
    HOST + "\r\na=mid:1",
    HOST + " x y\na=mid:1",
    "\n" + HOST,
    HOST.replace(" ", "\n", 1),
    *(
        HOST + f" x y{ending}z"
        for ending in ("\n", "\r", "\0", "\t", "\v", "\f", "\x1c", "\x7f", "\x85", "\u2028", "\xa0")
    ),
    *(HOST + ending for ending in ("\0", "\v", "\f", "\x1c", "\x85", "\u2028", "\xa0")),
    # digits and letters of other scripts
    line(component="\u0661"),
    line(component="\u00b9"),
    line(priority="\uff11"),
    line(port="\u096f"),
    line(address="\u0661.2.3.4"),
    line(address="b\u00fccher.example"),
    line(type="ho\u017ft"),
    line(type="host \ud800 x"),
    # sheer length
    "x" * MILLION,
    " " * MILLION,
    "candidate:" + " " * MILLION,
    "a=" * MILLION,
    HOST + "\n" * MILLION + "x",
    HOST + "x" * MILLION,
]


@pytest.mark.parametrize("text", NOT_UNDERSTOOD, ids=lambda text: ascii(text[:70]))
def test_what_the_grammar_does_not_allow_is_kept_but_not_understood(text):
    candidate = RTCIceCandidate(text, sdpMid="0")

    assert parse_candidate(text) is None
    assert candidate.candidate == text
    assert attributes(candidate) == UNPARSED
    assert len(repr(candidate)) < 500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOST, HOST),
        (SRFLX, SRFLX),
        ("a=" + HOST, HOST),
        (HOST + " \t\r\n", HOST),
        (HOST.replace("candidate:", "CANDIDATE:"), HOST),
    ],
)
def test_a_candidate_line_is_ready_for_an_sdp(text, expected):
    assert candidate_line(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in UNDERSTOOD], ids=lambda text: text[:60])
def test_a_candidate_line_is_one_line_that_says_the_same(text):
    assert len(candidate_line(text).splitlines()) == 1
    assert parse_candidate(candidate_line(text)) == parse_candidate(text)


@pytest.mark.parametrize("text", [HOST, SRFLX.partition(" gen")[0], PASSIVE, PRFLX], ids=lambda text: text[:60])
def test_a_candidate_attribute_is_written_as_it_was_read(text):
    assert candidate_text(parse_candidate(text)) == text


@pytest.mark.parametrize("text", NOT_UNDERSTOOD, ids=lambda text: ascii(text[:70]))
def test_what_is_not_understood_is_not_made_into_a_line(text):
    assert candidate_line(text) == text
