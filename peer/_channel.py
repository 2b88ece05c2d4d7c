"""What a data channel may be (webrtc-pc 6.1 and 6.2). Pure functions of what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from ._errors import ArgumentTypeError
from ._webidl import enforced, members, usv_string

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
    number = enforced(value, _LONGEST)
    if number is None:
        raise ArgumentTypeError(f"{what} is not a number from 0 to {_LONGEST}: {value!r}")
    return number


class _CountedInBytes(str):
    """A text whose length is that of its UTF-8."""

    def __len__(self) -> int:
        return len(self.encode())


def utf8(text: Any) -> str:
    """*text* for a data channel's label or protocol, whose length aiortc sends in characters where bytes are meant."""
    text = usv_string(text)
    return text if text.isascii() else _CountedInBytes(text)
