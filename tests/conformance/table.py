"""The table that `make conformance` prints. Pure: from what was played to lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from divergences import Divergence, Verdict, agreement
from scenarios import Facts, Scenario

BROWSERS = ("firefox", "chromium")


@dataclass(frozen=True)
class Played:
    """What one side did in one scenario."""

    facts: Facts
    features: frozenset[str]
    verdict: Verdict


def table(
    scenarios: Iterable[Scenario], played: Mapping[tuple[str, str], Played], known: Iterable[Divergence]
) -> list[str]:
    """One line a scenario: how much we agree with the W3C and with each browser; then the sums, and what to mend."""
    scenarios, known = list(scenarios), list(known)
    rows = [(scenario, _cells(scenario, played, known)) for scenario in scenarios]
    rows = [(scenario, cells) for scenario, cells in rows if cells]
    width = max(len("scenario"), *(len(scenario.name) for scenario, _ in rows), 0)
    lines = [f"{'scenario':{width}}  {'spec':12}{'Firefox':12}Chromium"]
    for scenario, cells in rows:
        lines.append(f"{scenario.name:{width}}  " + "".join(f"{_said(cell):12}" for cell in cells).rstrip())
    columns = list(zip(*(cells for _, cells in rows), strict=True)) or [(), (), ()]
    yes = [sum(cell is not None and cell[0] == cell[1] for cell in column) for column in columns]
    facts = [_total(column) for column in columns]
    lines += [
        "",
        f"{len(rows)} scenarios: agree with the spec {yes[0]}, Firefox {yes[1]}, Chromium {yes[2]}",
        "facts: " + ", ".join(f"{name} {n} of {of}" for name, (n, of) in zip(_NAMES, facts, strict=True)),
    ]
    mend = [entry for entry in known if entry.ours_to_mend]
    if mend:
        lines += ["", f"ours to mend ({len(mend)}):"]
        lines += [f"  {', '.join(entry.scenarios)}: {entry.what}" for entry in mend]
    return lines


_NAMES = ("the spec", "Firefox", "Chromium")
_Cell = tuple[int, int] | None  # how many facts agree, of how many; None if that was not played


def _cells(
    scenario: Scenario, played: Mapping[tuple[str, str], Played], known: list[Divergence]
) -> tuple[_Cell, ...] | None:
    ours = played.get(("peer", scenario.name))
    if ours is None:
        return None
    differing = len(ours.verdict.unexplained) + len(ours.verdict.explained)
    _, of = agreement(scenario, ours.facts, ours.facts, {*ours.features, *scenario.also})
    cells: list[_Cell] = [(of - differing, of)]
    for browser in BROWSERS:
        theirs = played.get((browser, scenario.name))
        if theirs is None:
            cells.append(None)
            continue
        unsteady = [entry for entry in known if entry.sometimes and {"peer", browser} & set(entry.wrong)]
        features = (ours.features & theirs.features) | set(scenario.also)
        cells.append(agreement(scenario, ours.facts, theirs.facts, features, unsteady))
    return tuple(cells)


def _said(cell: _Cell) -> str:
    if cell is None:
        return "-"
    return "yes" if cell[0] == cell[1] else f"{cell[0]} of {cell[1]}"


def _total(column: Iterable[_Cell]) -> tuple[int, int]:
    cells = [cell for cell in column if cell is not None]
    return sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)
