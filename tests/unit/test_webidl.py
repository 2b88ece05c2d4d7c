import enum
import math
from types import MappingProxyType, SimpleNamespace

import pytest

from peer._webidl import (
    ABSENT,
    dom_string,
    enforced,
    long,
    members,
    nullable,
    unsigned_long,
    unsigned_short,
    usv_string,
)


class Word(enum.StrEnum):
    AUDIO = "audio"


class Number(enum.IntEnum):
    FIVE = 5


class Stringy:
    def __str__(self):
        return "said by __str__"

    def __repr__(self):
        return "Stringy()"


STRINGS = [
    # what JavaScript prints, in the order of ECMA-262 "ToString"
    ("", ""),
    ("text", "text"),
    ("\ud800", "\ud800"),
    (Word.AUDIO, "audio"),
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (5, "5"),
    (-1, "-1"),
    (Number.FIVE, "5"),
    (2**53, "9007199254740992"),
    (2**53 + 1, "9007199254740992"),
    (10**20, "100000000000000000000"),
    (10**21, "1e+21"),
    (10**400, "Infinity"),
    (-(10**400), "-Infinity"),
    (5.0, "5"),
    (-0.0, "0"),
    (0.5, "0.5"),
    (-1.25, "-1.25"),
    (100.0, "100"),
    (1e16, "10000000000000000"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (-1.5e300, "-1.5e+300"),
    (0.0001, "0.0001"),
    (0.00001, "0.00001"),
    (0.000001, "0.000001"),
    (0.0000001, "1e-7"),
    (1.5e-7, "1.5e-7"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (Stringy(), "said by __str__"),
    (b"1", "b'1'"),
    # arrays and objects, as Chromium and Firefox print them
    ([], ""),
    (["a", "b"], "a,b"),
    (("a", None, "b"), "a,,b"),
    ([None], ""),
    ([1.0, True, 10**21], "1,true,1e+21"),
    ([["a"], [], ["b", ["c"]]], "a,,b,c"),
    ({}, "[object Object]"),
    ([{"a": 1}, MappingProxyType({})], "[object Object],[object Object]"),
]


@pytest.mark.parametrize(("value", "expected"), STRINGS, ids=ascii)
def test_a_dom_string_is_what_javascript_would_print(value, expected):
    assert dom_string(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("stun:x", "stun:x"),
        (5, "5"),
        ("\ufeffkept", "\ufeffkept"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\udc00a", "\ufffda"),
    ],
    ids=ascii,
)
def test_a_usv_string_has_no_lone_surrogates(value, expected):
    assert usv_string(value) == expected


SHORTS = [
    # numbers wrap around
    (0, 0),
    (1, 1),
    (65535, 65535),
    (65536, 0),
    (65537, 1),
    (-1, 65535),
    (-65536, 0),
    (Number.FIVE, 5),
    (2**53 + 1, 0),
    (10**400, 0),
    # and are cut towards zero
    (1.9, 1),
    (-0.9, 0),
    (-1.9, 65535),
    (65535.9, 65535),
    (1e300, 0),
    (math.nan, 0),
    (math.inf, 0),
    (-math.inf, 0),
    # texts hold numbers
    ("", 0),
    (" ", 0),
    ("1", 1),
    (" 12 ", 12),
    ("\ufeff\u2028 12\t\r\n", 12),
    ("+7", 7),
    ("-1", 65535),
    ("1.", 1),
    (".5e1", 5),
    ("1e3", 1000),
    ("1E+3", 1000),
    ("10e-1", 1),
    ("007", 7),
    ("0x10", 16),
    ("0XfF", 255),
    ("0o17", 15),
    ("0b101", 5),
    ("1e400", 0),
    ("0x" + "f" * 1000, 0),
    # or do not
    ("abc", 0),
    ("1 2", 0),
    ("1px", 0),
    (".", 0),
    ("e3", 0),
    ("--1", 0),
    ("-0x10", 0),
    ("0x", 0),
    ("0b2", 0),
    ("1_000", 0),
    ("0x1_0", 0),
    ("\u0661", 0),
    ("\x1c1", 0),
    ("Infinity", 0),
    ("inf", 0),
    ("nan", 0),
    ("9" * 1_000_000, 0),
    ("9" * 1_000_000 + "x", 0),
    # what else there is
    (None, 0),
    (True, 1),
    (False, 0),
    (Stringy(), 0),
    (b"1", 0),
    # arrays and objects are what their texts say
    ([], 0),
    ([5], 5),
    (["7"], 7),
    (([6.9],), 6),
    ([None], 0),
    ([True], 0),
    ([1, 2], 0),
    ({}, 0),
]


@pytest.mark.parametrize(("value", "expected"), SHORTS, ids=lambda value: ascii(value)[:20])
def test_an_unsigned_short_takes_everything(value, expected):
    assert unsigned_short(value) == expected


@pytest.mark.parametrize(
    ("value", "unsigned", "signed"),
    [
        (0, 0, 0),
        ("5", 5, 5),
        (1.9, 1, 1),
        (-1.9, 2**32 - 1, -1),
        (2**31 - 1, 2**31 - 1, 2**31 - 1),
        (2**31, 2**31, -(2**31)),
        (2**32 - 1, 2**32 - 1, -1),
        (2**32 + 3, 3, 3),
        (-(2**31) - 1, 2**31 - 1, 2**31 - 1),
        (None, 0, 0),
        ("x", 0, 0),
        (math.inf, 0, 0),
    ],
)
def test_a_long_takes_everything_with_a_sign_or_without(value, unsigned, signed):
    assert (unsigned_long(value), long(value)) == (unsigned, signed)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (255, 255),
        (255.9, 255),
        (-0.9, 0),
        (2.9, 2),
        (True, 1),
        (None, 0),
        ("5", 5),
        (" 0x10 ", 16),
        ("1e2", 100),
        ("-0.5", 0),
        ("", 0),
        ([], 0),
        (["5"], 5),
        (256, None),
        (-1, None),
        (-1.1, None),
        (2**32, None),
        (10**400, None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        ("256", None),
        ("x", None),
        ("Infinity", None),
        ([1, 2], None),
        ([True], None),
        ({}, None),
        (Stringy(), None),
    ],
    ids=ascii,
)
def test_an_enforced_range_takes_what_is_in_range(value, expected):
    assert enforced(value, 255) == expected
    assert type(enforced(value, 255)) is type(expected)


def test_a_nullable_type_keeps_null_and_converts_the_rest():
    assert nullable(dom_string, None) is None
    assert nullable(dom_string, 5) == "5"
    assert nullable(unsigned_short, "5") == 5
    assert nullable(unsigned_short, 0) == 0


class Slotted:
    __slots__ = ("sdpMLineIndex", "sdpMid")

    def __init__(self):
        self.sdpMid = "0"


class WithProperty:
    @property
    def sdpMid(self):
        return "0"


NAMES = ("sdpMid", "sdpMLineIndex")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, {}),
        ({}, {}),
        ({"sdpMid": "0"}, {"sdpMid": "0"}),
        ({"sdpMid": None}, {"sdpMid": None}),
        ({"sdpMLineIndex": 1, "sdpMid": 0, "more": 2}, {"sdpMid": 0, "sdpMLineIndex": 1}),
        ({"more": 2, 3: 4}, {}),
        (MappingProxyType({"sdpMid": "0"}), {"sdpMid": "0"}),
        (SimpleNamespace(sdpMid=None, more=1), {"sdpMid": None}),
        (Slotted(), {"sdpMid": "0"}),
        (WithProperty(), {"sdpMid": "0"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else type(value).__name__,
)
def test_members_are_read_from_mappings_and_objects(value, expected):
    assert members(value, NAMES, "an init") == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("sdpMid", "str"),
        (b"sdpMid", "bytes"),
        (0, "int"),
        (1.5, "float"),
        (True, "bool"),
        (["sdpMid"], "list"),
        (("sdpMid",), "tuple"),
        (object(), "object"),
        (SimpleNamespace(), "SimpleNamespace"),
        (WithProperty, "type"),
    ],
)
def test_members_of_anything_else_are_a_type_error(value, kind):
    with pytest.raises(TypeError, match=f"^an init must be a dictionary, not {kind}$"):
        members(value, NAMES, "an init")


def test_a_primitive_has_no_members_even_when_it_has_the_attribute():
    with pytest.raises(TypeError, match="not str"):
        members("text", ("count",), "an init")


def test_what_is_absent_says_so():
    assert repr(ABSENT) == "ABSENT"
