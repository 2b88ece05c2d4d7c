"""The machine that all was measured on, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from peer.testing import find_browser


def describe(browsers: Iterable[str]) -> list[str]:
    """A few lines about it."""
    there = [f"{name} {version(name)}" for name in ("aiortc", "aioice", "av")]
    return [
        f"{_processor()}, {os.cpu_count()} cores; {platform.system()} {_kernel()}",
        f"Python {platform.python_version()}; {', '.join(there)}",
        "; ".join(map(_browser, browsers)) or "no browser",
    ]


def _kernel() -> str:
    return platform.release().partition("-")[0]  # the rest names who has built it


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _browser(name: str) -> str:
    path = find_browser(name)
    assert path
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    return said.partition(" built")[0].strip() or name


def own_address() -> str:
    """The address that this machine would send from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # which looks for a route, and sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
