import copy
import pickle
import re
import traceback

import aiortc
import aiortc.exceptions
import pytest

from peer import _errors
from peer._errors import (
    ArgumentTypeError,
    DOMException,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    NotSupportedError,
    OperationError,
    RTCError,
    URLSyntaxError,
    translated,
)

# The class, the W3C's name for it, and who else catches it: the tree in the module's docstring.
ERRORS = [
    (DOMException, "Error", (Exception,)),
    (InvalidStateError, "InvalidStateError", (DOMException, aiortc.InvalidStateError)),
    (InvalidAccessError, "InvalidAccessError", (DOMException, aiortc.InvalidAccessError, ValueError)),
    (InvalidModificationError, "InvalidModificationError", (DOMException,)),
    (NotSupportedError, "NotSupportedError", (DOMException,)),
    (OperationError, "OperationError", (DOMException, aiortc.exceptions.OperationError)),
    (URLSyntaxError, "SyntaxError", (DOMException, ValueError)),
    (ArgumentTypeError, "TypeError", (TypeError, ValueError)),
]
CLASSES = [cls for cls, _, _ in ERRORS]


@pytest.mark.parametrize(("cls", "name", "bases"), ERRORS)
def test_an_error_has_the_w3cs_name_and_is_caught_by_its_other_names(cls, name, bases):
    error = cls("a sentence")
    assert error.name == name
    assert str(error) == "a sentence"
    for base in bases:
        with pytest.raises(base, match="a sentence"):
            raise error


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not ArgumentTypeError])
def test_a_dom_exception_has_a_message(cls):
    assert cls("a sentence").message == "a sentence"
    assert cls().message == ""


def test_a_type_error_is_pythons_and_not_of_the_dom():
    assert not issubclass(ArgumentTypeError, DOMException)
    assert not any(issubclass(cls, TypeError) for cls in CLASSES if cls is not ArgumentTypeError)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_copying_and_pickling(cls):
    for again in (copy.copy(cls("a sentence")), pickle.loads(pickle.dumps(cls("a sentence")))):
        assert type(again) is cls
        assert again.args == ("a sentence",)


def test_the_tree_in_the_docstring_has_every_class():
    drawn = re.findall(r"[├└]── (\w+)", _errors.__doc__)
    assert set(drawn) == {cls.__name__ for cls in CLASSES} | {"RTCError", "TypeError"}


# RTCError, which takes a dictionary

NUMBERS = ("sdpLineNumber", "sctpCauseCode", "receivedAlert", "sentAlert")


def numbers(error):
    return [getattr(error, name) for name in NUMBERS]


def test_an_rtc_error_is_an_operation_error_that_says_more():
    error = RTCError({"errorDetail": "sctp-failure", "sctpCauseCode": 12}, "a sentence")
    assert (error.name, error.message, error.errorDetail) == ("OperationError", "a sentence", "sctp-failure")
    assert numbers(error) == [None, 12, None, None]
    for base in (OperationError, DOMException, aiortc.exceptions.OperationError):
        with pytest.raises(base, match="a sentence"):
            raise error


@pytest.mark.parametrize("detail", _errors._ERROR_DETAILS)
def test_an_rtc_error_has_any_detail_of_the_w3c_and_nothing_else_it_was_not_given(detail):
    error = RTCError({"errorDetail": detail})
    assert (error.errorDetail, error.message, numbers(error)) == (detail, "", [None] * 4)


@pytest.mark.parametrize(
    "init", [None, {}, {"errorDetail": None}, {"errorDetail": "sctp"}, {"errorDetail": ""}, 5, "x"]
)
def test_an_rtc_error_without_a_detail_is_a_type_error(init):
    with pytest.raises(TypeError):
        RTCError(init)


def test_an_rtc_error_wraps_its_numbers_and_makes_a_text_of_its_message():
    error = RTCError({"errorDetail": "dtls-failure", **dict.fromkeys(NUMBERS, -1)}, 5)
    assert (error.message, numbers(error)) == ("5", [-1, -1, 2**32 - 1, 2**32 - 1])
    assert numbers(RTCError({"errorDetail": "dtls-failure", **dict.fromkeys(NUMBERS)})) == [0] * 4


@pytest.mark.parametrize("name", ["errorDetail", *NUMBERS])
def test_an_rtc_error_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(RTCError({"errorDetail": "sctp-failure"}), name, 5)


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])
def test_an_rtc_error_survives_copying_and_pickling(again):
    error = again(RTCError({"errorDetail": "sdp-syntax-error", "sdpLineNumber": 3, "sentAlert": 0}, "a sentence"))
    assert type(error) is RTCError
    assert (error.errorDetail, str(error), numbers(error)) == ("sdp-syntax-error", "a sentence", [3, None, None, 0])


def test_an_rtc_error_passes_as_it_is():
    with pytest.raises(RTCError) as caught, translated():
        raise RTCError({"errorDetail": "sctp-failure"}, "a sentence")
    assert caught.value.__cause__ is None


class Foreign(aiortc.InvalidStateError):
    """A subclass of one of aiortc's errors, as it may get any day."""


@pytest.mark.parametrize(
    ("theirs", "ours", "sentence"),
    [
        (aiortc.InvalidStateError("cannot do that now"), InvalidStateError, "cannot do that now"),
        (aiortc.InvalidAccessError("does not fit"), InvalidAccessError, "does not fit"),
        (aiortc.exceptions.OperationError("failed"), OperationError, "failed"),
        (Foreign("closed"), InvalidStateError, "closed"),
        (aiortc.exceptions.InternalError("whatever"), OperationError, "whatever"),
        (ValueError("None is not in list"), OperationError, "None is not in list"),
        (AssertionError(), OperationError, "AssertionError"),
        (KeyError(), OperationError, "KeyError"),
    ],
    ids=repr,
)
def test_what_aiortc_raises_is_translated_and_kept_as_the_cause(theirs, ours, sentence):
    with pytest.raises(ours, match=f"^{sentence}$") as caught, translated():
        raise theirs
    assert type(caught.value) is ours
    assert caught.value.__cause__ is theirs


@pytest.mark.parametrize("otherwise", [InvalidAccessError, ArgumentTypeError])
def test_the_caller_says_what_an_error_without_a_name_means(otherwise):
    with pytest.raises(otherwise, match=r"^no such kind$"), translated(otherwise):
        raise ValueError("no such kind")
    with pytest.raises(InvalidStateError, match=r"^closed$"), translated(otherwise):
        raise aiortc.InvalidStateError("closed")


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_of_ours_passes_as_it_is(cls):
    error = cls("a sentence")
    with pytest.raises(cls) as caught, translated(NotSupportedError):
        raise error
    assert caught.value is error
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, GeneratorExit, SystemExit])
def test_what_is_no_exception_passes_as_it_is(interruption):
    with pytest.raises(interruption), translated():
        raise interruption


def test_a_block_that_raises_nothing_has_its_way():
    done = []
    with translated():
        done.append(True)
    assert done


def test_the_traceback_leads_to_where_aiortc_raised():
    def deep_down():
        raise ValueError("no")

    with pytest.raises(OperationError) as caught, translated():
        deep_down()
    assert "deep_down" in "".join(traceback.format_exception(caught.value))
