"""ICE servers as a command line has them: in one word each, with the user's name and password. Pure.

    stun:host    stun:host:port    turn:user:password@host:port?transport=tcp    turns:user:password@[2001:db8::1]

The W3C's URLs have no user in them (RFC 7065, section 3.1); they are what is left when it is taken out. All that stands
between the scheme and the last "@" is about the user: the name up to the first ":", the password behind it. So a
password may have any character; only "%" must be written "%25", as what is percent-encoded is decoded. A name may have
none of ":" and "%" but so encoded.

No message repeats a user: passwords are for servers only.

What a server yields names it by its URL. Of several users of one URL each is asked for in a connection of its own, so
that it is known who got what.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

_SERVER = re.compile(r"(?P<scheme>[A-Za-z]*:)?(?:(?P<user>.*)@)?(?P<place>[^@]*)", re.DOTALL)


class Asked(NamedTuple):
    """A server that a connection asks."""

    peer: str  # the name of the connection
    url: str

    @property
    def name(self) -> str:
        """What to call it."""
        return self.url if self.peer == peer(0) else f"{self.url} ({self.peer})"


def ice_server(word: str) -> dict[str, str]:
    """The W3C's RTCIceServer for a *word*. The URL is not checked.

    Raises ValueError for a TURN server without a user or a password, and for another one that has them.
    """
    match = _SERVER.fullmatch(word)
    assert match is not None  # it takes any text
    scheme, user, place = match["scheme"] or "", match["user"], match["place"]
    if scheme.lower() in ("turn:", "turns:"):
        name, _, password = (user or "").partition(":")
        if not (name and password):
            lacks = "a password" if name else "a user and a password"
            raise ValueError(f"{scheme}{place}: a TURN server asks for {lacks}: {scheme}user:password@{place}")
        return {"urls": scheme + place, "username": unquote(name), "credential": unquote(password)}
    if user is not None:
        raise ValueError(f"...@{place}: only TURN servers (turn:, turns:) ask for a user")
    return {"urls": scheme + place}


def connections(servers: Sequence[dict[str, str]]) -> list[list[dict[str, str]]]:
    """The *servers* that each connection is to ask. There is at least one; only the first one has STUN servers.

    Raises ValueError for one that is given twice.
    """
    found: list[list[dict[str, str]]] = [[]]
    for number, server in enumerate(servers):
        url, user = server["urls"], server.get("username")
        if any((url, user) == (other["urls"], other.get("username")) for other in servers[:number]):
            raise ValueError(f"{url} is given twice" + (" with the same user" if user else ""))
        place = sum(url == other["urls"] for other in servers[:number])
        found += [[] for _ in range(len(found), place + 1)]
        found[place].append(server)
    return found


def asked(servers: Sequence[dict[str, str]]) -> list[Asked]:
    """Who asks which of the *servers*, in their order."""
    urls = [server["urls"] for server in servers]
    return [Asked(peer(urls[:number].count(url)), url) for number, url in enumerate(urls)]


def peer(number: int) -> str:
    """The name of a connection."""
    return f"user {number + 1}" if number else "gather"
