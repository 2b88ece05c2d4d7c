"""Where a side differs from the W3C, and what is known about it. Pure functions over facts (see strands.py).

The W3C says of each fact what it may be. A side whose fact is none of that *deviates*, and must be listed in
divergences.toml, entry by entry:

    wrong       who deviates: "peer", "firefox", "chromium"
    scenarios   in which scenarios; "*" stands for any text
    facts       in which facts; "*" again
    labels      which labels of these facts differ; all, when it is left out
    value       optional: what the fact is there, to the letter
    what        the difference, in a sentence
    spec        the sentence of the specification, with its section
    right       who does what that sentence says
    meant       optional, where we are wrong: why it stays so. Without it, it is ours to mend.
    sometimes   optional: why it is not so in each run

An entry explains a fact if the fact is as the W3C wants it once the entry's labels are struck out on both sides. So one
entry for a label that is missing leaves the order of the others compared. An entry that explains nothing no longer
applies, and fails the test: in each scenario it names, and with "*" when it explains nothing in any of them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import Facts, Scenario

SIDES = ("peer", "firefox", "chromium")

# Facts, and labels, that only a side can have which has the feature.
_FEATURES = (
    ("RTCIceTransport", "* transport *", "*"),
    ("selectedcandidatepairchange", "* transport *", "pair selected"),
    ("icecandidateerror", "* errors", "*"),
    ("negotiationneeded", "* negotiationneeded", "*"),
)


@dataclass(frozen=True)
class Divergence:
    """An entry of divergences.toml."""

    wrong: tuple[str, ...]
    scenarios: tuple[str, ...]
    facts: tuple[str, ...]
    what: str
    spec: str
    right: tuple[str, ...]
    labels: tuple[str, ...] = ("*",)
    value: str | None = None
    meant: str | None = None
    sometimes: str | None = None

    def covers(self, side: str, scenario: str, fact: str) -> bool:
        """Whether this is about that fact of that side."""
        return side in self.wrong and _matches(scenario, self.scenarios) and _matches(fact, self.facts)

    @property
    def ours_to_mend(self) -> bool:
        """Whether we are wrong, and do not want to be."""
        return "peer" in self.wrong and self.meant is None


@dataclass(frozen=True)
class Difference:
    """A fact that is not as the W3C wants it."""

    fact: str
    allowed: list[str]
    found: str

    def __str__(self) -> str:
        wanted = "\n      or: ".join(text or "(nothing)" for text in self.allowed)
        return f"{self.fact}\n    spec: {wanted}\n    here: {self.found or '(nothing)'}"


@dataclass
class Verdict:
    """What came of comparing one side's facts of one scenario with the W3C's."""

    unexplained: list[Difference] = field(default_factory=list)
    explained: list[tuple[Difference, list[Divergence]]] = field(default_factory=list)

    @property
    def applied(self) -> set[tuple[Divergence, str]]:
        """The entries that explained something, and the facts they explained."""
        return {(entry, difference.fact) for difference, entries in self.explained for entry in entries}


def read(path: Path) -> list[Divergence]:
    """The entries of a file."""
    entries = tomllib.loads(path.read_text())["divergence"]
    return [
        Divergence(**{key: tuple(said) if isinstance(said, list) else said for key, said in entry.items()})
        for entry in entries
    ]


def differences(spec: Mapping[str, list[str]], found: Facts, features: Collection[str]) -> list[Difference]:
    """The facts of a side that has *features* which the W3C does not allow."""
    if "gave up" in found:  # then there is nothing else to compare
        return [Difference("gave up", [""], found["gave up"])]
    result = []
    for fact in dict.fromkeys([*(name for name in spec if "*" not in name), *found]):
        if not _comparable(fact, features):
            continue
        allowed = [_without(text, fact, features) for text in _allowed(spec, fact)]
        text = _without(value(fact, found), fact, features)
        if text not in allowed:
            result.append(Difference(fact, allowed, text))
    return result


def judge(side: str, scenario: Scenario, found: Facts, features: Collection[str], known: list[Divergence]) -> Verdict:
    """Sort the differences of one side in one scenario into those that are known and those that are not."""
    verdict = Verdict()
    for difference in differences(scenario.spec, found, {*features, *scenario.also}):
        entries = explanation(side, scenario.name, difference, known)
        if entries:
            verdict.explained.append((difference, entries))
        else:
            verdict.unexplained.append(difference)
    return verdict


def explanation(side: str, scenario: str, difference: Difference, known: Iterable[Divergence]) -> list[Divergence]:
    """The entries it takes to explain a difference: none can be left out. Empty if they do not explain it."""
    entries = [
        entry
        for entry in known
        if entry.covers(side, scenario, difference.fact) and entry.value in (None, difference.found)
    ]
    if not _explain(entries, difference):
        return []
    for entry in list(entries):
        others = [other for other in entries if other is not entry]
        if _explain(others, difference):
            entries = others
    return entries


def outdated_in(side: str, scenario: str, verdict: Verdict, known: Iterable[Divergence]) -> list[str]:
    """The entries that name this scenario and explained nothing there."""
    applied = {entry for entry, _ in verdict.applied}
    return [
        entry.what
        for entry in known
        if side in entry.wrong and scenario in entry.scenarios and not entry.sometimes and entry not in applied
    ]


def outdated(
    known: Iterable[Divergence], verdicts: Mapping[tuple[str, str], Verdict], names: Collection[str]
) -> list[str]:
    """The patterns of scenarios and of facts that explained nothing. *names* are those of all scenarios.

    Sides that did not play all the scenarios an entry is about are not asked.
    """
    said = []
    for entry in known:
        for side in () if entry.sometimes else entry.wrong:
            about = [name for name in names if _matches(name, entry.scenarios)]
            if not all((side, name) in verdicts for name in about):
                continue
            applied = [(name, fact) for name in about for used, fact in verdicts[side, name].applied if used == entry]
            for i, patterns in enumerate((entry.scenarios, entry.facts)):
                idle = [pattern for pattern in patterns if not any(_matches(pair[i], [pattern]) for pair in applied)]
                said += [f"{side}, {pattern}: {entry.what}" for pattern in idle]
    return said


def mistaken(verdicts: Mapping[tuple[str, str], Verdict]) -> list[str]:
    """The entries that say somebody is right in a scenario who is wrong there, too, about the same labels of a fact."""
    said = []
    for (_, name), verdict in verdicts.items():
        for entry, fact in verdict.applied:
            for side in entry.right if name in entry.scenarios else ():
                theirs = verdicts.get((side, name), Verdict()).applied
                if any(also == fact and {*other.labels} & {*entry.labels} for other, also in theirs):
                    said.append(f"{side} is not right about {fact} in {name}: {entry.what}")
    return said


def agreement(
    scenario: Scenario, ours: Facts, theirs: Facts, features: Collection[str], unsteady: Iterable[Divergence] = ()
) -> tuple[int, int]:
    """How many facts of two sides agree, and of how many. Both must have the *features*.

    What the W3C leaves open agrees. What is known to differ sometimes, differs, whatever this run was like.
    """
    if "gave up" in ours or "gave up" in theirs:
        same = ours.get("gave up") == theirs.get("gave up")
        return int(same), 1
    named = [name for name in scenario.spec if "*" not in name]
    facts = [fact for fact in dict.fromkeys([*named, *ours, *theirs]) if _comparable(fact, features)]
    agreed = 0
    for fact in facts:
        allowed = [_without(text, fact, features) for text in _allowed(scenario.spec, fact)]
        one, other = (_without(value(fact, side), fact, features) for side in (ours, theirs))
        steady = not any(_matches(scenario.name, entry.scenarios) and _matches(fact, entry.facts) for entry in unsteady)
        agreed += steady and (one == other or (one in allowed and other in allowed))
    return agreed, len(facts)


def value(fact: str, found: Facts) -> str:
    """A fact's text. An m-line of which nothing was announced has the same gathering as the connection."""
    return found.get(fact) or found.get(re.sub(r" of \d+$", "", fact), "")


def _allowed(spec: Mapping[str, list[str]], fact: str) -> list[str]:
    """What a fact may be: as its name says, or the longest pattern that fits its name. Else it should not be there."""
    if fact in spec:
        return spec[fact]
    patterns = sorted((name for name in spec if "*" in name and _matches(fact, [name])), key=len)
    return spec[patterns[-1]] if patterns else [""]


def _explain(entries: Iterable[Divergence], difference: Difference) -> bool:
    labels = [label for entry in entries for label in entry.labels]
    return _struck(difference.found, labels) in [_struck(text, labels) for text in difference.allowed]


def _struck(text: str, patterns: Collection[str]) -> str:
    return ", ".join(label for label in text.split(", ") if not _matches(label, patterns))


def _comparable(fact: str, features: Collection[str]) -> bool:
    return all(name in features for name, facts, labels in _FEATURES if labels == "*" and _matches(fact, [facts]))


def _without(text: str, fact: str, features: Collection[str]) -> str:
    missing = [labels for name, facts, labels in _FEATURES if name not in features and _matches(fact, [facts])]
    return _struck(text, missing) if missing else text


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) for pattern in patterns
    )
