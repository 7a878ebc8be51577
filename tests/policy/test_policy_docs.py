"""The committed documentation is what the models and profiles say today."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from sovproxy.policy import docs
from sovproxy.policy.load import check_bytes, profile_names
from sovproxy.policy.schema import PolicyText

DOCS = Path(__file__).parents[2] / "docs"
CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("name", [docs.SCHEMA_FILE, docs.PAGE_FILE])
def test_the_committed_file_is_the_generated_one(name):
    """Run `make docs` when this fails."""
    assert (DOCS / name).read_text(encoding="utf-8") == docs.generated(DOCS)[name]


def test_every_key_is_described():
    rows = docs.keys_table().splitlines()[2:]
    assert len(rows) > 50
    assert not [row for row in rows if row.endswith("|  |")]


def test_every_profile_stands_in_the_table():
    table = docs.profiles_table()
    assert all(f"| `{name}` |" in table for name in profile_names())


def test_a_page_that_lost_its_markers_is_an_error(tmp_path):
    (tmp_path / docs.PAGE_FILE).write_text("# The policy\n")
    with pytest.raises(ValueError, match="no section between the markers of `keys`"):
        docs.generated(tmp_path)


def test_the_example_of_the_page_is_a_valid_policy(all_known):
    page = (DOCS / docs.PAGE_FILE).read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert check_bytes(example.encode(), "policy.md", all_known).warnings == ()


def test_the_schema_knows_every_key_of_a_policy_that_uses_them_all():
    """A reader of the schema alone (an editor) accepts what we accept."""
    text = (CASES / "good-every-key.txt").read_text(encoding="utf-8").partition("-----")[0]
    schema = json.loads((DOCS / docs.SCHEMA_FILE).read_text(encoding="utf-8"))
    assert set(yaml.safe_load(text)) == set(schema["properties"]) == set(PolicyText.model_fields)
    assert set(schema["required"]) == {"id", "title", "trust_zone"}
    one, many = schema["$defs"]["WhenText"]["properties"]["service"]["anyOf"][:2]
    assert one["type"] == "string"
    assert (many["type"], many["minItems"]) == ("array", 1)
