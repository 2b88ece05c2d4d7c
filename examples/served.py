"""What the tests of the examples share: an example as its user runs it, and its page in a real browser.

async def test_it(open_page):
    async with open_page() as page, running("chat", page) as chat:
        await chat.open("it")
        await chat.until("it", "page.title === 'aiortc-peer: chat'")
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import aiohttp

TOP = Path(__file__).parents[1]  # from where an example is run
PATIENCE = 20  # seconds, after which a test fails and says what it sees

# The page, as the server gives it, in a frame that the test may look into: one of the same origin, whose links lead to
# the server all the same.
OPEN = """
    const [name, html, url] = args;
    const frame = document.createElement("iframe");
    frame.srcdoc = html.replace("<meta charset", `<base href="${url}">$&`);
    document.body.append(frame);
    await new Promise((resolve) => { frame.onload = resolve; });
    frame.contentWindow.onunhandledrejection = ({reason}) => send({error: String(reason)});
    state[name] = frame;
    state.until = async (name, holds) => {
        const page = state[name].contentDocument;
        while (!holds(page)) {
            await new Promise((resolve) => {
                const watcher = new MutationObserver(() => { watcher.disconnect(); resolve(); });
                watcher.observe(page, {subtree: true, childList: true, characterData: true, attributes: true});
            });
        }
    };
"""


class Served:
    """A server, and its pages in a browser."""

    def __init__(self, process, page):
        self.process, self._page = process, page  # None for a server that has no page
        self.url = ""

    async def line(self, pattern):
        """Read until a line matches; return the match."""
        async for line in self.process.stdout:
            if found := re.search(pattern, line.decode()):
                return found
        raise AssertionError(f"it ended without a line that matches {pattern}")

    async def begin(self):
        self.url = (await self.line(r"Running on (http://\S+) "))[1] + "/"

    async def open(self, name, query=""):
        """Open the page, under a *name* of the test's."""
        async with aiohttp.ClientSession() as session, session.get(self.url) as response:
            await self._page.evaluate(OPEN, name, await response.text(), self.url + query)

    async def close(self, name):
        await self._page.evaluate("state[args[0]].remove()", name)

    async def until(self, name, condition):
        """Wait until *condition*, about the document `page`, holds; it is looked at when that changes."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._page.evaluate(f"await state.until(args[0], (page) => {condition})", name)
        except TimeoutError:
            shown = await self._page.evaluate("return state[args[0]].contentDocument.body.innerText", name)
            told = [self._page.messages.get_nowait() for _ in range(self._page.messages.qsize())]
            seen = f"the page shows\n{shown}\nand told {told}"
            raise AssertionError(f"not for {PATIENCE} s: {condition}; {seen}") from None

    async def do(self, name, script, *args):
        """Run *script*, with `page`, the document."""
        async with asyncio.timeout(PATIENCE):
            await self._page.evaluate(f"const page = state[args[0]].contentDocument; {script}", name, *args)


def running(name, page=None, *arguments, inside=()):
    """Run the server of an example, with another command around it, such as one for a network."""
    return served(page, *_command(name, "--port", "0", *arguments, inside=inside), cwd=TOP)


def starting(name, *arguments, inside=()):
    """Start an example, as one that may have no server."""
    return started(*_command(name, *arguments, inside=inside), cwd=TOP)


async def refusal(name, *arguments):
    """What an example says when it cannot use these *arguments*. It ends with the status that argparse has for that."""
    async with starting(name, *arguments) as process:
        _, complaints = await process.communicate()
    assert process.returncode == 2
    return complaints.decode()


def _command(name, *arguments, inside):
    return *inside, sys.executable, "-W", "error", "-m", f"examples.{name}", *arguments


@contextlib.asynccontextmanager
async def served(page, *command, cwd: Path, env: Mapping[str, str] | None = None):
    """Run a server; it must have nothing to complain about, and end when it is told to, whoever is there."""
    async with started(*command, cwd=cwd, env=env) as process:
        server = Served(process, page)
        await server.begin()
        try:
            yield server
        except BaseException as error:
            process.kill()
            _, complaints = await process.communicate()
            error.add_note(f"the server complains: {complaints.decode()}")
            raise
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()
        assert (process.returncode, complaints.decode()) == (0, "")
    assert page is None or page.messages.empty()


@contextlib.asynccontextmanager
async def started(*command, cwd: Path, env: Mapping[str, str] | None = None):
    """Start a program; at the end it has ended."""
    threads = set(threading.enumerate())
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    waiting = set(threading.enumerate()) - threads  # some versions of Python wait for a process in a thread
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        for thread in waiting:
            thread.join()
