"""Looks up the names of servers.

Each name has a thread of its own. asyncio's few threads would all wait for names whose servers do not answer, and with
them all other names; and the program could not end before they have given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading


async def look_up(host: str, family: int = 0) -> list[str]:
    """The addresses of *host*, the best first; of one *family*, socket.AF_INET or socket.AF_INET6, or of both.

    Raises OSError or UnicodeError as ``socket.getaddrinfo`` does.
    """
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return await _in_a_thread(host, family)
    if family not in (0, socket.AF_INET6 if version == 6 else socket.AF_INET):
        raise socket.gaierror(socket.EAI_FAMILY, f"{host} is of the other family")
    return [host]


async def _in_a_thread(host: str, family: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(outcome: list[str] | Exception) -> None:
        thread.join()  # it has nothing more to do
        if found.done():  # nobody waits any more
            return
        if isinstance(outcome, Exception):
            found.set_exception(outcome)
        else:
            found.set_result(outcome)

    def ask() -> None:
        outcome: list[str] | Exception
        try:
            outcome = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)]
        except Exception as error:
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, outcome)

    thread = threading.Thread(target=ask, name=f"look up {host}", daemon=True)
    thread.start()
    return await found
