import pytest

from peer._candidate import RTCIceCandidate
from peer._gathering import Announce, ConnectionState, Gathering, TransportState, Write

HOST = "candidate:1 1 udp 2122260223 192.0.2.9 50000 typ host"
SRFLX = "candidate:2 1 udp 1686052607 203.0.113.5 40000 typ srflx raddr 192.0.2.9 rport 50000"
RELAY = "candidate:3 1 udp 41885439 203.0.113.9 60000 typ relay raddr 203.0.113.5 rport 40000"


def candidate(text, mid="0", index=0, ufrag="aaaa"):
    return RTCIceCandidate(candidate=text, sdpMid=mid, sdpMLineIndex=index, usernameFragment=ufrag)


def marker(mid="0", index=0, ufrag="aaaa"):
    return candidate("", mid, index, ufrag)


def told(gathering, *reports):
    """The steps that each of *reports*, which are names of methods with arguments, was answered with."""
    return [getattr(gathering, name)(*arguments) for name, *arguments in reports]


def gathered(*reports):
    """A Gathering that was told *reports*."""
    gathering = Gathering()
    told(gathering, *reports)
    return gathering


def test_nothing_has_happened_at_first():
    gathering = Gathering()
    assert gathering.state == "new"
    assert gathering.announced == ()
    assert gathering.transports == ()
    assert gathering.known("A", "aaaa") == ([], False)


# Each story is a list of reports with the steps they are answered with, in the order of both.
STORIES = {
    "one transport": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("found", "A", "aaaa", HOST), [Write(0, "aaaa", HOST), Announce(candidate(HOST), "A")]),
        (("found", "A", "aaaa", SRFLX), [Write(0, "aaaa", SRFLX), Announce(candidate(SRFLX), "A")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "no candidate at all": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "two transports; the connection changes with the first that begins and the last that ends": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "B", "x", 1, "aaaa"), [TransportState("B", "gathering")]),
        (("found", "B", "aaaa", HOST), [Write(1, "aaaa", HOST), Announce(candidate(HOST, "x", 1), "B")]),
        (("found", "A", "aaaa", HOST), [Write(0, "aaaa", HOST), Announce(candidate(HOST), "A")]),
        (("ended", "B", "aaaa"), [Write(1, "aaaa", ""), Announce(marker("x", 1))]),
        (("settled", "B"), [TransportState("B", "complete")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a second transport after the first has finished, with an end of its own": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("began", "B", "1", 1, "aaaa"), [TransportState("B", "gathering"), ConnectionState("gathering")]),
        (("ended", "B", "aaaa"), [Write(1, "aaaa", ""), Announce(marker("1", 1))]),
        (("settled", "B"), [TransportState("B", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a restart after completion": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("began", "A", "0", 0, "bbbb"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("found", "A", "bbbb", HOST), [Write(0, "bbbb", HOST), Announce(candidate(HOST, ufrag="bbbb"), "A")]),
        (("ended", "A", "bbbb"), [Write(0, "bbbb", ""), Announce(marker(ufrag="bbbb"))]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a restart while the first generation is gathered; the old one ends first": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "A", "0", 0, "bbbb"), []),
        (("found", "A", "aaaa", SRFLX), [Write(0, "aaaa", SRFLX), Announce(candidate(SRFLX), "A")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), []),
        (("ended", "A", "bbbb"), [Write(0, "bbbb", ""), Announce(marker(ufrag="bbbb"))]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a restart while the first generation is gathered; the new one ends first": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "A", "0", 0, "bbbb"), []),
        (("ended", "A", "bbbb"), [Write(0, "bbbb", ""), Announce(marker(ufrag="bbbb"))]),
        (("settled", "A"), []),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a restart between the end of a generation and the task after it": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("began", "A", "0", 0, "bbbb"), []),
        (("settled", "A"), []),
    ],
    "two generations that end before the first task after them": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "A", "0", 0, "bbbb"), []),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("ended", "A", "bbbb"), [Write(0, "bbbb", ""), Announce(marker(ufrag="bbbb"))]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("settled", "A"), []),
    ],
    "a restart that takes over before the first generation has ended": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "A", "0", 0, "bbbb"), []),
        (("ended", "A", "bbbb"), [Write(0, "bbbb", ""), Announce(marker(ufrag="bbbb"))]),
        (("settled", "A"), []),
        (("discarded", "A", "aaaa"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("found", "A", "aaaa", HOST), []),
        (("ended", "A", "aaaa"), []),
        (("settled", "A"), []),
    ],
    "a restart that is taken back while it gathers": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("began", "A", "0", 0, "bbbb"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("discarded", "A", "bbbb"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a generation that was complete is discarded": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
        (("discarded", "A", "aaaa"), []),
        (("settled", "A"), []),
    ],
    "a generation that never began is discarded": [(("discarded", "A", "aaaa"), [])],
    "a transport lost to bundling, whose end the connection does not wait for": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "B", "1", 1, "aaaa"), [TransportState("B", "gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete")]),
        (("dropped", "B"), [ConnectionState("complete"), Announce(None)]),
    ],
    "a transport lost to bundling while the other one gathers": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "B", "1", 1, "aaaa"), [TransportState("B", "gathering")]),
        (("dropped", "B"), []),
        (("found", "B", "aaaa", HOST), []),
        (("ended", "B", "aaaa"), []),
        (("settled", "B"), []),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete"), ConnectionState("complete"), Announce(None)]),
    ],
    "a transport lost to bundling after all had completed": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "B", "1", 1, "aaaa"), [TransportState("B", "gathering")]),
        (("ended", "A", "aaaa"), [Write(0, "aaaa", ""), Announce(marker())]),
        (("settled", "A"), [TransportState("A", "complete")]),
        (("ended", "B", "aaaa"), [Write(1, "aaaa", ""), Announce(marker("1", 1))]),
        (("settled", "B"), [TransportState("B", "complete"), ConnectionState("complete"), Announce(None)]),
        (("dropped", "B"), []),
    ],
    "a transport that never began is dropped": [(("dropped", "A"), [])],
    "the only transport is dropped": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("dropped", "A"), [ConnectionState("new")]),
        (("dropped", "A"), []),
    ],
    "a transport keeps the m-line that it was created for": [
        (("began", "A", "0", 0, "aaaa"), [TransportState("A", "gathering"), ConnectionState("gathering")]),
        (("began", "A", "9", 9, "bbbb"), []),
        (("found", "A", "bbbb", HOST), [Write(0, "bbbb", HOST), Announce(candidate(HOST, ufrag="bbbb"), "A")]),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_every_report_is_answered_with_the_steps_of_one_task(story):
    gathering = Gathering()
    for report, steps in story:
        assert told(gathering, report) == [steps], report
        for step in steps:
            if isinstance(step, ConnectionState):
                assert gathering.state == step.state


def test_a_candidate_from_a_server_says_which_one():
    gathering = gathered(("began", "A", "0", 0, "aaaa"))
    _, announcement = gathering.found("A", "aaaa", RELAY, "turn:example.org?transport=tcp", "tcp")
    assert announcement.candidate.url == "turn:example.org?transport=tcp"
    assert announcement.candidate.relayProtocol == "tcp"
    assert announcement.candidate.type == "relay"


def test_the_candidates_of_a_generation_are_known_for_descriptions_made_later():
    gathering = gathered(
        ("began", "A", "0", 0, "aaaa"),
        ("found", "A", "aaaa", HOST),
        ("found", "A", "aaaa", SRFLX),
        ("began", "A", "0", 0, "bbbb"),
        ("ended", "A", "aaaa"),
    )
    assert gathering.known("A", "aaaa") == ([HOST, SRFLX], True)
    assert gathering.known("A", "bbbb") == ([], False)
    assert gathering.known("A", "cccc") == ([], False)
    assert gathering.known("B", "aaaa") == ([], False)


def test_what_was_announced_is_kept_in_order_for_those_who_come_late():
    gathering = gathered(
        ("began", "A", "0", 0, "aaaa"),
        ("began", "B", "1", 1, "aaaa"),
        ("found", "B", "aaaa", HOST),
        ("found", "A", "aaaa", HOST),
        ("ended", "B", "aaaa"),
    )
    assert gathering.announced == (candidate(HOST, "1", 1), candidate(HOST), marker("1", 1))
    assert gathering.transports == ("A", "B")


def test_those_who_come_after_a_restart_get_the_newest_generation_only():
    gathering = gathered(
        ("began", "A", "0", 0, "aaaa"),
        ("found", "A", "aaaa", HOST),
        ("ended", "A", "aaaa"),
        ("began", "A", "0", 0, "bbbb"),
        ("found", "A", "aaaa", SRFLX),
        ("found", "A", "bbbb", HOST),
    )
    assert gathering.announced == (candidate(HOST, ufrag="bbbb"),)


def test_those_who_come_after_bundling_get_nothing_of_the_transports_that_were_lost():
    gathering = gathered(
        ("began", "A", "0", 0, "aaaa"),
        ("began", "B", "1", 1, "aaaa"),
        ("found", "A", "aaaa", HOST),
        ("found", "B", "aaaa", HOST),
        ("dropped", "B"),
    )
    assert gathering.announced == (candidate(HOST),)
    assert gathering.transports == ("A",)
    assert gathering.known("B", "aaaa") == ([], False)


def test_a_transport_can_be_named_by_any_object():
    key = object()
    gathering = Gathering()
    assert gathering.began(key, "0", 0, "aaaa")[0] == TransportState(key, "gathering")
    assert gathering.transports == (key,)


def test_a_transport_has_begun_until_it_is_dropped_whatever_it_has_finished():
    gathering = gathered(
        ("began", "B", "1", 1, "aaaa"),
        ("began", "A", "0", 0, "aaaa"),
        ("ended", "B", "aaaa"),
        ("settled", "B"),
        ("began", "B", "1", 1, "bbbb"),
    )
    assert gathering.transports == ("B", "A")
    told(gathering, ("dropped", "B"), ("found", "B", "bbbb", HOST), ("dropped", "C"))
    assert gathering.transports == ("A",)


def test_a_transport_has_the_place_that_it_was_created_for():
    gathering = gathered(("began", "A", "x", 2, "aaaa"), ("began", "B", "y", 0, "aaaa"), ("began", "A", "z", 3, "bbbb"))
    assert gathering.place("A") == ("x", 2)
    assert gathering.place("B") == ("y", 0)


@pytest.mark.parametrize("transport", ["A", "B"])
def test_a_transport_that_never_began_or_is_gone_has_no_place(transport):
    gathering = gathered(("began", "A", "0", 0, "aaaa"), ("dropped", "A"))
    with pytest.raises(KeyError):
        gathering.place(transport)


def test_an_announcement_names_the_transport_that_has_one_candidate_more():
    gathering = gathered(("began", "A", "0", 0, "aaaa"), ("began", "B", "1", 1, "aaaa"))
    found = told(gathering, ("found", "B", "aaaa", HOST), ("ended", "B", "aaaa"), ("ended", "A", "aaaa"))
    found += told(gathering, ("settled", "B"), ("settled", "A"))
    announcements = [step for steps in found for step in steps if isinstance(step, Announce)]
    assert [step.transport for step in announcements] == ["B", None, None, None]
    assert [step.candidate and step.candidate.candidate for step in announcements] == [HOST, "", "", None]


def test_a_server_that_cannot_be_reached_is_news_once_while_the_connection_gathers():
    gathering = Gathering()
    assert not gathering.is_news("stun:a")  # nothing is gathered
    told(gathering, ("began", "A", "0", 0, "aaaa"), ("began", "B", "1", 1, "aaaa"))
    assert [gathering.is_news(url) for url in ("stun:a", "stun:b", "stun:a", "stun:b")] == [True, True, False, False]
    told(gathering, ("ended", "A", "aaaa"), ("settled", "A"))
    assert not gathering.is_news("stun:a")  # B still gathers
    told(gathering, ("ended", "B", "aaaa"), ("settled", "B"))
    assert not gathering.is_news("stun:c")
    told(gathering, ("began", "A", "0", 0, "bbbb"))
    assert [gathering.is_news("stun:a"), gathering.is_news("stun:a")] == [True, False]
