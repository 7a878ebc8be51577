"""The table of faults names tests that exist, and every test of faults stands in it."""

from __future__ import annotations

import ast
import re

import pytest

from tests.lab.proxies import ROOT

TABLE = (ROOT / "docs" / "faults.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TABLE)))


def names_in(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_table_names_exists(path, name):
    assert name in names_in(path)


def test_every_row_names_a_test():
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []


def test_every_file_with_faults_is_in_the_table():
    files = {f"tests/faults/{path.name}" for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    assert files - {path for path, _ in NAMED} == {"tests/faults/test_faults_docs.py"}
