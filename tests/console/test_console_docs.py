"""The page that a new user reads names every section, and its pictures are there."""

from __future__ import annotations

import re
from pathlib import Path

from sovproxy.console.navigation import NAVIGATION

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "console.md").read_text()


def test_every_section_is_in_the_table_of_pages():
    rows = dict(re.findall(r"^\| ([^|]+) \| `(/[^`]*)` \|", TEXT, re.MULTILINE))
    for group in NAVIGATION:
        for section in group.sections:
            assert rows.get(section.name) == section.path


def test_every_picture_is_there_and_every_file_is_shown():
    shown = set(re.findall(r"\(images/(console-[a-z-]+\.webp)\)", TEXT))
    assert shown == {file.name for file in (DOCS / "images").glob("console-*")}
