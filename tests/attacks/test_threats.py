"""The page on threats names tests that exist, for every attacker that the design names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threats.md"
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)(?:::([a-z0-9_]+))?`")
ATTACKERS = (
    "A worker",
    "An outsider on the LAN",
    "A malicious site",
    "A malicious node",
    "A curious analyst",
    "A stolen backup",
    "A malicious admin",
    "What we take from others",
)


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists():
    named = NAMED.findall(PAGE.read_text("utf-8"))
    assert len(named) > 60
    gone = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or (test and test not in functions(ROOT / file))
    ]
    assert gone == []


def test_every_attacker_has_a_section_with_tests():
    parts = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part for part in parts}
    for attacker in ATTACKERS:
        assert NAMED.search(sections[attacker]), attacker


def test_every_test_of_attacks_is_named_or_belongs_to_one_that_is():
    """A file of attacks that the page does not know would tell nobody what it holds."""
    named = {file for file, _ in NAMED.findall(PAGE.read_text("utf-8"))}
    files = {f"tests/attacks/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    assert sorted(files - named) == []


def test_each_row_says_what_remains():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    told = [row for row in rows if NAMED.search(row)]
    assert len(told) > 30
    assert all(len(row.strip("|").split("|")) == 4 for row in told)
