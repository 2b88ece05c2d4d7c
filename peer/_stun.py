"""What a datagram is, and whether a STUN message holds together (RFC 7983, RFC 8489). Pure.

aioice parses messages, and is lenient: it asks for no magic cookie, and takes an attribute that ends behind the
message. It does not say which attributes it does not know, either. So each datagram is looked at here first:

    first byte 20-63 (DTLS), 128-191 (RTP, RTCP)   a packet, carried to who uses the transport
    any other, or none                             a STUN message, if it has the cookie and its lengths add up

A request with an attribute that must be understood and is not is refused with 420, and a response with one is none
(RFC 8489, sections 6.3.1 and 6.3.3). What comes behind MESSAGE-INTEGRITY is not authentic, and does not count.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

CARRIED = frozenset(bytes([first]) for first in (*range(20, 64), *range(128, 192)))
HEADER = 20  # bytes
MAX_MESSAGE = 1500  # bytes; RFC 8489, section 6.1, wants messages that fit into one packet

_COOKIE = 0x2112A442
_MESSAGE_INTEGRITY = 0x0008
_UNKNOWN_ATTRIBUTES = 0x000A
# Of those below 0x8000, which must be understood: what RFC 8489, RFC 8445, and servers that are older use.
_UNDERSTOOD = frozenset((1, 3, 4, 5, 6, _MESSAGE_INTEGRITY, 9, _UNKNOWN_ATTRIBUTES, 0x14, 0x15, 0x20, 0x24, 0x25))
_OPTIONAL = 0x8000


def unknown_attributes(data: bytes) -> list[int] | None:
    """The attributes that must be understood and are not; None if *data* is no STUN message."""
    size = len(data)
    if not HEADER <= size <= MAX_MESSAGE or size % 4:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind >= 0x4000 or cookie != _COOKIE or HEADER + length != size:
        return None
    unknown = []
    authentic = True  # False behind MESSAGE-INTEGRITY
    place = HEADER
    while place < size:
        attribute, length = struct.unpack_from("!HH", data, place)
        if authentic and attribute < _OPTIONAL and attribute not in _UNDERSTOOD:
            unknown.append(attribute)
        authentic = authentic and attribute != _MESSAGE_INTEGRITY
        place += 4 + length + -length % 4
    return unknown if place == size else None


def with_unknown_attributes(message: bytes, unknown: Sequence[int]) -> bytes:
    """*message* with the attribute that names these, in front of all others."""
    types = struct.pack(f"!{len(unknown)}H", *unknown)
    attribute = struct.pack("!HH", _UNKNOWN_ATTRIBUTES, len(types)) + types + bytes(-len(types) % 4)
    body = attribute + message[HEADER:]
    return message[:2] + struct.pack("!H", len(body)) + message[4:HEADER] + body
