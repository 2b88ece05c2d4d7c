"""Consent to send (RFC 7675): whether the remote side still answers on the pair in use.

A check is sent every few seconds, each with an identifier of its own, none of them again. What the answers, or their
lack, mean:

    answered                       -> connected; the time until consent expires begins anew
    SILENCE checks not answered    -> disconnected: one alone may have been lost on its way
    none answered until it expires -> failed, for good: nothing more may be sent on the pair
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from ._timing import Timing

SILENCE = 2  # unanswered checks


class Consent:
    """Consent to send on one pair.

    *check* sends a check. *heard* is called with False when the remote side has gone silent, and with True when it is
    heard again; *expired* once, when consent is lost.
    """

    def __init__(
        self,
        timing: Timing,
        *,
        check: Callable[[], None],
        heard: Callable[[bool], None],
        expired: Callable[[], None],
    ) -> None:
        self._timing = timing
        self._check = check
        self._heard = heard
        self._expired = expired
        self._unanswered = 0  # checks since the last answer
        self._next: asyncio.TimerHandle | None = None  # the next check, while they go on
        self._expiry: asyncio.TimerHandle | None = None  # the end; later with each answer

    def start(self) -> None:
        """Consent was given just now: a check has succeeded."""
        self.stop()
        self._unanswered = 0
        self._wait_for_expiry()
        self._wait_for_next()

    def answered(self) -> None:
        """A check was answered."""
        if self._next is None:  # too late
            return
        was_silent = self._unanswered > SILENCE
        self._unanswered = 0
        self._wait_for_expiry()
        if was_silent:
            self._heard(True)

    def stop(self) -> None:
        """Send no more checks."""
        for timer in (self._next, self._expiry):
            if timer is not None:
                timer.cancel()
        self._next = self._expiry = None

    def _due(self) -> None:
        self._unanswered += 1
        self._wait_for_next()
        if self._unanswered == SILENCE + 1:
            self._heard(False)
        self._check()

    def _expire(self) -> None:
        self.stop()
        self._expired()

    def _wait_for_next(self) -> None:
        seconds = self._timing.consent_interval * random.uniform(0.8, 1.2)
        self._next = asyncio.get_running_loop().call_later(seconds, self._due)

    def _wait_for_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(self._timing.consent_expires, self._expire)
