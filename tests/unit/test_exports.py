import ast
import importlib
import inspect
import pathlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

import peer
import peer.signaling
from peer import testing, tools
from peer._transceiver import Sender, Transceiver

MODULES = ["peer", *(module.name for module in pkgutil.walk_packages(peer.__path__, "peer."))]
# Classes of aiortc's that are part of our interface, and explain themselves elsewhere.
FOREIGN = {"RTCConfiguration", "RTCIceServer"}


def test_all_is_sorted_and_names_nothing_twice():
    assert peer.__all__ == sorted(set(peer.__all__))


def test_all_names_exactly_what_can_be_imported():
    public = {name for name, value in vars(peer).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public == set(peer.__all__)


def test_a_star_import_gives_what_all_names():
    names = {}
    exec("from peer import *", names)
    assert set(names) - {"__builtins__"} == set(peer.__all__)


def test_there_are_three_public_modules_beside_the_package():
    public = {"signaling", "testing", "tools"}
    assert [name for name in MODULES if "._" not in name] == ["peer", *(f"peer.{name}" for name in sorted(public))]
    modules = {
        name
        for name, value in vars(peer).items()
        if inspect.ismodule(value) and name.isidentifier() and not name.startswith("_")
    }
    assert modules <= public  # they are there when somebody has imported them


@pytest.mark.parametrize("module", [testing, tools])
def test_the_modules_for_other_programs_name_exactly_what_can_be_imported(module):
    public = {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert sorted(module.__all__) == sorted(public)


def test_everything_exported_is_ours_or_aiortcs():
    foreign = {name for name in peer.__all__ if not getattr(peer, name).__module__.startswith("peer.")}
    assert foreign == FOREIGN
    assert {getattr(peer, name).__module__.partition(".")[0] for name in foreign} == {"aiortc"}


def test_everything_exported_has_the_name_it_is_exported_by():
    assert [getattr(peer, name).__name__ for name in peer.__all__] == peer.__all__


def test_the_signalling_names_its_public_members_in_order():
    names = peer.signaling.__all__
    assert names == sorted(set(names))
    assert all(getattr(peer.signaling, name).__doc__ for name in names)


def test_the_version_is_that_of_the_distribution():
    assert peer.__version__ == version("aiortc-peer")


def test_the_package_says_that_it_is_typed():
    assert pathlib.Path(peer.__file__).with_name("py.typed").is_file()


def members(cls):
    """The public members that *cls* has from the package, inherited ones included."""
    for base in cls.__mro__:
        if base.__module__.startswith("peer."):
            yield from ((name, member) for name, member in vars(base).items() if not name.startswith("_"))


@pytest.mark.parametrize("name", [name for name in peer.__all__ if name not in FOREIGN and name[0].isupper()])
def test_a_public_class_and_its_public_members_are_explained(name):
    cls = getattr(peer, name)
    assert inspect.getdoc(cls)
    assert cls.__doc__, "inherited, so it does not say what is special here"
    for member, value in members(cls):
        if inspect.ismemberdescriptor(value) or isinstance(value, str):
            continue  # a string below it explains it; see the next test
        assert value.__doc__, f"{name}.{member}"


# Where a name is Python's or aiortc's: what is spelled in snake_case, and
OURS = {"emit", "listeners", "on", "once"}
SECTION = re.compile(r"webrtc-pc \d+(\.\d+)*|mediacapture-streams \d+(\.\d+)*|(DOM|HTML|WebIDL), section \d+(\.\d+)*")


@pytest.mark.parametrize("name", [name for name in peer.__all__ if name not in FOREIGN and name[0].isupper()])
def test_what_the_w3c_has_named_names_its_section(name):
    cls = getattr(peer, name)
    assert SECTION.search(cls.__doc__)
    for member, value in members(cls):
        if inspect.ismemberdescriptor(value) or isinstance(value, str):
            continue  # those of the class's section
        if member not in OURS and "_" not in member:
            assert SECTION.search(value.__doc__), f"{name}.{member}"


@pytest.mark.parametrize("cls", [Sender, Transceiver])
def test_what_is_given_in_place_of_aiortcs_explains_what_it_adds(cls):
    added = {name: value for name, value in members(cls) if inspect.isfunction(value) or isinstance(value, property)}
    assert added
    for name, value in added.items():
        assert SECTION.search(value.__doc__), name


# Public names, of functions and of what they take, that stand for numbers, and the unit these have.
UNITS = {
    "began": "milliseconds",
    "bufferedAmountLowThreshold": "bytes",
    "createDataChannel": "milliseconds",
    "gathering_complete": "seconds",
    "getStats": "seconds",
    "heartbeat": "seconds",
    "interval": "seconds",
    "now": "milliseconds",
}


def public():
    """All that is public, by its full name: functions, classes, and the members of classes."""
    for module in (peer, peer.signaling, tools):
        for name in module.__all__:
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("peer."):
                yield f"{module.__name__}.{name}", value
                if inspect.isclass(value):
                    yield from ((f"{module.__name__}.{name}.{member}", own) for member, own in members(value))


def test_numbers_with_a_unit_have_it_in_the_docstring():
    found = set()
    for name, value in public():
        own = {*inspect.signature(value).parameters} if inspect.isfunction(value) else set()
        for number in UNITS.keys() & (own | {name.rpartition(".")[2]}):
            assert UNITS[number] in value.__doc__, f"{name}: {number}"
            found.add(number)
    assert found == UNITS.keys()


# What fails in functions that public ones share, and the error.
SHARED = {
    "description_init(": "TypeError",
    "rejected(": "TypeError",
    "self._assert_open(": "InvalidStateError",
    "self._chain(": "InvalidStateError",
    "stream_ids(": "TypeError",
}


def test_what_raises_says_so():
    """An error that a public function raises itself, or by what it shares with others, is in its docstring."""
    used = set()
    for name, value in public():
        function = value.fset or value.fget if isinstance(value, property) else inspect.unwrap(value)
        if inspect.isfunction(function):
            source = inspect.getsource(function)
            shared = {call for call in SHARED if call in source and not function.__name__.startswith("_")}
            for error in [*re.findall(r"\braise ([A-Z]\w+)\(", source), *(SHARED[call] for call in shared)]:
                assert error.removeprefix("Argument") in value.__doc__, f"{name}: {error}"
            used |= shared
    assert used == SHARED.keys()


def explained(body):
    """The names of the variables in the *body* of a class that a string below explains, and the others."""
    yes, no = set(), set()
    for statement, below in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)]):
                match below:
                    case ast.Expr(ast.Constant(str())):
                        yes.add(name)
                    case _:
                        no.add(name)
    return yes, no


@pytest.mark.parametrize("name", ["DOMException", "RTCIceCandidate"])
def test_a_public_variable_of_a_class_is_explained_by_the_string_below_it(name):
    cls = getattr(peer, name)
    (definition,) = ast.parse(inspect.getsource(cls)).body
    yes, no = explained(definition.body)
    assert yes
    assert not {variable for variable in no if not variable.startswith("_")}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_and_every_public_name_in_it_is_explained(module):
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    assert ast.get_docstring(tree)
    unexplained = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.Module):
            for child in node.body:
                if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    decorators = {ast.unparse(decorator) for decorator in child.decorator_list}
                    elsewhere = decorators & {"overload", f"{child.name}.setter"}
                    private = child.name.startswith("_") or getattr(node, "name", "").startswith("_")
                    if not (elsewhere or private or ast.get_docstring(child)):
                        unexplained.append(child.name)
    assert not unexplained


@pytest.mark.timeout(300)  # the first time, mypy reads all that we use
def test_a_users_program_knows_the_types_of_transports_and_of_fixtures(tmp_path, pytestconfig):
    program = tmp_path / "program.py"
    program.write_text("""
from typing import assert_type

from peer import RTCIceTransport, RTCPeerConnection
from peer.testing import ConnectedPage, ConnectedPair, OpenPage, Page, PageSignaling, Recorded, Troubled
from peer.tools import Entry

def look(pc: RTCPeerConnection) -> None:
    assert pc.sctp
    assert_type(pc.sctp.transport.iceTransport, RTCIceTransport)
    for transceiver in pc.getTransceivers():
        assert_type(transceiver.sender.transport.iceTransport, RTCIceTransport)
        assert_type(transceiver.receiver.transport.iceTransport, RTCIceTransport)

async def test_it(
    connected_page: ConnectedPage, connected_pair: ConnectedPair, open_page: OpenPage, page_signaling: PageSignaling,
    troubled: Troubled, recorded: Recorded, recording: list[Entry],
) -> None:
    async with connected_page() as (pc, page), open_page() as other, connected_pair(timeout=3) as (a, b):
        assert_type(pc, RTCPeerConnection)
        assert_type(page, Page)
        assert_type(other, Page)
        async with page_signaling(page) as signaling, troubled(signaling) as end, recorded(a=a, b=b):
            await end.send({"candidate": None})
""")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", str(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=pytestconfig.rootpath,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
