"""The check that the two seams make when they are imported.

aiortc and aioice offer no public way to trickle, so `_aiortc/` and `_aioice/` use names that are private to them.
Each module lists its names in a table; :func:`require` compares the table with what is installed, and fails with a
sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any


def require(package: str, names: Mapping[Any, Sequence[str]]) -> None:
    """Raise ImportError unless every module and class has its names; those that ``__init__`` sets count, too.

    A function has the names that it uses.
    """
    missing = [
        f"{owner.__name__}.{name}"
        for owner, wanted in names.items()
        for name in wanted
        if not hasattr(owner, name) and name not in _used(owner)
    ]
    if missing:
        raise ImportError(
            f"aiortc-peer cannot work with {package} {version(package)}: it has no {', '.join(missing)}. "
            f"Install the version of {package} that aiortc-peer asks for."
        )


def _used(owner: Any) -> Sequence[str]:
    code = getattr(owner, "__code__", None) or getattr(owner.__init__, "__code__", None)
    return code.co_names if code else ()
