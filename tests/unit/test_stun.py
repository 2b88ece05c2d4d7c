"""What a datagram is: a packet, a STUN message that holds together, or nothing."""

from __future__ import annotations

import random
import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from peer._stun import CARRIED, MAX_MESSAGE, unknown_attributes, with_unknown_attributes


def message(*attributes, kind=0x0001, cookie=0x2112A442, length=None):
    body = b"".join(struct.pack("!HH", type, len(value)) + value + bytes(-len(value) % 4) for type, value in attributes)
    return struct.pack("!HHI12s", kind, len(body) if length is None else length, cookie, bytes(12)) + body


def request():
    made = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    made.attributes |= {"USERNAME": "us:them", "PRIORITY": 5, "ICE-CONTROLLING": 7, "USE-CANDIDATE": None}
    made.add_message_integrity(b"secret")
    return bytes(made)


def test_packets_are_told_by_their_first_byte():
    assert {first for first in range(256) if bytes([first]) in CARRIED} == {*range(20, 64), *range(128, 192)}
    assert b"" not in CARRIED


@pytest.mark.parametrize("attributes", [(), ((0x20, b"x" * 8),), ((0x8022, b"abc"), (0xC057, b""))])
def test_a_message_of_known_and_optional_attributes_has_no_unknown_ones(attributes):
    assert unknown_attributes(message(*attributes)) == []


def test_what_aioice_writes_holds_together():
    assert unknown_attributes(request()) == []


def test_attributes_that_must_be_understood_and_are_not_are_listed_up_to_the_integrity():
    attributes = (0x7FFF, b""), (0x24, bytes(4)), (0x0002, b"12345"), (0x8, bytes(20)), (0x1C, bytes(32))
    assert unknown_attributes(message(*attributes)) == [0x7FFF, 0x0002]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(19),
        message()[:19],
        message(cookie=0x2112A443),
        message(kind=0x4001),
        message(length=4),
        message((0x24, bytes(4)), length=4),
        message((0x24, bytes(4)), length=65535),
        message() + b"\0",
        message((0x24, bytes(4)))[:23] + b"\x05" + bytes(4),  # the attribute ends behind the message
        message((0x24, bytes(4)))[:23] + b"\x00" + b"\0\0\0\1",  # and the one behind this one
        message((0x8022, bytes(MAX_MESSAGE - 20))),
    ],
)
def test_what_does_not_add_up_is_no_message(data):
    assert unknown_attributes(data) is None


def test_no_truncation_of_a_message_is_one():
    whole = request()
    assert [size for size in range(len(whole)) if unknown_attributes(whole[:size]) is not None] == []


@given(st.binary(max_size=2000))
def test_nothing_raises(data):
    unknown_attributes(data)
    unknown_attributes(message()[:4] + data[4:])


def test_damaged_messages_raise_nothing():
    chance = random.Random(8489)
    for _ in range(2000):
        data = bytearray(request())
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        unknown_attributes(bytes(data))


@pytest.mark.parametrize("unknown", [[0x7FFF], [1, 2], [1, 2, 3]])
def test_a_refusal_names_what_is_not_known_and_holds_together(unknown):
    data = with_unknown_attributes(message((0x9, b"\0\0\4\x14")), unknown)
    assert unknown_attributes(data) == []
    assert struct.unpack_from(f"!HH{len(unknown)}H", data, 20) == (0x000A, 2 * len(unknown), *unknown)
    assert data.endswith(b"\0\x09\0\4\0\0\4\x14")
    assert stun.parse_message(data).error_code == 420
