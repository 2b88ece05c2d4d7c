"""A page in a real browser, driven without a web driver: it talks back over a WebSocket.

A `Browser` is one process for a whole test session. It shows one page (page.html), which dials the port it came from
until somebody answers. `Browser.open_page()` answers, in the event loop of one test, and gives a `Page`: a frame of its
own in that page, removed with everything the test made in it when the connection closes.

The port belongs to the session: its listening socket stays open between tests, so the page's next call waits in the
kernel until the next test picks it up. The server, its connections and its tasks belong to the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from ._launch import BrowserProcess

_START_TIMEOUT = 45.0  # seconds: a cold disk and a busy machine
_PAGE = Path(__file__).with_name("page.html")


class PageError(Exception):
    """What a script threw, with the name and message it has in the page; or the page is lost."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Page:
    """A frame in a browser, for one test; :meth:`Browser.open_page` makes it, and closes it in the end.

    Scripts that you run in it may call ``send(value)``: what they pass, as JSON carries it, comes here.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.errors: list[str] = []
        """What scripts threw where nobody listened: in event handlers, and rejections that nobody heeded.

        It is raised as a PageError when the page is closed, unless you have cleared it.
        """
        self._queues: defaultdict[str, asyncio.Queue[Any]] = defaultdict(self._queue)
        self._socket = socket
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._lost: PageError | None = None  # set once

    @property
    def messages(self) -> asyncio.Queue[Any]:
        """What scripts passed to ``send(value)``, in order, and in the end a PageError when the page is gone."""
        return self.queue("")

    def queue(self, name: str) -> asyncio.Queue[Any]:
        """What scripts passed to ``send(value, name)``; as :attr:`messages`, but apart from them."""
        return self._queues[name]

    async def evaluate(self, script: str, *args: Any) -> Any:
        """Run *script*, the body of an async JavaScript function, and return its value, as JSON carries it.

        In scope are ``args``; ``send(value)``; and ``state``, an object that lives as long as this page: keep there
        what later scripts need, as in ``state.pc = new RTCPeerConnection()``. Several may run at a time; they begin in
        the order of the calls. Raises PageError for what the script throws, and when the page is lost.
        """
        if self._lost:
            raise self._lost
        key = next(self._ids)
        self._pending[key] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json({"id": key, "script": script, "args": args})
            return await self._pending[key]
        finally:
            del self._pending[key]

    async def next_message(self, timeout: float = 10) -> Any:
        """Wait for the next of the :attr:`messages`. Raises TimeoutError after *timeout* seconds, or PageError."""
        try:
            async with asyncio.timeout(timeout):
                message = await self.messages.get()
        except TimeoutError:
            said = f"; uncaught in the page: {self.errors}" if self.errors else ""
            raise TimeoutError(f"the page sent nothing for {timeout} s{said}") from None
        if isinstance(message, PageError):
            self.messages.put_nowait(message)
            raise message
        return message

    def _queue(self) -> asyncio.Queue[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        if self._lost:
            queue.put_nowait(self._lost)
        return queue

    def _receive(self, data: dict[str, Any]) -> None:
        if "message" in data:
            self._queues[data["queue"]].put_nowait(data["message"])
        elif "error" in data:
            self.errors.append(data["error"])
        elif (future := self._pending.get(data["id"])) and not future.done():
            if "name" in data:
                future.set_exception(PageError(data["name"], data["text"]))
            else:
                future.set_result(data["value"])

    def _lose(self, error: PageError) -> None:
        self._lost = error
        for queue in self._queues.values():
            queue.put_nowait(error)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)


class Browser:
    """A real browser, headless, which starts with the first page that is opened. You must call :meth:`stop`.

    The *name* and the *options* are those of :class:`BrowserProcess`. It starts again if it has died, or has lost its
    page.
    """

    def __init__(
        self,
        name: str,
        *,
        mdns: bool = False,
        arguments: Sequence[str] = (),
        preferences: Mapping[str, bool | int | str] | None = None,
    ) -> None:
        self.name = name
        self._options: dict[str, Any] = {"mdns": mdns, "arguments": arguments, "preferences": preferences}
        self._process: BrowserProcess | None = None
        self._listener: socket.socket | None = None
        self._taken = False  # while a page is open
        self._healthy = False  # newly started, or the page of the last test was there to the end

    @property
    def listener(self) -> int | None:
        """The file descriptor of the listening socket that stays open between tests."""
        return self._listener.fileno() if self._listener else None

    @property
    def process(self) -> BrowserProcess | None:
        """What runs, if it was started and not stopped."""
        return self._process

    def start(self) -> None:
        """Start the process; it dials the page's port as soon as it can. Raises what BrowserProcess raises."""
        listener = socket.create_server(("127.0.0.1", 0))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            self._process = BrowserProcess(self.name, url, **self._options)
        except BaseException:
            listener.close()
            raise
        self._listener = listener
        self._healthy = True

    def stop(self) -> None:
        """End the process and its children, and delete its profile. Blocks for a moment."""
        if self._process:
            self._process.stop()
            self._process = None
        if self._listener:
            self._listener.close()
            self._listener = None

    @contextlib.asynccontextmanager
    async def open_page(self) -> AsyncIterator[Page]:
        """Open a page in this event loop: ``async with browser.open_page() as page``. Closes it in the end.

        Raises FileNotFoundError if the browser is not installed, PageError if it shows no page, RuntimeError while it
        shows another one; and in the end PageError for what nobody caught in the page.
        """
        if self._taken:
            raise RuntimeError(f"{self.name} shows one page at a time")
        self._taken = True
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(setattr, self, "_taken", False)
            if not self._healthy or self._process is None or self._process.poll() is not None:
                self.stop()  # whatever a crash left behind
                self.start()
            self._healthy = False
            page = await self._wait_for_page(stack)
            try:
                yield page
            except BaseException as error:
                if page.errors:  # that may be why
                    error.add_note(f"uncaught in the page: {'; '.join(page.errors)}")
                raise
            finally:
                self._healthy = page._lost is None
            if page.errors:
                raise PageError("uncaught in the page", "; ".join(page.errors))

    async def _wait_for_page(self, stack: contextlib.AsyncExitStack) -> Page:
        assert self._process
        assert self._listener
        opened: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

        async def serve_page(request: web.Request) -> web.Response:
            return web.Response(text=_PAGE.read_text(), content_type="text/html")

        async def serve_socket(request: web.Request) -> web.WebSocketResponse:
            # Uncompressed, aiohttp writes messages in the order of the calls.
            socket = web.WebSocketResponse(max_msg_size=0, compress=False)
            await socket.prepare(request)
            page = Page(socket)
            try:
                async for message in socket:
                    data = json.loads(message.data)
                    if "ready" not in data:
                        page._receive(data)
                    elif not opened.done():
                        opened.set_result(page)
            finally:
                page._lose(self._loss("the connection to the page closed"))
            return socket

        app = web.Application()
        app.router.add_get("/", serve_page)
        app.router.add_get("/ws", serve_socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.SockSite(runner, self._listener.dup())
        await site.start()
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                while not opened.done():
                    if self._process.poll() is not None:
                        raise self._loss("the page never dialled")
                    await asyncio.wait([opened], timeout=0.1)
        except TimeoutError:
            raise self._loss(f"the page did not dial within {_START_TIMEOUT} s") from None
        page = opened.result()
        stack.push_async_callback(page._socket.close)
        stack.push_async_callback(site.stop)  # before that: when it closes, the page dials the next test
        return page

    def _loss(self, what: str) -> PageError:
        words: list[str] = []
        if self._process:
            status = self._process.poll()
            what += "" if status is None else f"; the browser exited with status {status}"
            words = self._process.last_words()
        return PageError(f"{self.name} lost", "\n    ".join([f"{what}. Its last words:", *words]))
