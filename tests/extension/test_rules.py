"""The rules for the browser stop the same hosts as the decider, within the browsers' limits."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sovproxy.enforce.bundle import make_bundle
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished

RUNNER = Path(__file__).with_name("rules.mjs")
REGEX_RULES = 1000
"""MAX_NUMBER_OF_REGEX_RULES of declarativeNetRequest, for all rules of one extension."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")

    def compare(policy: str, day: datetime, lifted: tuple[str, ...] = ()) -> dict:
        judge = Judge(Settings(data_dir=furnished(folder), policy=policy))
        bundle = make_bundle(judge.atlas, judge.policy)
        sent = {"bundle": bundle, "now": day.timestamp(), "lifted": lifted}
        done = subprocess.run(
            ["node", RUNNER], input=json.dumps(sent), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    return compare


TODAY, LATER = datetime(2026, 11, 23, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("day", [TODAY, LATER], ids=["today", "later"])
def test_rules_stop_what_the_decider_stops_and_nothing_else(outcome, day):
    found = outcome("fr-etat", day)
    assert found["hosts"] > 10_000
    assert 1000 < found["stopped"] < found["hosts"]
    assert found["different"] == []


def test_rules_of_the_strictest_day_are_few_and_short(outcome):
    found = outcome("fr-etat", LATER)
    assert found["rules"] == found["ids"] < REGEX_RULES / 2
    assert found["regexes"] < REGEX_RULES / 2
    assert found["longest"] < 1000


def test_what_was_acknowledged_is_left_alone_by_the_rules(outcome):
    before, after = outcome("fr-etat", TODAY), outcome("fr-etat", TODAY, ("zoom",))
    assert after["different"] == []
    assert before["stopped"] - 60 < after["stopped"] < before["stopped"]
