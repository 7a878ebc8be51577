"""What docs/ says about the code is what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
assert _SPEC
assert _SPEC.loader
generate_docs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(generate_docs)


@pytest.mark.parametrize("name", generate_docs.documents())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """If this fails, run `make docs`."""
    assert (ROOT / "docs" / name).read_text("utf-8") == generate_docs.documents()[name]


def test_the_readme_keeps_to_two_screens() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 90


def test_every_command_of_the_readme_exists() -> None:
    blocks = (ROOT / "README.md").read_text("utf-8").split("```")[1::2]
    cli = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for line in "\n".join(blocks).splitlines():
        if line.startswith("sovproxy "):
            assert f"## `{' '.join(line.split()[:2])}" in cli, line


def test_every_place_of_the_map_exists() -> None:
    rows = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "| `" in line]
    places = [part for row in rows for part in row.split("`")[1::2] if "/" in part]
    assert places
    assert not [place for place in places if not (ROOT / place).exists()]


def test_no_package_host_stands_in_a_tracked_file() -> None:
    names = (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("deb.deb", "ian.org"),
    )
    hosts = ["".join(parts) for parts in names]
    for lock in ("requirements.lock", "requirements-dev.lock", "pyproject.toml", "Makefile"):
        text = (ROOT / lock).read_text("utf-8")
        assert not [host for host in hosts if host in text], lock


def test_every_locked_requirement_has_hashes() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        entries = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
        pins = [line for line in entries if line and not line.lstrip().startswith("#")]
        assert pins
        assert not [line for line in pins if "--hash=sha256:" not in line], lock
