"""The README: short, and true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_it_is_read_in_a_minute():
    assert TEXT.count("\n") < 160


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_its_programs_run(snippet, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(snippet)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "hello\n"), ran.stderr


def test_its_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"(?:^    |`)make ([a-z-]+)", TEXT, re.MULTILINE))
    assert {"demo", "demo-open", "test"} <= commands
    for command in commands:
        assert re.search(f"^{command}:", makefile, re.MULTILINE)


def test_make_demo_open_runs_what_the_tests_of_the_demo_run():
    dry = subprocess.run(["make", "-n", "demo-open"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "-m examples.demo --open\n" in dry.stdout


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT):
        assert (ROOT / target).exists()
