"""Python values read the way a browser reads the JavaScript values of the same meaning.

The W3C's dictionaries and methods say with WebIDL types what they take, and a browser converts
whatever it is given to them instead of complaining: an `sdpMLineIndex` of `"1"` is 1, an `sdpMid`
of 5 is `"5"`. Signalling code leans on that without knowing it, so the same JSON must mean the same
here. Sections cited are those of Web IDL and, for numbers and strings, of ECMA-262.
"""

import enum
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

_T = TypeVar("_T")


class ArgumentTypeError(TypeError, ValueError):
    """An argument is of the wrong type or lacks what it must have (a browser's TypeError)."""

    name = "TypeError"


class Absent(enum.Enum):
    """The type of ABSENT: what is not there, as opposed to what is there and null."""

    ABSENT = enum.auto()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT


def dom_string(value: object) -> str:
    """Return the value as a DOMString (Web IDL "DOMString", ECMA-262 "ToString").

    Lists and mappings are the arrays and objects of JSON; what JavaScript does not know is what str() says.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):  # before int, which it is to Python
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(_number(value))
    if isinstance(value, list | tuple):
        return ",".join("" if item is None else dom_string(item) for item in value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return str(value)


def usv_string(value: object) -> str:
    """Return the value as a USVString (Web IDL "USVString").

    That is a DOMString whose lone surrogates have become U+FFFD, so that it can be encoded.
    """
    return dom_string(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def unsigned_short(value: object) -> int:
    """Return the value as an unsigned short, 0 to 65535 (Web IDL "unsigned short", no attribute).

    Nothing is out of range: numbers wrap around, and what is no number is 0.
    """
    return _wrapped(value, 2**16)


def unsigned_long(value: object) -> int:
    """Return the value as an unsigned long, 0 to 4294967295 (Web IDL "unsigned long"), like an unsigned short."""
    return _wrapped(value, 2**32)


def long(value: object) -> int:
    """Return the value as a long, -2147483648 to 2147483647 (Web IDL "long"), like an unsigned short."""
    number = _wrapped(value, 2**32)
    return number if number < 2**31 else number - 2**32


def enforced(value: object, largest: int) -> int | None:
    """Return the value as an integer from 0 to *largest* (Web IDL [EnforceRange]), or None where a browser throws.

    What is out of range is not wrapped around, and what is no number is not 0.
    """
    number = _to_number(value)
    return int(number) if -1 < number < largest + 1 else None


def nullable(convert: Callable[[object], _T], value: object) -> _T | None:
    """Return None for None and the converted value for anything else (Web IDL "T?")."""
    return None if value is None else convert(value)


def members(value: object, names: Iterable[str], what: str) -> dict[str, object]:
    """Return those of the named members that are present, unconverted (Web IDL "dictionary").

    A mapping is read by its keys, None is the empty dictionary, and any other object is read by its
    attributes. Members nobody named are ignored. TypeError, its text beginning with `what`, is
    raised for everything that no dictionary can be read from: strings, numbers, classes, and
    objects that have none of the attributes.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {name: value[name] for name in names if name in value}
    # A class has its instances' attributes too, as descriptors, which would be taken for values.
    if not isinstance(value, str | bytes | int | float | type):
        read = {name: getattr(value, name, ABSENT) for name in names}
        present = {name: member for name, member in read.items() if member is not ABSENT}
        if present:
            return present
    raise ArgumentTypeError(f"{what} must be a dictionary, not {type(value).__name__}")


# Numbers. JavaScript has one kind, the double, so Python's integers become doubles first: beyond
# 2**53 they lose the digits that they would lose in a browser.


def _to_number(value: object) -> float:
    """ECMA-262 "ToNumber": what is neither a number nor null is what its text says."""
    if value is None:
        return 0.0
    return _number(value) if isinstance(value, int | float) else _number_in(dom_string(value))


def _wrapped(value: object, size: int) -> int:
    number = _to_number(value)
    return int(number) % size if math.isfinite(number) else 0


def _number(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _number_text(number: float) -> str:
    """Print a double (ECMA-262 "Number::toString"): as Python does, but for the exponent."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:  # minus zero has no sign
        return "0"
    if 1e-6 <= abs(number) < 1e21:
        text = f"{Decimal(repr(number)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(number).partition("e")
    return f"{mantissa}e{int(exponent):+d}"


# ECMA-262 "StringToNumber". Python's float() and int() differ: they allow underscores and digits of
# other scripts. Each alternative consumes digits in one place only, so nothing backtracks for long.
# "Infinity" is left out: no integer type of Web IDL tells it from what is no number.
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_POWER_OF_TWO = re.compile(r"0x[0-9a-f]+|0o[0-7]+|0b[01]+", re.ASCII | re.IGNORECASE)

# Not those of str.strip(), which knows no byte order mark but a few separators more.
_WHITE_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def _number_in(text: str) -> float:
    text = text.strip(_WHITE_SPACE)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _POWER_OF_TWO.fullmatch(text):
        return _number(int(text, 0))
    return math.nan
