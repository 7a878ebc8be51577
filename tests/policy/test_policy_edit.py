"""Small changes to a text, and differences in words: all else stays as it was written."""

from __future__ import annotations

import difflib
from datetime import date

import pytest

from sovproxy.policy.applied import (
    Applied,
    applied_path,
    read_applied,
    remove_applied,
    write_applied,
)
from sovproxy.policy.compare import compare
from sovproxy.policy.edit import CannotEdit, rule_ids, with_rule, with_value
from sovproxy.policy.load import PROFILES
from sovproxy.policy.watch import PolicyFile

RULE = {"id": "new-rule", "when": {"service": ["zoom"]}, "about": 'Why: é # "x"', "action": "warn"}
TEXTS = {path.stem: path.read_text("utf-8") for path in sorted(PROFILES.glob("*.yaml"))}


def lost(before, after) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line.startswith("- ")]


@pytest.mark.parametrize("name", TEXTS)
def test_a_rule_is_put_anywhere_and_no_line_is_lost(name):
    text = TEXTS[name]
    for position in range(len(rule_ids(text)) + 1):
        new = with_rule(text, RULE, position)
        assert rule_ids(new)[position] == "new-rule"
        assert lost(text, new) == []


def test_a_value_is_set_added_and_taken_out_where_it_stands():
    text = TEXTS["fr-etat"]
    last = rule_ids(text)[-1]
    new = with_value(text, last, ("when", "group"), ["press"])
    assert len(lost(text, new)) == 1
    assert with_value(new, last, ("when", "group"), None) == text
    dated = with_value(text, "videoconference", ("phases", "block"), date(2027, 1, 1))
    assert "block: 2027-01-01}" in dated


@pytest.mark.parametrize("text", ["", "[]", "rules: 7", "rules: [{id: a, when: {service: b}}]"])
def test_what_cannot_be_edited_is_refused(text):
    with pytest.raises(CannotEdit):
        with_rule(text, RULE, 0)


def test_a_difference_tells_what_was_added_removed_changed_and_moved():
    text = TEXTS["eu"]
    first, second = rule_ids(text)[:2]
    new = with_rule(with_value(text, second, ("action",), "observe"), RULE, 0)
    found = compare(text, new, "a", "b")
    assert found.added == ("new-rule",)
    assert [rule.id for rule in found.changed if rule.keys] == [second]
    assert compare(text, text, "a", "b").is_empty
    swapped = compare(
        f"rules:\n- {{id: {first}}}\n- {{id: {second}}}\n",
        f"rules:\n- {{id: {second}}}\n- {{id: {first}}}\n",
        "a",
        "b",
    )
    assert [rule.moved for rule in swapped.changed] == [True]


def test_an_applied_policy_appears_wins_and_goes_again(tmp_path, all_known):
    watched = PolicyFile("eu", all_known, applied=applied_path(tmp_path))
    assert not watched.is_applied
    write_applied(tmp_path, TEXTS["fr-etat"], 7)
    assert read_applied(tmp_path) == Applied(TEXTS["fr-etat"], 7)
    assert watched.refresh()
    assert (watched.policy.id, watched.is_applied) == ("fr-etat", True)
    write_applied(tmp_path, "rules: 7\n", 8)
    assert not watched.refresh()
    assert (watched.policy.id, "policy.yaml:1" in watched.last_error) == ("fr-etat", True)
    assert remove_applied(tmp_path)
    assert watched.refresh()
    assert (watched.policy.id, watched.last_error) == ("eu", "")


def test_a_start_with_a_bad_applied_policy_takes_the_settings_and_says_so(tmp_path, all_known):
    write_applied(tmp_path, "rules: 7\n", 8)
    watched = PolicyFile("eu", all_known, applied=applied_path(tmp_path))
    assert watched.policy.id == "eu"
    assert "policy.yaml:1" in watched.last_error
    assert not watched.refresh()
    assert "policy.yaml:1" in watched.last_error


def test_a_text_whose_number_is_not_its_own_has_none(tmp_path):
    write_applied(tmp_path, TEXTS["eu"], 3)
    applied_path(tmp_path).write_text(TEXTS["fr-etat"])
    assert read_applied(tmp_path).number == 0
