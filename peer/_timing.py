"""How long ICE takes over what, in seconds: the numbers of the RFCs.

This is the one setting that tests have and users have not, but for the time that servers have: connections that are
made inside ``with shortened(consent_interval=0.1):`` have the numbers that are given there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timing:
    """Durations in seconds."""

    pace: float = 0.005
    """Ta, between two checks (RFC 8445, section 14.2)."""
    precedence: float = 0.02
    """A pair over a relay or TCP that was found to work waits so long for others, or as long as its check took."""
    servers: float = 5.0
    """What STUN and TURN servers have to answer in."""
    patience: float = 39.5
    """The PAC timer: ICE does not fail before (RFC 8863, section 4)."""
    consent_interval: float = 5.0
    """Between two consent checks, give or take a fifth (RFC 7675, section 5.1)."""
    consent_answer: float = 1.0
    """What an answer to a consent check takes at most, where the remote side is there."""
    consent_expires: float = 30.0
    """Without an answer, consent is lost (RFC 7675, section 5.1)."""
    names: float = 1.0
    """Between the first two queries for a name of mDNS; the wait doubles with each (RFC 6762, section 5.2)."""
    farewell: float = 3.0
    """An old generation goes on receiving that long when a new one has taken over (RFC 8445, section 8.3.1)."""


_TIMING: ContextVar[Timing] = ContextVar("timing", default=Timing())  # noqa: B039 - it is immutable


def timing(servers: float | None = None) -> Timing:
    """The numbers for a connection that is made now. Raises ValueError if *servers* have no time to answer."""
    if servers is None:
        return _TIMING.get()
    if not servers > 0:
        raise ValueError(f"servers must have more than 0 s to answer, not {servers!r}")
    return replace(_TIMING.get(), servers=servers)


@contextmanager
def shortened(**seconds: float) -> Iterator[None]:
    """Give connections that are made in this context other numbers."""
    token = _TIMING.set(replace(_TIMING.get(), **seconds))
    try:
        yield
    finally:
        _TIMING.reset(token)
