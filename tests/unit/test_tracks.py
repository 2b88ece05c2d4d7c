"""What is received after a description, and which events tell of it: tables of m-lines, streams and transceivers."""

from __future__ import annotations

import pytest

from peer._description import Description
from peer._tracks import Difference, difference, received


def description(type, *sections):
    """A description with a section for each text: its direction, then its streams, or "rejected"."""
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    for mid, section in enumerate(sections):
        direction, *streams = section.split()
        lines += [f"m=audio {0 if 'rejected' in streams else 9} UDP/X 1", f"a=mid:{mid}", f"a={direction}"]
        lines += [f"a=msid:{id} track" for id in streams if id != "rejected"]
    return Description(type, "".join(f"{line}\r\n" for line in lines))


TRANSCEIVERS = {"0": "A", "1": "B"}  # by mid
BEFORE = {"A": ("one",), "B": ()}
STABLE = {"B": ("two",)}


@pytest.mark.parametrize(
    ("side", "type", "sections", "after"),
    [
        # Theirs: what the m-lines say
        ("remote", "offer", ["sendrecv one two", "sendonly -"], {"A": ("one", "two"), "B": ()}),
        ("remote", "answer", ["sendonly", "recvonly one"], {"A": ()}),
        ("remote", "pranswer", ["inactive one", "sendrecv one one"], {"B": ("one",)}),
        ("remote", "offer", ["sendrecv one rejected", "sendrecv two"], {"B": ("two",)}),
        ("remote", "offer", ["sendrecv one", "sendrecv one", "sendrecv unknown"], {"A": ("one",), "B": ("one",)}),
        ("remote", "offer", [], {}),
        # Ours: an offer changes nothing, an answer takes out
        ("local", "offer", ["inactive", "sendonly"], BEFORE),
        ("local", "answer", ["sendrecv", "recvonly"], BEFORE),
        ("local", "answer", ["sendrecv", "sendonly"], {"A": ("one",)}),
        ("local", "pranswer", ["inactive", "recvonly"], {"B": ()}),
        ("local", "answer", ["sendrecv rejected", "recvonly rejected"], {}),
        # Taken back
        ("remote", "rollback", [], STABLE),
        ("local", "rollback", [], STABLE),
    ],
)
def test_what_is_received_after_a_description(side, type, sections, after):
    set_ = None if type == "rollback" else description(type, *sections)
    assert received(side, set_, TRANSCEIVERS, BEFORE, STABLE) == after


def test_what_an_answer_of_ours_accepts_again_must_have_been_offered():
    assert received("local", description("answer", "sendrecv", "sendrecv"), TRANSCEIVERS, {}, STABLE) == {}


def test_a_section_without_a_mid_is_nobodys():
    text = "v=0\r\nm=audio 9 UDP/X 1\r\na=sendrecv\r\n"
    assert received("remote", Description("offer", text), TRANSCEIVERS, {}, {}) == {}


@pytest.mark.parametrize(
    ("before", "after", "left", "joined", "told"),
    [
        ({}, {}, "", "", ""),
        # New, gone, the same
        ({}, {"A": ()}, "", "", "A"),
        ({}, {"A": ("one", "two")}, "", "one A, two A", "A"),
        ({"A": ()}, {}, "", "", ""),
        ({"A": ("one", "two")}, {}, "one A, two A", "", ""),
        ({"A": ("one",)}, {"A": ("one",)}, "", "", ""),
        # More streams, fewer, others, in another order
        ({"A": ()}, {"A": ("one",)}, "", "one A", "A"),
        ({"A": ("one",)}, {"A": ("one", "two")}, "", "two A", "A"),
        ({"A": ("one", "two")}, {"A": ("two",)}, "one A", "", ""),
        ({"A": ("one",)}, {"A": ()}, "one A", "", ""),
        ({"A": ("one",)}, {"A": ("two",)}, "one A", "two A", "A"),
        ({"A": ("one", "two")}, {"A": ("two", "one")}, "", "", ""),
        # Several
        ({}, {"A": ("one",), "B": ("one",)}, "", "one A, one B", "A, B"),
        ({"A": ("one",)}, {"B": ("one",)}, "one A", "one B", "B"),
        ({"A": ("one",), "B": ()}, {"A": ("one",), "B": ("one",)}, "", "one B", "B"),
    ],
)
def test_the_difference_that_is_told(before, after, left, joined, told):
    def pairs(text):
        return tuple(tuple(pair.split()) for pair in text.split(", ") if pair)

    expected = Difference(pairs(left), pairs(joined), tuple(name for name in told.split(", ") if name))
    assert difference(before, after) == expected
