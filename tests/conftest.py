"""What every test gets: a look at what it left behind, and a page in a browser if it asks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from unittest import mock

import pytest
from commands import MEASURING
from internet import Internet
from networks import Network, missing_commands, obstacle
from servers import coturn, find_turnserver

from peer.testing import Browser, OpenPage, Page
from pytest_aiortc_peer import lacking


def missing(request: pytest.FixtureRequest, what: str, commands: Sequence[str]) -> NoReturn:
    """One of the *commands* would do, but there is none: see :func:`pytest_aiortc_peer.lacking`."""
    names = " or ".join(commands)
    lacking(request, what, f"no {names} on PATH; sh tests/install_packages.sh installs it where apt-get may")


@pytest.fixture(scope="session", autouse=True)
def _measuring() -> None:
    """Measure coverage in our commands, and in no other process: it takes long, and tells what the tests tell."""
    measuring = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    if measuring is not None:
        MEASURING["COVERAGE_PROCESS_CONFIG"] = measuring


@pytest.fixture
def browser(peer_browser: Browser) -> Browser:
    """Each browser in turn."""
    return peer_browser


@pytest.fixture
async def page(open_page: OpenPage, loop_errors: list[dict[str, Any]]) -> AsyncIterator[Page]:
    """A fresh page in each browser."""
    async with open_page() as page:
        yield page


@dataclass
class _Residue:
    errors: list[dict[str, Any]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def _open_sockets() -> dict[str, int]:
    """The descriptor of each open socket, by the name the kernel gives it."""
    found = {}
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed the directory
            found[os.readlink(f"/proc/self/fd/{descriptor}")] = int(descriptor)
    return {name: descriptor for name, descriptor in found.items() if name.startswith("socket:")}


@pytest.fixture(autouse=True)
def _residue(browsers: dict[Any, Browser]) -> Iterator[_Residue]:
    """Fail a test that leaves something behind. Set up first, torn down after its event loop."""
    gc.freeze()  # what is here already is not looked at again: collecting below takes no time
    threads, sockets = set(threading.enumerate()), _open_sockets()
    residue = _Residue()
    left = residue.left

    def say(unraisable: Any) -> None:  # keeping the report itself would keep what it is about
        left.append(f"{unraisable.exc_value!r} in {unraisable.object!r}")

    with mock.patch.object(sys, "unraisablehook", say):
        yield residue
        gc.collect()  # unheeded exceptions, open transports and unawaited coroutines speak up now
        gc.collect()  # and now what they held
    left += [f"thread {thread!r}" for thread in set(threading.enumerate()) - threads]
    listeners = {browser.listener for browser in browsers.values()}
    for name, descriptor in _open_sockets().items():
        if name not in sockets and descriptor not in listeners:
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                left.append(f"open {copy!r}")
    for context in residue.errors:
        left.append(f"report to the event loop: {context['message']}")
        left += traceback.format_exception(context.get("exception"))
    if left:
        pytest.fail("the test left behind:\n" + "\n".join(left), pytrace=False)


@pytest.fixture(autouse=True)
async def loop_errors(_residue: _Residue) -> AsyncIterator[list[dict[str, Any]]]:
    """What the loop's exception handler was told; a test that expects reports clears it."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _residue.errors.append(context))
    yield _residue.errors
    _residue.left += [f"pending {t!r}" for t in asyncio.all_tasks() if t is not asyncio.current_task()]


@pytest.fixture
def turnserver(request: pytest.FixtureRequest) -> None:
    """There is coturn."""
    if find_turnserver() is None:
        missing(request, "a TURN server", ["turnserver"])


@pytest.fixture
def turn(request: pytest.FixtureRequest, turnserver: None) -> Iterator[dict[str, Any]]:
    """An ICE server for a configuration: coturn on 127.0.0.1, with a STUN URL and TURN URLs for UDP and TCP.

    The user is "user" with the password "secret", or what the test says in a parameter.
    """
    with coturn(getattr(request, "param", "user:secret")) as server:
        yield server


@pytest.fixture(scope="session")
def nice_python(request: pytest.FixtureRequest) -> str:
    """A Python that has libnice: Debian's."""
    python, probe = "/usr/bin/python3", "import gi; gi.require_version('Nice', '0.1')"
    if not os.access(python, os.X_OK) or subprocess.run([python, "-c", probe], capture_output=True).returncode:
        where = "sh tests/install_packages.sh installs it where apt-get may"
        lacking(request, "libnice", f"{python} has no libnice; {where}")
    return python


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a STUN server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"stun:127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture
def networks(request: pytest.FixtureRequest) -> None:
    """There can be networks."""
    for command in missing_commands():
        missing(request, "networks", [command])
    reason = obstacle()
    if reason is not None:
        lacking(request, "networks", reason)


@pytest.fixture
def network(networks: None) -> Iterator[Network]:
    """Two hosts, and no link between them yet."""
    with Network() as network:
        yield network


@pytest.fixture
def internet(networks: None, turnserver: None) -> Iterator[Internet]:
    """An internet without hosts; its server does not run yet."""
    with Internet() as internet:
        yield internet
