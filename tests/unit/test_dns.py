"""Messages of mDNS."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from peer._dns import MAX_ENTRIES, NOTHING, Message, answer, is_name, question, read

NAME = "11111111-2222-3333-4444-555555555555.local"
LABELS = b"\x2411111111-2222-3333-4444-555555555555\x05local\x00"
QUERY, RESPONSE = 0, 0x8400
A, AAAA, TXT, ANY = 1, 28, 16, 255
V4, V6 = socket.inet_aton("192.0.2.9"), socket.inet_pton(socket.AF_INET6, "fd00::9")


def message(flags, *entries, questions=0, answers=0):
    return struct.pack("!6H", 0, flags, questions, answers, 0, 0) + b"".join(entries)


def asking(type=A, name=LABELS, kind=1):
    return name + struct.pack("!2H", type, kind)


def record(data, type=A, name=LABELS, kind=0x8001, ttl=120):
    return name + struct.pack("!2HLH", type, kind, ttl, len(data)) + data


def response(*records):
    return message(RESPONSE, *records, answers=len(records))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (NAME, True),
        ("Printer.local", True),
        ("a" * 63 + ".local", True),
        ("a" * 64 + ".local", False),
        ("a.b.local", False),
        ("a.local.", False),
        ("a.local\n", False),
        (".local", False),
        ("local", False),
        ("example.org", False),
        ("192.0.2.9", False),
    ],
)
def test_a_name_has_one_label_before_local(text, known):
    assert is_name(text) is known


def test_each_family_is_asked_for_in_a_message_of_its_own():
    assert question(NAME) == [message(QUERY, asking(type), questions=1) for type in (A, AAAA)]
    assert [read(each) for each in question(NAME)] == [Message([NAME], [])] * 2


@pytest.mark.parametrize(("address", "data"), [("192.0.2.9", V4), ("fd00::9", V6)])
def test_an_answer_has_the_address_and_says_that_there_is_no_other(address, data):
    told = answer(NAME, address)
    assert read(told) == Message([], [(NAME, address)])
    assert told[6:12] == bytes([0, 1, 0, 0, 0, 1])
    types = {4: b"\x00\x01\x40", 16: b"\x00\x04\x00\x00\x00\x08"}[len(data)]
    beginning = b"\xc0\x0c"
    nsec = record(beginning + types, 47, beginning)
    assert told[12:] == record(data, A if len(data) == 4 else AAAA) + nsec


def test_of_a_query_the_names_count_whose_addresses_are_wanted():
    other = b"\x05Other\x05LOCAL\x00"
    entries = [asking(A), asking(AAAA), asking(TXT, other), asking(ANY, b"\x03all\xc0\x31")]
    assert read(message(QUERY, *entries, questions=4)) == Message([NAME, "all.local"], [])
    assert read(message(QUERY, asking(ANY, other, 0x8001), questions=1)) == Message(["other.local"], [])


def test_of_a_response_the_addresses_count():
    records = [record(V4), record(b"\x03x=y", TXT), record(V6, AAAA, b"\xc0\x0c"), record(V4, name=b"\x01A\xc0\x31")]
    told = [(NAME, "192.0.2.9"), (NAME, "fd00::9"), ("a.local", "192.0.2.9")]
    assert read(response(*records)) == Message([], told)


def test_what_a_query_tells_and_what_a_response_asks_does_not_count():
    both = asking() + record(V4)
    assert read(message(QUERY, both, questions=1, answers=1)) == Message([NAME], [])
    assert read(message(RESPONSE, both, questions=1, answers=1)) == Message([], [(NAME, "192.0.2.9")])


NO_HOST = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.251", "240.0.0.1", "255.255.255.255"]
NO_HOST += ["::", "::1", "::ffff:127.0.0.1", "::ffff:192.0.2.9", "fe80::1", "ff02::fb"]


@pytest.mark.parametrize("address", NO_HOST)
def test_an_address_that_no_host_can_be_reached_at_is_none(address):
    assert read(answer(NAME, address)) == NOTHING


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.1.2", "198.51.100.7", "2001:db8::1", "fd00::2"])
def test_an_address_of_a_host_is_one(address):
    assert read(answer(NAME, address)) == Message([], [(NAME, address)])


BAD = {
    "nothing": b"",
    "half a header": bytes(11),
    "another opcode": message(0x2800, asking(), questions=1),
    "an error": message(RESPONSE | 3, record(V4), answers=1),
    "more entries than there are": message(QUERY, asking(), questions=2),
    "too many entries": message(QUERY, *[asking()] * (MAX_ENTRIES + 1), questions=MAX_ENTRIES + 1),
    "a name without an end": message(QUERY, b"\x05local", questions=1),
    "a label that is cut off": message(QUERY, b"\x3flocal", questions=1),
    "too many labels": message(QUERY, asking(name=b"\x01a" * 200 + b"\x00"), questions=1),
    "a length that nobody uses": message(QUERY, asking(name=b"\x40a\x00"), questions=1),
    "half a pointer": message(QUERY, b"\xc0", questions=1),
    "a pointer to itself": message(QUERY, asking(name=b"\xc0\x0c"), questions=1),
    "a pointer to the start of its name": message(QUERY, asking(name=b"\x01a\xc0\x0c"), questions=1),
    "a pointer ahead": message(QUERY, asking(name=b"\xc0\x20"), asking(), questions=2),
    "two pointers to each other": message(QUERY, asking(name=b"\xc0\x12"), asking(name=b"\xc0\x0c"), questions=2),
    "no type": message(QUERY, LABELS, questions=1),
    "half a record": response(LABELS + bytes(9)),
    "data that are cut off": response(record(V4)[:-1]),
    "an address that is too short": response(record(V4[:3])),
    "an address of the other family": response(record(V6, A)),
    "an address taken back": response(record(V4, ttl=0)),
    "another class": response(record(V4, kind=3)),
    "text": response(record(V4, TXT)),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_makes_no_sense_says_nothing(data):
    assert read(data) == NOTHING


def test_the_last_byte_that_a_message_lacks_is_missed():
    whole = response(record(V4))
    assert read(whole).told
    for size in range(len(whole)):
        assert read(whole[:size]) == NOTHING


def test_a_name_that_is_not_ascii_does_not_hide_the_others():
    assert read(response(record(V4, name=b"\x02\xff.\x05local\x00"), record(V4))).told[1:] == [(NAME, "192.0.2.9")]


def test_whatever_comes_is_read():
    chance = random.Random(6762)
    samples = [
        *question(NAME),
        answer(NAME, "fd00::9"),
        message(QUERY, asking(), asking(name=b"\xc0\x0c"), questions=2),
    ]
    read_well = 0
    for _ in range(5_000):
        data = bytearray(chance.choice(samples) if chance.random() < 0.8 else chance.randbytes(chance.randrange(200)))
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.choice((0, 1, 0xC0, 0x0C, 0xFF, chance.randrange(256)))
        read_well += read(bytes(data[: chance.randrange(len(data) + 2)])) != NOTHING
    assert 0 < read_well < 5_000
