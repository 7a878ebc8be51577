"""What we depend on: pinned by hash, used, declared, licensed, listed, and asked about honestly."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
BIN = Path(sys.executable).parent

# With the EUPL-1.2 these can be used as they are: none asks that our source takes its licence.
FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|Lesser General|Zlib"
    r"|CC0|0BSD|Unlicense"
)
SAID_ELSEWHERE = {
    "mitmproxy-linux": "MIT, in its repository",
    "mitmproxy-rs": "MIT, in its repository",
    "zxcvbn-rs-py": "MIT, in its repository",
}


def entries(lock: str) -> dict[str, str]:
    """Each package of a lock file with the text that belongs to it."""
    text = (ROOT / lock).read_text("utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return {block.partition("==")[0]: block for block in blocks if "==" in block}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_version_and_hash(lock):
    found = entries(lock)
    assert len(found) > 50
    assert [name for name, block in found.items() if "--hash=sha256:" not in block] == []
    text = (ROOT / lock).read_text("utf-8")
    assert not re.search(r"^(--index|--extra|--find|-e |git\+|https?:)", text, re.MULTILINE)


def test_packages_are_installed_by_hash_only():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_nothing_is_imported_undeclared_and_nothing_declared_unused():
    done = subprocess.run(
        [BIN / "deptry", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def licence(name: str) -> str:
    found = importlib.metadata.metadata(name)
    classified = [one for one in found.get_all("Classifier", []) if one.startswith("License")]
    texts = [found.get("License-Expression"), *classified, (found.get("License") or "")[:60]]
    return " ".join(filter(None, texts))


def test_every_licence_can_stand_beside_ours():
    installed = {one.metadata["Name"].lower() for one in importlib.metadata.distributions()}
    names = [name for name in entries("requirements.lock") if name.lower() in installed]
    assert len(names) > 60
    unknown = [name for name in names if not FREE.search(licence(name))]
    assert sorted(set(unknown) - set(SAID_ELSEWHERE)) == []
    strong = [name for name in names if re.search(r"(?<!L)GPL|Affero", licence(name))]
    assert [name for name in strong if "Lesser" not in licence(name)] == []


def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD = {"name": "good", "version": "1", "vulns": []}
HOLE = {"name": "bad", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "far", "skip_reason": "Dependency not found and could not be audited"}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([GOOD], 0),
        ([GOOD, HOLE], 1),
        ([GOOD, SKIPPED], 3),
        ([SKIPPED, HOLE], 1),
        ([], 3),
    ],
)
def test_an_audit_without_a_look_is_never_nothing_found(found, status, capsys):
    assert audit().report("some.lock", found) == status
    said = capsys.readouterr().out
    assert ("could NOT be looked up" in said) == (SKIPPED in found or not found)
    assert ("X-1" in said) == (HOLE in found)


def test_the_list_of_parts_names_every_package(tmp_path):
    file = tmp_path / "parts.json"
    command = [BIN / "cyclonedx-py", "requirements", "requirements.lock", "--output-format", "JSON"]
    subprocess.run([*command, "-o", file], cwd=ROOT, check=True, capture_output=True)
    parts = json.loads(file.read_text("utf-8"))
    assert parts["bomFormat"] == "CycloneDX"
    listed = {part["name"].lower() for part in parts["components"]}
    assert {name.lower() for name in entries("requirements.lock")} <= listed
