"""`sovproxy compile` prints files that browsers take as they are."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sovproxy.cli.main import app
from sovproxy.enforce.browser_policies import FIREFOX_ID
from sovproxy.usecases.policy.bundles import key_set, load_key
from tests.extension.conftest import ROOT

ID = "abcdefghijklmnopabcdefghijklmnop"
CHROME = ("chrome-policy", "--extension-id", ID, "--update-url", "https://x.example/u.xml")


@pytest.fixture
def printed(tmp_path, monkeypatch):
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> dict:
        result = CliRunner().invoke(app, ["compile", *arguments])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def test_the_policies_hold_the_key_that_bundles_are_signed_with(printed, tmp_path):
    settings = printed(*CHROME)["3rdparty"]["extensions"][ID]
    key = load_key(tmp_path / "fleet" / "bundle-key.pem")
    assert json.loads(settings["keys"]) == key_set(key)
    assert "d" not in json.loads(settings["keys"])["keys"][0]


def test_every_setting_that_is_printed_is_one_that_the_extension_knows(printed):
    schema = json.loads((ROOT / "extension" / "managed_schema.json").read_text())
    assert "additionalProperties" not in schema
    settings = printed(*CHROME)["3rdparty"]["extensions"][ID]
    assert set(settings) <= set(schema["properties"])


def test_what_the_administration_chooses_reaches_the_extension(printed):
    settings = printed(*CHROME)["3rdparty"]["extensions"][ID]
    assert "mark_links_on" not in settings  # the extension's own list holds
    assert (settings["notice_meetings"], settings["report_unknown_meetings"]) == (True, False)
    hosts = ("--mark-links-on", "mail.example.org", "--mark-links-on", "*.example.org")
    settings = printed(*CHROME, *hosts, "--report-unknown-meetings")["3rdparty"]["extensions"][ID]
    assert settings["mark_links_on"] == ["mail.example.org", "*.example.org"]
    assert settings["report_unknown_meetings"] is True
    settings = printed(*CHROME, "--mark-links-on", "none", "--no-notice-meetings")
    settings = settings["3rdparty"]["extensions"][ID]
    assert (settings["mark_links_on"], settings["notice_meetings"]) == ([], False)


def test_firefox_gets_the_extension_under_the_id_of_its_manifest(printed):
    manifest = json.loads((ROOT / "extension" / "manifest.firefox.json").read_text())
    assert manifest["browser_specific_settings"]["gecko"]["id"] == FIREFOX_ID
    policies = printed("firefox-policy", "--install-url", "https://x.example/s.xpi")["policies"]
    assert policies["ExtensionSettings"][FIREFOX_ID]["installation_mode"] == "force_installed"
    assert policies["3rdparty"]["Extensions"][FIREFOX_ID]["api"].startswith("http://")


@pytest.mark.parametrize(
    "arguments",
    [
        ("chrome-policy", "--extension-id", "short", "--update-url", "https://x.example/u"),
        ("chrome-policy", "--extension-id", ID, "--update-url", "file:///etc"),
        ("firefox-policy", "--install-url", "https://x.example/s.xpi", "--api", "sovproxy"),
        (*CHROME, "--mark-links-on", "https://mail.example"),
        (*CHROME, "--mark-links-on", "mail.*"),
        (*CHROME, "--mark-links-on", "none", "--mark-links-on", "mail.example"),
    ],
)
def test_what_no_browser_could_use_is_refused(tmp_path, monkeypatch, arguments):
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["compile", *arguments])
    assert result.exit_code == 2
    assert "wanted, got" in result.output or "stands alone, got" in result.output


def test_nothing_is_counted_that_is_not_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))
    choices = ("--no-notice-meetings", "--report-unknown-meetings")
    result = CliRunner().invoke(app, ["compile", *CHROME, *choices])
    assert result.exit_code == 2
    assert "only what is noticed can be counted" in result.output
