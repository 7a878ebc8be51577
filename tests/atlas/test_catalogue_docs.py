"""The documentation of the catalogue says what the schema does, and its example loads."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from sovproxy.atlas import reference
from sovproxy.atlas.load import SHIPPED, load_atlas

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def test_table_of_keys_is_the_schemas():
    """If this fails, run `python -m sovproxy.atlas.reference`."""
    text = PAGE.read_text(encoding="utf-8")
    assert reference.insert_keys(text) == text


def test_every_key_has_a_meaning():
    keys = [field for part in reference.PARTS for field in part.model_fields.values()]
    assert all(field.description for field in keys)


def test_example_of_the_page_is_a_catalogue_that_loads(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    service, operator = (textwrap.dedent(block) for block in blocks)
    for name, text in (("services/example-meet", service), ("operators/example", operator)):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    atlas = load_atlas([SHIPPED, tmp_path])
    assert atlas.services["example-meet"].operator.control == ("US",)
