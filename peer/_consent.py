"""Consent to send (RFC 7675): whether the remote side still answers on the pair in use.

A check is sent every few seconds, each with an identifier of its own, none of them again. What the answers, or their
lack, mean:

    answered                       -> connected; the time until consent expires begins anew
    SILENCE checks not answered    -> disconnected, when the last of them should have been: one alone may have been lost
    none answered until it expires -> failed, for good: nothing more may be sent on the pair
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ._timers import Timers
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
        self._silent = False  # True when the remote side was said to be
        # "next" for the next check, "answer" if the answer to the last one is missing, and "expiry".
        self._timers = Timers()

    def start(self) -> None:
        """Consent was given just now: a check has succeeded."""
        self._renew()
        self._wait_for_next()

    def answered(self) -> None:
        """A check was answered."""
        if not self._timers.is_running("expiry"):  # too late
            return
        was_silent = self._silent
        self._renew()
        if was_silent:
            self._heard(True)

    def stop(self) -> None:
        """Send no more checks."""
        self._timers.stop_all()

    def _renew(self) -> None:
        self._unanswered, self._silent = 0, False
        self._timers.stop("answer")
        self._timers.start("expiry", self._timing.consent_expires, self._expire)

    def _due(self) -> None:
        self._unanswered += 1
        self._wait_for_next()
        if self._unanswered == SILENCE:
            self._timers.start("answer", self._timing.consent_answer, self._miss)
        self._check()

    def _miss(self) -> None:
        self._silent = True
        self._heard(False)

    def _expire(self) -> None:
        self.stop()
        self._expired()

    def _wait_for_next(self) -> None:
        self._timers.start("next", self._timing.consent_interval * random.uniform(0.8, 1.2), self._due)
