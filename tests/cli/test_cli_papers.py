"""`sovproxy papers` as an admin or a data protection officer uses it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sovproxy.cli.papers import app

POLICY = "id: ours\ntitle: {en: Ours}\ntrust_zone: EEA\nretention: {events: 400d}\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder, with a small policy and no particulars."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOVPROXY_CONFIG", raising=False)
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOVPROXY_POLICY", str(tmp_path / "policy.yaml"))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return lambda *arguments: CliRunner().invoke(app, [str(item) for item in arguments])


def test_a_paper_is_printed_and_its_gaps_are_counted(run):
    result = run("notice", "--lang", "en")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Notice to staff")
    assert "Events: 400\u00a0days" in result.stdout
    assert "gaps" in result.stderr
    assert run("notice", "--strict").exit_code == 1


def test_a_paper_as_json_and_as_html(run, tmp_path):
    paper = json.loads(run("record", "--json").stdout)
    assert (paper["paper"], paper["language"]) == ("record", "fr")
    assert len(paper["gaps"]) > 5
    result = run("assessment", "--format", "html", "--output", tmp_path / "a.html")
    assert result.exit_code == 0
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_all_papers_are_written_in_both_languages(run, tmp_path):
    assert run("all", tmp_path / "out").exit_code == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        f"{kind}.{lang}.{form}"
        for kind in ("notice", "record", "assessment")
        for lang in ("fr", "en")
        for form in ("md", "html")
    }


def test_the_check_says_what_departs_and_exits_with_1(run, tmp_path):
    result = run("check", "--lang", "en")
    assert result.exit_code == 1
    assert "Events are kept for 400\u00a0days." in result.stdout
    assert "policy retention.events = 400" in result.stdout
    assert "read the text before relying on it" in result.stdout
    assert "It does not say whether the processing is lawful." in result.stdout
    lines = run("check", "--json").stdout.splitlines()
    found = {item["id"]: item for item in map(json.loads, lines)}
    assert found["retention-over-a-year"]["level"] == "departs"
    assert found["retention-over-a-year"]["sources"][0]["value"] == 400
    assert not list((tmp_path / "data").glob("*.sqlite")), "a look makes no store"


def test_init_writes_a_file_once(run, tmp_path):
    assert run("init").exit_code == 0
    path = tmp_path / "data" / "papers.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("dpo: {name: Ada, email: dpd@exemple.fr}\n")
    again = run("init")
    assert again.exit_code == 3
    assert "exists" in again.stderr
    assert "Ada" in path.read_text()
    assert "Ada" in run("notice").stdout


def test_wrong_particulars_are_refused_with_their_line(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "papers.yaml").write_text("dpo:\n  nmae: Ada\n")
    result = run("notice")
    assert result.exit_code == 3
    assert "papers.yaml:2:3: dpo.nmae" in result.stderr
    assert "Traceback" not in result.output


def test_a_paper_that_cannot_be_written_is_said(run, tmp_path):
    result = run("notice", "--output", tmp_path / "away" / "a.md")
    assert result.exit_code == 3
    assert "a.md" in result.stderr


def test_hostile_names_cannot_drive_a_terminal(run, tmp_path):
    (tmp_path / "data").mkdir()
    hostile = 'dpo: {name: "a\\u202eb", email: x@exemple.fr}\n'
    (tmp_path / "data" / "papers.yaml").write_text(hostile)
    output = run("notice").output
    assert "⟨U+202E⟩" in output
    assert "\u202e" not in output
