"""`sovproxy audit` and `sovproxy persons`: on the real store, with exit codes that say it."""

from __future__ import annotations

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from sovproxy.cli.main import app
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.audit_chain import AuditWatch
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import command_line

CLIENT = "2026-11.aaaabbbbccccdddd"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))
    store = open_store(Settings().effective_store_url)
    for number in range(4):
        record_act(store, command_line("é"), Act.SEARCH, {"number": number})
    AuditWatch(store, Settings().audit_anchors_file).note()
    store.close()
    return lambda *words: CliRunner().invoke(app, list(words))


def cut(tmp_path, statement):
    connection = sqlite3.connect(tmp_path / "sovproxy.sqlite")
    for name in ("update", "delete"):
        connection.execute(f"DROP TRIGGER audit_no_{name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_audit_that_is_whole_ends_with_a_hash_to_keep(run):
    done = run("audit", "verify")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:2] == ["4 entries fit, up to number 4", "1 noted hashes were compared"]
    assert run("audit", "verify", "--anchor", lines[-1]).exit_code == 0
    assert run("audit", "verify", "--anchor", lines[-1].partition(":")[2]).exit_code == 0


def test_a_changed_entry_is_named_and_is_a_finding(run, tmp_path):
    cut(tmp_path, "UPDATE audit SET name = 'Eve' WHERE seq = 2")
    done = run("audit", "verify", "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert (found["fault"]["seq"], found["fault"]["kind"], found["entries"]) == (2, "changed", 1)


def test_a_tail_that_was_cut_off_is_found_by_what_the_api_noted(run, tmp_path):
    cut(tmp_path, "DELETE FROM audit WHERE seq > 2")
    done = run("audit", "verify")
    assert done.exit_code == 1
    assert "cut: entry 4 was noted and is not here; the last one is 2" in done.output


def test_an_export_is_checked_without_the_store(run, tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text(run("audit", "export").stdout)
    assert len(file.read_text().splitlines()) == 5, "the export itself is on record"
    anchors = str(Settings().audit_anchors_file)
    assert run("audit", "verify", "--file", str(file), "--anchor", anchors).exit_code == 0
    file.write_text(file.read_text().replace('"name": "\\u00e9"', '"name": "Eve"', 1))
    assert run("audit", "verify", "--file", str(file)).exit_code == 1


@pytest.mark.parametrize("line", ["", "nonsense", "[1]", '{"seq": 1}', "[" * 5000, "\ud800"])
def test_what_is_no_export_and_what_is_no_anchor_is_refused_by_line(run, tmp_path, line):
    file = tmp_path / "bad"
    file.write_bytes(line.encode("utf-8", "surrogatepass") + b"\n")
    done = run("audit", "verify", "--file", str(file))
    assert done.exit_code == 3
    assert "line 1" in done.output
    if line:
        assert run("audit", "verify", "--anchor", str(file)).exit_code == 3


def test_a_person_is_given_and_erased_with_a_reason_on_record(run):
    given = run("persons", "export", CLIENT, "--reason", "asked by letter")
    assert given.exit_code == 0, given.output
    assert json.loads(given.output)["clients"] == [CLIENT]
    erased = run("persons", "erase", CLIENT, "--reason", "asked by letter")
    assert json.loads(erased.output)["found"]["events"] == 0
    entries = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    acts = [entry["what"] for entry in entries if entry["what"].startswith("person")]
    assert acts == ["person_request", "person_access", "person_request", "person_erasure"]
    assert run("persons", "forget", CLIENT).output == "0 entries taken out\n"


@pytest.mark.parametrize("words", [("x", "asked by letter"), (CLIENT, "short")])
def test_a_pseudonym_and_a_reason_are_needed(run, words):
    client, reason = words
    assert run("persons", "erase", client, "--reason", reason).exit_code == 2
