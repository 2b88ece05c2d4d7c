"""Scenarios as they are written: one TOML file each in scenarios/, with rows for tables in rows/. See README.md."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Facts = dict[str, str]  # by name; see strands.py

HERE = Path(__file__).parent
LIMIT = 15.0  # seconds that a scenario may take


@dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    steps: list[Any]
    configuration: dict[str, Any]  # by peer
    also: list[str]  # strands wanted beside the usual ones
    limit: float  # seconds
    spec: dict[str, list[str]]  # by fact, or pattern of facts, what the W3C allows it to be


def scenarios() -> list[Scenario]:
    """All of them, by name."""
    folder = HERE / "scenarios"
    shapes = tomllib.loads((HERE / "shapes.toml").read_text())
    written = {path.stem: tomllib.loads(path.read_text()) for path in sorted(folder.glob("*.toml"))}
    return [_scenario(name, written, shapes) for name in written]


def _scenario(name: str, written: dict[str, Any], shapes: dict[str, str]) -> Scenario:
    data = dict(written[name])
    like = data.pop("like", None)
    spec = (written[like]["spec"] if like else {}) | data.pop("spec", {})
    return Scenario(
        name=name,
        about=data.pop("about"),
        steps=[step for short in data.pop("steps") for step in _steps(short)],
        configuration=data.pop("configuration", {}),
        also=data.pop("also", []),
        limit=data.pop("limit", LIMIT),
        spec={fact: [_text(each, shapes) for each in _list(value)] for fact, value in spec.items()},
        **data,  # nothing, or a word that is none of ours
    )


def _steps(short: list[Any]) -> list[Any]:
    """The steps that a short form stands for, with rows in place of their file's name."""
    match short:
        case ["negotiate", offerer]:
            answerer = "B" if offerer == "A" else "A"
            return [
                [f"{offerer}.setLocalDescription"],
                [f"{answerer}.setRemoteDescription", {"local": offerer}],
                [f"{answerer}.setLocalDescription"],
                [f"{offerer}.setRemoteDescription", {"local": answerer}],
            ]
        case ["both", verb, *given]:
            return [[f"{who}.{verb}", *given] for who in "AB"]
        case [*most, {"rows": name}]:
            return [[*most, json.loads((HERE / "rows" / f"{name}.json").read_text())]]
    return [short]


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _text(written: str, shapes: dict[str, str]) -> str:
    """A fact's text, with sequences in place of their names, and on one line."""
    return " ".join(re.sub(r"<([^>]*)>", lambda match: shapes[match[1]], written).split())
