"""Foundations and priorities of local candidates. Pure decisions.

Foundations (RFC 8445, section 5.1.1.3): two candidates have the same one exactly when they have the same type, the same
base address, the same transport protocol, and, if a server told us of them, the same server asked over the same
protocol. A connection keeps one table for all its transports: foundations tie candidates of different m-lines together.

Priorities (section 5.1.2.1): the type counts first, then the local preference, which is different for any two
candidates of one type. Host addresses are ranked as RFC 8421, section 4, recommends: IPv6 before IPv4, but interleaved,
so that one family that leads nowhere does not hold the other one up.

TCP comes after all UDP that is not relayed, and before what is (RFC 6544, section 4.2, leaves it to us): it delays all
that follows what is lost, but over a relay everything has a longer way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_HIGHEST = 65535
_TYPE_PREFERENCES = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
_TCP_PREFERENCES = {"host": 90, "prflx": 80}
_ACTIVE = 6 << 13  # the direction preference, which is the higher three bits


class Foundations:
    """The foundations of one connection: short texts, one for each kind of candidate there is."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, ...], str] = {}  # grows with each new kind

    def of(self, type: str, base: str, protocol: str = "udp", server: str | None = None) -> str:
        """The foundation of candidates of *type* with the address *base*, learned from *server*."""
        return self._known.setdefault((type, base, protocol, server), str(len(self._known) + 1))


def ranked(addresses: Sequence[str]) -> list[str]:
    """Host addresses, the most preferred one first.

    Of N4 IPv4 and N6 IPv6 addresses, about every (N4 + N6) / N4-th is IPv4. Within a family the order stays.
    """
    ipv4 = [address for address in addresses if ":" not in address]
    ipv6 = [address for address in addresses if ":" in address]
    ranking: list[str] = []
    taken = 0  # of the IPv6 addresses
    for number, address in enumerate(ipv4, 1):
        due = math.ceil(number * (len(ipv4) + len(ipv6)) / len(ipv4)) - number
        ranking += [*ipv6[taken:due], address]
        taken = due
    return ranking + ipv6[taken:]


def local_preference(rank: int, servers: int = 1, server: int = 0) -> int:
    """The local preference of a candidate with the *rank*-th base, learned from the *server*-th of *servers*."""
    return max(0, _HIGHEST - rank * servers - server)


def tcp_preference(rank: int) -> int:
    """The local preference of an active TCP candidate with the *rank*-th base (RFC 6544, section 4.2)."""
    return _ACTIVE + max(0, (1 << 13) - 1 - rank)


def priority(type: str, local_preference: int, protocol: str = "udp") -> int:
    """The priority of a candidate of *type*, of the first component (RFC 8445, section 5.1.2.1)."""
    preferences = _TYPE_PREFERENCES if protocol == "udp" else _TCP_PREFERENCES
    return (preferences[type] << 24) + (local_preference << 8) + 255
