"""Phases by date: the right action at each instant, whatever the dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovproxy.decide.words import Action
from sovproxy.policy.fields import read_instant
from sovproxy.policy.load import check_bytes

DAYS = st.dates(date(2000, 1, 1), date(2199, 12, 31))
ACTIONS = st.sets(st.sampled_from(list(Action)), min_size=1)
HEAD = "id: ours\ntitle: {en: Ours}\ntrust_zone: EEA\nrules:\n"


def a_rule(known, acting: str):
    text = f"{HEAD}  - {{id: a, when: {{service: zoom}}, {acting}}}\n"
    return check_bytes(text.encode(), "policy.yaml", known).policy.rules[0]


@settings(deadline=None)
@given(data=st.data(), actions=ACTIONS)
def test_at_each_date_the_latest_phase_that_began_is_in_force(data, actions, known):
    ordered = [action for action in Action if action in actions]
    days = sorted(data.draw(st.sets(DAYS, min_size=len(ordered), max_size=len(ordered))))
    starts = dict(zip(ordered, days, strict=True))
    phases = ", ".join(f"{action}: {day}" for action, day in starts.items())
    rule = a_rule(known, f"phases: {{{phases}}}")

    asked = data.draw(DAYS)
    expected = [action for action, day in starts.items() if day <= asked]
    noon = datetime.combine(asked, datetime.min.time(), UTC) + timedelta(hours=12)
    assert rule.action_at(noon.timestamp()) == (expected[-1] if expected else None)


def test_a_date_begins_at_midnight_utc_and_not_a_second_earlier(known):
    rule = a_rule(known, "phases: {warn: 2026-04-01, block: 2026-09-01}")
    midnight = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    assert rule.action_at(midnight - 1) is Action.WARN
    assert rule.action_at(midnight) is Action.BLOCK


def test_a_time_begins_at_its_own_offset(known):
    rule = a_rule(known, "phases: {block: 2026-09-01T08:00:00+02:00}")
    six_utc = datetime(2026, 9, 1, 6, tzinfo=UTC).timestamp()
    assert rule.action_at(six_utc - 1) is None
    assert rule.action_at(six_utc) is Action.BLOCK


@pytest.mark.parametrize("action", list(Action))
def test_a_rule_without_phases_acts_at_every_time(known, action):
    rule = a_rule(known, f"action: {action}")
    assert {rule.action_at(at) for at in (0.0, 1.0, 4e9)} == {action}


@pytest.mark.parametrize(
    "spelling",
    ["2026-09-01", "2026-09-01T00:00:00Z", "2026-09-01 02:00+02:00", date(2026, 9, 1)],
)
def test_one_instant_has_several_spellings(spelling):
    assert read_instant(spelling) == datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "bad",
    ["", "20260901", "2026-W36-2", "2026-09-01T10:00", "1999-12-31", "2200-01-01", 20260901, None],
)
def test_what_is_no_instant_is_refused(bad):
    with pytest.raises(ValueError, match=r"^(is not|needs)"):
        read_instant(bad)
