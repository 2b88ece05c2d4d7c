"""README.md, docs/ and the pages of examples/ are short, true, and lead somewhere: what they show is run here.

A page is read from top to bottom by a reader in an empty directory. A program whose first line names a file is kept in
that file, until a command uses it; any other program is run, and so are commands. What they print must be what the page
shows behind them, but for numbers. The page must not show anything that its reader has not run.

There are no servers of the name example.org: the reader puts another one there. Nor is port 8080 always free.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from servers import running

from examples.media.test_media import film
from examples.served import PATIENCE, Served, served, started
from peer import RTCPeerConnection
from peer.signaling import add_signaling, negotiate

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
BIN = Path(sys.executable).parent  # is ready: the Makefile need not make an environment
MAKE = f"make -f {ROOT / 'Makefile'} BIN={BIN} -o {BIN / 'ready'}"
SNIPPET = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@dataclass
class Snippet:
    """Something that a page shows: a program, a command, or what they print."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that its first line names."""
        found = re.match(r"(?:#|<!--) (\w+\.\w+)(?: -->)?$", self.text, re.MULTILINE)
        return found and found[1]


def snippets(page: Path) -> list[Snippet]:
    return [Snippet(*found) for found in SNIPPET.findall(page.read_text())]


class Reader:
    """Reads a page, and does what it says, in an empty *directory*, with other words *instead* of some."""

    def __init__(self, page: Path, directory: Path, instead: Mapping[str, str]) -> None:
        self.unread = snippets(page)
        for snippet in self.unread:
            for word, other in instead.items():
                snippet.text = snippet.text.replace(word, other)
        self.directory = directory
        self._unused: set[str] = set()  # files that no command has used since they were written

    @property
    def done(self) -> bool:
        return not self.unread and not self._unused

    def step(self) -> str:
        """Do what comes next; returns what it prints."""
        snippet = self.unread.pop(0)
        match snippet.language:
            case "diff":
                self._change(snippet.text)
            case "python" | "html" | "ini" if snippet.file:
                (self.directory / snippet.file).write_text(snippet.text)
                self._unused.add(snippet.file)
            case "python":
                return self._run([sys.executable, "-c", snippet.text])
            case "sh":
                return self._run(["sh", "-e", "-c", self.use(snippet.text)])
            case other:
                raise AssertionError(f"nobody knows what to do with {other!r}")
        return ""

    def use(self, command: str) -> str:
        """The *command*, which uses the files that it names, and those that these name."""
        new, named = self._unused, command
        while used := {name for name in new if Path(name).stem in named}:
            named += "".join((self.directory / name).read_text() for name in used)
            new = new - used
        self._unused = new
        return command

    def _change(self, diff: str) -> None:
        nothing, *hunks = re.split(r"(?m)^@@ (\w+\.\w+).*\n", diff)
        assert nothing == ""
        for name, hunk in zip(hunks[::2], hunks[1::2], strict=True):
            lines = [line or " " for line in hunk.splitlines()]
            assert {line[0] for line in lines} <= set(" +-")
            old, new = ("\n".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
            text = (self.directory / name).read_text()
            assert text.count(old) == 1
            (self.directory / name).write_text(text.replace(old, new))
            self._unused.add(name)

    def _run(self, command: list[str]) -> str:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=50,
            cwd=self.directory,
            env=environment(HOME=str(self.directory)),
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
        if self.unread and self.unread[0].language == "text":
            assert without_numbers(ran.stdout) == without_numbers(self.unread.pop(0).text)
        return ran.stdout


def environment(**more: str) -> dict[str, str]:
    """That of a user who has installed the package, and wants to know of each warning."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ours = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1"}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return {**plain, **ours, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}


def without_numbers(text: str) -> str:
    """*text* with all numbers alike, and the blanks that make columns of them."""
    return re.sub(r" +", " ", re.sub(r"[\d.]*\d", "0", text))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def reading(name: str, directory: Path, instead: Mapping[str, str] | None = None) -> Iterator[Reader]:
    """Read a page, to its end."""
    reader = Reader(ROOT / name, directory, instead or {})
    yield reader
    assert reader.done, "there is something on the page that was not run"


def read_all(name: str, directory: Path, instead: Mapping[str, str] | None = None) -> None:
    """Read a page that needs nobody's help."""
    with reading(name, directory, instead) as reader:
        while reader.unread:
            reader.step()


# The pages, one by one


def test_the_first_five_minutes(tmp_path):
    with reading("README.md", tmp_path, {"make demo": f"{MAKE} demo"}) as reader:
        reader.step()
        assert (tmp_path / "timeline.html").exists()
        assert reader.step() == "hello\n"


async def test_talk_to_a_browser(page, tmp_path):
    port = free_port()
    with reading("docs/talk-to-a-browser.md", tmp_path, {"port=8080": f"port={port}"}) as reader:
        reader.step()
        reader.step()
        command = reader.use(reader.unread.pop(0).text)
        server = functools.partial(served, page, *shlex.split(command), cwd=tmp_path, env=environment())
        async with server() as talk:
            await talk.open("it")
            await talk.until("it", "page.body.textContent.includes('You said: hello')")
        reader.step()
        reader.use(command)
        async with server() as talk:
            await talk.open("it")
            await talk.until("it", "page.body.textContent.includes('You said: hello')")
            await talk.do("it", SEEN)


# An answer is not set before an offer has come.
LATE_ANSWER = """
<script>
let tell;
const offered = new Promise((resolve) => { tell = resolve; });
window.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url);
    this.addEventListener("message", ({ data }) => { if (JSON.parse(data).description?.type === "offer") tell(); });
  }
};
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
  if (description.type === "answer") await offered;
  return set.call(this, description);
};
</script>
"""


async def test_a_page_takes_an_offer_that_comes_before_the_answer_is_set(page):
    files = {snippet.file: snippet.text for snippet in snippets(ROOT / "docs/talk-to-a-browser.md")}
    html = files["page.html"].replace("<script>", LATE_ANSWER + "<script>")
    answered_twice = asyncio.get_running_loop().create_future()

    async def meet(signaling, request):
        pc = RTCPeerConnection()

        def changed(_):
            if pc.signalingState == "stable" and not pc.getTransceivers():
                pc.addTransceiver("audio")
            elif pc.signalingState == "stable":
                answered_twice.set_result(None)

        pc.onsignalingstatechange = changed
        try:
            await negotiate(pc, signaling, polite=True)
        finally:
            await pc.close()

    async def show(request):
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    add_signaling(app, "/signaling", meet)
    async with running(app) as url:
        talk = Served(None, page)
        talk.url = url
        await talk.open("it")
        async with asyncio.timeout(PATIENCE):
            await answered_twice
        await talk.close("it")


SEEN = """
    const video = page.querySelector("video");
    while (!video.videoWidth) await new Promise((resolve) => { video.onresize = resolve; });
    if (video.videoWidth !== 640) throw new Error(`it is ${video.videoWidth} pixels wide`);
"""


def test_test_with_a_browser(browser, tmp_path):
    plugins = "-p pytest_asyncio.plugin -p pytest_aiortc_peer"
    chosen = {"-m pytest": f"-m pytest {plugins} --browser {browser.name}"}
    read_all("docs/test-with-a-browser.md", tmp_path, chosen)


def test_restart_ice(tmp_path):
    read_all("docs/restart-ice.md", tmp_path)


@pytest.mark.parametrize("turn", ["user:password"], indirect=True)
def test_turn(tmp_path, turn):
    server = re.search(r"127\.0\.0\.1:\d+", turn["urls"][0])[0]
    read_all("docs/turn.md", tmp_path, dict.fromkeys(("turn.example.org", "stun.example.org"), server))


def test_move_from_aiortc(tmp_path):
    read_all("docs/from-aiortc.md", tmp_path)


# The examples: that each command starts, and ends, and the programs. What the servers do is tested in their folders.

DEVICE = "--webcam color=blue --format lavfi"  # FFmpeg's own: where tests run, there is no other


def serving(reader, port=0):
    """What the next commands of the page start: each line is a server."""
    for line in reader.use(reader.unread.pop(0).text).splitlines():
        command = shlex.split(line, comments=True)
        yield served(None, *command, "--port", str(port), cwd=reader.directory, env=environment())


@pytest.mark.parametrize(
    ("name", "count"),
    [("examples/chat/README.md", 1), ("examples/file_transfer/README.md", 1), ("examples/media/README.md", 4)],
)
async def test_an_example_of_servers(name, count, tmp_path):
    instead = {"--webcam default:none --format avfoundation": DEVICE, "--webcam  ": f"{DEVICE}  "}
    film(tmp_path / "film.mkv")
    (tmp_path / "film.mkv").rename(tmp_path / "film.mp4")
    with reading(name, tmp_path, instead) as reader:
        servers = list(serving(reader))
        assert len(servers) == count
        for server in servers:
            async with server as example, aiohttp.ClientSession() as session, session.get(example.url) as page:
                assert "<!doctype html>" in await page.text()


@pytest.mark.parametrize("name", ["examples/one_shot/README.md", "examples/perfect_negotiation/README.md"])
async def test_an_example_of_a_server_and_a_program(name, tmp_path):
    port = free_port()
    with reading(name, tmp_path, {"8080": str(port)}) as reader:
        (server,) = serving(reader, port)
        async with server:
            assert await asyncio.to_thread(reader.step)


async def test_the_example_of_two_machines(tmp_path):
    port = free_port()
    instead = {"0.0.0.0": "127.0.0.1", "192.168.1.2:8080": f"127.0.0.1:{port}"}
    with reading("examples/two_machines/README.md", tmp_path, instead) as reader:
        (server,) = serving(reader, port)
        async with server:
            command = shlex.split(reader.use(reader.unread.pop(0).text), comments=True)
            async with started(*command, cwd=tmp_path, env=environment()) as caller:
                output, complaints = await caller.communicate()
        shown = reader.unread.pop(0).text
    assert (caller.returncode, complaints) == (0, b"")
    pair = re.compile(r"(?m)^.* \((?:host|prflx)\) to .*$")  # of this host, whose addresses nobody knows
    assert without_numbers(pair.sub("a pair", output.decode())) == without_numbers(pair.sub("a pair", shown))


def test_the_example_of_a_timeline(tmp_path):
    with reading("examples/demo/README.md", tmp_path, {"make demo ": f"{MAKE} demo "}) as reader:
        reader.step()
        assert (tmp_path / "timeline.html").exists()
        assert reader.unread.pop(0).text.startswith("make demo-open ")  # see the last test


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "examples").glob("*/README.md")))
def test_the_options_that_an_example_names_are_its_own(folder):
    command = [sys.executable, "-m", f"examples.{folder.name}", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for option in re.findall(r"[` ](--[a-z-]+)", (folder / "README.md").read_text()):
        assert re.search(rf"{option}\b", told)


# All pages


def test_each_page_has_a_test():
    tests = Path(__file__).read_text()
    for page in PAGES:
        if snippets(page):
            assert f'"{page.relative_to(ROOT)}"' in tests


@each_page
def test_all_that_looks_like_a_snippet_is_one(page):
    languages = {snippet.language for snippet in snippets(page)}
    assert languages <= {"python", "html", "ini", "diff", "sh", "text"}
    between = SNIPPET.sub("", page.read_text())
    assert "```" not in between
    assert not re.search(r"(?m)^(?: {4}|\t)", between)  # the other form of a snippet, which nobody would run


@each_page
def test_a_snippet_is_read_at_a_glance(page):
    for snippet in snippets(page):
        assert snippet.text.count("\n") <= 45
        assert max(map(len, snippet.text.splitlines())) <= 120


@each_page
def test_its_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        assert (page.parent / target).exists()


@each_page
def test_its_lines_fit(page):
    for line in page.read_text().splitlines():
        assert len(line) <= 140 or line.startswith("|")


def test_the_readme_is_read_in_a_minute():
    assert README.read_text().count("\n") < 150


def test_the_index_has_all_pages():
    pages = {page.name for page in PAGES if page.parent.name == "docs"} - {"README.md"}
    assert set(re.findall(r"(?m)^\| \[.*?\]\((.*?)\)", (ROOT / "docs" / "README.md").read_text())) == pages
    assert set(re.findall(r"\]\(docs/(.*?)\)", README.read_text())) == pages


def test_commands_of_make_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", README.read_text(), re.MULTILINE))
    assert {"demo", "demo-open", "test"} <= commands
    for command in commands:
        assert re.search(f"^{command}:", makefile, re.MULTILINE)


def test_make_demo_open_runs_what_the_tests_of_the_demo_run():
    dry = subprocess.run(["make", "-n", "demo-open"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "-m examples.demo --open\n" in dry.stdout
