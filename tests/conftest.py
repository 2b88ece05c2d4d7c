"""What every test gets: a look at what it left behind, and a page in a browser if it asks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from unittest import mock

import pytest
from browsers import COMMANDS, Browser, Page, find
from networks import Network, missing_commands, obstacle
from servers import coturn, turnserver

_MISSING = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--browser",
        action="append",
        choices=sorted(COMMANDS),
        help="run browser tests with this browser only (may be repeated)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "browser" in metafunc.fixturenames:
        names = metafunc.config.getoption("browser") or sorted(COMMANDS)
        params = [pytest.param(name, marks=pytest.mark.browser) for name in dict.fromkeys(names)]
        metafunc.parametrize("browser", params, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for what, reason in config.stash.get(_MISSING, {}).items():
        terminalreporter.write_line(f"tests with {what} were SKIPPED: {reason}", red=True, bold=True)


def missing(request: pytest.FixtureRequest, what: str, commands: Sequence[str]) -> NoReturn:
    """One of the *commands* would do, but there is none: see :func:`lacking`."""
    names = " or ".join(commands)
    lacking(request, what, f"no {names} on PATH; sh tests/install_packages.sh installs it where apt-get may")


def lacking(request: pytest.FixtureRequest, what: str, reason: str) -> NoReturn:
    """Skip the test for want of *what*, loudly; where CI is "true", fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    request.config.stash.setdefault(_MISSING, {})[what] = reason
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browsers() -> Iterator[dict[tuple[str, bool], Browser]]:
    """The browsers of this session, by name and mdns; each starts with the first page it opens."""
    all_browsers: dict[tuple[str, bool], Browser] = {}
    yield all_browsers
    for browser in all_browsers.values():
        browser.stop()


@pytest.fixture
def browser(request: pytest.FixtureRequest, browsers: dict[tuple[str, bool], Browser]) -> Browser:
    """Each browser in turn; `@pytest.mark.browser(mdns=True)` asks for hidden addresses."""
    name = request.param
    if find(name) is None:
        missing(request, name.title(), COMMANDS[name])
    mdns = any(mark.kwargs.get("mdns") for mark in request.node.iter_markers("browser"))
    return browsers.setdefault((name, mdns), Browser(name, mdns))


@pytest.fixture
async def page(browser: Browser, loop_errors: list[dict[str, Any]]) -> AsyncIterator[Page]:
    """A fresh page in each browser."""
    async with browser.open_page() as page:
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
def _residue(browsers: dict[tuple[str, bool], Browser]) -> Iterator[_Residue]:
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
def turn(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """An ICE server for a configuration: coturn on 127.0.0.1, with a STUN URL and TURN URLs for UDP and TCP.

    The user is "user" with the password "secret", or what the test says in a parameter.
    """
    if turnserver() is None:
        missing(request, "a TURN server", ["turnserver"])
    with coturn(getattr(request, "param", "user:secret")) as server:
        yield server


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a STUN server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"stun:127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Two hosts, and no link between them yet."""
    for command in missing_commands():
        missing(request, "networks", [command])
    reason = obstacle()
    if reason is not None:
        lacking(request, "networks", reason)
    with Network() as network:
        yield network
