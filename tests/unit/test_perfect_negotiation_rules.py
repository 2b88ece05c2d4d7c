import pytest

from peer import RTCIceCandidate
from peer._perfect_negotiation import Waiting, first_step, is_ignored

STATES = ("stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer")


def candidate(ufrag="good", port=5, text=None):
    text = f"candidate:1 1 udp 1 192.0.2.9 {port} typ host" if text is None else text
    return RTCIceCandidate(text, sdpMid="0", usernameFragment=ufrag)


@pytest.mark.parametrize("making_offer", [True, False])
@pytest.mark.parametrize("state", STATES)
def test_only_the_impolite_side_ignores_and_only_an_offer_that_meets_its_own(state, making_offer):
    for type in ("offer", "pranswer", "answer", "rollback"):
        assert not is_ignored(type, polite=True, making_offer=making_offer, signaling_state=state)
        ignored = is_ignored(type, polite=False, making_offer=making_offer, signaling_state=state)
        assert ignored == (type == "offer" and (making_offer or state in ("have-local-offer", "have-remote-pranswer")))


@pytest.mark.parametrize(
    ("state", "needed", "step"),
    [
        ("stable", True, "offer"),
        ("stable", False, "send candidates"),
        ("have-local-offer", True, "send description"),
        ("have-remote-offer", False, None),
        ("have-local-pranswer", False, None),
        ("closed", True, None),
    ],
)
def test_a_negotiation_begins_where_the_last_one_was_left(state, needed, step):
    assert first_step(state, needed=needed) == step


def test_a_candidate_waits_for_its_description_in_the_order_of_arrival():
    waiting = Waiting()
    first, second, end = candidate(port=1), candidate(port=2), candidate(text="")
    for each in (first, second, end):
        assert waiting.refused(each) == []
    assert waiting.described("") == [first, second, end]
    for each in (first, second, end):
        waiting.forget(each)
    assert waiting.described("") == []


def test_a_candidate_that_was_added_at_once_does_not_wait():
    waiting = Waiting()
    waiting.forget(candidate())
    assert waiting.described("") == []


def test_a_candidate_that_two_descriptions_do_not_know_is_given_up():
    waiting = Waiting()
    assert waiting.refused(candidate()) == []
    assert waiting.described("") == [candidate()]
    assert waiting.refused(candidate()) == []
    assert waiting.described("") == [candidate()]
    assert waiting.refused(candidate()) == [candidate()]
    assert waiting.described("") == []


def test_a_text_that_does_not_parse_waits_for_nothing():
    waiting = Waiting()
    broken = candidate(text="candidate:broken")
    assert waiting.refused(broken) == [broken]
    assert waiting.described("") == []


def test_candidates_of_an_offer_that_is_ignored_are_forgotten_whether_they_come_before_or_after_it():
    waiting = Waiting()
    assert waiting.refused(candidate("theirs", 1)) == []
    assert waiting.refused(candidate("other")) == []
    waiting.ignored(described("theirs"))
    assert waiting.refused(candidate("theirs", 2)) == []
    assert waiting.described("") == [candidate("other")]


def described(ufrag):
    return f"v=0\r\na=ice-ufrag:{ufrag}\r\n"


def test_candidates_of_every_offer_that_was_ignored_come_in_vain():
    waiting = Waiting()
    waiting.ignored(described("first"))
    waiting.ignored(described("second"))
    assert waiting.refused(candidate("first")) == []
    assert waiting.refused(candidate("second")) == []
    assert waiting.described("") == []


def test_candidates_of_a_description_that_was_replaced_come_in_vain():
    waiting = Waiting()
    assert waiting.described(described("old")) == []
    assert waiting.refused(candidate("old", 1)) == [], "such as one of an m-line that is not there"
    assert waiting.described(described("new")) == [candidate("old", 1)]
    assert waiting.refused(candidate("old", 1)) == []
    assert waiting.refused(candidate("old", 2)) == []
    assert waiting.described(described("new")) == []


def test_a_candidate_waits_if_the_last_description_has_its_ufrag_even_if_it_was_replaced_before():
    waiting = Waiting()
    for ufrag in ("theirs", "other", "theirs"):
        assert waiting.described(described(ufrag)) == []
    assert waiting.refused(candidate("theirs")) == []
    assert waiting.described(described("theirs")) == [candidate("theirs")]


def test_only_so_many_descriptions_are_remembered():
    waiting = Waiting()
    for number in range(102):
        waiting.described(described(number))
    assert waiting.refused(candidate("0")) == []
    assert waiting.refused(candidate("1")) == []
    assert waiting.described("") == [candidate("0")]


def test_when_too_much_waits_the_oldest_are_given_up():
    waiting = Waiting()
    given_up, given = [], [candidate(port=port, ufrag="u" * 200) for port in range(1, 1001)]
    for each in given:
        given_up += waiting.refused(each)
    assert given_up + waiting.described("") == given
    assert 100 < len(given) - len(given_up) < 300
    for each in waiting.described(""):
        waiting.forget(each)
    assert waiting.refused(candidate()) == [], "there is room again"


def test_a_candidate_that_is_too_long_is_given_up_alone():
    waiting = Waiting()
    assert waiting.refused(candidate("u" * 70_000)) == [candidate("u" * 70_000)]
    assert waiting.refused(candidate()) == []
    assert waiting.described("") == [candidate()]
