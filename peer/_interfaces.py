"""Watches the host's addresses for a connection, and restarts ICE when the host has moved to another network.

ICE notices by itself that a pair works no more, but only after many seconds of silence, and never that there is a new
network to try. A look at the host's addresses tells both at once. What is new since the last look, and what it means:

    an address that a selected pair sends from is missing -> restart, if another address is left
    an address has come while such an address is missing  -> restart: what is being tried does not know the new one
    an address has come while the connection is failed    -> restart, likewise
    anything else                                         -> nothing: what may work is left alone
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from dataclasses import dataclass

from ._connection import RTCPeerConnection, transports_of
from ._host import Host, this_host
from ._promise import Promise


@dataclass(frozen=True)
class Look:
    """What was seen at one time."""

    addresses: frozenset[str]  # those that the host has
    missing: frozenset[str] = frozenset()  # those that the selected pairs send from, but the host has not


def restart_is_due(last: Look, now: Look, *, failed: bool) -> bool:
    """Whether ICE should restart, from the *last* look, the one *now*, and whether the connection is failed."""
    has_come = bool(now.addresses - last.addresses)
    has_gone = bool(now.missing - last.missing)
    return bool(now.addresses) and (has_gone or (has_come and (failed or bool(now.missing))))


async def watch_interfaces(pc: RTCPeerConnection, *, interval: float = 1.0) -> None:
    """Restart ICE when this host moves to another network. Runs until *pc* is closed: let it be a task of its own.

    Looks at the addresses of the host every *interval* seconds, and calls :meth:`RTCPeerConnection.restartIce` once
    when one that the connection sends from has disappeared, or when a new one has come while the connection is failed
    or has nothing else to send from. As always after restartIce(), negotiationneeded follows, and it is yours to send
    an offer. What may work is left alone, whatever other addresses come and go.

    A network that is dead though its address remains is not noticed here: connectionState tells of it, later. The
    connection is not kept alive. Raises OSError if the host does not tell its addresses.

    Not in the W3C's text: a browser leaves it to the page to react to the connection's states (webrtc-pc 4.4.2,
    restartIce).
    """
    closed, connection, host = transports_of(pc).closed, weakref.ref(pc), this_host()
    last = Look(_usable(host))
    del pc  # how long it lives is for others to decide
    while not await _within(interval, closed):
        watched = connection()
        if watched is None:
            return
        sending = transports_of(watched).sending_addresses()
        now = Look(_usable(host), frozenset(address for address in sending if not _is_usable(address)))
        if restart_is_due(last, now, failed=watched.iceConnectionState == "failed"):
            watched.restartIce()
        last = now
        del watched


async def _within(seconds: float, end: Promise[None]) -> bool:
    """Wait for *end*, at most so many seconds; return whether it has come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await end
    return end.done()


def _usable(host: Host) -> frozenset[str]:
    return frozenset(address for address in host.addresses() if _is_usable(address))


def _is_usable(address: str) -> bool:
    """Whether this host has *address*; a new one of IPv6 can be used later than it is seen (RFC 4862, section 5.4)."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True
