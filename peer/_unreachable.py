"""Why a STUN or TURN server could not be asked, or has not answered as such: sentences for people. Pure.

The W3C leaves the text of an error 701 to us ("an implementation-specific value providing details about the error",
webrtc-pc 4.8.3). What the system says is not for people: it begins with numbers, and repeats the address.
"""

from __future__ import annotations

import os
import socket
import ssl

from ._errors import DOMException

# What getaddrinfo says of a name that has no address of the family that is asked for; not every system has them.
_NO_SUCH_ADDRESS = {getattr(socket, name, None) for name in ("EAI_ADDRFAMILY", "EAI_FAMILY", "EAI_NODATA")}


def sentence(error: Exception) -> str:
    """Say what *error* means, with which asking a server has ended."""
    match error:
        case DOMException():
            return str(error)
        case socket.gaierror(errno=code) if code in _NO_SUCH_ADDRESS:
            return "the server has no address of a kind that this host could ask"
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "the server's name cannot be looked up now"
        case socket.gaierror():
            return "the server's name is not known"
        case UnicodeError():
            return "the server's name is not one that can be looked up"
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not accepted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS with the server has failed: {reason.lower().replace('_', ' ')}"
        case OSError(errno=int(code)):
            words = os.strerror(code)
            return f"the server cannot be reached: {words[:1].lower()}{words[1:]}"
        case ConnectionError():
            return "the server has closed the connection"
        case OSError():  # of several addresses, each with a reason of its own
            return "the server cannot be reached"
    return f"the server cannot be asked: {str(error) or type(error).__name__}"
