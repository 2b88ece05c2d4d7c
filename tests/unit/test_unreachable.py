import errno
import socket
import ssl

import pytest

from peer import NotSupportedError
from peer._unreachable import sentence


def certificate_error():
    error = ssl.SSLCertVerificationError("...")
    error.verify_message = "certificate has expired"
    return error


def tls_error():
    error = ssl.SSLError(1, "[SSL] ...")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "..."), "the server's name is not known"),
        (socket.gaierror(socket.EAI_AGAIN, "..."), "the server's name cannot be looked up now"),
        (
            socket.gaierror(socket.EAI_FAMILY, "..."),
            "the server has no address of a kind that this host could ask",
        ),
        (UnicodeError("label empty or too long"), "the server's name is not one that can be looked up"),
        (certificate_error(), "the server's certificate is not accepted: certificate has expired"),
        (tls_error(), "TLS with the server has failed: wrong version number"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            "the server cannot be reached: connection refused",
        ),
        (ConnectionResetError(), "the server has closed the connection"),
        (OSError("Multiple exceptions: ..."), "the server cannot be reached"),
        (NotSupportedError("TURN over DTLS is not supported"), "TURN over DTLS is not supported"),
        (ValueError("too long"), "the server cannot be asked: too long"),
        (KeyError(), "the server cannot be asked: KeyError"),
    ],
)
def test_an_error_is_told_in_a_sentence_without_numbers(error, words):
    assert sentence(error) == words
