"""The pytest plugin of aiortc-peer: peer.testing as fixtures, ``--browser``, and the timeline of tests that fail.

    async def test_a_page_says_hello(connected_page):
        async with connected_page() as (pc, page):
            ...

Fixtures that open something give a function, whose result is for ``async with``: so they work with pytest-asyncio, with
anyio, and in a test that calls asyncio.run(). Their types are in peer.testing: ConnectedPage, OpenPage and so on.

What their arguments are by default says another fixture, which you can define anew in a conftest.py, a class or a
module: peer_configuration, trouble, browser_arguments, browser_preferences.

Tests that use a browser run with each that ``--browser`` names, with Chromium and Firefox if it names none.

This module is loaded by every pytest where the package is installed. So it imports the package when it is used.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from peer.testing import (
        Browser,
        ConnectedPage,
        ConnectedPair,
        Fates,
        OpenPage,
        PageSignaling,
        Recorded,
        Troubled,
    )
    from peer.tools import Entry

_BROWSERS = ("chromium", "firefox")
_LACKING = "lacking"  # a property of a test that was skipped: what there is not, and why
_RECORDING = pytest.StashKey["list[Entry]"]()


def lacking(request: pytest.FixtureRequest, what: str, reason: str) -> NoReturn:
    """Skip the test for want of *what*, and say so again after all tests; where CI is "true", fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    request.node.user_properties.append((_LACKING, f"tests with {what} were SKIPPED: {reason}"))
    pytest.skip(reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --browser."""
    if importlib.util.find_spec("pytest_playwright") is None:  # it has the same option
        parser.getgroup("aiortc-peer").addoption(
            "--browser",
            action="append",
            choices=_BROWSERS,
            help="run tests that use a browser with this one only (may be repeated)",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Tell what the marker is."""
    config.addinivalue_line("markers", "browser(mdns=False): uses a real browser; with mdns it hides its addresses")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a browser with each."""
    if "peer_browser_name" in metafunc.fixturenames:
        names = metafunc.config.getoption("browser", None) or _BROWSERS
        params = [pytest.param(name, marks=pytest.mark.browser) for name in dict.fromkeys(names) if name in _BROWSERS]
        metafunc.parametrize("peer_browser_name", params, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the timeline of what was recorded to the report of a failure."""
    report = yield
    recording = item.stash.get(_RECORDING, [])
    if report.failed and recording:
        from peer.tools import as_text

        report.sections.append(("timeline", as_text(recording)))
        del item.stash[_RECORDING]  # once is enough, should its end fail, too
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was missing, also where tests have run in other processes."""
    skipped = terminalreporter.stats.get("skipped", [])
    properties = (each for report in skipped for each in getattr(report, "user_properties", ()))
    for line in dict.fromkeys(value for name, value in properties if name == _LACKING):
        terminalreporter.write_line(line, red=True, bold=True)


# What users define anew


@pytest.fixture
def peer_configuration() -> Mapping[str, Any] | None:
    """The configuration of connections that fixtures make: an RTCConfiguration as a dictionary. None by default."""
    return None


@pytest.fixture
def trouble() -> Fates | None:
    """The trouble that connected_pair and connected_page have: a peer.testing.Trouble, say. None by default."""
    return None


@pytest.fixture
def browser_arguments() -> Sequence[str]:
    """What is added to the command line of the browser, which peer_browser_name names. Nothing by default."""
    return ()


@pytest.fixture
def browser_preferences() -> Mapping[str, bool | int | str]:
    """What is added to the preferences of Firefox, and may replace some; Chromium has none. Nothing by default."""
    return {}


# What tests use


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> list[Entry]:
    """What is recorded in this test: printed, as a timeline, if it fails. The other fixtures record here.

    To record more, ``peer.tools.record(pc, "alice", recording.append)``, or the fixture recorded.
    """
    return request.node.stash.setdefault(_RECORDING, [])  # type: ignore[no-any-return]


@pytest.fixture
def connected_pair(
    peer_configuration: Mapping[str, Any] | None, trouble: Fates | None, recording: list[Entry]
) -> ConnectedPair:
    """Two Python peers: ``async with connected_pair() as (a, b)``; see peer.testing.connected_pair."""
    from peer import testing

    return partial(testing.connected_pair, configuration=peer_configuration, trouble=trouble, to=recording.append)


@pytest.fixture
def connected_page(
    peer_browser: Browser,
    peer_configuration: Mapping[str, Any] | None,
    trouble: Fates | None,
    recording: list[Entry],
) -> ConnectedPage:
    """A Python peer and a page: ``async with connected_page() as (pc, page)``; see peer.testing.connected_page."""
    from peer import testing

    return partial(
        testing.connected_page, peer_browser, configuration=peer_configuration, trouble=trouble, to=recording.append
    )


@pytest.fixture
def open_page(peer_browser: Browser) -> OpenPage:
    """A fresh page: ``async with open_page() as page``, then ``await page.evaluate(...)``; see peer.testing.Page.

    Several may be open at a time.
    """
    return peer_browser.open_page


@pytest.fixture
def page_signaling(peer_configuration: Mapping[str, Any] | None) -> PageSignaling:
    """A signalling channel to a page: ``async with page_signaling(page) as signaling``; see peer.testing."""
    from peer import testing

    return partial(testing.page_signaling, configuration=peer_configuration)


@pytest.fixture
def recorded(recording: list[Entry]) -> Recorded:
    """Records connections and pages: ``async with recorded(alice=pc, browser=page)``; see peer.testing.recorded."""
    from peer import testing

    return partial(testing.recorded, recording.append)


@pytest.fixture
def troubled(recording: list[Entry]) -> Troubled:
    """Trouble with any signalling: ``async with troubled(signaling, Trouble(drop=0.2))``; see peer.testing.troubled."""
    from peer import testing

    return partial(testing.troubled, to=recording.append)


@pytest.fixture(scope="session")
def browsers() -> Iterator[dict[Any, Browser]]:
    """The browsers of this session; each starts with the first page that it opens."""
    all_browsers: dict[Any, Browser] = {}
    yield all_browsers
    for browser in all_browsers.values():
        browser.stop()


@pytest.fixture
def peer_browser_name(request: pytest.FixtureRequest) -> str:
    """The name of the browser: "chromium" or "firefox"."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def peer_browser(
    request: pytest.FixtureRequest,
    browsers: dict[Any, Browser],
    peer_browser_name: str,
    browser_arguments: Sequence[str],
    browser_preferences: Mapping[str, bool | int | str],
) -> Browser:
    """Each browser in turn; ``@pytest.mark.browser(mdns=True)`` asks for one that hides its addresses."""
    from peer.testing import PROGRAMS, Browser, find_browser

    if find_browser(peer_browser_name) is None:
        lacking(request, peer_browser_name.title(), f"no {' or '.join(PROGRAMS[peer_browser_name])} on PATH")
    mdns = any(mark.kwargs.get("mdns") for mark in request.node.iter_markers("browser"))
    key = peer_browser_name, mdns, tuple(browser_arguments), tuple(sorted(browser_preferences.items()))
    options: dict[str, Any] = {"mdns": mdns, "arguments": browser_arguments, "preferences": browser_preferences}
    return browsers.setdefault(key, Browser(peer_browser_name, **options))
