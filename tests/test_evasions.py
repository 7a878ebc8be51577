"""The table of evasions names tests that exist, and every test of an evasion."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "evasions.md").read_text("utf-8")
FILES = dict(re.findall(r"^- `(\w+)` is `(tests/[\w/]+\.py)`$", PAGE, re.MULTILINE))
NAMED = re.findall(r"`(\w+)::(test_\w+)`", PAGE)
WHOLE = ("disguises", "tls", "http", "names", "time")
"""Files whose every test is an attempt, or its counterpart."""


def _names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_test_that_the_table_names_exists(name):
    named = {test for file, test in NAMED if file == name}
    assert named, f"no row needs {name}"
    assert named <= _names_in(FILES[name])


def test_every_file_that_the_table_names_is_told():
    assert {file for file, _ in NAMED} <= set(FILES)


@pytest.mark.parametrize("name", WHOLE)
def test_every_test_of_an_evasion_is_in_the_table(name):
    named = defaultdict(set)
    for file, test in NAMED:
        named[file].add(test)
    assert not _names_in(FILES[name]) - named[name]


def test_every_file_of_evasions_is_in_the_table():
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/lab/test_lab_evasions_*.py")}
    assert found <= {FILES[name] for name in WHOLE}


def test_every_attempt_is_tested():
    attempts = [row for row in rows("Closed") if not row[0].startswith("**")]
    assert len(attempts) > 40
    assert not [row[0] for row in attempts if "::test_" not in row[2] or not row[1]]


def test_what_stays_open_says_why_and_what_closes_it():
    assert all(row[1] and row[2] for row in rows("Not closed, and what else to deploy"))
