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
        steps=[step for short in _given(data.pop("steps")) for step in _steps(short)],
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
        case ["anew", {"descriptions": type, **limits}, *before]:
            texts = descriptions(type)
            wanted = limits.get("only", texts)
            rows = {row: ["setRemoteDescription", {"type": type, "sdp": texts[row]}] for row in wanted}
            return [["anew", rows, before]]
        case ["anew", {"rows": name}, *before]:
            return [["anew", {row: _given(call) for row, call in _read(name).items()}, before]]
        case [*most, {"rows": name}]:
            return [[*most, _read(name)]]
    return [short]


def _given(written: Any) -> Any:
    """What is written, with descriptions in place of {whole = "<type>"}, with another row if it names one."""
    if isinstance(written, list):
        return [_given(each) for each in written]
    if isinstance(written, dict) and "whole" in written:
        type = written["whole"]
        return {"type": type, "sdp": descriptions(type)[written.get("row", "as it should be")]}
    return written


def descriptions(type: str) -> dict[str, str]:
    """The texts of rows/descriptions.json, as those of the *type* offer, pranswer or answer."""
    whole = (HERE / "rows" / "description.sdp").read_text()
    role = "actpass" if type == "offer" else "active"
    return {row: _edited(whole, how).replace("$role", role) for row, how in _read("descriptions").items()}


def _edited(whole: str, how: Any) -> str:
    """A text instead of the *whole* one; or the whole one with edits, other line ends, or other m-lines.

    An edit is what stands there, and what shall; None cuts the text off behind it. A number says which one is meant, if
    not all are.
    """
    if isinstance(how, str):
        return how.replace("\n", "\r\n")
    how = how if isinstance(how, dict) else {"edits": how}
    for before, after, *number in how.get("edits", ()):
        assert before in whole, before
        pieces = whole.split(before)
        if after is None:
            whole = pieces[0] + before
        elif number:
            whole = before.join(pieces[: number[0]]) + after + before.join(pieces[number[0] :])
        else:
            whole = after.join(pieces)
    if "order" in how:
        session, *sections = re.split("(?m)^(?=m=)", whole)
        whole = "".join([session, *(sections[index] for index in how["order"])])
    return whole.replace("\n", how.get("end", "\r\n"))


def _read(name: str) -> Any:
    return json.loads((HERE / "rows" / f"{name}.json").read_text())


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _text(written: str, shapes: dict[str, str]) -> str:
    """A fact's text, with sequences in place of their names, and on one line."""
    return " ".join(re.sub(r"<([^>]*)>", lambda match: shapes[match[1]], written).split())
