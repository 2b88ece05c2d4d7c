"""Datagrams on a stream: RFC 4571, section 2, as ICE uses it over TCP (RFC 6544, section 3). Pure.

Each datagram, STUN or not, is preceded by its length: two bytes, the higher one first. So the longest has 65,535 bytes,
and no more than one that is incomplete is ever kept.
"""

from __future__ import annotations

LONGEST = (1 << 16) - 1  # bytes
_LENGTH = 2  # bytes


def framed(datagram: bytes) -> bytes:
    """The bytes that stand for *datagram*, which is not longer than LONGEST, on a stream."""
    return len(datagram).to_bytes(_LENGTH, "big") + datagram


class Deframer:
    """What a stream has brought: bytes go in, datagrams come out."""

    def __init__(self) -> None:
        self._rest = bytearray()  # the datagram that is not complete yet, with its length

    def datagrams(self, data: bytes) -> list[bytes]:
        """The datagrams that *data* completes. Empty ones carry nothing and are left out."""
        self._rest += data
        found, start = [], 0
        while len(self._rest) >= start + _LENGTH:
            begin = start + _LENGTH
            end = begin + int.from_bytes(self._rest[start:begin], "big")
            if len(self._rest) < end:
                break
            if end > begin:
                found.append(bytes(self._rest[begin:end]))
            start = end
        del self._rest[:start]
        return found
