"""Differences, what explains them, what no longer applies, and the table."""

from __future__ import annotations

from divergences import (
    Divergence,
    Verdict,
    agreement,
    differences,
    judge,
    mistaken,
    outdated,
    outdated_in,
    read,
)
from scenarios import HERE, Scenario, scenarios
from table import Played, table

ALL = {"RTCIceTransport", "selectedcandidatepairchange", "icecandidateerror", "negotiationneeded"}


def scenario(name="data", also=(), **spec):
    spec = {fact.replace("_", " "): [text] if isinstance(text, str) else text for fact, text in spec.items()}
    return Scenario(name, "", [], {}, list(also), 1.0, spec)


def entry(*labels, facts=("A ice",), wrong=("chromium",), scenarios=("*",), **more):
    said = {"what": "it differs", "spec": "x", "right": ("peer",), **more}
    return Divergence(wrong=wrong, scenarios=scenarios, facts=facts, labels=labels or ("*",), **said)


def names(found, spec, features=ALL):
    return [difference.fact for difference in differences(scenario(**spec).spec, found, features)]


# Differences


def test_a_fact_that_is_missing_or_should_not_be_there_differs():
    assert names({"A ice": "x"}, {"A_ice": "x"}) == []
    assert names({"A ice": "y"}, {"A_ice": "x"}) == ["A ice"]
    assert names({}, {"A_ice": "x"}) == ["A ice"]
    assert names({"A ice": "x"}, {}) == ["A ice"]


def test_what_the_text_leaves_open_does_not_differ():
    assert names({"A ice": "y"}, {"A_ice": ["x", "y"]}) == []
    assert names({}, {"A_ice": ["", "y"]}) == []


def test_a_pattern_is_for_facts_that_are_not_named():
    spec = {"*": ["x"], "a*": ["y"], "ab": ["z"]}
    found = {"one": "x", "a": "y", "ab": "z"}
    assert differences(spec, found, ALL) == []
    assert [d.fact for d in differences(spec, dict.fromkeys(found, "z"), ALL)] == ["one", "a"]


def test_an_m_line_of_which_nothing_is_announced_gathers_as_the_connection_does():
    assert names({"A gathering": "x"}, {"A_gathering": "x", "A_gathering_of_0": "x"}) == []


def test_what_a_side_does_not_have_is_not_compared():
    spec = {"A_transport_1_ice": "pair selected, transport: connected", "A_errors": "701 stun:host"}
    found = {"A transport 1 ice": "transport: connected", "A errors": "701 stun:host"}
    assert names(found, spec) == ["A transport 1 ice"]
    assert names(found, spec, ALL - {"selectedcandidatepairchange"}) == []
    assert names({}, spec, {"icecandidateerror"}) == ["A errors"]


def test_what_was_given_up_is_one_difference():
    assert names({"gave up": "waiting"}, {"A_ice": "x", "B_ice": "y"}) == ["gave up"]


# Explanations


def judged(found, known, side="chromium", **spec):
    return judge(side, scenario(**spec), found, ALL, known)


def test_an_entry_explains_the_labels_it_names_and_no_others():
    known = [entry("end*")]
    assert not judged({"A ice": "a, b"}, known, A_ice="a, b, end").unexplained
    assert judged({"A ice": "b, a"}, known, A_ice="a, b, end").unexplained
    assert judged({"A ice": "a, b"}, known, side="firefox", A_ice="a, b, end").unexplained
    assert judged({"B ice": "a, b"}, known, B_ice="a, b, end").unexplained


def test_brackets_in_labels_are_no_patterns():
    assert not judged({"A ice": "end [while new]"}, [entry("end [while new]")], A_ice="").unexplained


def test_an_entry_with_a_value_explains_no_other_value():
    known = [entry(value="b")]
    assert not judged({"A ice": "b"}, known, A_ice="a").unexplained
    assert judged({"A ice": "c"}, known, A_ice="a").unexplained


def test_several_entries_may_be_needed_and_no_more_than_that_apply():
    known = [entry("x", what="1"), entry("y", what="2"), entry("z", what="3")]
    verdict = judged({"A ice": "a"}, known, A_ice="a, x, y")
    assert {(used.what, fact) for used, fact in verdict.applied} == {("1", "A ice"), ("2", "A ice")}


# What no longer applies


def test_an_entry_that_explains_nothing_where_it_says_so_is_outdated():
    named, anywhere = entry(scenarios=("data",)), entry()
    assert outdated_in("chromium", "data", Verdict(), [named, anywhere]) == ["it differs"]
    assert outdated_in("chromium", "media", Verdict(), [named]) == []
    assert outdated_in("firefox", "data", Verdict(), [named]) == []
    assert outdated_in("chromium", "data", Verdict(), [entry(scenarios=("data",), sometimes="why")]) == []


def test_a_pattern_that_explains_nothing_anywhere_is_outdated():
    known = [entry(facts=("A ice", "B *"))]
    idle, busy = Verdict(), judged({"A ice": "x"}, known)
    both = {("chromium", "data"): busy, ("chromium", "media"): idle}
    assert outdated(known, both, ["data", "media"]) == ["chromium, B *: it differs"]
    assert outdated(known, {("chromium", "data"): idle}, ["data", "media"]) == []
    busy = judged({"A ice": "x", "B ice": "x"}, known)
    assert outdated(known, {**both, ("chromium", "media"): busy}, ["data", "media"]) == []
    assert outdated([entry(sometimes="why")], both, ["data", "media"]) == []


def test_who_is_right_must_be():
    known = [
        entry(scenarios=("data",), right=("peer",)),
        entry(wrong=("peer",), scenarios=("data",), right=()),
    ]
    wrong = {"A ice": "x"}
    verdicts = {(side, "data"): judged(wrong, known, side=side) for side in ("chromium", "peer")}
    assert len(mistaken(verdicts)) == 1
    assert mistaken({**verdicts, ("peer", "data"): Verdict()}) == []


# The table


def test_sides_agree_when_their_facts_do_or_both_are_allowed():
    open_ = scenario(A_ice=["x", "y"], B_ice="z")
    assert agreement(open_, {"A ice": "x", "B ice": "z"}, {"A ice": "y", "B ice": "z"}, ALL) == (2, 2)
    assert agreement(open_, {"A ice": "x", "B ice": "n"}, {"A ice": "x", "B ice": "n"}, ALL) == (2, 2)
    assert agreement(open_, {"A ice": "x", "B ice": "z"}, {"A ice": "n", "B ice": "z"}, ALL) == (1, 2)
    assert agreement(open_, {"gave up": "x"}, {"A ice": "x", "B ice": "z"}, ALL) == (0, 1)


def test_what_differs_sometimes_never_agrees():
    fixed = scenario(A_ice="x")
    assert agreement(fixed, {"A ice": "x"}, {"A ice": "x"}, ALL, [entry(sometimes="why")]) == (0, 1)


def test_the_table_has_a_line_for_each_scenario_and_the_sums():
    known = [entry(wrong=("peer",), scenarios=("media",)), entry(wrong=("peer",), meant="why", what="meant")]
    both = [scenario("data", A_ice="x"), scenario("media", A_ice="x", B_ice="y")]
    found = {"data": {"A ice": "x"}, "media": {"A ice": "z", "B ice": "y"}}
    played = {
        ("peer", each.name): Played(found[each.name], frozenset(ALL), judge("peer", each, found[each.name], ALL, known))
        for each in both
    }
    played["firefox", "media"] = Played({"A ice": "x", "B ice": "y"}, frozenset(ALL), Verdict())
    assert table(both, played, known) == [
        "scenario  spec        Firefox     Chromium",
        "data      yes         -           -",
        "media     1 of 2      1 of 2      -",
        "",
        "2 scenarios: agree with the spec 1, Firefox 0, Chromium 0",
        "facts: the spec 2 of 3, Firefox 1 of 2, Chromium 0 of 0",
        "",
        "ours to mend (1):",
        "  media: it differs",
    ]


# The data


def test_scenarios_and_divergences_can_be_read():
    assert read(HERE / "divergences.toml")
    written = {each.name: each for each in scenarios()}
    assert written["data"].steps[2:6] == [
        ["A.setLocalDescription"],
        ["B.setRemoteDescription", {"local": "A"}],
        ["B.setLocalDescription"],
        ["A.setRemoteDescription", {"local": "B"}],
    ]
    assert written["data"].spec["A gathering"] == [
        "setLocalDescription, gathering: gathering, gathering: complete, null"
    ]
    assert written["candidates-stable"].spec == written["candidates-have-remote-offer"].spec
    for each in written.values():
        assert each.about, each.name
        assert each.spec, each.name
        assert not any("<" in text for texts in each.spec.values() for text in texts), each.name
