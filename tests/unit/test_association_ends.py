import pytest

from peer._association import ABORT, CLOSED_BY_USER, ERROR, SHUTDOWN_COMPLETE, ended_by, unanswered

ABORTED = "the remote side has aborted the association"


@pytest.mark.parametrize(
    ("causes", "code", "message"),
    [
        ([], None, ABORTED),
        ([(12, b"Close called")], 12, f"{ABORTED}: Close called"),
        ([(12, b"")], 12, ABORTED),
        ([(13, "grüße".encode())], 13, f"{ABORTED}: grüße"),
        ([(13, b"\xff!")], 13, f"{ABORTED}: \ufffd!"),
        ([(1, b"\0\x07\0\0")], 1, f"{ABORTED}: 00 07 00 00"),
        ([(0xFFFF, b"text")], 0xFFFF, f"{ABORTED}: 74 65 78 74"),
        ([(4, b""), (12, b"late")], 4, ABORTED),
    ],
)
def test_an_abort_is_an_error_with_its_first_cause(causes, code, message):
    error = ended_by(ABORT, causes)
    assert (error.errorDetail, error.sctpCauseCode, error.message) == ("sctp-failure", code, message)


def test_what_we_say_when_we_close_is_read_as_the_users_wish():
    error = ended_by(ABORT, [CLOSED_BY_USER])
    assert (error.sctpCauseCode, error.message) == (12, f"{ABORTED}: the connection was closed")


def test_an_error_while_the_association_is_set_up_is_one():
    error = ended_by(ERROR, [(3, b"\0\0\0\1")])
    assert (error.errorDetail, error.sctpCauseCode) == ("sctp-failure", 3)
    assert error.message == "no association could be set up: 00 00 00 01"


def test_a_shutdown_is_no_error():
    assert ended_by(SHUTDOWN_COMPLETE, []) is None


def test_silence_is_an_error_without_a_code():
    error = unanswered()
    assert (error.errorDetail, error.sctpCauseCode) == ("sctp-failure", None)
    assert error.message
