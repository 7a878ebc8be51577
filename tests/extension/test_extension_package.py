"""The packages: equal sources make equal bytes, nothing foreign is in them, every text is there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from sovproxy.prompt.languages import languages
from tests.extension.node_tools import installed

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "extension"
TEXTS = Path(__file__).with_name("texts.mjs")
BROWSERS = ("chromium", "firefox")


def manifest(built: Path, browser: str) -> dict:
    return json.loads((built / browser / "manifest.json").read_text("utf-8"))


def test_two_builds_are_equal_byte_for_byte(build, built, tmp_path):
    for package in build(tmp_path):
        assert package.read_bytes() == (built / package.name).read_bytes()


def test_mozillas_linter_finds_nothing_at_all(built):
    linter = installed() / "node_modules" / ".bin" / "addons-linter"
    command = [linter, built / "sovproxy-firefox.zip", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert [*found["errors"], *found["warnings"], *found["notices"]] == []


@pytest.mark.parametrize("browser", BROWSERS)
def test_every_file_that_the_manifest_names_is_in_the_package(built, browser):
    named = re.findall(r'"([a-z_]+/[\w./-]+)"', json.dumps(manifest(built, browser)))
    assert len(named) > 8
    assert [name for name in named if not (built / browser / name).is_file()] == []


@pytest.mark.parametrize("browser", BROWSERS)
def test_every_permission_is_justified_in_the_docs_and_no_other(built, browser):
    text = (ROOT / "docs" / "extension.md").read_text("utf-8")
    table = text.partition("## Permissions")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \|", table, re.MULTILINE)
    asked = manifest(built, browser)
    assert {name for name, _ in rows} == {*asked["permissions"], *asked["host_permissions"]}
    assert min(len(reason) for _, reason in rows) > 30


def test_every_managed_setting_is_in_the_docs_and_no_other():
    schema = json.loads((SOURCE / "managed_schema.json").read_text("utf-8"))
    text = (ROOT / "docs" / "extension.md").read_text("utf-8")
    table = text.partition("## Settings")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(schema["properties"])
    assert "additionalProperties" not in schema  # Chromium refuses the whole file for it


@pytest.mark.parametrize("browser", BROWSERS)
def test_no_code_comes_from_elsewhere_or_from_text(built, browser):
    """Mozilla's linter looks at more; this holds for the Chromium package, too."""
    code = [path for path in (built / browser).rglob("*") if path.suffix in {".js", ".html"}]
    assert len(code) > 25
    forbidden = re.compile(
        r"\beval\(|new Function|innerHTML|document\.write|(?<![{\[])\bimport\("
        r"|(?:src|href)=\"(?:https?:)?//"
    )
    found = {path.name: forbidden.findall(path.read_text("utf-8")) for path in code}
    assert {name: hits for name, hits in found.items() if hits} == {}
    policy = manifest(built, browser)["content_security_policy"]["extension_pages"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


def said() -> dict:
    scripts = [path for path in SOURCE.rglob("*.js") if path.name != "language.js"]
    command = ["node", TEXTS, *sorted(scripts)]
    done = subprocess.run(command, cwd=installed(), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_text_of_the_extension_is_there_in_every_language(built):
    found = said()
    assert found["unclear"] == []
    wanted = {text for text in found["texts"] if text}
    assert len(wanted) > 80
    for language in languages():
        file = built / "chromium" / "texts" / f"{language.code}.json"
        messages = json.loads(file.read_text("utf-8"))["messages"]
        missing = {text for text in wanted if not messages.get(text)}
        assert language.code == "en" or missing == set(), language.code


def test_translations_keep_every_placeholder(built):
    holes = re.compile(r"%\(\w+\)s")
    for code in ("fr", "de", "da"):
        file = built / "chromium" / "texts" / f"{code}.json"
        for text, translated in json.loads(file.read_text("utf-8"))["messages"].items():
            assert sorted(holes.findall(text)) == sorted(holes.findall(translated)), (code, text)


def test_no_translation_is_left_over():
    """The extension's own catalogues hold what the code says, and nothing that it said once."""
    texts = set(said()["texts"])
    for file in (SOURCE / "translations").glob("*.po"):
        ids = re.findall(r'^msgid "(.+)"$', file.read_text("utf-8"), re.MULTILINE)
        assert [text for text in ids if text.replace('\\"', '"') not in texts] == [], file.name


def test_the_stores_texts_are_the_same_in_every_language():
    files = sorted((SOURCE / "_locales").glob("*/messages.json"))
    assert [file.parent.name for file in files] == sorted(it.code for it in languages())
    keys = {frozenset(json.loads(file.read_text("utf-8"))) for file in files}
    assert len(keys) == 1
