"""What the examples with a page share: a server for its files, and a WebSocket to each page that is open."""

import argparse
import functools
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import WSCloseCode, web

from peer.signaling import Signaling, WebSocketSignaling

say = functools.partial(print, flush=True)

Meet = Callable[[Signaling, web.Request], Awaitable[None]]


def serve(folder: Path, meet: Meet, description: str | None) -> None:
    """Serve page.html of *folder*, and its scripts, until Ctrl-C; *meet* each page that opens a WebSocket."""
    parser = argparse.ArgumentParser(prog=f"python -m examples.{folder.name}", description=description)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 for any that is free (default: %(default)s)")
    options = parser.parse_args()
    sockets: set[web.WebSocketResponse] = set()  # those of the pages that are open

    async def file(request: web.Request) -> web.FileResponse:
        name = request.match_info.get("script", "page.html")
        return web.FileResponse(folder / name, headers={"Cache-Control": "no-store"})

    async def signaling(request: web.Request) -> web.WebSocketResponse:
        page = web.WebSocketResponse(heartbeat=20)  # one that is gone without a word is noticed, too
        await page.prepare(request)
        sockets.add(page)
        try:
            await meet(WebSocketSignaling(page), request)
        finally:
            sockets.discard(page)
        return page  # and aiohttp closes it

    async def hang_up(_: web.Application) -> None:
        for page in list(sockets):
            await page.close(code=WSCloseCode.GOING_AWAY)

    app = web.Application()
    app.router.add_get("/", file)
    app.router.add_get(r"/{script:\w+\.js}", file)
    app.router.add_get("/signaling", signaling)
    app.on_shutdown.append(hang_up)
    listener = socket.create_server((options.host, options.port))
    web.run_app(app, sock=listener, print=say, access_log=None, shutdown_timeout=1)
