"""The commands of the package as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEASURING: dict[str, str] = {}  # the environment in which coverage is measured; changes once, before the first test


def start(*arguments: str, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start ``python -m peer`` so that it complains about whatever it leaves open."""
    return subprocess.Popen(
        [sys.executable, "-W", "default", "-m", "peer", *arguments],
        cwd=ROOT,
        env=os.environ | MEASURING | (environment or {}),
        text=True,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def run(*arguments: str, given: str | None = None) -> tuple[int, str, str]:
    """Run ``python -m peer`` until it ends; returns its status, what it prints, and what it complains about."""
    with start(*arguments, stdin=subprocess.PIPE) as process:
        output, complaints = process.communicate(given, timeout=45)
    return process.returncode, output, complaints
