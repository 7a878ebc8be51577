"""Strict YAML: what is refused, where, and that nothing worse happens."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from sovproxy import yamlfile
from sovproxy.errors import InvalidFile

if TYPE_CHECKING:
    from pathlib import Path


class Item(BaseModel):
    """One rule of the sample file."""

    model_config = ConfigDict(extra="forbid")
    id: str
    action: Literal["allow", "block"]


class Sample(BaseModel):
    """The sample file."""

    model_config = ConfigDict(extra="forbid")
    rules: list[Item]


REFUSED = {
    "an unknown key": (
        "rules:\n  - id: a\n    action: allow\n    colour: red\n",
        "f:4:5: rules[0]",
    ),
    "a wrong value": ("rules:\n  - id: a\n    action: deny\n", "f:3:5: rules[0].action"),
    "a missing key": ("rules:\n  - id: a\n", "f:2:5: rules[0].action: Field required"),
    "a repeated key": ("rules: []\nrules: []\n", "f:2:1: rules: this key stands here twice"),
    "an alias": ("rules: &a [*a]\n", "f:1:8: anchors and aliases"),
    "a tag": ("rules: !!python/object:os.system x\n", "f:1:8: tags are not allowed"),
    "a tagged empty number": ("rules: !!int ''\n", "f:1:8: tags are not allowed"),
    "a date that is none": ("rules: 2026-13-45\n", "f:1:8: rules: is not a value we can read"),
    "broken syntax": ("rules: [\n", "is not valid YAML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_file_line_and_column(name: str) -> None:
    text, wanted = REFUSED[name]
    with pytest.raises(InvalidFile) as refused:
        yamlfile.validate(yamlfile.parse(text, "f"), Sample)
    assert wanted in str(refused.value)


def test_all_problems_of_a_file_come_together() -> None:
    text = "rules:\n  - id: a\n    action: deny\n  - id: 3\n    action: allow\n"
    with pytest.raises(InvalidFile) as refused:
        yamlfile.validate(yamlfile.parse(text, "f"), Sample)
    assert [problem.line for problem in refused.value.problems] == [3, 4]


@pytest.mark.parametrize("bomb", ["[" * 100_000, "- " * 50_000, "{a: " * 100_000])
def test_deep_nesting_is_refused_before_it_is_built(bomb: str) -> None:
    with pytest.raises(InvalidFile, match="nested deeper than"):
        yamlfile.parse(bomb, "f")


def test_a_huge_text_is_refused_unread() -> None:
    with pytest.raises(InvalidFile, match="is larger than"):
        yamlfile.parse("a" * (yamlfile.MAX_BYTES + 1), "f")


def test_norway_stays_a_country() -> None:
    read = yamlfile.parse("[NO, yes, on, true, False, 3, 1.5, ~, 2026-01-02, '3']", "f").value
    assert read == ["NO", "yes", "on", True, False, 3, 1.5, None, date(2026, 1, 2), "3"]


def test_a_missing_file_and_one_that_is_not_utf8_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"missing\.yaml: cannot be read: No such file"):
        yamlfile.read(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(InvalidFile, match=r"latin\.yaml: is not UTF-8 \(byte 9\)"):
        yamlfile.read(tmp_path / "latin.yaml")


@given(st.text())
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    with suppress(InvalidFile):
        yamlfile.validate(yamlfile.parse(text, "f"), Sample)
