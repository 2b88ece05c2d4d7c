"""ICE servers as a command line has them: in one word each, with the user's name and password. Pure.

    stun:host    stun:host:port    turn:user:password@host:port?transport=tcp    turns:user:password@[2001:db8::1]

The W3C's URLs have no user in them (RFC 7065, section 3.1); they are what is left when it is taken out. All that stands
between the scheme and the last "@" is about the user: the name up to the first ":", the password behind it. So a
password may have any character; only "%" must be written "%25", as what is percent-encoded is decoded. A name may have
none of ":" and "%" but so encoded.

No message repeats a user: passwords are for servers only.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SERVER = re.compile(r"(?P<scheme>[A-Za-z]*:)?(?:(?P<user>.*)@)?(?P<place>[^@]*)", re.DOTALL)


def ice_server(word: str) -> dict[str, str]:
    """The W3C's RTCIceServer for a *word*. The URL is not checked. Raises ValueError for a user of no TURN server."""
    match = _SERVER.fullmatch(word)
    assert match is not None  # it takes any text
    scheme, user, place = match["scheme"] or "", match["user"], match["place"]
    if user is None:
        return {"urls": scheme + place}
    if scheme.lower() not in ("turn:", "turns:"):
        raise ValueError(f"...@{place}: only TURN servers (turn:, turns:) ask for a user")
    name, _, password = user.partition(":")
    return {"urls": scheme + place, "username": unquote(name), "credential": unquote(password)}
