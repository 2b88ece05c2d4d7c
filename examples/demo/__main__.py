"""A page and a Python peer connect, and one timeline shows what both see: ``python -m examples.demo``."""

import argparse
import asyncio
import contextlib
import functools
import json
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from socket import create_server
from typing import Any

import aiohttp
from aiohttp import web

from peer import testing
from peer.testing import PROGRAMS, find_browser
from peer.tools import as_html, as_line, as_svg, now

from .browser import browse
from .python_peer import Socket, talk
from .timeline import Missing, Timeline

PYTHON, PAGE, SECOND = "Python", "page", "Python 2"
PINGS = 8
SCRIPT = Path(testing.__file__).with_name("checks.js")  # what the page tells of checks, as recorded pages do


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--open", action="store_true", help="leave the page for your own browser, until Ctrl-C")
    who.add_argument("--browser", choices=[*PROGRAMS, "none"], help="default: the first one there is")
    parser.add_argument("--offer", choices=["page", "python"], default="page", help="who offers (default: page)")
    parser.add_argument("--timeout", type=float, default=20, metavar="SECONDS", help="not with --open (default: 20)")
    parser.add_argument("--write", metavar="NAME", help="write NAME.jsonl, a recording, and NAME.html, its picture")
    try:
        return asyncio.run(until_signal(parser.parse_args()))
    except BrokenPipeError:  # nobody reads on; Python would complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


async def until_signal(options: argparse.Namespace) -> int:
    """Run the demo until it is done or a signal ends it; return its exit status."""
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = math.inf  # debug mode would report them between the rows
    this_task = asyncio.current_task()
    signals: list[int] = []

    def stop(number: int) -> None:
        if not signals and this_task:  # a second Ctrl-C must not disturb the tidying up after the first
            this_task.cancel()
        signals.append(number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        async with serve() as (url, visitors):
            if options.open:
                await receive_visitors(url, visitors, options)
            else:
                await run_once(url, visitors, options)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        if not signals:
            raise
        return 0 if options.open and signals[0] == signal.SIGINT else 128 + signals[0]
    return 0


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[tuple[str, asyncio.Queue[Socket]]]:
    """Serve the page and its script at a free port; give its address, and a queue of those who opened it."""
    visitors: asyncio.Queue[Socket] = asyncio.Queue()
    over = asyncio.Event()

    async def file(path: Path, request: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers={"Cache-Control": "no-store"})

    async def signalling(request: web.Request) -> web.WebSocketResponse:
        # Uncompressed, aiohttp writes messages in the order of the calls; a compressed one may take a while in a
        # thread, and candidates overtake their description.
        socket = web.WebSocketResponse(compress=False, timeout=1)
        await socket.prepare(request)
        visitors.put_nowait(socket)
        await over.wait()  # when this function returns, aiohttp closes the socket
        return socket

    app = web.Application()
    app.router.add_get("/", functools.partial(file, Path(__file__).with_name("page.html")))
    app.router.add_get("/checks.js", functools.partial(file, SCRIPT))
    app.router.add_get("/ws", signalling)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    with create_server(("127.0.0.1", 0)) as listener:
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/", visitors
        finally:
            over.set()
            # asyncio accepts a connection in one step and gives it to the server in the next, and complains when that
            # has been closed in between: accept no more, and let it take that step.
            asyncio.get_running_loop().remove_reader(listener)
            try:
                await asyncio.sleep(0)
            finally:
                await runner.cleanup()


async def receive_visitors(url: str, visitors: asyncio.Queue[Socket], options: argparse.Namespace) -> None:
    """Talk to each page that the user opens, one after another."""
    print(f"Open {url} in your browser; open it again to see it again. Ctrl-C ends.", flush=True)
    while True:
        socket = await visitors.get()
        try:
            await converse(socket, Timeline(PYTHON, PAGE), options)
        except Missing as missing:  # to close a page early is the user's good right
            print(missing, flush=True)
        print(flush=True)


async def run_once(url: str, visitors: asyncio.Queue[Socket], options: argparse.Namespace) -> None:
    """Talk to a browser that opens the page, or to a second Python peer. Raises Missing if that does not work."""
    name, path = choose(options.browser)
    timeline = Timeline(PYTHON, PAGE if path else SECOND)
    arrived = False

    async def meet() -> None:
        nonlocal arrived
        socket = await visitors.get()
        arrived = True
        await converse(socket, timeline, options)

    if path:
        print(f"{path} opens {url}", flush=True)
        other = browse(name, url)
    else:
        print(f"{'Two' if options.browser else 'No browser found: two'} Python peers meet at {url}", flush=True)
        other = second_peer(url, timeline)
    try:
        async with asyncio.timeout(options.timeout):
            await race(meet(), other)
    except TimeoutError:
        what = "; ".join(timeline.missing()) if arrived else f"nobody has opened {url}"
        raise Missing(f"After {options.timeout:g} s {what}.") from None


def choose(wanted: str | None) -> tuple[str, str]:
    """The browser to use and its path; an empty path for none."""
    for name in [wanted] if wanted else PROGRAMS:
        if name != "none" and (path := find_browser(name)):
            return name, path
    if wanted in PROGRAMS:
        raise Missing(f"There is no {' or '.join(PROGRAMS[wanted])} on the PATH; --browser none does without.")
    return "none", ""


async def converse(socket: Socket, timeline: Timeline, options: argparse.Namespace) -> None:
    """Be the Python peer for who is at the other end of *socket*, and show the timeline until it is complete."""
    offers = options.offer == "python"
    try:
        name = (await receive(socket, "hello"))["hello"]
        timeline.page_clock = await measure_clock(socket)
        print(f"{name} is there; {PYTHON if offers else timeline.sides[1]} offers\n", flush=True)
        await socket.send_json({"begin": {"offers": not offers}})
        await race(show(timeline, socket), talk(socket, timeline, PYTHON, offers=offers), keep_asking(socket))
        if timeline.missing():
            raise Missing("The other side has left too early.")
        if options.write:
            write(timeline, options.write)
    except ConnectionResetError:
        raise Missing("The other side has left too early.") from None
    finally:
        await socket.close()


async def measure_clock(socket: Socket) -> float:
    """Ask the other side for its time; return the time here when it was 0 there.

    It is said to have been asked in the middle between question and answer. The faster the answer, the truer that is.
    """
    answers: list[tuple[float, float]] = []
    for _ in range(PINGS):
        asked = now()
        await socket.send_json({"ping": None})
        there = (await receive(socket, "pong"))["pong"]
        answered = now()
        answers.append((answered - asked, (asked + answered) / 2 - there))
    return min(answers)[1]


async def keep_asking(socket: Socket) -> None:
    """Go on asking for the time: with each answer we have all that the other side told before it."""
    while True:
        await socket.send_json({"ping": None})
        await asyncio.sleep(0.05)


async def receive(socket: Socket, key: str) -> dict[str, Any]:
    """The next message, which has this *key*."""
    try:
        message: dict[str, Any] = await socket.receive_json()
    except (TypeError, aiohttp.WSMessageTypeError):
        raise Missing("The other side has left too early.") from None
    if key not in message:
        raise Missing(f"The other side should have sent {key}, not {message}.")
    return message


async def second_peer(url: str, timeline: Timeline) -> None:
    """Be what the page is, in Python."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url + "ws") as socket:
        with contextlib.suppress(Missing, ConnectionResetError):  # the first one leaves, and knows better why
            await socket.send_json({"hello": "A second Python peer"})
            for _ in range(PINGS):
                await receive(socket, "ping")
                await socket.send_json({"pong": now()})
            offers = (await receive(socket, "begin"))["begin"]["offers"]
            await talk(socket, timeline, SECOND, offers=offers)
        await asyncio.Event().wait()  # what came of it is for the first one to say


async def show(timeline: Timeline, socket: Socket) -> None:
    """Print the timeline, and what came of it; the page shows the same, and a picture."""
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    other = timeline.sides[1]
    width = max(map(len, timeline.sides))
    print(f"{'ms':>8}  {'side':<{width}}  {'':<10}  event", flush=True)
    async for new in timeline.told():
        began = timeline.entries[0]["time"]
        for entry in new:
            print(as_line(entry, began, width=width, colours=colours), flush=True)
            await socket.send_json({"line": as_line(entry, began, width=width)})
        await socket.send_json({"picture": as_svg(timeline.entries)})
    opened = max(passed["open"]["time"] for passed in timeline.first.values()) - timeline.entries[0]["time"]
    words = [
        f"data channel open after {opened:.0f} ms",
        f"{PYTHON} to {other}: {timeline.first[other]['message']['value']}",
        f"{other} to {PYTHON}: {timeline.first[PYTHON]['message']['value']}",
    ]
    print()
    for line in words:
        print(f"\x1b[1m{line}\x1b[0m" if colours else line, flush=True)
        await socket.send_json({"words": line})


def write(timeline: Timeline, name: str) -> None:
    """Write what was told to a file, as a recording, and a picture of it to another. Raises Missing if that fails."""
    recording, picture = Path(f"{name}.jsonl"), Path(f"{name}.html")
    try:
        recording.write_text("".join(json.dumps(entry) + "\n" for entry in timeline.entries), encoding="utf-8")
        picture.write_text(as_html(timeline.entries), encoding="utf-8")
    except OSError as error:
        raise Missing(f"Cannot write {error.filename}: {error.strerror}") from None
    print(f"{recording} has it all, {picture} a picture of it", flush=True)


async def race(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all; when the first one ends, or this is cancelled, end the others. Raises what the first one raised.

    Of several that end at once it is the first of the arguments that counts.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await ending(tasks)
    errors = [error for task in tasks if task in done and (error := task.exception())]
    if errors:
        raise errors[0]


async def ending(tasks: list[asyncio.Task[None]]) -> None:
    """Wait until all have ended. To be cancelled meanwhile is no reason to leave them alone."""
    cancelled = None
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled


if __name__ == "__main__":
    sys.exit(main())
