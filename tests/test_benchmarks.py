"""The benchmarks run, and every row comes out. What the numbers are is for `make bench` to say, on a quiet machine."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import networks
from benchmarks.load import obstacle
from benchmarks.report import SECTION, measured_table, rows, targets, targets_table, with_section
from benchmarks.samples import BROWSERS, FULL, QUICK, SIDES, Samples, alternate
from peer.testing import find_browser

ROOT = Path(__file__).parents[1]
ROWS = {row.title: row.key for row in rows(QUICK)}
LOADS = ("data", "rtp", "memory", "many", "cycles")  # how their keys begin


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks in their quick form."""
    command = [sys.executable, "-m", "benchmarks", "--quick", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def measured(text: str) -> dict[str, set[str]]:
    """The sides that have a number, by the key of the row."""
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {
        ROWS[title]: {side for side, cell in zip(SIDES, cells[1:], strict=False) if cell != "-"}
        for title, *cells in table
        if title in ROWS
    }


def expected(key: str) -> set[str]:
    """The sides that should have a number, here."""
    browsers = set(filter(find_browser, BROWSERS))
    if key.startswith(LOADS):
        return set() if obstacle() else {"peer", "aiortc"}
    if key == "layers":
        return {"aiortc"}
    if key.startswith("relay"):
        return browsers
    # Raw aiortc cannot restart, and takes too long for this test where a server is silent.
    return browsers | ({"peer"} if key == "restart" or key.startswith("silent-") else {"peer", "aiortc"})


@pytest.mark.timeout(240)
def test_each_row_has_its_numbers_and_so_have_the_files(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    output = tmp_path / "made" / "for it"
    ran = run("--output", str(output), "--readme", str(readme))
    assert ran.returncode == 0, ran.stderr
    assert measured(ran.stdout) == {key: expected(key) for key in ROWS.values()}
    assert "QUICK" in ran.stdout
    assert ran.stdout.count("LEFT OUT") == len(BROWSERS) - len(list(filter(find_browser, BROWSERS))) + bool(obstacle())
    assert (output / "results.md").read_text() == ran.stdout.removesuffix("\n")
    assert (output / "results.png").read_bytes().startswith(b"\x89PNG")
    assert measured(readme.read_text()) == {row.key: expected(row.key) for row in rows(QUICK) if row.brief}


def test_what_is_not_known_is_told():
    ran = run("nothing")
    assert ran.returncode == 2
    assert "there is no scenario nothing" in ran.stderr


def test_a_part_is_not_written_as_if_it_were_all(tmp_path):
    ran = run("parse", "--output", str(tmp_path))
    assert ran.returncode == 2
    assert "only all are written" in ran.stderr
    assert list(tmp_path.iterdir()) == []


async def test_sides_take_turns_and_another_one_begins_each_round():
    order = []

    async def attempt(side):
        order.append(side)
        return {"what": len(order)}

    sides = {side: lambda side=side: attempt(side) for side in "abc"}
    found: Samples = {}
    await alternate(found, 3, sides, warmup=1)
    assert "".join(order) == "cab" + "abc" + "bca" + "cab"
    assert found == {"what": {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}}


SAMPLES = {
    "open": {"peer": [1.0, 2.0, 6.0], "aiortc": [8.0], "chromium": [5.0, 7.0], "firefox": [4.0]},
    "data": {"peer": [9.0], "aiortc": [10.0]},
    "add-1": {"peer": [1234.5], "aiortc": [math.inf]},
    "cycles-memory": {"peer": [0.5], "aiortc": [-0.25]},
}


def test_medians_are_compared_and_above_one_ours_is_better():
    shown = [row for row in rows(FULL) if row.key in SAMPLES]
    assert measured_table(SAMPLES, shown)[2:] == [
        "| data channel open | ms | 2 | 8 | 6 | 4 | 4x | 2x |",
        "| 1 candidate added | ms | 1,234 | > 10,000 | - | - | - | - |",
        "| data channel | MB/s | 9 | 10 | - | - | 0.90x | - |",
        "| 1,000 times connected and closed: memory | MB | 0.50 | -0.25 | - | - | - | - |",
    ]


def test_targets_are_met_or_missed_and_without_numbers_neither():
    lines = targets_table(SAMPLES, targets())
    assert "| open: of the faster browser's | ≤ 0.7 | 0.5 | met |" in lines
    assert "| open: raw aiortc's to ours | ≥ 3.5 | 4 | met |" in lines
    assert "| data channel: of raw aiortc's | ≥ 0.98 | 0.9 | **missed** |" in lines
    assert "| restart | ≤ 8 ms | - |  |" in lines


def test_the_section_of_the_readme_is_replaced_and_nothing_else():
    once = with_section(f"# It\n\n{SECTION}\n\nOld.\n\n## Next\n\n## Last\n", SAMPLES, FULL, ["a machine", "a browser"])
    assert once.startswith(f"# It\n\n{SECTION}\n\n`make bench` wrote this. a machine; a browser.\nMedians")
    assert once.endswith("[what they mean](benchmarks/README.md).\n\n## Next\n\n## Last\n")
    assert "Of 4 targets, 3 are met" in once
    assert "Old" not in once
    assert with_section(once, SAMPLES, FULL, ["a machine", "a browser"]) == once
    with pytest.raises(ValueError, match=SECTION):
        with_section("# It\n", SAMPLES, FULL, [])


def test_the_table_of_networks_is_written_and_nothing_else(internet, tmp_path):
    page = tmp_path / "networks.md"
    page.write_text(f"# Networks\n\n{networks.SECTION}\nOld.\n")
    situation = "both in public"
    command = ["-m", "benchmarks.networks", "--attempts", "1", "--output", str(page), situation]
    ran = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert ran.returncode == 0, ran.stderr
    assert page.read_text() == f"# Networks\n\n{ran.stdout}"
    found = re.findall(rf"(?m)^\| {situation} \| host - host \| [\d,]+ \| .+ \| [\d,]+ \|$", ran.stdout)
    assert len(found) == 1
    assert "Old" not in page.read_text()


def test_the_table_of_networks_has_all_situations():
    rows = re.findall(r"(?m)^\| (.+?) \|", (ROOT / "docs" / "networks.md").read_text().partition(networks.SECTION)[2])
    assert rows[2:] == [situation.name for situation in networks.SITUATIONS]


def test_pairs_and_times_of_attempts_become_cells():
    attempts = [networks.Attempt("relay - srflx", 1200.4), networks.Attempt("prflx - relay", 900.0)] * 2
    assert networks.cells(attempts) == "prflx - relay or relay - srflx | 1,050"
    assert networks.cells([*attempts, networks.Attempt(None, None)]) == "does not connect | -"
