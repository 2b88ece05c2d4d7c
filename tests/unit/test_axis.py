from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.tools._axis import CUT, Axis, rows

TIMES = st.lists(st.floats(0, 1e7).map(lambda time: round(time, 3)), min_size=1, max_size=40)


def test_what_happens_in_one_go_is_shown_as_it_is():
    axis = Axis([0, 10, 50, 100], 200)
    assert (axis.cuts(), axis.width) == ([], 200)
    assert [axis.x(time) for time in (0, 10, 50, 100)] == [0, 20, 100, 200]


def test_a_single_moment_has_no_width():
    axis = Axis([7, 7], 200)
    assert (axis.x(7), axis.width, axis.cuts(), axis.ticks()) == (0, 0, [], [(0, 7)])


def test_long_silences_are_cut_out_and_the_others_keep_their_proportions():
    axis = Axis([0, 10, 1010, 1020, 6020], 200)
    assert axis.cuts() == [(100, 1000), (200 + CUT, 5000)]
    assert [axis.x(time) for time in (0, 10, 1010, 1020, 6020)] == [0, 100, 100 + CUT, 200 + CUT, 200 + 2 * CUT]


@pytest.mark.parametrize(
    "times",
    [
        [0, 10, 105],  # not long enough for anybody to wait
        [0, 100, 500],  # not longer than four times what else is shown
    ],
)
def test_other_silences_are_not(times):
    assert Axis(times, 200).cuts() == []


def test_ticks_are_round_and_each_part_begins_with_one():
    axis = Axis([3, 103, 5003, 5103], 640)
    assert [time for _, time in axis.ticks()] == [3, 20, 40, 60, 80, 100, 5003, 5020, 5040, 5060, 5080, 5100]


@given(TIMES)
def test_nothing_changes_its_order(times):
    axis = Axis(times, 700)
    assert all(axis.x(one) <= axis.x(other) for one, other in pairwise(sorted(times)))
    assert 0 <= axis.x(min(times)) <= axis.x(max(times)) <= axis.width + 1e-6


@given(TIMES)
def test_no_two_ticks_are_too_near_each_other(times):
    places = [x for x, _ in Axis(times, 700).ticks()]
    assert len(places) < 60
    assert all(other - one > 50 for one, other in pairwise(places))


def test_labels_that_have_room_stand_in_one_row():
    assert rows([(0, 10), (10, 20), (25, 30)]) == [0, 0, 0]


def test_of_labels_that_would_overlap_the_earlier_one_stands_higher():
    assert rows([(0, 30), (10, 40), (20, 50)]) == [2, 1, 0]
    assert rows([(0, 15), (10, 25), (30, 40)]) == [1, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 100)), max_size=30))
def test_no_label_overlaps_another_or_the_line_below_one(given_labels):
    labels = [(start, start + width) for start, width in sorted(given_labels)]
    placed = list(zip(labels, rows(labels), strict=True))
    for (one, row), (other, lower) in combinations(placed, 2):
        if row == lower or row < lower:
            assert one[1] <= other[0]
