"""What ended the association of the data channels, and whether that is an error. Pure functions.

A channel whose transport "was closed with an error" fires ``error`` before ``close`` (webrtc-pc 6.2). The W3C does not
say what such an error is, but that of an "sctp-failure" is a negotiation of SCTP that has failed, or a connection that
was terminated with a fatal error (11.1.3). So, by what ends an association (RFC 9260):

    we do: close(), or nobody needs it            no error
    the remote side ends DTLS                     no error, as in both browsers
    SHUTDOWN COMPLETE                             no error: both sides have agreed
    ABORT                                         an error, with the code of its first cause, if it has one
    ERROR, while the association is being set up  an error, likewise
    nobody answers what we send again and again   an error without a code

close() of a connection sends an ABORT (4.4.2), so the channels of the other side fire an error. Chromium does that, and
the W3C's tests want it; Firefox does not. As in both, the cause says that it was the user's wish.
"""

from __future__ import annotations

from collections.abc import Sequence

from ._errors import RTCError

Cause = tuple[int, bytes]  # its code, and information that is specific to it (RFC 9260, section 3.3.10)

INIT = 1  # the type of the chunk that begins an association
ABORT, ERROR, SHUTDOWN_COMPLETE = 6, 9, 14  # and those of the ones that can end it

_USER_INITIATED_ABORT, _PROTOCOL_VIOLATION = 12, 13
CLOSED_BY_USER: Cause = (_USER_INITIATED_ABORT, b"the connection was closed")


def ended_by(chunk: int, causes: Sequence[Cause]) -> RTCError | None:
    """The error with which a chunk of this type, with these *causes*, ends an association, if it is one."""
    if chunk == SHUTDOWN_COMPLETE:
        return None
    sentence = "the remote side has aborted the association" if chunk == ABORT else "no association could be set up"
    if not causes:
        return RTCError({"errorDetail": "sctp-failure"}, sentence)
    code, information = causes[0]
    is_text = code in (_USER_INITIATED_ABORT, _PROTOCOL_VIOLATION)
    said = information.decode(errors="replace") if is_text else information.hex(" ")
    return RTCError({"errorDetail": "sctp-failure", "sctpCauseCode": code}, f"{sentence}: {said}" if said else sentence)


def unanswered() -> RTCError:
    """The error with which an association ends when all retransmissions were in vain."""
    return RTCError({"errorDetail": "sctp-failure"}, "the remote side does not answer any more")
