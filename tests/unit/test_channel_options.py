import math
import types

import pytest

from peer._channel import channel_options, check_channel, utf8

NUMBERS = ("maxPacketLifeTime", "maxRetransmits", "id")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    ("given", "number"),
    [(0, 0), (65535, 65535), (1.9, 1), (-0.9, 0), (65535.5, 65535), ("5", 5), (" 7 ", 7), ("", 0), (True, 1)],
)
def test_numbers_are_converted(name, given, number):
    assert channel_options({name: given}, {}) == channel_options(None, {name: given}) == {name: number}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "given", [-1, 65536, 1e99, 10**400, -(10**400), math.nan, math.inf, -math.inf, "x", "nan", "5 5", {}, object()]
)
def test_what_is_no_number_or_out_of_range_is_a_type_error(name, given):
    with pytest.raises(TypeError, match=f"{name} is not a number"):
        channel_options({name: given}, {})


def test_what_is_none_or_unknown_was_not_given():
    assert channel_options(dict.fromkeys((*NUMBERS, "unknown")), {}) == {}
    assert channel_options(None, {}) == {}
    assert channel_options(types.SimpleNamespace(id=3, other=4), {}) == {"id": 3}


def test_keywords_come_before_the_dictionary():
    assert channel_options({"id": 3, "ordered": 1}, {"id": 4}) == {"id": 4, "ordered": True}


def test_other_members():
    given = {"ordered": 0, "negotiated": "no", "protocol": 5}
    assert channel_options(given, {}) == {"ordered": False, "negotiated": True, "protocol": 5}


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="no option unknown"):
        channel_options(None, {"unknown": 1})


@pytest.mark.parametrize("given", ["x", 5, True])
def test_what_is_no_dictionary_is_a_type_error(given):
    with pytest.raises(TypeError, match="dataChannelDict"):
        channel_options(given, {})


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("", {}),
        ("a" * 65535, {"protocol": "a" * 65535}),
        ("", {"id": 65535}),
        ("", {"id": 65534, "negotiated": True}),
        ("", {"maxRetransmits": 0}),
        ("", {"maxPacketLifeTime": 0}),
    ],
)
def test_what_a_channel_may_be(label, options):
    check_channel(label, options)


@pytest.mark.parametrize(
    ("label", "options", "words"),
    [
        ("a" * 65536, {}, "label"),
        ("", {"protocol": "a" * 65536}, "protocol"),
        ("", {"maxRetransmits": 0, "maxPacketLifeTime": 0}, "both"),
        ("", {"negotiated": True}, "id"),
        ("", {"negotiated": True, "id": 65535}, "id"),
    ],
)
def test_what_a_channel_may_not_be(label, options, words):
    with pytest.raises(TypeError, match=words):
        check_channel(label, options)


@pytest.mark.parametrize(("text", "size"), [("", 0), ("chat", 4), ("grüße", 7), ("\ud800", 3), (5, 1)])
def test_a_label_counts_its_bytes(text, size):
    assert len(utf8(text)) == size
