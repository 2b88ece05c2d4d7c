"""Signalling messages: what one side tells the other, as the W3C's examples write it (webrtc-pc 10.7). Pure.

    {"description": {"type": "offer", "sdp": "v=0..."}}
    {"candidate": {"candidate": "candidate:...", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "..."}}
    {"candidate": null}

On the wire a message is such a JSON text. In a program it is such a dictionary, with an RTCSessionDescription or an
RTCIceCandidate in it. What a browser writes is a message; what only resembles it is refused with a sentence, where
guessing would end in a connection that never comes:

1. A message has a description or a candidate, and not both: one of them would be lost. A description that is null is
   none. Other members mean nothing, as in any dictionary of a browser's.
2. A description has a type, and, but for a rollback, a text.
3. A candidate has a text and names an m-line; or it is null, by which some say that there are no more. A candidate
   whose text is empty is one, too: the end of candidates.
4. A text is a text, and a number a number. Here nothing is made one, as a browser would do with what it is given.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from typing import Any, TypedDict

from ._candidate import RTCIceCandidate
from ._description import RTCSessionDescription

_CANDIDATE_MEMBERS = {
    "candidate": (str, "a text"),
    "sdpMid": (str | None, "a text or null"),
    "sdpMLineIndex": (int | None, "a number or null"),
    "usernameFragment": (str | None, "a text or null"),
}


class DescriptionMessage(TypedDict):
    """A message that has a description."""

    description: RTCSessionDescription


class CandidateMessage(TypedDict):
    """A message that has a candidate, or None."""

    candidate: RTCIceCandidate | None


Message = DescriptionMessage | CandidateMessage


class MessageError(ValueError):
    """This is no signalling message. Its text says why not, and shows a bit of what was given."""


def encode(message: Mapping[str, Any]) -> str:
    """Return the JSON text of *message*, which only needs ASCII.

    The message is ``{"description": pc.localDescription}`` or ``{"candidate": event.candidate}``; dictionaries may
    stand for both. Raises MessageError for what is none.
    """
    return json.dumps(parse(message), default=lambda value: value.toJSON())


def decode(text: str | bytes) -> Message:
    """Return the message that a JSON *text* holds. Raises MessageError if it holds none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal("it is not JSON", text) from error
    return parse(value)


def parse(value: object) -> Message:
    """Return the message that *value* is: what is in it may be dictionaries yet. Raises MessageError if it is none."""
    if not isinstance(value, Mapping):
        raise _refusal("it is not an object", value)
    if value.get("description") is None:
        if "candidate" not in value:
            raise _refusal("it has neither a description nor a candidate", value)
        return {"candidate": _candidate(value["candidate"], value)}
    if value.get("candidate") is not None:
        raise _refusal("it has both a description and a candidate", value)
    return {"description": _description(value["description"], value)}


def _description(given: object, message: object) -> RTCSessionDescription:
    if isinstance(given, RTCSessionDescription):
        given = given.toJSON()
    if not isinstance(given, Mapping):
        raise _refusal("its description is not an object", message)
    type, sdp = given.get("type"), given.get("sdp", "")
    needed = "its description needs a type and an sdp"
    if not (isinstance(type, str) and isinstance(sdp, str)):
        raise _refusal(needed, message)
    try:
        description = RTCSessionDescription(type=type, sdp=sdp)
    except TypeError as error:
        raise _refusal(str(error), message) from error
    if not sdp and type != "rollback":
        raise _refusal(needed, message)
    return description


def _candidate(given: object, message: object) -> RTCIceCandidate | None:
    if given is None or isinstance(given, RTCIceCandidate):
        return given
    if not isinstance(given, Mapping):
        raise _refusal("its candidate is neither an object nor null", message)
    for name, (kind, words) in _CANDIDATE_MEMBERS.items():
        if not isinstance(given.get(name), kind):
            raise _refusal(f"its candidate's {name} is not {words}", message)
    try:
        return RTCIceCandidate({name: given.get(name) for name in _CANDIDATE_MEMBERS})
    except TypeError as error:
        raise _refusal(str(error), message) from error


def _refusal(why: str, given: object) -> MessageError:
    return MessageError(f"not a signalling message: {why}: {reprlib.repr(given)}")
