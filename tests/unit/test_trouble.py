"""What becomes of messages on a bad way."""

import pytest

from peer.testing import Fate, Trouble
from peer.testing._trouble import LONG, Way, in_words

OFFER = {"description": {"type": "offer", "sdp": "v=0"}}
CANDIDATE = {"candidate": None, "description": None}  # a page may say so


def fates(trouble, count=200, sender="a", message=CANDIDATE):
    return [trouble(sender, number, message) for number in range(count)]


def delivered(*fates, pause=0.0):
    """The numbers of the messages with these *fates*, in the order in which they come, and when the last one does."""
    way, time, came = Way(), 0.0, []
    for number, fate in enumerate(fates):
        way.put(number, fate, time)
        time += pause
        came += way.take(time)
    while (then := way.next_time()) is not None:
        time = then
        came += way.take(time)
    return came, time


def test_without_probabilities_nothing_happens():
    assert set(fates(Trouble(seed=1))) == {Fate(delays=(0,), passed_by=0)}


def test_the_same_seed_is_the_same_trouble_in_whatever_order_it_is_asked():
    trouble = Trouble(seed="x", delay=0.1, reorder=0.3, drop=0.2, duplicate=0.2)
    assert fates(trouble) == [trouble("a", n, CANDIDATE) for n in reversed(range(200))][::-1]
    assert fates(trouble) != fates(Trouble(seed="y", delay=0.1, reorder=0.3, drop=0.2, duplicate=0.2))
    assert fates(trouble) != fates(trouble, sender="b")


@pytest.mark.parametrize(
    ("name", "happens"),
    [
        ("drop", lambda fate: not fate.delays),
        ("duplicate", lambda fate: len(fate.delays) == 2),
        ("reorder", lambda fate: fate.passed_by in (1, 2, 3)),
    ],
)
def test_a_probability_is_how_often_it_happens(name, happens):
    assert not any(map(happens, fates(Trouble(**{name: 0}))))
    assert all(map(happens, fates(Trouble(**{name: 1}))))
    assert 60 < sum(map(happens, fates(Trouble(**{name: 0.5})))) < 140


def test_a_probability_leaves_the_others_alone():
    one, both = Trouble(drop=0.3, delay=1), Trouble(drop=0.3, delay=1, reorder=0.5, duplicate=0.5)
    for first, second in zip(fates(one), fates(both), strict=True):
        assert first.delays == second.delays[:1]


def test_a_delay_is_at_most_what_was_asked_for():
    delays = [delay for fate in fates(Trouble(delay=0.5, duplicate=1)) for delay in fate.delays]
    assert 0 <= min(delays) < 0.1
    assert 0.4 < max(delays) <= 0.5


def test_only_some_kinds_of_messages_are_in_trouble():
    trouble = Trouble(drop=1, kinds=["candidate"])
    assert set(fates(trouble, message=OFFER)) == {Fate()}
    assert set(fates(trouble, message={"candidate": {"candidate": ""}})) == {Fate(delays=())}
    assert set(fates(Trouble(drop=1, kinds=["description"]))) == {Fate()}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"drop": 1.1}, "drop is a probability, from 0 to 1, not 1.1"),
        ({"reorder": -0.1}, "reorder is a probability"),
        ({"duplicate": float("nan")}, "duplicate is a probability"),
        ({"delay": -1}, "delay is a number of seconds, not -1"),
        ({"delay": float("inf")}, "delay is a number of seconds"),
        ({"kinds": ["offer"]}, 'kinds are "description" and "candidate"'),
    ],
)
def test_what_makes_no_sense_is_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Trouble(**given)


def test_messages_without_trouble_come_at_once_and_in_order():
    assert delivered(Fate(), Fate(), Fate()) == ([0, 1, 2], 0)


def test_who_is_dropped_does_not_come_and_who_is_duplicated_comes_twice():
    assert delivered(Fate(delays=()), Fate(delays=(0, 0)), Fate()) == ([1, 1, 2], 0)


def test_who_is_delayed_delays_those_behind():
    assert delivered(Fate((0.3,)), Fate((0.1,)), Fate()) == ([0, 1, 2], 0.3)
    way = Way()
    way.put("late", Fate((0.3,)), 10.0)
    way.put("next", Fate(), 10.1)
    assert (way.take(10.2), way.next_time()) == ([], 10.3)
    assert (way.take(10.3), way.next_time()) == (["late", "next"], None)


def test_a_message_waits_until_others_have_passed():
    assert delivered(Fate(passed_by=1), Fate(), Fate()) == ([1, 0, 2], 0)
    assert delivered(Fate(passed_by=2), Fate(), Fate(), Fate()) == ([1, 2, 0, 3], 0)
    assert delivered(Fate(passed_by=1), Fate((0.1,)), Fate()) == ([1, 0, 2], 0.1)


def test_who_passes_others_does_not_wait():
    assert delivered(*[Fate(passed_by=1)] * 4) == ([1, 0, 3, 2], 0)
    assert delivered(*[Fate(passed_by=2)] * 6) == ([1, 2, 0, 4, 5, 3], 0)


def test_those_before_and_those_that_are_dropped_pass_nobody():
    assert delivered(Fate((0.1,)), Fate(passed_by=1), Fate()) == ([0, 2, 1], 0.1)
    assert delivered(Fate(passed_by=1), Fate(()), Fate()) == ([2, 0], 0)


def test_the_last_message_does_not_wait_for_ever():
    assert delivered(Fate(), Fate((0.1,), passed_by=1)) == ([0, 1], 0.1 + LONG)
    assert delivered(Fate((), passed_by=1)) == ([], 0)
    assert delivered(Fate(passed_by=3), Fate(), pause=LONG)[0] == [0, 1]


def test_of_copies_that_are_to_be_passed_the_second_passes_the_first():
    assert delivered(Fate((0, 0), passed_by=1), Fate()) == ([0, 0, 1], 0)


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        (Fate(), ""),
        (Fate(()), "dropped"),
        (Fate((), passed_by=1), "dropped"),
        (Fate((0, 0)), "comes 2 times"),
        (Fate((0.0123,), 2), "delayed by 12 ms, passed by 2"),
        (Fate((0.1, 0.2)), "comes 2 times, delayed by 100 ms, 200 ms"),
    ],
)
def test_a_fate_in_words(fate, words):
    assert in_words(fate) == words
