"""Finds browsers that are installed, and runs them: headless, in a profile of their own, talking with nobody but us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ._guard import remove

PROGRAMS: Mapping[str, Sequence[str]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "firefox": ("firefox-esr", "firefox"),
}
"""The names that browsers have here, and those of their programs, of which the first one on PATH is taken."""
_GUARD = Path(__file__).with_name("_guard.py")

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
    "--no-default-browser-check",
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


def find_browser(name: str) -> str | None:
    """Return the path of "chromium" or "firefox", or None where it is not installed. Other names are a KeyError."""
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


class BrowserProcess:
    """A browser that shows the page at *url*. It runs from the beginning until you call :meth:`stop`, which you must.

    If your program ends without it, killed by SIGKILL, say, the browser is ended all the same, and its files deleted.

    The *name* is "chromium" or "firefox". With *mdns* it hides its addresses behind names that end in .local, as it
    does for users; without it, host candidates carry addresses. Names other than those are not resolved at all. There
    is a camera and a microphone, which are no real ones, and it asks nobody whether they may be used.

    *arguments* are added to its command line, and *preferences*, which only Firefox has, to its profile.

    Raises FileNotFoundError if it is not installed, and KeyError for other names.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        mdns: bool = False,
        arguments: Sequence[str] = (),
        preferences: Mapping[str, bool | int | str] | None = None,
    ) -> None:
        path = find_browser(name)
        if path is None:
            raise FileNotFoundError(f"none of {', '.join(PROGRAMS[name])} is on PATH")
        self.path = path
        """That of its program."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        """Where it keeps its files. It is gone after :meth:`stop`."""
        self._stopped = False  # changes once
        command = _chromium(self.directory, mdns) if name == "chromium" else _firefox(self.directory, mdns, preferences)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", _GUARD, self.directory, path, *command, *arguments, url],
            env=_environment(self.directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
        )

    @cached_property
    def pid(self) -> int:
        """The id of its first process, and of the group that all are in. Not to be asked for after :meth:`stop`."""
        assert self._guard.stdout
        return int(self._guard.stdout.readline())

    def poll(self) -> int | None:
        """The status it has exited with by itself, as a shell has it; None while it runs."""
        return self._guard.poll()

    def wait(self) -> int:
        """Block until its first process exits, by itself or not; return its status, as a shell has it."""
        return self._guard.wait()

    def last_words(self, count: int = 15) -> list[str]:
        """The last lines, at most *count*, that it has written for those who look for errors; none after its end."""
        try:
            lines = (self.directory / "stderr").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        lines = [line for line in lines if line.strip() and "dbus" not in line]  # Chromium misses it, we do not
        return lines[-count:]

    def stop(self) -> None:
        """End it and its children, and delete its directory. Blocks for a moment. May be called again."""
        if self._stopped:
            return
        self._stopped = True
        self._guard.communicate(b"end it")  # in words, for a process of ours may have the other end, too
        remove(self.directory)  # the guard leaves it to us if the browser has exited by itself


def _environment(directory: Path) -> dict[str, str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
    homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    return {
        **{key: value for key, value in os.environ.items() if key not in hidden},
        **dict.fromkeys(homes, str(directory)),
        "MOZ_CRASHREPORTER_DISABLE": "1",
        "MOZ_HEADLESS": "1",
        "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # or a release ignores services.settings.server
    }


def _chromium(directory: Path, mdns: bool) -> list[str]:
    # A fake dialog is a permission given, and a page with permission gets to see addresses;
    # to accept capture when it is asked for gives nothing in advance.
    hide = ["--auto-accept-camera-and-microphone-capture"]
    show = ["--use-fake-ui-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox does not work for root
    return [*_CHROMIUM_FLAGS, *(hide if mdns else show), *sandbox, f"--user-data-dir={directory}/profile"]


def _firefox(directory: Path, mdns: bool, preferences: Mapping[str, bool | int | str] | None) -> list[str]:
    profile = directory / "profile"
    profile.mkdir()
    all_preferences = {
        **_FIREFOX_PREFS,
        "media.peerconnection.ice.obfuscate_host_addresses": mdns,
        **(preferences or {}),
    }
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in all_preferences.items()]
    (profile / "user.js").write_text("".join(lines))
    return ["--headless", "--no-remote", "--profile", str(profile)]
