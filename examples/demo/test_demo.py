"""The demo as a user runs it: what it prints, how it ends, and that nothing it starts outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from examples.demo.__main__ import PYTHON, SECOND, race, second_peer, serve
from examples.demo.python_peer import Socket
from examples.demo.timeline import Timeline
from peer.testing import Browser, Page
from peer.tools import as_svg, as_text, parse

ROOT = Path(__file__).parents[2]
OFFERS = pytest.mark.parametrize("offer", ["page", "python"])


class Demo:
    """The demo's process, in a temporary directory of its own, with a mark on everything that it starts."""

    def __init__(self, directory: str, *arguments: str, path: str | None = None) -> None:
        self.directory = Path(directory)
        self._mark = f"DEMO_TEST={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        environment = os.environ | {"PYTHONASYNCIODEBUG": "1", "TMPDIR": directory, name: value}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo", *arguments],
            cwd=ROOT,
            env=environment | ({"PATH": path} if path else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> tuple[str, str]:
        """What it prints until it ends, and what it complains about."""
        return self.process.communicate(timeout=45)

    def wait_for_line(self, pattern: str) -> str:
        """Read until a line matches; return it."""
        assert self.process.stdout
        for line in self.process.stdout:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"the demo ended without a line that matches {pattern}")

    def wait_for_processes(self, count: int) -> None:
        """Wait until it has started so many."""
        deadline = time.monotonic() + 30
        while len(self.processes()) < count:
            assert time.monotonic() < deadline, self.processes()
            time.sleep(0.01)

    def wait_for_delivery(self) -> None:
        """Wait until no signal that was sent is still to be delivered."""
        status = Path(f"/proc/{self.process.pid}/status")
        while int(re.search(r"ShdPnd:\s*(\w+)", status.read_text())[1], 16):
            time.sleep(0.001)

    def processes(self) -> list[str]:
        """The processes that bear the mark, the demo's own included; those that have ended have no environment."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (directory / "environ").read_bytes():
                    found.append((directory / "cmdline").read_text(errors="replace").replace("\0", " "))
        return found

    def assert_nothing_left(self) -> None:
        assert self.processes() == []
        assert list(self.directory.iterdir()) == []


@pytest.fixture
def directory() -> Iterator[str]:
    """Not pytest's tmp_path: a browser's sockets are files in it, and their paths have to be short."""
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as path:
        yield path


@contextlib.contextmanager
def started(demo: Demo) -> Iterator[Demo]:
    """Whatever happens to the test, the demo ends."""
    with demo.process:
        try:
            yield demo
        finally:
            demo.process.terminate()


def rows(output: str) -> list[tuple[float, str, str, str]]:
    """The timeline: milliseconds, side, lane, and what has happened."""
    found = re.findall(r"(?m)^ *(\d+\.\d)  (Python 2|Python|page) +(\S+) +(\S.*)$", output)
    return [(float(ms), *rest) for ms, *rest in found]


def check_timeline(output: str, other: str, offer: str) -> None:
    """Check what every run prints; *other* is who the Python peer talks to."""
    timeline = rows(output)
    assert [ms for ms, *_ in timeline] == sorted(ms for ms, *_ in timeline)
    for side in ("Python", other):
        events = [what for _, its_side, _, what in timeline if its_side == side]
        kind = "offer" if (side == "Python") == (offer == "python") else "answer"
        candidates = [what for _, its_side, lane, what in timeline if (its_side, lane) == (side, "candidates")]
        assert candidates, output
        assert events.index(f"{kind} sent") < events.index(candidates[0]), output
        assert re.fullmatch(r"host \S+:\d+", candidates[0]), output
        assert candidates[-1] == "null", output
        if side != "page":  # a Chromium page has no marker
            assert candidates[-2] == 'marker ""', output
        assert {"open demo", "checking", "connected"} <= set(events), output
    assert re.search(r"(?m)^data channel open after \d+ ms$", output), output
    assert re.search(rf"(?m)^Python to {other}: Hello from aiortc-peer ", output), output
    assert re.search(rf"(?m)^{other} to Python: Hello from \w+", output), output
    assert len(output.splitlines()) <= 60
    assert "\x1b" not in output  # colours are for terminals


@OFFERS
def test_a_page_in_a_browser(peer_browser: Browser, offer: str, directory: str) -> None:
    with started(Demo(directory, "--browser", peer_browser.name, "--offer", offer)) as demo:
        output, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (0, ""), output
    check_timeline(output, "page", offer)
    pattern = r"succeeded: (host|prflx)( \S+)? → (host|prflx)( \S+)?"
    assert any(re.fullmatch(pattern, what) for _, *row, what in rows(output) if row == ["page", "checks"]), output
    demo.assert_nothing_left()


@OFFERS
def test_two_python_peers(offer: str, directory: str) -> None:
    with started(Demo(directory, "--browser", "none", "--offer", offer)) as demo:
        output, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (0, ""), output
    check_timeline(output, "Python 2", offer)
    demo.assert_nothing_left()


def test_it_writes_a_recording_and_its_picture(directory: str, tmp_path: Path) -> None:
    name = str(tmp_path / "both")
    with started(Demo(directory, "--browser", "none", "--write", name)) as demo:
        output, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (0, ""), output
    assert output.endswith(f"\n{name}.jsonl has it all, {name}.html a picture of it\n")
    recording = parse(Path(f"{name}.jsonl").read_text(encoding="utf-8"))
    assert [line for line in as_text(recording).splitlines() if line not in output.splitlines()] == []
    assert as_svg(recording) in Path(f"{name}.html").read_text(encoding="utf-8")


def test_without_a_browser_it_runs_two_python_peers(directory: str) -> None:
    with started(Demo(directory, path="/nowhere")) as demo:
        output, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (0, ""), output
    check_timeline(output, "Python 2", "page")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("processes", [2, 5])  # while the browser starts: its first process, and some of its children
def test_a_signal_leaves_nothing_behind(
    peer_browser: Browser, number: signal.Signals, processes: int, directory: str
) -> None:
    with started(Demo(directory, "--browser", peer_browser.name)) as demo:
        demo.wait_for_line("opens http")
        demo.wait_for_processes(processes)
        demo.process.send_signal(number)
        _, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (128 + number, "")
    demo.assert_nothing_left()


def test_a_signal_in_the_middle_of_the_conversation(peer_browser: Browser, directory: str) -> None:
    with started(Demo(directory, "--browser", peer_browser.name)) as demo:
        demo.wait_for_line("event$")
        demo.process.send_signal(signal.SIGTERM)
        demo.wait_for_delivery()
        demo.process.send_signal(signal.SIGINT)  # impatience does not stop the tidying up
        _, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (128 + signal.SIGTERM, "")
    demo.assert_nothing_left()


def test_open_waits_for_the_users_browser(peer_browser: Browser, directory: str) -> None:
    """Two visits, then Ctrl-C. The user's browser is the demo's launcher, run from outside."""
    with started(Demo(directory, "--open", "--timeout", "0")) as demo:
        address = demo.wait_for_line("^Open ").split()[1]
        for _ in range(2):
            show = "import asyncio, sys; from examples.demo.browser import browse; "
            show += "asyncio.run(asyncio.wait_for(browse(sys.argv[1], sys.argv[2]), 45))"
            visit = [sys.executable, "-c", show, peer_browser.name, address]
            with subprocess.Popen(visit, cwd=ROOT, stderr=subprocess.DEVNULL) as visitor:
                demo.wait_for_line("^page to Python: Hello from")
                visitor.send_signal(signal.SIGINT)
        demo.process.send_signal(signal.SIGINT)
        _, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (0, "")
    demo.assert_nothing_left()


SHOW = """
const frame = document.createElement("iframe");
frame.style.width = "1600px";
frame.srcdoc = args[0];
document.body.append(frame);
await new Promise((resolve) => (frame.onload = resolve));
const inside = frame.contentDocument;
await new Promise((resolve) => {
    const look = () => {
        if (inside.querySelectorAll("#words p").length === 3) resolve();
    };
    new MutationObserver(look).observe(inside.body, { childList: true, subtree: true });
    look();
});
const { clientWidth, scrollWidth } = inside.getElementById("picture");
return {
    cut: scrollWidth - clientWidth,
    labels: Array.from(inside.querySelectorAll("#picture svg text"), (text) => text.textContent),
    lines: inside.getElementById("lines").textContent,
};
"""


async def test_its_page_shows_the_timeline_and_draws_it(
    open_page: Callable[[], AbstractAsyncContextManager[Page]], directory: str
) -> None:
    async with open_page() as page:
        with started(Demo(directory, "--open", "--timeout", "0")) as demo:
            host = (await asyncio.to_thread(demo.wait_for_line, "^Open ")).split("/")[2]
            html = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
            html = html.replace("checks.js", f"http://{host}/checks.js").replace("${location.host}", host)
            shown = await page.evaluate(SHOW, html)
            demo.process.send_signal(signal.SIGINT)
            output, _ = await asyncio.to_thread(demo.finish)
    assert {line.strip() for line in shown["lines"].splitlines()} <= {line.strip() for line in output.splitlines()}
    assert shown["cut"] == 0
    assert {"page", "Python", "candidates", "offer sent", "answer sent", "open demo"} <= set(shown["labels"])


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no display >&2; exit 3", r"\S+/chromium has ended by itself with status 3; its last words: no display"),
        ("sleep 60 & setsid sleep 1 & exec sleep 60", r"After 0.5 s nobody has opened http://127.0.0.1:\d+/."),
    ],
)
def test_it_says_what_is_missing(script: str, sentence: str, directory: str, tmp_path: Path) -> None:
    chromium = tmp_path / "chromium"
    chromium.write_text(f"#!/bin/sh\n{script}\n")
    chromium.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with started(Demo(directory, "--browser", "chromium", "--timeout", "0.5", path=path)) as demo:
        _, complaints = demo.finish()
    assert demo.process.returncode == 1
    assert re.fullmatch(sentence, complaints.strip())
    demo.assert_nothing_left()


def test_it_says_what_it_cannot_write(directory: str) -> None:
    with started(Demo(directory, "--browser", "none", "--write", "/nowhere/both")) as demo:
        _, complaints = demo.finish()
    assert (demo.process.returncode, complaints) == (1, "Cannot write /nowhere/both.jsonl: No such file or directory\n")


async def test_only_the_first_of_two_python_peers_says_why_it_leaves() -> None:
    async def leave(visitors: asyncio.Queue[Socket]) -> None:
        first = await visitors.get()
        await first.close()
        async with aiohttp.ClientSession() as session, session.get(url):  # by then the second one has seen it
            raise BrokenPipeError

    async with serve() as (url, visitors):
        with pytest.raises(BrokenPipeError):
            await race(second_peer(url, Timeline(PYTHON, SECOND)), leave(visitors))


@pytest.mark.parametrize("steps", range(4))  # of the event loop, in which it accepts the connection, or has not yet
async def test_one_who_comes_at_the_end_does_no_harm(steps: int) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with serve() as (url, visitors):
        host, _, port = url.removeprefix("http://").removesuffix("/").partition(":")
        late = socket.create_connection((host, int(port)))
        for _ in range(steps):
            await asyncio.sleep(0)
    late.close()
    assert complaints == []
    assert visitors.empty()


@pytest.mark.parametrize("line", ["Two Python peers", "is there", "event$"])
def test_a_reader_that_leaves_ends_it(line: str, directory: str) -> None:
    with started(Demo(directory, "--browser", "none")) as demo:
        demo.wait_for_line(line)
        assert demo.process.stdout
        assert demo.process.stderr
        demo.process.stdout.close()
        assert demo.process.stderr.read() == ""
        assert demo.process.wait(45) == 1


def test_a_browser_that_is_not_there(directory: str) -> None:
    with started(Demo(directory, "--browser", "firefox", path="/nowhere")) as demo:
        _, complaints = demo.finish()
    assert demo.process.returncode == 1
    assert complaints == "There is no firefox-esr or firefox on the PATH; --browser none does without.\n"
