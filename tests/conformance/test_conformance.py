"""Each scenario, played by our connections and in a page of each browser, is what the W3C says, or a known divergence.

README.md tells how a scenario is written, and what is compared.
"""

from __future__ import annotations

import json
import re

import pytest
from divergences import SIDES, judge, mistaken, outdated, outdated_in
from player import play
from scenarios import HERE, scenarios
from strands import facts
from table import Played, table

SCENARIOS = scenarios()
README = HERE.parent.parent / "README.md"
PAGE = (HERE / "page.js").read_text()

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])


def with_silent_server(configuration, url):
    """The configuration with the address of a server that never answers in place of $silent."""
    return json.loads(json.dumps(configuration).replace("$silent", url.removeprefix("stun:")))


def check(side, scenario, result, known, played):
    """Keep what a side did in a scenario, and compare it with the W3C."""
    found, features = facts(result["log"], scenario.also), frozenset(result["features"])
    verdict = judge(side, scenario, found, features, known)
    played[side, scenario.name] = Played(found, features, verdict)
    said = [str(difference) for difference in verdict.unexplained]
    said += [f"this divergence no longer applies: {what}" for what in outdated_in(side, scenario.name, verdict, known)]
    if said:
        pytest.fail("\n".join([f"{side} in {scenario.name}:", *said]), pytrace=False)


@each_scenario
async def test_peer(scenario, silent_server, known, played):
    configuration = with_silent_server(scenario.configuration, silent_server)
    result = await play(configuration, scenario.steps, scenario.limit)
    check("peer", scenario, result, known, played)


@each_scenario
async def test_browser(scenario, browser, page, silent_server, known, played):
    configuration = with_silent_server(scenario.configuration, silent_server)
    script = {"configuration": configuration, "steps": scenario.steps, "limit": scenario.limit}
    check(browser.name, scenario, await page.evaluate(PAGE, script), known, played)


def test_every_divergence_still_applies(known, played):
    verdicts = {who: each.verdict for who, each in played.items()}
    assert not outdated(known, verdicts, [scenario.name for scenario in SCENARIOS])


def test_those_who_are_right_are_right(played):
    assert not mistaken({who: each.verdict for who, each in played.items()})


def test_the_readme_says_what_the_table_does(known, played):
    if {name for side, name in played if side == "peer"} < {scenario.name for scenario in SCENARIOS}:
        pytest.skip("only some scenarios were played")
    lines = "\n".join(table(SCENARIOS, played, known))
    said = README.read_text()
    scenarios, agree = re.search(r"(\d+) scenarios: agree with the spec (\d+)", lines).groups()
    facts = re.search(r"facts: the spec (\d+ of \d+)", lines)[1]
    mend = (re.search(r"ours to mend \((\d+)\)", lines) or ["", "0"])[1]
    assert f"Of {scenarios} scenarios" in said
    assert f"| the W3C's text | {agree} | {facts} |" in said
    assert f"{mend} of them {'is' if mend == '1' else 'are'} ours to mend" in said


def test_the_entries_name_what_there_is(known):
    names = {scenario.name for scenario in SCENARIOS}
    for entry in known:
        assert {name for name in entry.scenarios if "*" not in name} <= names, entry.what
        assert {*entry.wrong, *entry.right} <= set(SIDES), entry.what
        assert not set(entry.wrong) & set(entry.right), entry.what
        assert entry.wrong, entry.what
        assert entry.spec, entry.what
