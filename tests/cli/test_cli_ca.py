"""`sovproxy ca`: a passphrase that is never an argument, a root elsewhere, exit codes, JSON."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sovproxy.cli.main import app

POLICY = """\
id: t
title: {en: Trial}
language: en
trust_zone: [EEA]
rules:
  - id: own
    when: {host: [one.example]}
    action: block
default: allow
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on an installation of its own."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "secret").write_text("correct horse battery\n")
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOVPROXY_POLICY", str(tmp_path / "policy.yaml"))
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["ca", *map(str, words)])


def test_init_show_and_renew_tell_what_the_ca_permits(run, tmp_path):
    assert run("show").exit_code == 1
    secret = ("--passphrase-file", tmp_path / "secret")
    made = run("init", *secret, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["root"]["key"], told["root"]["kind"]) == ("locked", "ec-p256")
    assert (told["issuing"]["permits"], told["missing"], told["problems"]) == (1, [], [])
    assert run("show").exit_code == 0
    assert run("renew").exit_code == 3  # nobody can be asked for the passphrase
    again = json.loads(run("renew", *secret, "--json").stdout)
    assert again["root"]["sha256"] == told["root"]["sha256"]
    (tmp_path / "policy.yaml").write_text(POLICY.replace("one.example", "two.example"))
    lacking = run("show", "--json")
    assert (lacking.exit_code, json.loads(lacking.stdout)["missing"]) == (1, ["two.example"])


@pytest.mark.parametrize("secret", ["short", "", None])
def test_a_weak_or_missing_passphrase_is_refused_and_nothing_is_made(run, tmp_path, secret):
    file = tmp_path / "weak"
    if secret is not None:
        file.write_text(f"{secret}\n")
    refused = run("init", "--passphrase-file", file)
    assert refused.exit_code == 3
    assert not (tmp_path / "data" / "ca" / "root.pem").exists()


def test_the_passphrase_is_no_argument(run):
    assert run("init", "--passphrase", "correct horse battery").exit_code == 2


def test_a_root_that_lives_elsewhere_signs_in_two_steps(run, tmp_path):
    root, asked, answer = tmp_path / "safe", tmp_path / "asked.pem", tmp_path / "answer.pem"
    secret = ("--passphrase-file", tmp_path / "secret")
    assert run("init", "--root", root, *secret, "--kind", "rsa-3072").exit_code == 0
    assert not (tmp_path / "data" / "ca").exists()
    assert run("request", asked).exit_code == 2
    assert run("request", asked, "--root", root / "root.pem").exit_code == 0
    assert b"PRIVATE" not in asked.read_bytes()
    assert run("sign", asked, answer, "--root", root, *secret).exit_code == 1  # nobody said yes
    signed = run("sign", asked, answer, "--root", root, "--yes", "--json", *secret)
    assert json.loads(signed.stdout)["names"] == 1
    told = json.loads(run("install", answer, "--json").stdout)
    assert (told["root"]["key"], told["root"]["kind"]) == ("elsewhere", "rsa-3072")
    assert told["issuing"]["permits"] == 1
    assert run("renew").exit_code == 3
    assert run("install", answer).exit_code == 3
