import math

import pytest

from peer.tools import as_text, parse
from peer.tools._entries import merged, parse_cut
from peer.tools._lanes import Item, in_words, kind, lane, lanes

HOST = {"candidate": "candidate:1 1 udp 1 192.0.2.1 5 typ host", "type": "host", "address": "192.0.2.1", "port": 5}
WORDS = "host 192.0.2.1:5 → relay [2001:db8::1]:6"
RELAY = {"candidate": "candidate:...", "type": "relay", "protocol": "udp", "address": "2001:db8::1", "port": 6}

PAIR = {"local": HOST, "remote": RELAY}


def entry(event, value=None, time=0.0, peer="alice"):
    return {"time": time, "peer": peer, "event": event, "value": value}


# The form


def test_a_recording_is_lines_of_json_and_lines_may_be_empty():
    line = '{"time": 1, "peer": "alice", "event": "open", "value": {"label": "chat"}, "more": 1}'
    other = '{"time": 2.00049, "peer": "bob", "event": "offer sent"}'
    assert parse(f"{line}\n\n{other}\r\n") == [
        entry("open", {"label": "chat"}, 1.0),
        entry("offer sent", None, 2.0, "bob"),
    ]
    assert parse("") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not an entry"),
        ('{"time": "1", "peer": "alice", "event": "open"}', "is not an entry"),
        ('{"time": true, "peer": "alice", "event": "open"}', "is not an entry"),
        ('{"time": NaN, "peer": "alice", "event": "open"}', "is not an entry"),
        (f'{{"time": 1{"0" * 400}, "peer": "alice", "event": "open"}}', "is not an entry"),
        ('{"time": 1, "event": "open"}', "is not an entry"),
        ('{"time": 1, "peer": "alice", "event": 7}', "is not an entry"),
    ],
)
def test_a_line_that_is_none_is_named(line, reason):
    with pytest.raises(ValueError, match=f"line 2 {reason}"):
        parse(f'{{"time": 1, "peer": "alice", "event": "open"}}\n{line}')


WHOLE = '{"time": 1, "peer": "alice", "event": "open"}'


@pytest.mark.parametrize("cut", ["{", WHOLE[:-1], '{"time": 1, "peer": "al'])
def test_a_last_line_that_is_cut_off_is_left_out(cut):
    assert parse_cut(f"{WHOLE}\n\n{cut}") == ([entry("open", None, 1.0)], 3)


@pytest.mark.parametrize(("text", "count"), [("", 0), (WHOLE, 1), (f"{WHOLE}\n", 1), (f"{WHOLE}\n{WHOLE}", 2)])
def test_a_recording_that_is_whole_is_not_cut(text, count):
    assert parse_cut(text) == ([entry("open", None, 1.0)] * count, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1 is not JSON"),
        (f"{WHOLE}\n{{\n", "line 2 is not JSON"),
        (f"{WHOLE}\n{{\n{WHOLE}", "line 2 is not JSON"),
        (f"{WHOLE}\n{{\n{{", "line 2 is not JSON"),
        (f"{WHOLE}\n[]", "line 2 is not an entry"),
    ],
)
def test_a_bad_line_that_is_not_the_cut_one_stays_an_error(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_cut(text)


def test_peers_of_one_name_in_several_recordings_are_told_apart():
    mine, yours = [entry("open"), entry("open", peer="bob")], [entry("open")]
    names = [found["peer"] for found in merged([("mine", mine), ("yours", yours)])]
    assert names == ["alice (mine)", "bob", "alice (yours)"]


# What an entry says

SAYINGS = [
    # event, value, its lane, how it looks, what it says
    ("icecandidate", HOST, "candidates", "host", "host 192.0.2.1:5"),
    ("icecandidate", RELAY, "candidates", "relay", "relay [2001:db8::1]:6"),
    ("icecandidate", {**HOST, "protocol": "tcp"}, "candidates", "host", "host tcp 192.0.2.1:5"),
    ("icecandidate", {**HOST, "type": "srflx", "address": None}, "candidates", "srflx", "srflx"),
    ("icecandidate", {**HOST, "address": "0a1b2c3d-4e5f.local"}, "candidates", "host", "host 0a1b2c3d-4e5f.local:5"),
    ("icecandidate", {**HOST, "address": f"{'0a1b2c3d-' * 4}.local"}, "candidates", "host", "host 0a1b2c3d….local:5"),
    ("icecandidate", {"candidate": ""}, "candidates", "end", 'marker ""'),
    ("icecandidate", None, "candidates", "null", "null"),
    ("icecandidate", "?", "candidates", "note", "icecandidate ?"),
    ("icecandidate", {"type": "strange"}, "candidates", "note", "strange"),
    ("icecandidate", {"type": 7}, "candidates", "note", "icecandidate"),
    ("icecandidateerror", {"errorCode": 701, "url": "stun:a"}, "candidates", "error", "701 stun:a"),
    ("icecandidateerror", None, "candidates", "error", "icecandidateerror"),
    ("selectedcandidatepairchange", {"local": HOST, "remote": RELAY}, "ICE", "host", None),
    ("selectedcandidatepairchange", 7, "ICE", "note", "selectedcandidatepairchange"),
    ("signalingstatechange", "stable", "signalling", "good", "stable"),
    ("icegatheringstatechange", "gathering", "gathering", "busy", "gathering"),
    ("iceconnectionstatechange", "failed", "ICE", "bad", "failed"),
    ("connectionstatechange", "closed", "connection", "idle", "closed"),
    ("connectionstatechange", ["?"], "connection", "busy", "connectionstatechange"),
    ("error", {"label": "chat", "message": "aborted"}, "channels", "error", "error chat"),
    ("open", {"label": ""}, "channels", "note", "open"),
    ("track", {"kind": "audio"}, "channels", "note", "track audio"),
    ("message", "hello\n  you", "channels", "note", "message hello you"),
    ("negotiationneeded", None, "signalling", "note", "negotiationneeded"),
    ("candidatepair", {"state": "in-progress", **PAIR}, "checks", "host", f"in-progress: {WORDS}"),
    ("candidatepair", {"state": "failed", **PAIR}, "checks", "error", f"failed: {WORDS}"),
    ("candidatepair", {"state": "failed"}, "checks", "error", "candidatepair"),
    ("candidatepair", None, "checks", "note", "candidatepair"),
    ("verdict", {"good": True, "servers": []}, "gathering", "note", "verdict: good"),
    ("verdict", {"good": False}, "gathering", "error", "verdict: bad"),
    ("verdict", "?", "gathering", "note", "verdict ?"),
    ("trouble", "candidate dropped", "trouble", "note", "candidate dropped"),
    ("offer sent", None, "notes", "note", "offer sent"),
]


@pytest.mark.parametrize(("event", "value", "its_lane", "its_kind", "words"), SAYINGS)
def test_an_entry_has_a_lane_a_look_and_words(event, value, its_lane, its_kind, words):
    found = entry(event, value)
    assert (lane(found), kind(found)) == (its_lane, its_kind)
    assert in_words(found) == (words or WORDS)


# The lanes


def test_nothing_has_no_lanes():
    assert lanes([]) == {}


def test_a_state_lasts_until_the_next_one_and_the_last_one_for_ever():
    found = lanes(
        [
            entry("connectionstatechange", "connected", 120.0),
            entry("connectionstatechange", "connecting", 100.0),
            entry("connectionstatechange", "connecting", 110.0, "bob"),
        ]
    )
    alice, bob = found["alice"]["connection"], found["bob"]["connection"]
    assert [(item.start, item.end, item.kind) for item in alice] == [(0, 20, "busy"), (20, math.inf, "good")]
    assert [(item.start, item.end, item.kind) for item in bob] == [(10, math.inf, "busy")]


def test_all_peers_have_the_lanes_that_any_needs_in_one_order():
    found = lanes([entry("open"), entry("icecandidate", None, 1.0, "bob"), entry("offer sent", None, 2.0, "bob")])
    assert {peer: list(its) for peer, its in found.items()} == {
        peer: ["candidates", "channels", "notes"] for peer in ("alice", "bob")
    }


def test_a_mark_has_a_short_label_and_a_title_that_says_all():
    value = {"local": {"type": "host", "address": None, "port": 5}, "remote": "", "more": [1]}
    (item,) = lanes([entry("noted " + "x" * 80, value, 5.0)])["alice"]["notes"]
    label = "noted " + "x" * 57 + "…"
    title = f"0.0 ms  alice  noted {'x' * 80}  local: (type: host, port: 5), more: [1]"
    assert item == Item(0.0, None, "note", label, title)


def test_the_title_of_what_has_no_members_says_it_as_it_is():
    titles = [item.title for item in lanes([entry("a", "b"), entry("c", 7), entry("d")])["alice"]["notes"]]
    assert titles == ["0.0 ms  alice  a  b", "0.0 ms  alice  c  7", "0.0 ms  alice  d"]


# The text

RECORDING = [
    entry("open", {"label": "chat"}, 2012.25),
    entry("signalingstatechange", "have-local-offer", 2000.0),
    entry("icecandidate", HOST, 2001.5, "bobby"),
]


def test_the_text_has_a_line_for_each_entry_in_their_order():
    assert as_text(RECORDING).splitlines() == [
        "     0.0  alice  signalling  have-local-offer",
        "     1.5  bobby  candidates  host 192.0.2.1:5",
        "    12.2  alice  channels    open chat",
    ]
    assert as_text([]) == ""


def test_the_text_has_colours_if_they_are_wanted():
    state, candidate, other = as_text(RECORDING, colours=True).splitlines()
    assert state.endswith("signalling  \x1b[33mhave-local-offer\x1b[0m")
    assert candidate.endswith("candidates  \x1b[34mhost 192.0.2.1:5\x1b[0m")
    assert other.endswith("open chat")


def test_nothing_that_was_recorded_moves_the_cursor():
    (line,) = as_text([entry("a\x1b[2J\ud800", peer="\x07")]).splitlines()
    assert line == "     0.0  \ufffd  notes       a\ufffd[2J\ufffd"
