"""Real browsers for the tests, without a web driver: a page that talks back over a WebSocket.

A `Browser` is one process for the whole test session. It shows one page (page.html), which dials
the port it came from until somebody answers. `Browser.open_page()` answers, in the event loop of
one test, and gives a `Page`: a frame of its own in that page, removed with everything the test made
in it when the connection closes.

The port belongs to the session: its listening socket stays open between tests, so the page's next
call waits in the kernel until the next test picks it up. The server, its connections and its tasks
belong to the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

COMMANDS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
}
START_TIMEOUT = 45.0  # seconds: a cold disk and a busy machine
STOP_GRACE = 5.0

_PAGE = Path(__file__).with_name("page.html")

_CHROMIUM_FLAGS = [
    "--headless",
    "--disable-gpu",
    # It talks with nobody but us.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.local",
    "--js-flags=--expose-gc",  # a page may make many connections
    # It asks nothing, reports no crash, and keeps time though nobody looks.
    "--no-first-run",
    "--disable-breakpad",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

_FIREFOX_OFF = """
    app.normandy.enabled app.update.auto browser.discovery.enabled browser.newtabpage.enabled
    browser.aboutwelcome.enabled browser.region.update.enabled browser.search.update
    browser.safebrowsing.blockedURIs.enabled browser.safebrowsing.downloads.enabled
    browser.safebrowsing.malware.enabled browser.safebrowsing.phishing.enabled
    browser.sessionstore.resume_from_crash browser.shell.checkDefaultBrowser
    browser.topsites.contile.enabled datareporting.healthreport.uploadEnabled
    datareporting.policy.dataSubmissionEnabled datareporting.usage.uploadEnabled
    dom.push.connection.enabled extensions.blocklist.enabled extensions.getAddons.cache.enabled
    extensions.systemAddon.update.enabled extensions.update.enabled media.gmp-manager.updateEnabled
    media.gmp-provider.enabled messaging-system.rsexperimentloader.enabled
    network.captive-portal-service.enabled network.connectivity-service.enabled
    network.prefetch-next network.websocket.delay-failed-reconnects
    security.remote_settings.crlite_filters.enabled security.remote_settings.intermediates.enabled
    toolkit.telemetry.enabled toolkit.telemetry.unified
""".split()  # noqa: SIM905
_FIREFOX_PREFS: dict[str, bool | int | str] = {
    **dict.fromkeys(_FIREFOX_OFF, False),
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "media.autoplay.default": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "network.dns.disabled": True,  # the net under all the others; mDNS still works
    "network.http.speculative-parallel-limit": 0,
    "network.proxy.type": 0,
    "network.trr.mode": 5,  # no DNS over HTTPS, and no trial of it
    "privacy.reduceTimerPrecision": False,  # a page's clock is as good as Chromium's
    "security.OCSP.enabled": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}


def find(name: str) -> str | None:
    """Return the path of "chromium" or "firefox", or None where it is not installed."""
    return next(filter(None, map(shutil.which, COMMANDS[name])), None)


class PageError(Exception):
    """What a script threw, with the name and message it has in the page; or the page is lost."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Page:
    """One test's frame in a browser.

    `messages` holds what scripts passed to `send(value)`, in order, and at the end a `PageError`
    when the page is gone. `errors` holds what scripts threw where nobody listened (event handlers,
    unheeded rejections); `Browser.open_page()` raises it at its end, unless the test cleared it.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.errors: list[str] = []
        self._socket = socket
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._lost: PageError | None = None

    async def evaluate(self, script: str, *args: Any) -> Any:
        """Run the body of an async JavaScript function and return its JSON value.

        In scope: `args`, `send(value)`, and `state`, an object that lives as long as this page. What
        the script throws is raised as `PageError`. Several may run at a time.
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
        """Wait for the next value the page sent."""
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

    def _receive(self, data: dict[str, Any]) -> None:
        if "message" in data:
            self.messages.put_nowait(data["message"])
        elif "error" in data:
            self.errors.append(data["error"])
        elif (future := self._pending.get(data["id"])) and not future.done():
            if "name" in data:
                future.set_exception(PageError(data["name"], data["text"]))
            else:
                future.set_result(data["value"])

    def _lose(self, error: PageError) -> None:
        self._lost = error
        self.messages.put_nowait(error)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)


class Browser:
    """One browser process for a whole test session; it starts with the first page that is opened.

    With `mdns` it hides its addresses behind names that end in .local, as it does for users;
    without it, host candidates carry addresses. Names other than those are not resolved at all.
    """

    def __init__(self, name: str, mdns: bool = False) -> None:
        self.name = name
        self.mdns = mdns
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        self._directory: Path | None = None
        self._taken = False
        self._healthy = False  # newly started, or the page of the last test was there to the end

    @property
    def listener(self) -> int | None:
        """The file descriptor of the listening socket that stays open between tests."""
        return self._listener.fileno() if self._listener else None

    def start(self) -> None:
        """Start the process; it dials the page's port as soon as it can."""
        path = find(self.name)
        if path is None:
            raise FileNotFoundError(f"none of {', '.join(COMMANDS[self.name])} is on PATH")
        self._directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        environment |= dict.fromkeys(homes, str(self._directory)) | {
            "MOZ_CRASHREPORTER_DISABLE": "1",
            "MOZ_HEADLESS": "1",
            "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # or a release ignores services.settings.server
        }
        command = self._chromium() if self.name == "chromium" else self._firefox()
        with (self._directory / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [path, *command, f"http://127.0.0.1:{self._listener.getsockname()[1]}/"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # a process group of its own, which stop() ends as a whole
            )
        self._healthy = True

    def stop(self) -> None:
        """End the process and its children, and delete its profile."""
        if self._process:
            group = self._process.pid
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_GRACE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._listener:
            self._listener.close()
            self._listener = None
        if self._directory:
            for _ in range(20):  # its children may still be writing their last
                shutil.rmtree(self._directory, ignore_errors=True)
                if not self._directory.exists():
                    break
                time.sleep(0.05)
            self._directory = None

    @contextlib.asynccontextmanager
    async def open_page(self) -> AsyncIterator[Page]:
        """Serve the page in this event loop until it dials; close everything afterwards."""
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
            socket = web.WebSocketResponse(max_msg_size=0)
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
            async with asyncio.timeout(START_TIMEOUT):
                while not opened.done():
                    if self._process.poll() is not None:
                        raise self._loss("the page never dialled")
                    await asyncio.wait([opened], timeout=0.1)
        except TimeoutError:
            raise self._loss(f"the page did not dial within {START_TIMEOUT} s") from None
        page = opened.result()
        stack.push_async_callback(page._socket.close)
        stack.push_async_callback(site.stop)  # before that: when it closes, the page dials the next test
        return page

    def _loss(self, what: str) -> PageError:
        status = self._process.poll() if self._process else None
        if status is not None:
            what += f"; the browser exited with status {status}"
        lines: list[str] = []
        if self._directory:
            lines = (self._directory / "stderr").read_text(errors="replace").splitlines()
            lines = [line for line in lines if "dbus" not in line]  # Chromium misses it, we do not
        return PageError(f"{self.name} lost", "\n    ".join([f"{what}. Its last words:", *lines[-15:]]))

    def _chromium(self) -> list[str]:
        # A fake dialog is a permission given, and a page with permission gets to see addresses;
        # to accept capture when it is asked for gives nothing in advance.
        hide = ["--auto-accept-camera-and-microphone-capture"]
        show = ["--use-fake-ui-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns"]
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        profile = f"--user-data-dir={self._directory}/profile"
        return [*_CHROMIUM_FLAGS, *(hide if self.mdns else show), *sandbox, profile]

    def _firefox(self) -> list[str]:
        assert self._directory
        profile = self._directory / "profile"
        profile.mkdir()
        prefs = _FIREFOX_PREFS | {"media.peerconnection.ice.obfuscate_host_addresses": self.mdns}
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items()]
        (profile / "user.js").write_text("".join(lines))
        return ["--headless", "--no-remote", "--profile", str(profile)]
