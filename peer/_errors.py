"""Errors, by the names the DOM gives them.

    Exception
    ├── DOMException                      .name is the W3C's name of the error
    │   ├── InvalidStateError             also aiortc.InvalidStateError
    │   ├── InvalidAccessError            also aiortc.InvalidAccessError and ValueError
    │   ├── InvalidModificationError
    │   ├── NotSupportedError
    │   ├── OperationError                also aiortc's OperationError
    │   │   └── RTCError                  .name is "OperationError"; says what has failed underneath
    │   └── URLSyntaxError                .name is "SyntaxError"; also ValueError
    └── TypeError
        └── ArgumentTypeError             .name is "TypeError"; also ValueError

Two questions decide which one is raised. What does the W3C's algorithm name at this step? That gives the class. What
did aiortc raise in the same case? That class is a base too, so that an ``except`` written for aiortc goes on catching.
Where a browser throws its built-in TypeError, Python's built-in TypeError catches it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiortc
import aiortc.exceptions

from ._webidl import ArgumentTypeError as ArgumentTypeError  # raised there, and known by this module's name elsewhere
from ._webidl import dom_string, long, members, unsigned_long

_ERROR_DETAILS = (
    "data-channel-failure",
    "dtls-failure",
    "fingerprint-failure",
    "sctp-failure",
    "sdp-syntax-error",
    "hardware-encoder-not-available",
    "hardware-encoder-error",
)
_NUMBERS = {"sdpLineNumber": long, "sctpCauseCode": long, "receivedAlert": unsigned_long, "sentAlert": unsigned_long}


class DOMException(Exception):
    """The base of all errors that a browser would report as a DOMException (WebIDL, section 2.8.1)."""

    name = "Error"
    "The name by which the W3C's specifications know the error."

    @property
    def message(self) -> str:
        """What went wrong, as a sentence (WebIDL, section 4.3)."""
        return str(self)


class InvalidStateError(DOMException, aiortc.InvalidStateError):
    """The connection is not in a state in which this call makes sense; closed, for one (WebIDL, section 2.8.1)."""

    name = "InvalidStateError"


class InvalidAccessError(DOMException, aiortc.InvalidAccessError, ValueError):
    """The object or description does not fit what the connection has negotiated (WebIDL, section 2.8.1)."""

    name = "InvalidAccessError"


class InvalidModificationError(DOMException):
    """The call would change something that may not be changed (WebIDL, section 2.8.1)."""

    name = "InvalidModificationError"


class NotSupportedError(DOMException):
    """What was asked for is part of the W3C's API, but this version does not do it (WebIDL, section 2.8.1)."""

    name = "NotSupportedError"


class OperationError(DOMException, aiortc.exceptions.OperationError):
    """The operation failed for a reason of its own: a candidate or description that cannot be applied.

    See WebIDL, section 2.8.1.
    """

    name = "OperationError"


class RTCError(OperationError):
    """Something that the connection rests on has failed (webrtc-pc 11.1).

    >>> error = RTCError({"errorDetail": "sctp-failure", "sctpCauseCode": 12}, "the other side has aborted")
    >>> error.name, error.message, error.sctpCauseCode
    ('OperationError', 'the other side has aborted', 12)

    The other members of the dictionary are sdpLineNumber, sctpCauseCode, receivedAlert and sentAlert. Raises TypeError
    for an errorDetail that is missing or unknown.
    """

    def __init__(self, init: Mapping[str, Any], message: str = "") -> None:
        super().__init__(dom_string(message))
        given = members(init, ("errorDetail", *_NUMBERS), "an RTCErrorInit")
        detail = dom_string(given.get("errorDetail", ""))
        if detail not in _ERROR_DETAILS:
            raise ArgumentTypeError(f"{detail!r} is no errorDetail")
        self._error_detail = detail  # never changes
        # Never changes; what was not given is not there.
        self._numbers = {name: convert(given[name]) for name, convert in _NUMBERS.items() if name in given}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ({"errorDetail": self._error_detail, **self._numbers}, self.message)

    @property
    def errorDetail(self) -> str:
        """What has failed: ``"sctp-failure"`` and ``"sdp-syntax-error"`` occur here (webrtc-pc 11.1)."""
        return self._error_detail

    @property
    def sdpLineNumber(self) -> int | None:
        """The line of a description that does not parse, counted from 1, or None (webrtc-pc 11.1)."""
        return self._numbers.get("sdpLineNumber")

    @property
    def sctpCauseCode(self) -> int | None:
        """The cause code with which the remote side ended the association, or None (webrtc-pc 11.1).

        The codes are those of RFC 9260, section 3.3.10.
        """
        return self._numbers.get("sctpCauseCode")

    @property
    def receivedAlert(self) -> int | None:
        """The fatal alert of DTLS that was received, or None (webrtc-pc 11.1)."""
        return self._numbers.get("receivedAlert")

    @property
    def sentAlert(self) -> int | None:
        """The fatal alert of DTLS that was sent, or None (webrtc-pc 11.1)."""
        return self._numbers.get("sentAlert")


def sdp_syntax_error(what: str, line: int | None = None) -> RTCError:
    """The error for a text that is no session description (webrtc-pc 4.4.1.5): *what* is wrong, in which line."""
    number = {} if line is None else {"sdpLineNumber": line}
    return RTCError({"errorDetail": "sdp-syntax-error", **number}, f"not a session description: {what}")


class URLSyntaxError(DOMException, ValueError):
    """The URL of a STUN or TURN server cannot be parsed (the DOM's "SyntaxError")."""

    name = "SyntaxError"


_TRANSLATIONS: tuple[tuple[type[Exception], type[DOMException]], ...] = (
    (aiortc.InvalidStateError, InvalidStateError),
    (aiortc.InvalidAccessError, InvalidAccessError),
    (aiortc.exceptions.OperationError, OperationError),
)


@contextmanager
def translated(
    otherwise: type[DOMException] | type[ArgumentTypeError] = OperationError,
) -> Iterator[None]:
    """Raise what aiortc raises in the block under the DOM's names, as *otherwise* where aiortc has no name for it."""
    try:
        yield
    except (DOMException, ArgumentTypeError):
        raise
    except Exception as error:
        sentence = str(error) or type(error).__name__
        for theirs, ours in _TRANSLATIONS:
            if isinstance(error, theirs):
                raise ours(sentence) from error
        raise otherwise(sentence) from error
