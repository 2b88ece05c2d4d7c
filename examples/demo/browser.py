"""A headless browser that shows one page, keeps to itself, and leaves nothing behind."""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .timeline import Missing

PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "firefox": ("firefox", "firefox-esr"),
}

CHROMIUM_OPTIONS = [
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    # No talk with anybody else, and nothing running besides the browser.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

FIREFOX_PREFERENCES = {
    # No talk with anybody else. Without DNS nothing below would get far, but it would still try.
    "network.dns.disabled": True,
    "network.proxy.type": 0,
    "network.trr.mode": 5,
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.region.update.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.topsites.contile.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "security.OCSP.enabled": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.unified": False,
    # No page but ours.
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    # Clocks are coarse against fingerprinting; a timeline wants to know.
    "privacy.reduceTimerPrecision": False,
}


def find(name: str) -> str | None:
    """The path of *name*'s program; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


async def browse(name: str, path: str, url: str) -> None:
    """Show *url* in the browser at *path* until cancelled. Raises Missing if the browser ends by itself."""
    with tempfile.TemporaryDirectory(prefix="aiortc-peer-demo-") as directory:
        home = Path(directory)
        log = home / "log"
        with running(command(name, path, home, url), home, log) as process:
            await asyncio.to_thread(process.wait)
        words = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        last = f"; its last words: {words[-1]}" if words else ""
        raise Missing(f"{path} has ended by itself with status {process.returncode}{last}")


def command(name: str, path: str, home: Path, url: str) -> list[str]:
    """What to run, with a new profile in *home*."""
    profile = home / "profile"
    if name == "chromium":
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox does not work for root
        return [path, *CHROMIUM_OPTIONS, *as_root, f"--user-data-dir={profile}", url]
    profile.mkdir()
    lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in FIREFOX_PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    return [path, "--headless", "--no-remote", "--profile", str(profile), url]


@contextlib.contextmanager
def running(command: list[str], home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command*, and end it with everything it started.

    There is no await between the start and the promise to end it, nor in the ending: no signal can come between.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    environment = (
        os.environ
        | dict.fromkeys(homes, str(home))
        | {
            "MOZ_CRASHREPORTER_DISABLE": "1",
            "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # or a release ignores services.settings.server
        }
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a process group of its own: Ctrl-C is ours alone, and we end all of it
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_for_orphans()


def wait_for_orphans() -> None:
    """Wait until the browser's other processes are gone, too.

    Its crash reporter, for one, has left the process group, and goes when it sees that the browser has gone. All are
    our children now, for orphans go to the nearest subreaper.
    """
    patience = time.monotonic() + 3
    with contextlib.suppress(ChildProcessError):  # there are no more
        while time.monotonic() < patience:
            gone, _ = os.waitpid(-1, os.WNOHANG)
            if not gone:
                time.sleep(0.01)
