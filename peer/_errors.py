"""Errors, by the names the DOM gives them.

    Exception
    ├── DOMException                      .name is the W3C's name of the error
    │   ├── InvalidStateError             also aiortc.InvalidStateError
    │   ├── InvalidAccessError            also aiortc.InvalidAccessError and ValueError
    │   ├── InvalidModificationError
    │   ├── NotSupportedError
    │   ├── OperationError                also aiortc's OperationError
    │   └── URLSyntaxError                .name is "SyntaxError"; also ValueError
    └── TypeError
        └── ArgumentTypeError             .name is "TypeError"; also ValueError

Two questions decide which one is raised. What does the W3C's algorithm name at this step? That gives the class. What
did aiortc raise in the same case? That class is a base too, so that an ``except`` written for aiortc goes on catching.
Where a browser throws its built-in TypeError, Python's built-in TypeError catches it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiortc
import aiortc.exceptions


class DOMException(Exception):
    """The base of all errors that a browser would report as a DOMException (WebIDL, section 2.8.1)."""

    name = "Error"
    "The name by which the W3C's specifications know the error."

    @property
    def message(self) -> str:
        """What went wrong, as a sentence."""
        return str(self)


class InvalidStateError(DOMException, aiortc.InvalidStateError):
    """The connection is not in a state in which this call makes sense; closed, for one."""

    name = "InvalidStateError"


class InvalidAccessError(DOMException, aiortc.InvalidAccessError, ValueError):
    """The object or description does not fit what the connection has negotiated."""

    name = "InvalidAccessError"


class InvalidModificationError(DOMException):
    """The call would change something that may not be changed."""

    name = "InvalidModificationError"


class NotSupportedError(DOMException):
    """What was asked for is part of the W3C's API, but this version does not do it."""

    name = "NotSupportedError"


class OperationError(DOMException, aiortc.exceptions.OperationError):
    """The operation failed for a reason of its own: a candidate or description that cannot be applied."""

    name = "OperationError"


class URLSyntaxError(DOMException, ValueError):
    """The URL of a STUN or TURN server cannot be parsed (the DOM's "SyntaxError")."""

    name = "SyntaxError"


class ArgumentTypeError(TypeError, ValueError):
    """An argument is of the wrong type or lacks what it must have (a browser's TypeError)."""

    name = "TypeError"


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
