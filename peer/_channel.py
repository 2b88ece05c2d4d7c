"""What a data channel may be (webrtc-pc 6.1 and 6.2). Pure functions of what was given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from typing import Any

from ._errors import ArgumentTypeError
from ._webidl import members

_MEMBERS = ("ordered", "maxPacketLifeTime", "maxRetransmits", "protocol", "negotiated", "id")
_NUMBERS = ("maxPacketLifeTime", "maxRetransmits", "id")
_LONGEST = 65535  # bytes of a label or a protocol; also the largest number
_LARGEST_ID = 65534


def channel_options(dataChannelDict: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a dictionary and keywords as WebIDL does: the members that were given, those that are None left out.

    Raises TypeError for what is no dictionary, an unknown keyword, and a number that is none or out of range.
    """
    for unknown in keywords.keys() - set(_MEMBERS):
        raise ArgumentTypeError(f"a data channel has no option {unknown}")
    given = {**members(dataChannelDict, _MEMBERS, "dataChannelDict"), **keywords}
    options = {name: _enforced(given[name], name) for name in _NUMBERS if given.get(name) is not None}
    options |= {name: bool(given[name]) for name in ("ordered", "negotiated") if name in given}
    return options | ({"protocol": given["protocol"]} if "protocol" in given else {})


def check_channel(label: Sized, options: Mapping[str, Any]) -> None:
    """Raise TypeError for what contradicts itself or is too long. *label* and protocol have their length in bytes."""
    for what, text in (("label", label), ("protocol", options.get("protocol", ""))):
        if len(text) > _LONGEST:
            raise ArgumentTypeError(f"the {what} is longer than {_LONGEST} bytes")
    if "maxPacketLifeTime" in options and "maxRetransmits" in options:
        raise ArgumentTypeError("maxPacketLifeTime and maxRetransmits cannot both be given")
    if options.get("negotiated") and not options.get("id", _LONGEST) <= _LARGEST_ID:
        raise ArgumentTypeError(f"a channel that is negotiated needs an id, of at most {_LARGEST_ID}")


def _enforced(value: Any, what: str) -> int:
    """An unsigned short (Web IDL "[EnforceRange]"): TypeError for what is no number, or out of range."""
    try:
        number = float((value.strip() or 0) if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not -1 < number < _LONGEST + 1:  # fractions are cut off, and nan is nowhere
        raise ArgumentTypeError(f"{what} is not a number from 0 to {_LONGEST}: {value!r}")
    return int(number)
