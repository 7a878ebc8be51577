"""`sovproxy accounts`: on the store, on record, with a link and never a password."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from sovproxy.cli.main import app
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.accounts import use_link
from sovproxy.usecases.access.auditing import audit_page


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))

    def call(*words):
        return CliRunner().invoke(app, list(words))

    return call


def entries():
    store = open_store(Settings().effective_store_url)
    found = [(entry.what.value, entry.token) for entry in audit_page(store, 50).items]
    store.close()
    return found


def test_an_account_is_made_by_a_link_listed_and_disabled(run):
    made = run("accounts", "create", "Ada", "--role", "admin", "--name", "Ada Lovelace")
    assert made.exit_code == 0, made.output
    code = made.output.strip().partition("/console/link?code=")[2]
    [shown] = [json.loads(line) for line in run("accounts", "list", "--json").output.splitlines()]
    assert (shown["login"], shown["role"], shown["way"]) == ("ada", "admin", "link")
    store = open_store(Settings().effective_store_url)
    use_link(store, code, "quatre mots sans rapport", datetime.now(UTC))
    store.close()
    assert "/console/link?code=" in run("accounts", "link", "ada").output
    last = run("accounts", "disable", "ada")
    assert last.exit_code == 3
    assert "last admin" in last.output
    assert [what for what, _ in entries()] == ["account_link", "account_password", "account_create"]
    assert entries()[0][1] == entries()[2][1] == "cli"


@pytest.mark.parametrize(
    "words",
    [
        ("create", "a b", "--role", "admin"),
        ("create", "x", "--role", "node"),
        ("disable", "nobody"),
        ("link", "nobody"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(run, words):
    answer = run("accounts", *words)
    assert answer.exit_code == 3
    assert "Traceback" not in answer.output
    assert entries() == []


def test_tokens_made_here_are_on_record(run):
    token = run("tokens", "create", "--role", "node", "--name", "n").output.strip()
    assert token.startswith("sov_")
    run("tokens", "revoke", token.split("_")[1])
    assert [what for what, _ in entries()] == ["token_revoke", "token_create"]
