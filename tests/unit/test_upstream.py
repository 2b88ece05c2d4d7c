import re
from importlib.metadata import version

import pytest

from peer._upstream import require


def spelt(value):
    """As it is in the names of tests, which must not have addresses in them."""
    return re.sub(" at 0x[0-9a-f]+", "", str(value))


class Upstream:
    """A class as aiortc's and aioice's are: some names belong to the class, some are set when it is made."""

    _kind = "a"

    def __init__(self):
        self._socket = None
        self.__state = "new"

    def _send(self):
        return self.__state

    def __gather(self):
        return self.__state


class Derived(Upstream):
    """It inherits the names of the class, and the constructor."""


@pytest.mark.parametrize(
    "names",
    [
        {},
        {Upstream: ()},
        {Upstream: ("_kind",)},
        {Upstream: ("_send", "_Upstream__gather")},
        {Upstream: ("_socket", "_Upstream__state")},
        {Derived: ("_kind", "_send", "_socket")},
        {Upstream: ("_send",), Derived: ("_socket",)},
        {Upstream._send: ("_Upstream__state",)},
    ],
    ids=spelt,
)
def test_nothing_is_said_while_all_names_are_there(names):
    assert require("aiortc", names) is None


@pytest.mark.parametrize("package", ["aiortc", "aioice"])
@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ({Upstream: ("_gone",)}, "Upstream._gone"),
        ({Upstream: ("_kind", "_gone", "_socket")}, "Upstream._gone"),
        ({Upstream: ("_Upstream__gone",)}, "Upstream._Upstream__gone"),
        ({Upstream: ("__gather",)}, "Upstream.__gather"),
        ({Upstream: ("_gone", "_lost")}, "Upstream._gone, Upstream._lost"),
        ({Upstream: ("_gone",), Derived: ("_send", "_lost")}, "Upstream._gone, Derived._lost"),
        ({Upstream._send: ("_Upstream__state", "_gone")}, "_send._gone"),
    ],
    ids=spelt,
)
def test_a_missing_name_is_an_import_error_that_names_package_version_and_name(package, names, missing):
    with pytest.raises(ImportError) as caught:
        require(package, names)
    assert str(caught.value) == (
        f"aiortc-peer cannot work with {package} {version(package)}: it has no {missing}. "
        f"Install the version of {package} that aiortc-peer asks for."
    )


def test_the_sentence_has_the_version_that_is_installed():
    with pytest.raises(ImportError, match=rf"pytest {re.escape(version('pytest'))}:"):
        require("pytest", {Upstream: ("_gone",)})


def test_a_class_that_has_lost_its_constructor_gets_the_same_sentence():
    class Bare:
        pass

    with pytest.raises(ImportError, match=r"it has no Bare\._gone"):
        require("aiortc", {Bare: ("_gone",)})
