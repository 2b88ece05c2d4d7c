"""Messages of multicast DNS (RFC 6762), as far as names of ICE need them. Pure decisions.

A name that ends in .local can stand for the address of a host candidate (draft-ietf-mmusic-mdns-ice-candidates). It has
one label, and one address, of either family. Everything on the link hears what is sent, and can send anything, so of
what is received counts

- of a query, which names are asked for, if an address of theirs is;
- of a response, which addresses names have. An address that no host on the link can have is none: that of the loopback
  interface, of many hosts, of none, or one that takes a zone to be reached. Nor is one that is taken back (a TTL of 0).

All else is skipped; what cannot be read has nothing. Names are in lower case. Each byte of a datagram is looked at a
bounded number of times: pointers lead backwards, a name has so many labels, a message so many entries.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import NamedTuple

_NAME = re.compile(r"[a-zA-Z0-9-]{1,63}\.local")

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!2HLH")
_RESPONSE, _AUTHORITATIVE = 0x8000, 0x0400
_OPCODE_AND_RCODE = 0x780F
_A, _AAAA, _NSEC, _ANY = 1, 28, 47, 255
_IN, _FLUSH = 1, 0x8000  # the latter says, in a record: that is all; in a question: answer to me alone
_TTL = 120  # RFC 6762, section 10
_POINTER = 0xC0
_FIRST_NAME = struct.pack("!H", _POINTER << 8 | _HEADER.size)
_TYPES = {  # NSEC's block of those that there are (RFC 4034, section 4.1.2)
    _A: b"\x00\x01\x40",
    _AAAA: b"\x00\x04\x00\x00\x00\x08",
}

MAX_ENTRIES = 128  # of a message that are read
_MAX_LABELS = 128  # of a name, with the pointers to them


class Message(NamedTuple):
    """What a message says."""

    asked: list[str]  # names, of which an address is wanted
    told: list[tuple[str, str]]  # names and their addresses


NOTHING = Message([], [])


def is_name(text: str) -> bool:
    """Whether *text* is a name that mDNS knows: browsers use no others."""
    return _NAME.fullmatch(text) is not None


def question(name: str) -> list[bytes]:
    """What to send to be told the address of *name*, of whichever family.

    The questions could share a message, but Chromium answers none that has two.
    """
    entry = _labels(name)
    return [_HEADER.pack(0, 0, 1, 0, 0, 0) + entry + _QUESTION.pack(type, _IN) for type in (_A, _AAAA)]


def answer(name: str, address: str) -> bytes:
    """What to send to tell that *name* has this address, and no other (RFC 6762, section 6.1)."""
    data = ipaddress.ip_address(address).packed
    type = _A if len(data) == 4 else _AAAA
    return (
        _HEADER.pack(0, _RESPONSE | _AUTHORITATIVE, 0, 1, 0, 1)
        + _labels(name)
        + _record(type, data)
        + _FIRST_NAME
        + _record(_NSEC, _FIRST_NAME + _TYPES[type])
    )


def read(data: bytes) -> Message:
    """What a datagram says."""
    try:
        return _read(data)
    except (ValueError, IndexError, struct.error):
        return NOTHING


def _labels(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\x00"


def _record(type: int, data: bytes) -> bytes:
    return _RECORD.pack(type, _IN | _FLUSH, _TTL, len(data)) + data


def _read(data: bytes) -> Message:
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if flags & _OPCODE_AND_RCODE or questions + answers > MAX_ENTRIES:
        return NOTHING
    asked, told = [], []
    offset = _HEADER.size
    for _ in range(questions):
        name, offset = _name(data, offset)
        type, _ = _QUESTION.unpack_from(data, offset)
        offset += _QUESTION.size
        if type in (_A, _AAAA, _ANY):
            asked.append(name)
    for _ in range(answers):
        name, offset = _name(data, offset)
        type, kind, ttl, size = _RECORD.unpack_from(data, offset)
        offset += _RECORD.size + size
        if type in (_A, _AAAA) and kind & ~_FLUSH == _IN and ttl:
            address = ipaddress.ip_address(data[offset - size : offset])
            if address.version == (4 if type == _A else 6) and _is_host(address):
                told.append((name, str(address)))
    return Message([], told) if flags & _RESPONSE else Message(list(dict.fromkeys(asked)), [])


def _name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at *offset*, and where what follows it begins."""
    labels: list[bytes] = []
    start, end = offset, None
    for _ in range(_MAX_LABELS):
        size = data[offset]
        offset += 1
        if size == 0:
            return b".".join(labels).decode(errors="replace").lower(), offset if end is None else end
        if size < 64:
            labels.append(data[offset : offset + size])
            offset += size
        else:  # or what nobody uses
            target = (size << 8 | data[offset]) & 0x3FFF
            if size < _POINTER or target >= start:
                raise ValueError("no name")
            end = offset + 1 if end is None else end
            start = offset = target
    raise ValueError("no end")


def _is_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    needs_zone = address.version == 6 and address.is_link_local
    others = address.is_loopback or address.is_multicast or address.is_reserved  # which has IPv4 in IPv6, too
    return not (others or needs_zone or address.packed[0] == 0)
