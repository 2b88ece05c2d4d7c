"""A page in a real browser, driven without a web driver: it talks back over a WebSocket.

A `Browser` is one process for a whole test session. It shows one page (page.html), which dials the port it came from
until somebody answers. `Browser.open_page()` answers, in the event loop of one test, and gives a `Page`: a frame of its
own in that page, removed with everything the test made in it when the connection closes.

The port belongs to the session: its listening socket stays open between tests, so the page's next call waits in the
kernel until the next test picks it up. The server, its connections and its tasks belong to the test. It listens to the
end: a page that the test loads in a frame may ask it for files, and waits for an answer, if only that there are none.

Who opens a second page meanwhile lets the first one tell the browser to dial once more. It does not dial in advance:
Firefox lets no other WebSocket to the same host begin while one is being opened, and the test may want some.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from ._launch import BrowserProcess

_START_TIMEOUT = 45.0  # seconds: a cold disk and a busy machine
_PAGE = Path(__file__).with_name("page.html")


class PageError(Exception):
    """What a script threw, or why the page is lost. A note has the line of the script, if the page tells it."""

    def __init__(self, name: str, message: str, place: str | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        """The name of the error in the page, such as ``"InvalidStateError"``."""
        self.message = message
        """Its message, in the words of the browser."""
        if place is not None:
            self.add_note(f"in the script, {place}")


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
        self._socket = socket  # never changes
        self._ids = itertools.count()  # of the scripts; changes with each
        self._pending: dict[int, asyncio.Future[Any]] = {}  # the scripts that run, by id
        self._lost: PageError | None = None  # set once

    @property
    def messages(self) -> asyncio.Queue[Any]:
        """What scripts passed to ``send(value)``, in order, and in the end a PageError when the page is gone."""
        return self.queue("")

    def queue(self, name: str) -> asyncio.Queue[Any]:
        """What scripts passed to ``send(value, name)``; as :attr:`messages`, but apart from them."""
        return self._queues[name]

    async def evaluate(self, script: str, *args: Any) -> Any:
        """Run a *script* in the page, and return its value, as JSON carries it: None for what it does not carry.

            await page.evaluate("document.title")
            await page.evaluate("(a, b) => a + b", 1, 2)
            await page.evaluate("const pc = new RTCPeerConnection(); return await pc.createOffer()")

        The *script* is an expression, whose value it is; or nothing but a function, arrow or not, which is called with
        *args*; or else the body of an async function, of which it is what it returns. A promise is awaited, so write
        ``void (state.done = promise)`` to keep one. The arguments must be JSON.

        In scope are ``args``, all arguments; ``send(value)``; and ``state``, an object that lives as long as this page:
        keep there what later scripts need, as in ``state.pc = new RTCPeerConnection()``. Several scripts may run at a
        time; they begin in the order of the calls.

        Raises PageError for what the script throws, and when the page is lost, and TypeError for an argument that is no
        JSON.
        """
        __tracebackhide__ = True  # pytest shows the line that calls this
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
        """Wait for the next of the :attr:`messages`, and return it.

        Raises TimeoutError after *timeout* seconds, and PageError when the page is lost.
        """
        __tracebackhide__ = True
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
            place = data["place"]
            self.errors.append(data["error"] if place is None else f"{data['error']} ({place})")
        elif (future := self._pending.get(data["id"])) and not future.done():
            if "name" in data:
                future.set_exception(PageError(data["name"], data["text"], data["place"]))
            else:
                future.set_result(data.get("value"))  # there is none if JSON carries nothing of it

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
        """Chromium is "chromium", and Firefox is "firefox"."""
        # How each process is started; never changes.
        self._options: dict[str, Any] = {"mdns": mdns, "arguments": arguments, "preferences": preferences}
        self._process: BrowserProcess | None = None  # from start() to stop()
        self._listener: socket.socket | None = None  # where pages come from; as long as the process
        self._server: _Server | None = None  # while pages are open
        self._opening = asyncio.Lock()  # one page after the other; a new one for each event loop
        self._healthy = False  # newly started, or the page that was opened last was there to the end

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
        """End the process and its children, and delete its profile. Blocks for a moment. Open pages are lost."""
        self._server = None
        if self._process:
            self._process.stop()
            self._process = None
        if self._listener:
            self._listener.close()
            self._listener = None

    @contextlib.asynccontextmanager
    async def open_page(self) -> AsyncIterator[Page]:
        """Open a page in this event loop: ``async with browser.open_page() as page``. Closes it in the end.

        Several may be open at a time. Each has globals of its own, but all are frames of one window: they have one
        origin and one thread, and one that never comes to rest holds up the others.

        Raises FileNotFoundError if the browser is not installed, PageError if it shows no page; and in the end
        PageError for what nobody caught in the page.
        """
        __tracebackhide__ = True
        if self._server is None and not self._opening.locked():
            self._opening = asyncio.Lock()  # the last one may have belonged to another loop
        async with contextlib.AsyncExitStack() as stack:
            async with self._opening:
                page = await self._open(stack)
            try:
                yield page
            except BaseException as error:
                if page.errors:  # that may be why
                    error.add_note(f"uncaught in the page: {'; '.join(page.errors)}")
                raise
            finally:
                if self._server and page in self._server.pages:  # else the browser was stopped
                    self._healthy = self._healthy and page._lost is None
            if page.errors:
                raise PageError("uncaught in the page", "; ".join(page.errors))

    async def _open(self, stack: contextlib.AsyncExitStack) -> Page:
        """Open a page, which *stack* closes. Starts what does not run."""
        lost = not self._healthy or (self._server and any(page._lost for page in self._server.pages))
        if lost or self._process is None or self._process.poll() is not None:
            self.stop()  # whatever a crash left behind
            self.start()
        self._healthy = False
        if self._server is None:
            assert self._listener
            self._server = _Server(self._listener, self._loss)
        server, page = self._server, None
        server.users += 1
        try:
            await server.call()
            page = await self._wait_for_page(server)
        finally:
            stack.push_async_callback(self._leave, server, page)
        server.pages.append(page)
        self._healthy = True
        return page

    async def _wait_for_page(self, server: _Server) -> Page:
        process = self._process
        assert process
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                while process.poll() is None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            return await server.arrived.get()
        except TimeoutError:
            raise self._loss(f"the page did not dial within {_START_TIMEOUT} s") from None
        raise self._loss("the page never dialled")

    async def _leave(self, server: _Server, page: Page | None) -> None:
        server.users -= 1
        is_last = server.users == 0
        if is_last and self._server is server:
            self._server = None
        if page in server.pages:
            server.pages.remove(page)
        try:
            if is_last:
                await server.stop_listening()  # before that: when the page closes, it dials the next test
            if page:
                await page._socket.close()
        finally:
            if is_last:
                await server.close()

    def _loss(self, what: str) -> PageError:
        words: list[str] = []
        if self._process:
            status = self._process.poll()
            what += "" if status is None else f"; the browser exited with status {status}"
            words = self._process.last_words()
        return PageError(f"{self.name} lost", "\n    ".join([f"{what}. Its last words:", *words]))


class _Server:
    """Serves page.html at *listener*, in one event loop, as long as one of its pages is open or being opened."""

    def __init__(self, listener: socket.socket, loss: Callable[[str], PageError]) -> None:
        self.users = 0  # how many pages are open or being opened
        self.pages: list[Page] = []  # those that are open
        self.arrived: asyncio.Queue[Page] = asyncio.Queue()  # those that have dialled
        self._listener, self._loss = listener, loss
        self._accepting: socket.socket | None = None  # the listener as aiohttp has it, from the first page on
        app = web.Application()
        app.router.add_get("/", self._serve_page)
        app.router.add_get("/ws", self._serve_socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def call(self) -> None:
        """Listen, and let the browser dial once more; it dials by itself if no page is open."""
        if not self._runner.sites:
            await self._runner.setup()
            self._accepting = self._listener.dup()
            await web.SockSite(self._runner, self._accepting).start()
        for page in self.pages[-1:]:
            with contextlib.suppress(ConnectionError):  # whoever waits will miss it
                await page._socket.send_json({"dial": True})

    async def stop_listening(self) -> None:
        if self._accepting:
            # asyncio accepts a connection in one step and gives it to the server in the next, and complains when that
            # has been closed in between: accept no more, and let it take that step.
            asyncio.get_running_loop().remove_reader(self._accepting)
            await asyncio.sleep(0)
        for site in self._runner.sites:
            await site.stop()

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _serve_page(self, request: web.Request) -> web.Response:
        return web.Response(text=_PAGE.read_text(), content_type="text/html")

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        # Uncompressed, aiohttp writes messages in the order of the calls.
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        page = Page(socket)
        try:
            async for message in socket:
                data = json.loads(message.data)
                if "ready" in data:
                    self.arrived.put_nowait(page)
                else:
                    page._receive(data)
        finally:
            page._lose(self._loss("the connection to the page closed"))
        return socket
