"""The modules that DESIGN.md calls pure know no asyncio, no clock, and of aiortc only values."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What users see, some of it, and words: values that pure modules may use. They know no asyncio and no clock, either.
VALUES = {"_candidate", "_errors", "_facts"}
IMPURE = {"aioice", "asyncio", "contextvars", "datetime", "threading", "time"}
# aiortc's values; ours derive from them, or are made of them.
AIORTC = {
    "aiortc",
    "aiortc.exceptions",
    "aiortc.RTCRtpCodecParameters",
    "aiortc.RTCRtpHeaderExtensionParameters",
    "aiortc.stats.RTCStats",
    "aiortc.stats.RTCTransportStats",
}


def rooms():
    """The names of the pure modules, by the directory that they are in."""
    rows = re.findall(r"(?m)^\| ([^|]*pure[^|]*)\| ([^|]*)\|", (ROOT / "DESIGN.md").read_text())
    for room, listed in rows:
        where = next((name for name in ("tools", "testing") if name in room), "")
        yield from ((where, name) for name in re.findall(r"`(_\w+)`", listed))


def imports(path):
    """What a module imports when it runs: the dotted names; those of this package begin with a dot."""
    tree = ast.parse(path.read_text())
    read = [node for node in tree.body if not ast.unparse(node).startswith("if TYPE_CHECKING:")]
    for node in (each for top in read for each in ast.walk(top)):
        match node:
            case ast.Import(names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module, names, level):
                yield from ("." * level + ".".join(filter(None, (module, name.name))) for name in names)


PURE = list(rooms())


def test_there_are_pure_modules():
    assert len(PURE) > 25


@pytest.mark.parametrize(("where", "name"), PURE + [("", name) for name in sorted(VALUES)])
def test_a_pure_module_knows_nothing_else(where, name):
    for origin in imports(ROOT / "peer" / where / f"{name}.py"):
        if origin.startswith("."):
            module = origin.lstrip(".").partition(".")[0]
            assert module in VALUES or (where, module) in PURE or ("", module) in PURE
        elif origin.startswith("aiortc"):
            assert origin in AIORTC
        else:
            assert origin.partition(".")[0] not in IMPURE
