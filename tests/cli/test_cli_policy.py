"""`sovproxy policy` as an admin uses it: what is printed, and with which exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sovproxy.cli.policy import app

GOOD = "id: ours\ntitle: {en: Ours}\ntrust_zone: EEA\n"
BAD = "id: ours\ntitle: {en: Ours}\ntrust_zone: [EEA]\ndefault: deny\ndefalt: block\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder, with settings that nobody has touched."""
    monkeypatch.chdir(tmp_path)
    for name in ("SOVPROXY_POLICY", "SOVPROXY_CATALOGUE_DIR", "SOVPROXY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(app, [str(item) for item in arguments])


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


def objects(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_good_policy_is_valid_with_exit_code_0(run, good):
    result = run("validate", good)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{good}: valid, version ")


def test_a_bad_policy_is_refused_with_every_error_and_exit_code_1(run, good, bad):
    result = run("validate", good, bad)
    assert result.exit_code == 1
    assert f"error: {bad}:4:1: default: has to be 'allow', 'observe'" in result.stdout
    assert f"error: {bad}:5:1: defalt: is not a key that is known here" in result.stdout
    assert f"{bad}: refused, 2 errors" in result.stdout


def test_a_warning_is_shown_and_leaves_the_exit_code_0(run, good):
    good.write_text(GOOD + "rules:\n  - {id: a, when: {location: US}, action: block}\n")
    result = run("validate", good)
    assert result.exit_code == 0
    assert f"warning: {good}:5:5: rules[0]: stops shared hosts" in result.stdout
    assert "1 warning\n" in result.stdout


def test_validate_prints_one_object_per_file(run, good, bad):
    first, second = objects(run("validate", "--json", good, bad))
    assert (first["valid"], first["id"], first["errors"]) == (True, "ours", [])
    assert second["valid"] is False
    assert [(item["line"], item["where"]) for item in second["errors"]] == [
        (4, "default"),
        (5, "defalt"),
    ]


def test_a_file_that_is_not_there_is_a_finding_with_a_near_miss(run):
    result = run("validate", "fr-etta")
    assert result.exit_code == 1
    assert "did you mean `fr-etat`?" in result.stdout
    assert run("validate", "no/such.yaml").exit_code == 1


def test_validate_without_a_file_is_a_usage_error(run):
    assert run("validate").exit_code == 2


def test_all_profiles_are_listed(run):
    result = run("profiles")
    assert result.exit_code == 0
    listed = objects(run("profiles", "--json"))
    assert [item["id"] for item in listed] == [
        "at-bmlv", "de-sh", "dk", "eu", "fr-etat", "fr-lyon", "icc",
    ]  # fmt: skip
    assert all(item["title"]["en"] in result.stdout for item in listed)


def test_show_names_the_action_in_force_at_a_date(run):
    now = run("show", "fr-etat", "--at", "2026-11-23").stdout
    before = run("show", "fr-etat", "--at", "2026-02-01").stdout
    assert "  4. block     videoconference\n" in now
    assert "  4. observe   videoconference\n" in before
    assert "observe from 2026-01-26, warn from 2026-04-01, block from 2026-09-01" in now
    assert "  5. warn      messaging\n" in before
    assert "  5. (not yet) messaging\n" in run("show", "fr-etat", "--at", "2025-01-01").stdout


def test_show_as_json_has_the_rules_in_order_with_what_is_in_force(run):
    (shown,) = objects(run("show", "fr-etat", "--json", "--at", "2026-05-01T00:00:00+02:00"))
    rules = {rule["id"]: rule for rule in shown["rules"]}
    assert list(rules)[:2] == ["olvid", "sovereign"]
    assert rules["videoconference"]["in_force"] == "warn"
    assert rules["collaboration"]["phases"]["block"].startswith("2027-09-01T00:00:00")
    assert rules["videoconference"]["when"]["control"] == ["foreign"]
    assert shown["at"] == "2026-04-30T22:00:00+00:00"
    assert "RE" in shown["countries"]


def test_show_without_a_name_shows_the_policy_of_the_settings(run, good, monkeypatch):
    assert run("show").stdout.startswith("fr-etat: ")
    monkeypatch.setenv("SOVPROXY_POLICY", str(good))
    assert run("show").stdout.startswith("ours: Ours (version ")


def test_the_source_of_a_profile_is_a_valid_start_of_ones_own(run, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(run("show", "fr-lyon", "--source").stdout, encoding="utf-8")
    versions = [objects(run("validate", "--json", name))[0]["version"] for name in (own, "fr-lyon")]
    assert versions[0] == versions[1]


def test_a_date_that_is_none_is_a_usage_error(run):
    result = run("show", "eu", "--at", "tomorrow")
    assert result.exit_code == 2
    assert "is not a date" in result.stderr


def test_a_broken_policy_cannot_be_shown(run, bad):
    result = run("show", bad)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "default: has to be" in result.stderr


def test_a_broken_catalogue_is_a_failure_and_not_the_policys_fault(
    run, good, tmp_path, monkeypatch
):
    services = tmp_path / "catalogue" / "services"
    services.mkdir(parents=True)
    (services / "mine.yaml").write_text("id: [\n")
    monkeypatch.setenv("SOVPROXY_CATALOGUE_DIR", str(services.parent))
    result = run("validate", good)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "The catalogue is refused:" in result.stderr
    assert "mine.yaml" in result.stderr


def test_what_a_file_says_cannot_drive_the_terminal(run, good):
    good.write_text(GOOD + '"\\e[2J\\u202e": x\n')
    result = run("validate", good)
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "\\x1b[2J\\u202e" in result.stdout
    good.write_text(GOOD + f"{'k' * 900}: x\n")
    assert max(map(len, run("validate", good).stdout.splitlines())) <= 500
