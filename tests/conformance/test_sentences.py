"""Each sentence of the W3C's is listed once in sentences.toml, with tests that exist, or with a reason."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from scenarios import HERE

ROOT = HERE.parent.parent
REASONS = ("not there yet", "to mend", "meant", "no such thing here", "not tested")
SENTENCES = tomllib.loads((HERE / "sentences.toml").read_text())["sentence"]


@cache
def defined_in(path: Path) -> set[str]:
    """The names of the functions that a file defines."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def exists(proof: str) -> bool:
    """Whether there is such a test, or such a scenario."""
    path, _, name = proof.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    if not name:
        return file.parent == HERE / "scenarios" and file.suffix == ".toml"
    return name.startswith("test_") and name in defined_in(file)


def test_each_sentence_has_a_section_and_words_and_proofs_or_a_reason():
    for sentence in SENTENCES:
        assert sentence.keys() in ({"section", "says", "proof"}, {"section", "says", "missing"}), sentence
        assert re.fullmatch(r"\d+(\.\d+)+", sentence["section"]), sentence
        assert all(sentence.values()), sentence
        assert sentence.get("missing", "meant").startswith(REASONS), sentence
        assert len(set(sentence.get("proof", ()))) == len(sentence.get("proof", ())), sentence


def test_every_proof_exists():
    proofs = {proof for sentence in SENTENCES for proof in sentence.get("proof", ())}
    assert sorted(proof for proof in proofs if not exists(proof)) == []


def test_no_sentence_appears_twice():
    counted = Counter((sentence["section"], sentence["says"]) for sentence in SENTENCES)
    assert [sentence for sentence, count in counted.items() if count > 1] == []


def test_sections_come_in_their_order():
    sections = [[int(number) for number in sentence["section"].split(".")] for sentence in SENTENCES]
    assert sections == sorted(sections)


@pytest.mark.parametrize(
    "proof",
    [
        "tests/test_close.py",
        "tests/test_close.py::test_nothing_of_that_name",
        "tests/test_nothing.py::test_close_may_be_called_twice_and_without_awaiting",
        "tests/peers.py::negotiate",
        "tests/conformance/divergences.toml",
        "tests/conformance/scenarios/nothing.toml",
    ],
)
def test_what_does_not_exist_is_missed(proof):
    assert not exists(proof)
