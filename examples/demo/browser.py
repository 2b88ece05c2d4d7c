"""A headless browser that shows one page, and leaves nothing behind."""

import asyncio
import contextlib
import ctypes
import os
import time

from peer.testing import BrowserProcess

from .timeline import Missing

PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h


async def browse(name: str, url: str) -> None:
    """Show *url* in the browser until cancelled. Raises Missing if the browser ends by itself.

    There is no await between the start and the promise to end it, nor in the ending: no signal can come between.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = BrowserProcess(name, url, mdns=True)
    try:
        status = await asyncio.to_thread(process.wait)
        last = "".join(f"; its last words: {line}" for line in process.last_words(1))
        raise Missing(f"{process.path} has ended by itself with status {status}{last}")
    finally:
        process.stop()
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
