"""Only the two seams know what is private to aiortc and aioice.

A seam is a module or a package. Each module of it lists what it uses itself.

`violations()` reads the source of a module and finds where it names something private. What it knows: the tables that
the seams check at import, the public names that the packages list, and the names that the module itself defines. It
does not know the type of anything, so it is strict: a private attribute of whatever is not `self` must be one that the
module defines, and one that is in the tables must not be used at all.
"""

import ast
import importlib
import inspect
import pathlib
import re
import types
from importlib.metadata import version

import pytest

import peer
from peer._upstream import require

PACKAGE = pathlib.Path(peer.__file__).parent
SEAMS = {"aiortc": "_aiortc", "aioice": "_aioice"}
SOURCES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
# The modules of the seams, and the package that each is the seam to.
SEAM_MODULES = {name: package for package, seam in SEAMS.items() for name in SOURCES if name.split("/")[0] == seam}
OTHERS = sorted(SOURCES.keys() - SEAM_MODULES.keys())

# The modules of both packages that anybody may import.
PUBLIC_MODULES = {"aiortc", "aiortc.events", "aiortc.exceptions", "aiortc.sdp", "aiortc.stats", "aioice"}


# What the seams say


def dotted(node):
    """The names in `a.b.c`, or None for any other expression."""
    match node:
        case ast.Name(name):
            return [name]
        case ast.Attribute(value, name) if (names := dotted(value)) is not None:
            return [*names, name]
    return None


def imported(name):
    """The module *name* of this package."""
    return importlib.import_module(".".join(["peer", *name.split("/")]).removesuffix(".__init__"))


def table(module_name):
    """The table that a module of a seam checks at import: names, by class. Empty if it uses none."""
    module, found = imported(module_name), {}
    for node in ast.walk(ast.parse(SOURCES[module_name])):
        match node:
            case ast.Call(ast.Name("require"), [ast.Constant(name), ast.Dict(owners, names)]):
                assert name == SEAM_MODULES[module_name]
                assert not found, "a module has one table"
                for owner, listed in zip(owners, names, strict=True):
                    value = module
                    for attribute in dotted(owner):
                        value = getattr(value, attribute)
                    found[value] = ast.literal_eval(listed)
    return found


TABLES = {name: table(name) for name in SEAM_MODULES}
LISTED = {name for owners in TABLES.values() for names in owners.values() for name in names}
# Private by their spelling; and methods without an underscore that are in the tables for want of a documentation. The
# other names without an underscore ("mid", "state", and one method) are too common for a test that knows no types.
TOO_COMMON = {"run"}
PRIVATE = {name for name in LISTED if name.startswith("_")} | {
    name
    for owners in TABLES.values()
    for owner, names in owners.items()
    for name in names
    if not name.startswith("_") and callable(getattr(owner, name, None)) and name not in TOO_COMMON
}


def is_mangled(name):
    return re.fullmatch(r"_[A-Za-z]\w*?__\w*[^_]_?", name) is not None


def is_private(name):
    documented = name == "_asyncio_future_blocking"  # it makes a future of what has it: see asyncio.isfuture
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and not documented


# What a module says


class Module:
    """What the source of a module imports and defines."""

    def __init__(self, source):
        self.tree = ast.parse(source)
        self.imported = {}  # the dotted name of what is imported from the two packages, by its name here
        self.defined = set()  # attributes of the classes
        self.classes = {}  # class definitions, by name
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(aliases):
                    for alias in aliases:
                        name = alias.name if alias.asname else alias.name.partition(".")[0]
                        self.note_import(alias.asname or name, name)
                case ast.ImportFrom(module, aliases, 0):
                    for alias in aliases:
                        self.note_import(alias.asname or alias.name, f"{module}.{alias.name}")
                case ast.ClassDef(name):
                    self.classes[name] = node
                    self.defined |= own(node)

    def note_import(self, here, name):
        if name.partition(".")[0] in SEAMS:
            self.imported[here] = name

    def upstream(self, node):
        """The dotted name of *node* if it belongs to aiortc or aioice, as far as imports tell."""
        names = dotted(node)
        if names is None or names[0] not in self.imported:
            return None
        return ".".join([self.imported[names[0]], *names[1:]])


def own(definition):
    """The attributes that a class definition gives to the class and, by way of `self`, to its instances."""
    found = set()
    for node in definition.body:
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.AnnAssign(ast.Name(name)):
                found.add(name)
            case ast.Assign(targets):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(definition):
        match node:
            case ast.Attribute(ast.Name("self" | "cls"), name, ast.Store()):
                found.add(name)
    return found


PACKAGE_MODULES = {name: Module(source) for name, source in SOURCES.items()}
PACKAGE_CLASSES = {
    name: (module, definition) for module in PACKAGE_MODULES.values() for name, definition in module.classes.items()
}


def ancestry(module, definition):
    """The attributes that a class has from classes of this package, itself included, and its foreign ancestors."""
    found, foreign = own(definition), set()
    for base in definition.bases:
        base = base.value if isinstance(base, ast.Subscript) else base
        upstream = module.upstream(base)
        if upstream is not None:
            foreign.add(upstream)
        elif isinstance(base, ast.Name) and (base.id in module.classes or base.id in PACKAGE_CLASSES):
            where = (module, module.classes[base.id]) if base.id in module.classes else PACKAGE_CLASSES[base.id]
            inherited, more = ancestry(*where)
            found |= inherited
            foreign |= more
    return found, foreign


def privates_of(dotted_name):
    """The private names of an upstream class: its attributes, and what its methods mention."""
    module, _, name = dotted_name.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    found = set()
    for base in cls.__mro__[:-1]:
        found |= set(vars(base))
        for member in vars(base).values():
            code = getattr(inspect.unwrap(getattr(member, "fget", None) or member), "__code__", None)
            found |= set(code.co_names) if code else set()
    return {name for name in found if is_private(name)}


ACCESSORS = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"}


def violations(source):
    """What is wrong with the *source* of a module that is not a seam: lines of "number: sentence"."""
    module = Module(source)
    checker = Checker(module)
    checker.visit(module.tree)
    return [f"{line}: {sentence}" for line, sentence in sorted(set(checker.found))]


class Checker(ast.NodeVisitor):
    def __init__(self, module):
        self.module = module
        self.found = []
        self.attributes = set()  # of the class around, without those of its foreign ancestors
        self.foreign = set()  # private names of those ancestors

    def wrong(self, node, sentence):
        self.found.append((node.lineno, sentence))

    # Imports

    def check_module(self, node, name):
        if name.partition(".")[0] in SEAMS and name not in PUBLIC_MODULES:
            self.wrong(node, f"the module {name} is not public")
            return False
        return True

    def check_name(self, node, name):
        """*name* is the dotted name of something in the two packages."""
        module, _, last = name.rpartition(".")
        if not module or name in PUBLIC_MODULES:
            return
        if module in PUBLIC_MODULES:
            listed = getattr(importlib.import_module(module), "__all__", None)
            if last.startswith("_") or (listed is not None and last not in listed):
                self.wrong(node, f"{name} is not public")

    def visit_Import(self, node):
        for alias in node.names:
            self.check_module(node, alias.name)

    def visit_ImportFrom(self, node):
        if node.level == 0 and node.module.partition(".")[0] in SEAMS and self.check_module(node, node.module):
            for alias in node.names:
                self.check_name(node, f"{node.module}.{alias.name}")
        elif node.level or node.module.startswith("peer."):
            seam, _, inside = (node.module or "").removeprefix("peer.").partition(".")
            if seam in SEAMS.values():
                for name in [inside] if inside else [alias.name for alias in node.names]:
                    if is_private(name):
                        self.wrong(node, f"{name} is private to the seam")

    # Definitions

    def visit_ClassDef(self, node):
        around = self.attributes, self.foreign
        self.attributes, ancestors = ancestry(self.module, node)
        self.foreign = set().union(*map(privates_of, ancestors))
        for name in own(node) & (self.foreign | (PRIVATE if ancestors else set())):
            self.wrong(node, f"{node.name} overrides {name}")
        self.generic_visit(node)
        self.attributes, self.foreign = around

    def visit_FunctionDef(self, node):
        self.check_spelling(node, node.name)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def check_spelling(self, node, name):
        if is_mangled(name):
            self.wrong(node, f"{name} is the private name of a class")
        elif name.startswith("__") and is_private(name):
            self.wrong(node, f"{name} becomes the private name of a class, perhaps of one that is not ours")

    def visit_Name(self, node):
        self.check_spelling(node, node.id)

    # Attributes

    def visit_Attribute(self, node):
        name = node.attr
        self.check_spelling(node, name)
        match node.value:
            case ast.Name("self" | "cls") | ast.Call(ast.Name("super")):
                if name in self.foreign or (is_private(name) and name not in self.attributes):
                    self.wrong(node, f"{name} is not defined by the class or its ancestors in this package")
                elif name in PRIVATE and name not in self.attributes:
                    self.wrong(node, f"{name} is private to aiortc or aioice")
            case value if (upstream := self.module.upstream(value)) is not None:
                # The longest name comes first, the shorter ones inside it are visited below.
                self.check_name(node, f"{upstream}.{name}")
                if upstream in {"aiortc", "aioice"} and f"{upstream}.{name}" not in PUBLIC_MODULES:
                    self.check_submodule(node, f"{upstream}.{name}")
                self.check_foreign(node, name)
            case _:
                self.check_foreign(node, name)
        self.generic_visit(node)

    def check_submodule(self, node, name):
        if (pathlib.Path(importlib.import_module(name.partition(".")[0]).__file__).parent / f"{node.attr}.py").exists():
            self.check_module(node, name)

    def check_foreign(self, node, name):
        """*name* is an attribute of something that may be theirs."""
        if name in PRIVATE:
            self.wrong(node, f"{name} is private to aiortc or aioice")
        elif is_private(name) and name not in self.module.defined:
            self.wrong(node, f"{name} is not defined in this module")

    def visit_MatchClass(self, node):
        for name in node.kwd_attrs:
            self.check_foreign(node, name)
        self.generic_visit(node)

    # Names in strings

    def visit_Call(self, node):
        function = (dotted(node.func) or [""])[-1]
        for argument in node.args:
            match argument:
                case ast.Constant(str(name)) if function in ACCESSORS and is_private(name):
                    if dotted(node.args[0]) not in (["self"], ["cls"]) or name not in self.attributes:
                        self.wrong(node, f"{name} is not defined in this class")
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            if node.value in PRIVATE or is_mangled(node.value):
                self.wrong(node, f"{node.value} is private to aiortc or aioice")
            if re.fullmatch(r"(aiortc|aioice)(\.\w+)+", node.value):
                self.check_module(node, node.value)


# The package


@pytest.mark.parametrize("name", OTHERS)
def test_no_module_but_the_seams_names_anything_private(name):
    assert violations(SOURCES[name]) == []


@pytest.mark.parametrize("package", SEAMS)
def test_each_seam_is_to_one_package(package):
    modules = [module for name, module in PACKAGE_MODULES.items() if SEAM_MODULES.get(name) == package]
    assert {name.partition(".")[0] for module in modules for name in module.imported.values()} == {package}


@pytest.mark.parametrize("package", SEAMS)
def test_each_seam_lists_something(package):
    assert any(TABLES[name] for name, to in SEAM_MODULES.items() if to == package)


@pytest.mark.parametrize("name", [name for name in SEAM_MODULES if TABLES[name]])
def test_the_modules_of_the_seams_would_not_pass_for_others(name):
    assert len(violations(SOURCES[name])) > 2


def used(name):
    """The private names that a module of a seam uses and nobody in the package defines, and all that it spells.

    What one of its classes has from another module of the package is no foreign name, unless it is upstream's.
    """
    module = PACKAGE_MODULES[name]
    defined, foreign, spelt = set(), set(), set()
    for definition in module.classes.values():
        found, ancestors = ancestry(module, definition)
        defined |= found - set().union(*map(privates_of, ancestors))
    for node in ast.walk(module.tree):
        match node:
            case ast.ClassDef():
                _, ancestors = ancestry(module, node)
                inherited = set().union(*map(privates_of, ancestors))
                foreign |= own(node) & inherited
                spelt |= own(node)
            case ast.Attribute(_, name):
                spelt.add(name)
                if is_private(name) and name not in defined:
                    foreign.add(name)
    return foreign, spelt


@pytest.mark.parametrize("name", SEAM_MODULES)
def test_a_module_of_a_seam_lists_every_private_name_that_it_uses(name):
    foreign, _ = used(name)
    assert foreign - set().union(*TABLES[name].values()) == set()


@pytest.mark.parametrize("name", SEAM_MODULES)
def test_a_module_of_a_seam_uses_every_name_that_it_lists(name):
    _, spelt = used(name)
    assert set().union(*TABLES[name].values()) - spelt == set()


@pytest.mark.parametrize("name", SEAM_MODULES)
def test_a_module_of_a_seam_lists_what_it_takes_from_modules_that_are_not_public(name):
    module = PACKAGE_MODULES[name]
    hidden = {here: origin for here, origin in module.imported.items() if not is_public(origin)}
    # Who imports a name that is gone fails before the check.
    assert [origin for origin in hidden.values() if not is_module(origin)] == []
    taken = {
        f"{hidden[node.value.id]}.{node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in hidden
    }
    listed = getattr(imported(name), "_UNLISTED", {})
    assert {f"{owner.__name__}.{attribute}" for owner, names in listed.items() for attribute in names} == taken


def is_public(origin):
    """Whether *origin*, the dotted name of something imported, is a public module or in one."""
    return origin in PUBLIC_MODULES or (origin.rpartition(".")[0] in PUBLIC_MODULES and not is_module(origin))


def is_module(origin):
    parent = importlib.import_module(origin.rpartition(".")[0] or origin)
    return isinstance(getattr(parent, origin.rpartition(".")[2], parent), types.ModuleType)


@pytest.mark.parametrize("name", SEAM_MODULES)
def test_a_table_is_sorted_but_for_the_names_without_an_underscore(name):
    for names in TABLES[name].values():
        assert len(set(names)) == len(names)
        assert list(names) == sorted(names, key=lambda name: (not name.startswith("_"), name))


# What the test would catch

VIOLATING = {
    # imports
    "a module that is not public": ("import aiortc.rtcpeerconnection", "module aiortc.rtcpeerconnection is not public"),
    "the same by another name": ("import aiortc.rtcicetransport as ice", "aiortc.rtcicetransport is not public"),
    "a name from it": ("from aiortc.rtcpeerconnection import RTCPeerConnection", "rtcpeerconnection is not public"),
    "the module as a name": ("from aiortc import rtcpeerconnection", "aiortc.rtcpeerconnection is not public"),
    "aioice's as well": ("from aioice import ice", "aioice.ice is not public"),
    "a name from that": ("from aioice.ice import Connection", "aioice.ice is not public"),
    "a private name": ("from aiortc.sdp import _helper", "aiortc.sdp._helper is not public"),
    "a private name of aioice": ("from aioice import _Connection", "aioice._Connection is not public"),
    "a private module": ("import aioice._native", "aioice._native is not public"),
    "a name that is not listed": ("from aiortc import logging", "aiortc.logging is not public"),
    "everything": ("from aiortc import *", "aiortc.* is not public"),
    "inside a function": ("def f():\n    from aioice import stun", "aioice.stun is not public"),
    "for types only": ("if TYPE_CHECKING:\n    import aioice.turn", "aioice.turn is not public"),
    "a private name of a seam": ("from ._aiortc import _now", "_now is private to the seam"),
    "by its full name": ("from peer._aiortc import _now", "_now is private to the seam"),
    "a module of a seam": ("from ._aioice._sockets import Socket", "_sockets is private to the seam"),
    "a module of a seam as a name": ("from ._aioice import _sockets", "_sockets is private to the seam"),
    "a module of a seam by its full name": ("from peer._aioice._sockets import Socket", "_sockets is private to the"),
    # by attribute
    "a module by attribute": ("import aiortc\naiortc.rtcpeerconnection.x", "aiortc.rtcpeerconnection is not public"),
    "a module of aioice": ("import aioice\naioice.ice.CandidatePair", "aioice.ice is not public"),
    "by another name": ("import aioice as upstream\nupstream.ice", "aioice.ice is not public"),
    "a name by attribute": ("import aiortc\naiortc.logging", "aiortc.logging is not public"),
    "a private function": ("from aiortc import sdp\nsdp._parse()", "aiortc.sdp._parse is not public"),
    # private attributes
    "an attribute": ("def f(transport):\n    return transport._connection", "2: _connection is private"),
    "an unlisted one": (
        "def f(connection):\n    return connection._nominating",
        "_nominating is not defined in this",
    ),
    "being set": ("def f(transport, agent):\n    transport._connection = agent", "2: _connection is private"),
    "being deleted": ("def f(x):\n    del x._nominating", "_nominating is not defined in this module"),
    "at the end of a chain": ("x.iceGatherer._connection.local_candidates", "_connection is private"),
    "of a call": ("make()._nominating", "_nominating is not defined in this module"),
    "in a default": ("def f(x=y._nominating): pass", "_nominating is not defined in this module"),
    "in a decorator": ("@x._nominating\ndef f(): pass", "_nominating is not defined in this module"),
    "in a pattern": (
        "match x:\n    case Connection(_nominating=5): pass",
        "_nominating is not defined in this module",
    ),
    "one that a class of ours has too": (
        "class Mine:\n    def __init__(self):\n        self._closing = 1\n\ndef f(x):\n    x._closing",
        "6: _closing is private to aiortc or aioice",
    ),
    "one that another module defines": (
        "def f(promise):\n    promise._heeded",
        "_heeded is not defined in this module",
    ),
    "an undocumented method": ("def f(c):\n    c.check_incoming()", "check_incoming is private to aiortc or aioice"),
    # of self
    "of self in a subclass": (
        "import aioice\nclass C(aioice.Connection):\n    def f(self):\n        return self._check_list",
        "4: _check_list is not defined by the class",
    ),
    "of self in a subclass, unlisted": (
        "from aioice import Connection\nclass C(Connection):\n    def f(self):\n        return self._nominating",
        "4: _nominating is not defined by the class",
    ),
    "of self in a subclass of a subclass": (
        "import aioice\nclass B(aioice.Connection): pass\nclass C(B):\n    def f(self): self._check_list",
        "4: _check_list is not defined by the class",
    ),
    "of self in a subclass of the engine": (
        "class Mine(Engine):\n    def f(self):\n        return self._RTCPeerConnection__seenMids",
        "_RTCPeerConnection__seenMids is the private name of a class",
    ),
    "of super()": (
        "import aioice\nclass C(aioice.Connection):\n    def f(self):\n        super()._nominating",
        "4: _nominating is not defined by the class",
    ),
    "of cls": (
        "import aiortc\nclass C(aiortc.RTCPeerConnection):\n    @classmethod\n    def f(cls): cls._x",
        "4: _x is not defined by the class",
    ),
    "of self where nobody defines it": ("class C:\n    def f(self): self._check_list", "_check_list is not defined by"),
    "set on self in a subclass": (
        "import aioice\nclass C(aioice.Connection):\n    def f(self):\n        self._check_list = []",
        "2: C overrides _check_list",
    ),
    "an undocumented method of self": (
        "import aioice\nclass C(aioice.Connection):\n    def f(self): self.sort_check_list()",
        "3: sort_check_list is private to aiortc or aioice",
    ),
    # overrides
    "an override": (
        "import aioice\nclass C(aioice.Connection):\n    def _prune_components(self): pass",
        "2: C overrides _prune_components",
    ),
    "an override of an undocumented method": (
        "import aioice\nclass C(aioice.Connection):\n    def check_incoming(self): pass",
        "2: C overrides check_incoming",
    ),
    "an override by assignment": (
        "import aioice\nclass C(aioice.Connection):\n    _prune_components = None",
        "2: C overrides _prune_components",
    ),
    "a mangled override": (
        "class C(Engine):\n    def _RTCPeerConnection__connect(self): pass",
        "2: _RTCPeerConnection__connect is the private name of a class",
    ),
    "an async one": (
        "class C(Engine):\n    async def _RTCPeerConnection__connect(self): pass",
        "2: _RTCPeerConnection__connect is the private name of a class",
    ),
    "a mangled attribute": ("engine._RTCPeerConnection__connect()", "_RTCPeerConnection__connect is the private name"),
    "a mangled attribute of aioice's": ("x._StunProtocol__log_debug", "_StunProtocol__log_debug is the private name"),
    "a mangled variable of a class": ("class C(Engine):\n    _RTCPeerConnection__x = 1", "__x is the private name"),
    "what Python will mangle": (
        "class RTCPeerConnection:\n    def f(self, engine): engine.__connect()",
        "2: __connect becomes the private name of a class",
    ),
    "what Python will mangle in an override": (
        "class RTCPeerConnection(Engine):\n    def __connect(self): pass",
        "2: __connect becomes the private name of a class",
    ),
    # by string
    "getattr": ("getattr(x, '_nominating')", "_nominating is not defined in this class"),
    "getattr with a default": ("getattr(x, '_nominating', None)", "_nominating is not defined in this class"),
    "setattr": ("setattr(x, '_connection', agent)", "_connection is private to aiortc or aioice"),
    "getattr on self": (
        "class C:\n    def f(self): getattr(self, '_nominating')",
        "_nominating is not defined in this class",
    ),
    "an attrgetter": ("operator.attrgetter('_nominating')(x)", "_nominating is not defined in this class"),
    "vars": ("vars(x)['_check_list']", "_check_list is private to aiortc or aioice"),
    "a dictionary": ("x.__dict__['_RTCPeerConnection__seenMids']", "_RTCPeerConnection__seenMids is private"),
    "a constant": ("NAME = '_check_list'", "_check_list is private to aiortc or aioice"),
    "an import by name": ("importlib.import_module('aiortc.rtcpeerconnection')", "rtcpeerconnection is not public"),
    "a module out of a dictionary": ("sys.modules['aioice.ice']", "aioice.ice is not public"),
}


@pytest.mark.parametrize(("source", "sentence"), VIOLATING.values(), ids=VIOLATING.keys())
def test_a_violation_is_found_and_named(source, sentence):
    assert any(sentence in violation for violation in violations(source)), violations(source)


INNOCENT = {
    "public names": "import aiortc\nclass C(aiortc.RTCPeerConnection):\n    x = aiortc.RTCConfiguration()",
    "public modules": "import aiortc.sdp\nfrom aiortc import sdp\nfrom aiortc.events import X\nsdp.x\naiortc.sdp.x",
    "public names of aioice": "import aioice\nfrom aioice import Candidate\naioice.Connection().local_candidates",
    "modules of this package": "from . import _remote\nfrom ._aiortc import guard\n_remote.additions",
    "names of its own": "class C:\n    _a = 1\n    def __init__(self):\n        self._b = self._a\n        self._b",
    "names of its base": "class B:\n    def _b(self): pass\nclass C(B):\n    def f(self):\n        self._b, super()._b",
    "names of a base in another module": "class C(EventTarget):\n    def f(self): self._fire(1)",
    "names of a generic base": "class B(Generic[T]):\n    _b = 1\nclass C(B[int]):\n    def f(self): self._b",
    "friends": "class C:\n    def __init__(self):\n        self._a = 1\n    def f(self, other): return other._a",
    "a name of its own that is in a table": "class C:\n    def f(self):\n        self._closing = self._closing",
    "public attributes": "def f(transport):\n    transport.mid = transport.state",
    "special names": "x.__class__.__name__\nsuper().__init__()\n__all__ = ['a']\nif __name__ == '__main__': pass",
    "private names of the module": "_A = 1\ndef _f(): return _A",
    "prose": "'''self._connection is aiortc's, and so is _RTCPeerConnection__connect.'''",
    "getattr of its own": "class C:\n    _a = 1\n    def f(self): getattr(self, '_a')",
    "other packages": "import asyncio.events\nfrom os import path\nasyncio.events.get_running_loop()",
    "an import of its own": "from .aiortc import anything",
}


@pytest.mark.parametrize("source", INNOCENT.values(), ids=INNOCENT.keys())
def test_what_is_allowed_is_not_found(source):
    assert violations(source) == []


# What is checked at import


def without(owner, name):
    """A class or function like *owner*, from the day on which upstream has given up *name*."""
    if isinstance(owner, types.FunctionType):
        return types.FunctionType(calling_it_otherwise(owner.__code__, name), {}, owner.__name__)
    namespace = {key: value for cls in owner.__mro__[-2::-1] for key, value in vars(cls).items() if key != name}
    namespace = {key: value for key, value in namespace.items() if key not in {"__dict__", "__weakref__"}}
    code = calling_it_otherwise(owner.__init__.__code__, name)
    namespace["__init__"] = types.FunctionType(code, {}, closure=owner.__init__.__closure__)
    return type(owner.__name__, (), namespace)


def calling_it_otherwise(code, name):
    return code.replace(co_names=tuple("_another_name" if known == name else known for known in code.co_names))


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        pytest.param(module, owner, name, id=f"{module} {owner.__name__}.{name}")
        for module, owners in TABLES.items()
        for owner, names in owners.items()
        for name in names
    ],
)
def test_every_name_in_the_tables_is_missed_when_it_is_gone(module, owner, name):
    package, names = SEAM_MODULES[module], TABLES[module][owner]
    assert require(package, {owner: names}) is None
    with pytest.raises(ImportError) as caught:
        require(package, {without(owner, name): names})
    assert str(caught.value).startswith(
        f"aiortc-peer cannot work with {package} {version(package)}: it has no {owner.__name__}.{name}. "
    )
