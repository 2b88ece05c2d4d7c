"""What the examples share: a server for a page and its scripts, with signalling to each page that is open."""

import argparse
import functools
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from peer.signaling import Signaling, add_signaling

say = functools.partial(print, flush=True)

Meet = Callable[[Signaling, web.Request], Awaitable[None]]

NEGOTIATION = Path(__file__).parent / "perfect_negotiation" / "negotiation.js"  # for all pages that want it


def arguments(folder: Path, description: str | None) -> argparse.ArgumentParser:
    """The arguments that all servers have: those of :func:`run`."""
    parser = argparse.ArgumentParser(prog=f"python -m examples.{folder.name}", description=description)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8080, help="0 for any that is free (default: %(default)s)")
    return parser


def port(text: str) -> int:
    """The number of a port. Raises ValueError for what is none."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def serve(folder: Path, meet: Meet, options: argparse.Namespace) -> None:
    """Serve the page of *folder* until Ctrl-C; *meet* each that opens a WebSocket."""
    app = pages(folder)
    add_signaling(app, "/signaling", meet)
    run(app, options)


def pages(folder: Path) -> web.Application:
    """A server that has page.html of *folder*, and its scripts."""

    async def file(request: web.Request) -> web.FileResponse:
        name = request.match_info.get("script", "page.html")
        path = NEGOTIATION if name == NEGOTIATION.name else folder / name
        return web.FileResponse(path, headers={"Cache-Control": "no-store"})

    app = web.Application()
    app.router.add_get("/", file)
    app.router.add_get(r"/{script:\w+\.js}", file)
    return app


def run(app: web.Application, options: argparse.Namespace) -> None:
    """Run *app* until Ctrl-C. Ends the program, with a sentence, if it cannot listen where it should."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        sys.exit(f"Cannot listen at {options.host}, port {options.port}: {reason.partition(' (while')[0]}")
    web.run_app(app, sock=listener, print=say, access_log=None, shutdown_timeout=1)
