"""Keeps what was played for the last test, and for the table at the end."""

from __future__ import annotations

import pytest
from divergences import Divergence, read
from scenarios import HERE, scenarios
from table import Played, table

_PLAYED = pytest.StashKey[dict[tuple[str, str], Played]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", action="store_true", help="print how we agree with the W3C and with each browser")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    played = config.stash.get(_PLAYED, {})
    if played and config.getoption("--table", default=False):
        terminalreporter.section("conformance")
        for line in table(scenarios(), played, read(HERE / "divergences.toml")):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def played(pytestconfig: pytest.Config) -> dict[tuple[str, str], Played]:
    """What was played so far, by side and scenario."""
    return pytestconfig.stash.setdefault(_PLAYED, {})


@pytest.fixture(scope="session")
def known() -> list[Divergence]:
    """The entries of divergences.toml."""
    return read(HERE / "divergences.toml")
