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
    assert set(drawn) == {cls.__name__ for cls in CLASSES} | {"TypeError"}


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
