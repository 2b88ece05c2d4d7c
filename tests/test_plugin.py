"""The pytest plugin, in projects of its users, which know nothing of this one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ASYNCIO = """
    import pytest
    pytestmark = pytest.mark.asyncio
"""
ANYIO = """
    import pytest
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(): return "asyncio"
"""
RUN = """
    import asyncio, functools

    def runs(test):
        @functools.wraps(test)
        def run(**fixtures): asyncio.run(test(**fixtures), debug=True)
        return run
"""
USES = """
    from peer.signaling import negotiate
    from peer import RTCPeerConnection
    import asyncio

    async def test_pair(connected_pair):
        async with connected_pair() as (a, b):
            assert a.connectionState == b.connectionState == "connected"

    async def test_page(connected_page):
        async with connected_page() as (pc, page):
            assert await page.evaluate("return state.pc.connectionState") == "connected"

    async def test_parts(open_page, page_signaling, recorded, troubled, recording):
        pc = RTCPeerConnection()
        async with (
            open_page() as page,
            page_signaling(page) as signaling,
            troubled(signaling, lambda *_: Fate((0.001,))) as signaling,
            recorded(ours=pc, theirs=page),
        ):
            channel = pc.createDataChannel("chat")
            channel.onopen = lambda _: asyncio.create_task(pc.close())
            await negotiate(pc, signaling, polite=True)
        assert {"ours", "theirs", "here", "there"} == {entry["peer"] for entry in recording}
"""
FATE = """
    from peer.testing import Fate
"""


@pytest.fixture
def project(pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody else's, in which warnings are errors."""
    pytester.makeini("[pytest]\nfilterwarnings = error")
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.delenv("CI", raising=False)
    return pytester


def run(project, source, *arguments):
    project.makepyfile(source)
    if "no:asyncio" not in arguments:  # which warns of what is not said
        arguments = "-o", "asyncio_default_fixture_loop_scope=function", *arguments
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        pytest.param(ASYNCIO + FATE + USES, ["-p", "no:anyio"], id="pytest-asyncio"),
        pytest.param(ANYIO + FATE + USES, ["-p", "no:asyncio"], id="anyio"),
        pytest.param(
            RUN + FATE + USES.replace("    async def test", "    @runs\n    async def test"),
            ["-p", "no:asyncio", "-p", "no:anyio"],
            id="asyncio.run",
        ),
    ],
)
def test_fixtures_work_wherever_asyncio_runs(browser, project, source, arguments):
    if source.startswith(ANYIO):
        pytest.importorskip("anyio")
    result = run(project, source, "--browser", browser.name, *arguments)
    result.assert_outcomes(passed=3)


def test_each_browser_that_is_named_takes_its_turn(project):
    source = "def test_it(peer_browser_name): print('this is', peer_browser_name)"
    for arguments, names in [
        ([], ["chromium", "firefox"]),
        (["--browser", "firefox"], ["firefox"]),
        (["--browser", "firefox", "--browser", "chromium", "--browser", "firefox"], ["firefox", "chromium"]),
        (["-m", "not browser"], []),
    ]:
        result = run(project, source, "-rP", *arguments)
        assert [line.split()[2] for line in result.outlines if line.startswith("this is")] == names
    result = run(project, source, "--browser", "lynx")
    result.stderr.fnmatch_lines(["*argument --browser: invalid choice: 'lynx'*"])


def test_arguments_are_fixtures_that_users_define_anew(browser, project):
    source = """
        import asyncio, pytest
        from peer.testing import Trouble

        @pytest.fixture
        def peer_configuration(): return {"iceCandidatePoolSize": 1, "bundlePolicy": "max-bundle"}

        @pytest.fixture
        def trouble(): return Trouble(seed=3, delay=0.01)

        @pytest.fixture
        def browser_arguments(peer_browser_name):
            return ["--user-agent=mine"] if peer_browser_name == "chromium" else []

        @pytest.fixture
        def browser_preferences(): return {"general.useragent.override": "mine"}

        def test_it(connected_page, connected_pair, recording):
            async def main():
                async with connected_page() as (pc, page), connected_pair() as pair:
                    for each in (pc, *pair):
                        assert each.getConfiguration()["bundlePolicy"] == "max-bundle"
                    assert await page.evaluate("return state.pc.getConfiguration().bundlePolicy") == "max-bundle"
                    assert await page.evaluate("return navigator.userAgent") == "mine"
            asyncio.run(main())
            assert {"page", "a", "b"} <= {entry["peer"] for entry in recording if "delayed by" in str(entry["value"])}

        class TestHere:
            @pytest.fixture
            def trouble(self): return Trouble(drop=1)

            def test_it(self, connected_pair):
                async def main():
                    async with connected_pair(timeout=0.1): pass
                with pytest.raises(TimeoutError): asyncio.run(main())
    """
    run(project, source, "--browser", browser.name).assert_outcomes(passed=2)


def test_a_test_that_fails_shows_the_timeline_of_both_sides(browser, project):
    source = """
        import asyncio, pytest

        @pytest.fixture
        def falls():
            yield
            raise ValueError

        def test_fails(connected_page, falls):
            async def main():
                async with connected_page() as (pc, page):
                    raise ZeroDivisionError
            asyncio.run(main())

        def test_passes(connected_pair):
            async def main():
                async with connected_pair(names=("silent", "mute")): pass
            asyncio.run(main())

        def test_falls_in_the_end(recording, falls):
            recording.append({"time": 0.0, "peer": "dog", "event": "barks", "value": None})
    """
    result = run(project, source, "--browser", browser.name)
    result.assert_outcomes(passed=2, failed=1, errors=2)
    output = result.stdout.str()
    assert output.count("- timeline -") == 2
    for line in ("python  connection  connected", "page    connection  connected", "dog  notes       barks"):
        assert len(re.findall(rf"(?m)^ +\d+\.\d  {line}$", output)) == 1, line
    assert "mute " not in output


def test_a_missing_browser_is_a_loud_skip_and_a_failure_of_ci(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    result = run(project, "def test_it(open_page): pass")
    result.assert_outcomes(skipped=2)
    for name, commands in {"Chromium": "chromium or *", "Firefox": "firefox-esr or firefox"}.items():
        result.stdout.fnmatch_lines([f"tests with {name} were SKIPPED: no {commands} on PATH"])
    monkeypatch.setenv("CI", "true")
    run(project, "def test_it(open_page): pass").assert_outcomes(errors=2)


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, 0), (signal.SIGKILL, 0), (signal.SIGKILL, 1)], ids=str
)
def test_no_browser_outlives_the_tests_whatever_ends_them(browser, project, number, workers):
    project.makepyfile("""
        import asyncio

        def test_it(open_page, peer_browser):
            async def main():
                async with open_page():
                    with open("directory", "w") as told:
                        print(peer_browser.process.directory, file=told)
                    await asyncio.Event().wait()
            asyncio.run(main())
    """)
    os.mkfifo(project.path / "directory")
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:asyncio", "-p", "no:cacheprovider", f"-n{workers}"]
    with subprocess.Popen(
        [*command, "--browser", browser.name],
        cwd=project.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as tests:
        directory = Path((project.path / "directory").read_text().strip())
        assert started_in(directory)
        tests.send_signal(number)
        tests.communicate()  # whoever guards the browser has the other end, too
    assert not directory.exists()
    deadline = time.monotonic() + 10
    while left := started_in(directory):  # killed, and going
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def started_in(directory):
    """The processes of the browser that has its files in *directory*; those that have ended have no environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"HOME={directory}\0".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text(errors="replace").replace("\0", " "))
    return found


def test_a_script_that_fails_is_shown_where_the_test_runs_it(browser, project):
    source = """
        import asyncio

        def test_it(open_page):
            async def main():
                async with open_page() as page:
                    await page.evaluate("() => nope()")
            asyncio.run(main())
    """
    result = run(project, source, "--browser", browser.name)
    result.stdout.fnmatch_lines(
        [
            '>*await page.evaluate("() => nope()")',
            "E *PageError: ReferenceError: nope is not defined",
            "E *in the script, line 1: () => nope()",
            "*test_a_script_that_fails_is_shown_where_the_test_runs_it.py:6: PageError",
        ]
    )


def test_it_is_registered_by_its_own_name_so_that_p_does_not_load_it_twice(pytestconfig):
    project = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"pytest_aiortc_peer": "pytest_aiortc_peer"}


def test_what_does_not_use_it_does_not_load_it(project):
    source = """
        import sys

        def test_it(): assert not {"peer", "aiortc", "aiohttp"} & set(sys.modules)
    """
    run(project, source).assert_outcomes(passed=1)


def test_the_package_does_not_need_it():
    program = (
        "import sys, peer, peer.signaling, peer.tools; print({'pytest', 'aiohttp', 'peer.testing'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
