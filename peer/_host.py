"""Which addresses this host has, without a look each time: to look takes longer than to open a socket at each.

Linux tells who listens that addresses have come or gone (rtnetlink(7)), before whoever changed them goes on or, for
some of IPv6, within a millisecond. As long as it has told nothing since the last look, what that look found still
holds. All connections have one listener; it ends with the last of them. Where the system does not tell, every question
is a look.

What is told is of the network namespace in which the listener was made: a process must not change to another one while
it has connections.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import weakref
from collections.abc import Sequence

from ._aioice import host_addresses

ADDRESSES = 0x10 | 0x100  # the groups RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR

_hosts: weakref.WeakSet[Host] = weakref.WeakSet()  # the one that connections have, if there are any and it listens


class Host:
    """This host, as long as somebody wants to know of it: see :func:`this_host`."""

    def __init__(self) -> None:
        self._changes = _listen()  # None after a fork
        self._found: Sequence[str] | None = None  # what the last look found
        self._asking = threading.Lock()  # loops of several threads ask; else an older look could replace a newer one
        if self._changes is not None:
            weakref.finalize(self, self._changes.close)
            _hosts.add(self)
            with contextlib.suppress(OSError):  # who asks will be told
                self.addresses()  # now, for later it has to be fast

    def forget_changes(self) -> None:
        """What is told is told to the parent of this process: from now on every question is a look."""
        self._changes, self._asking = None, threading.Lock()  # the old one may have been held when the process forked

    def addresses(self) -> Sequence[str]:
        """Those of :func:`host_addresses`. Raises OSError if the host does not tell them."""
        with self._asking:
            if self._has_changed() or self._found is None:
                self._found = None  # if this look fails, the next question is one again, though nothing is told
                self._found = host_addresses()
            return self._found

    def _has_changed(self) -> bool:
        """Whether addresses may have come or gone since this was called last."""
        if self._changes is None:
            return True
        told = False
        try:
            while True:
                self._changes.recv(1)  # that there is a message says it all
                told = True
        except BlockingIOError:
            return told
        except OSError:  # there were more than it keeps
            return True


def this_host() -> Host:
    """The host that other connections have, or else a new one. Who has it is told of changes: let it go in time."""
    for host in _hosts:
        return host
    return Host()


def _listen() -> socket.socket | None:
    """A socket that is told when addresses come and go; None if the system cannot do that, or does not let us."""
    try:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except (AttributeError, OSError):
        return None
    try:
        listener.bind((0, ADDRESSES))
    except OSError:
        listener.close()
        return None
    return listener


def _after_fork() -> None:
    for host in _hosts:
        host.forget_changes()
    _hosts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
