"""Runs a browser, and leaves nothing of it behind: ``python _guard.py DIRECTORY COMMAND...``.

A program of its own, for who starts it may be killed, and tidies up nothing then. It ends the browser when it is sent
anything, or when nobody holds the other end of its standard input any more, which the kernel sees to. It says which
process the browser is, and exits with its status.

It is run as a file, with nothing of the package: so it is there at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time

_STOP_GRACE = 5.0  # seconds


def main(directory: str, *command: str) -> int:
    """Run *command* until it exits, or is to end; return its status, as a shell has it."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with open(f"{directory}/stderr", "wb") as stderr:
        browser = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,  # a process group of its own, which is ended as a whole
        )
    os.write(sys.stdout.fileno(), f"{browser.pid}\n".encode())
    told = False
    while not told and browser.poll() is None:
        ready, _, _ = select.select([sys.stdin, woken], [], [])
        told = sys.stdin in ready or set(os.read(woken, 64)) != {signal.SIGCHLD}
    if told:
        end(browser, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            browser.wait(_STOP_GRACE)
    end(browser, signal.SIGKILL)
    status = browser.wait()
    if told:  # else somebody may want its last words
        remove(directory)
    return status if status >= 0 else 128 - status


def end(browser: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the process group of *browser*."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(browser.pid, number)


def remove(directory: str | os.PathLike[str]) -> None:
    """Delete *directory*, if it is there. What has written in it must have been ended."""
    for _ in range(20):  # it may still be writing its last
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):
            break
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
