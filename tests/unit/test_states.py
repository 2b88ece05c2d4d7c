import itertools

import pytest

from peer._errors import InvalidStateError
from peer._states import (
    connection_state,
    ice_connection_state,
    ice_gathering_state,
    ice_transport_state,
    implied_type,
    signaling_state,
)

STATES = (
    "stable",
    "have-local-offer",
    "have-remote-offer",
    "have-local-pranswer",
    "have-remote-pranswer",
    "closed",
)
# The drawing in webrtc-pc 4.3.1 and RFC 9429, section 3.2.
TRANSITIONS = {
    ("stable", "local", "offer"): "have-local-offer",
    ("stable", "remote", "offer"): "have-remote-offer",
    ("have-local-offer", "local", "offer"): "have-local-offer",
    ("have-local-offer", "remote", "answer"): "stable",
    ("have-local-offer", "local", "rollback"): "stable",
    ("have-local-offer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-remote-pranswer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-remote-pranswer", "remote", "answer"): "stable",
    ("have-remote-offer", "remote", "offer"): "have-remote-offer",
    ("have-remote-offer", "local", "answer"): "stable",
    ("have-remote-offer", "remote", "rollback"): "stable",
    ("have-remote-offer", "local", "pranswer"): "have-local-pranswer",
    ("have-local-pranswer", "local", "pranswer"): "have-local-pranswer",
    ("have-local-pranswer", "local", "answer"): "stable",
}


@pytest.mark.parametrize(("before", "after"), TRANSITIONS.items(), ids=str)
def test_a_description_changes_the_signaling_state(before, after):
    assert signaling_state(*before) == after


@pytest.mark.parametrize(
    ("state", "side", "type"),
    sorted(
        set(itertools.product(STATES, ("local", "remote"), ("offer", "answer", "pranswer", "rollback")))
        - set(TRANSITIONS)
    ),
)
def test_every_other_description_is_an_error_that_names_it_and_the_state(state, side, type):
    with pytest.raises(InvalidStateError, match=f"^there can be no {side} {type} in the signaling state {state}$"):
        signaling_state(state, side, type)


@pytest.mark.parametrize(
    ("state", "type"),
    [
        ("stable", "offer"),
        ("have-local-offer", "offer"),
        ("have-remote-offer", "answer"),
        ("have-local-pranswer", "answer"),
    ],
)
def test_set_local_description_makes_an_answer_if_there_is_a_remote_offer_and_else_an_offer(state, type):
    assert implied_type(state) == type
    assert signaling_state(state, "local", type)


@pytest.mark.parametrize(
    ("transports", "state"),
    [
        ([], "new"),
        (["new"], "new"),
        (["gathering"], "gathering"),
        (["complete"], "complete"),
        (["new", "new"], "new"),
        (["new", "gathering"], "gathering"),
        (["new", "complete"], "new"),
        (["complete", "gathering"], "gathering"),
        (["complete", "complete"], "complete"),
        (["new", "complete", "gathering"], "gathering"),
        (["complete", "complete", "new"], "new"),
    ],
)
def test_the_gathering_state_is_derived_from_those_of_all_transports(transports, state):
    assert ice_gathering_state(transports) == state
    assert ice_gathering_state(transports[::-1]) == state


# The rows of webrtc-pc 4.3.4, read from the top, for every set of states that transports can be in at the same time.
ICE = ("new", "checking", "connected", "completed", "disconnected", "failed", "closed")
ICE_ROWS = [
    ("failed", lambda states: "failed" in states),
    ("disconnected", lambda states: "disconnected" in states),
    ("new", lambda states: states <= {"new", "closed"}),
    ("checking", lambda states: bool(states & {"new", "checking"})),
    ("completed", lambda states: states <= {"completed", "closed"}),
    ("connected", lambda states: states <= {"connected", "completed", "closed"}),
]
SETS = [subset for size in range(len(ICE) + 1) for subset in itertools.combinations(ICE, size)]


def test_the_ice_connection_state_is_that_of_the_first_row_that_fits():
    for subset in SETS:
        expected = next(state for state, fits in ICE_ROWS if fits(set(subset)))
        assert ice_connection_state(subset) == expected, subset


@pytest.mark.parametrize(
    ("transports", "state"),
    [
        ([], "new"),
        (["closed"], "new"),
        (["new", "closed"], "new"),
        (["checking"], "checking"),
        (["new", "connected"], "checking"),
        (["new", "completed"], "checking"),
        (["connected"], "connected"),
        (["connected", "completed"], "connected"),
        (["completed", "closed"], "completed"),
        (["connected", "closed"], "connected"),
        (["connected", "disconnected", "checking"], "disconnected"),
        (["disconnected", "failed"], "failed"),
        (["failed", "closed"], "failed"),
    ],
)
def test_the_ice_connection_state_by_example(transports, state):
    assert ice_connection_state(transports) == state
    assert ice_connection_state([*transports[::-1], *transports]) == state


DTLS = ("new", "connecting", "connected", "closed", "failed")
# The rows of webrtc-pc 4.3.3, of an ICE connection state and the set of DTLS states. "completed" is added to the row
# of "connected": a connection does not go back to "connecting" when its checks are over.
CONNECTION_ROWS = [
    ("failed", lambda ice, dtls: ice == "failed" or "failed" in dtls),
    ("disconnected", lambda ice, dtls: ice == "disconnected"),
    ("new", lambda ice, dtls: ice == "new" and dtls <= {"new", "closed"}),
    ("connected", lambda ice, dtls: ice in {"connected", "completed"} and dtls <= {"connected", "closed"}),
    ("connecting", lambda ice, dtls: True),
]


def test_the_connection_state_is_that_of_the_first_row_that_fits():
    for ice in ICE[:-1]:
        for size in range(len(DTLS) + 1):
            for dtls in itertools.combinations(DTLS, size):
                expected = next(state for state, fits in CONNECTION_ROWS if fits(ice, set(dtls)))
                assert connection_state(ice, dtls) == expected, (ice, dtls)


@pytest.mark.parametrize(
    ("ice", "dtls", "state"),
    [
        ("new", [], "new"),
        ("new", ["new"], "new"),
        ("new", ["closed"], "new"),
        ("new", ["connecting"], "connecting"),
        ("checking", ["new"], "connecting"),
        ("checking", ["connected"], "connecting"),
        ("connected", ["new"], "connecting"),
        ("connected", ["connecting"], "connecting"),
        ("connected", ["connected", "connecting"], "connecting"),
        ("connected", ["connected"], "connected"),
        ("connected", ["connected", "closed"], "connected"),
        ("completed", ["connected"], "connected"),
        ("disconnected", ["connected"], "disconnected"),
        ("disconnected", ["failed"], "failed"),
        ("failed", ["connected"], "failed"),
        ("connected", ["connected", "failed"], "failed"),
    ],
)
def test_the_connection_state_by_example(ice, dtls, state):
    assert connection_state(ice, dtls) == state


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ("", "new"),
        ("checking", "checking"),
        ("checking failed", "failed"),
        ("failed", "failed"),  # there was nothing to check
        ("usable heard selected", "connected"),
        ("usable selected", "disconnected"),
        ("selected failed", "failed"),  # consent was lost
        # An ICE restart, while the old pair works, has gone silent, or is lost
        ("usable heard selected checking", "connected"),
        ("usable heard selected checking failed", "connected"),
        ("usable selected checking", "checking"),
        ("usable selected checking failed", "disconnected"),
        ("selected", "disconnected"),
        ("selected checking", "checking"),
        ("selected checking failed", "failed"),
    ],
)
def test_the_state_of_an_ice_transport_follows_from_its_generations(facts, state):
    names = ("usable", "heard", "selected", "checking", "failed")
    assert ice_transport_state(**{name: name in facts.split() for name in names}) == state
