"""A signalling server in a process of its own: what one of two says is told to the other.

``python -m benchmarks.relay`` prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from aiohttp import web

OVER = '{"over"'  # how a message begins that ends it


class Relay:
    """Rooms for two. When both are there they are told to begin; when one says that it is over, both may leave."""

    def __init__(self) -> None:
        self._rooms: dict[str, list[web.WebSocketResponse]] = {}  # by path; those who are there

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one of two, until it leaves."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        room = self._rooms.setdefault(request.path, [])
        room.append(socket)
        if len(room) == 2:
            for member in room:
                await member.send_str('{"begin": true}')
        async for message in socket:
            if message.data.startswith(OVER):
                del self._rooms[request.path]
                await asyncio.gather(*[member.close() for member in room])
            else:
                # Who has left needs nothing any more.
                with contextlib.suppress(ConnectionError):
                    await next(member for member in room if member is not socket).send_str(message.data)
        return socket


async def serve() -> None:
    """Relay until standard input ends."""
    app = web.Application()
    app.router.add_get("/{room}", Relay().serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextlib.asynccontextmanager
async def relay() -> AsyncIterator[str]:
    """Run one; gives its URL, to which the name of a room is added."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        port = int(await process.stdout.readline())
        yield f"ws://127.0.0.1:{port}/"
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
