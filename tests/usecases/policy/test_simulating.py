"""A simulation's numbers against traffic that was made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.events.event import Event, Rollup
from sovproxy.policy.load import check_bytes
from sovproxy.settings import Settings
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.simulating import Replay
from sovproxy.usecases.policy.simulation import InvalidSimulation, SimulationInput
from tests.baseline import furnished

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IN_FORCE = """\
id: ours
title: {en: Ours}
trust_zone: [EEA]
groups:
  press: {networks: [10.2.0.0/16]}
rules:
  - id: video
    when: {category: videoconference, control: foreign}
    action: warn
  - id: chat
    when: {service: slack}
    action: observe
default: allow
"""
DRAFT = IN_FORCE.replace("action: warn", "action: block")


def an_event(client="a", *, minutes=1, **fields) -> Event:
    values = {
        "time": NOW - timedelta(minutes=minutes),
        "node": "proxy-1",
        "kind": "decision",
        "client": f"2026-11.{client * 16}",
        "group": "finance",
        "host": "us02web.zoom.us",
        "port": 443,
        "action": "warn",
        "rule": "video",
        "service": "zoom",
        "operator": "zoom-communications",
        "control": ("US",),
        "standing": "abroad",
        "policy": "ours",
        "policy_version": "1",
        "outcome": "prompted",
        "transport": "https",
    }
    return Event.model_validate(values | fields, strict=False)


def a_rollup(count=10, **fields) -> Rollup:
    values = {
        "start": NOW - timedelta(hours=2),
        "seconds": 300,
        "node": "proxy-1",
        "group": "finance",
        "service": "slack",
        "control": ("IE", "US"),
        "standing": "abroad",
        "location": "US",
        "asn": 0,
        "action": "observe",
        "rule": "chat",
        "count": count,
    }
    return Rollup.model_validate(values | fields, strict=False)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulating")
    (folder / "ours.yaml").write_text(IN_FORCE)
    return Judge(Settings(data_dir=furnished(folder), policy=str(folder / "ours.yaml")))


@pytest.fixture
def simulate(judge, tmp_path):
    store = open_store(sqlite_url(tmp_path / "store.sqlite"))

    def run(draft, events=(), rollups=(), seconds=60.0, **asked):
        insert_records(store, list(events), list(rollups))
        policy = check_bytes(draft.encode(), "draft", judge.known).policy
        replay = Replay(judge, policy, SimulationInput(**asked), NOW, seconds=seconds)
        return replay.run(store)

    yield run
    store.close()


def moves(found) -> dict[tuple[str, str], int]:
    return {(item.before.value, item.after.value): item.number for item in found}


def test_a_stricter_rule_counts_its_connections_groups_and_clients(simulate):
    events = [
        an_event("a"),
        an_event("a", minutes=2),
        an_event("b"),
        an_event("c", group="press", host="zoom.us"),
        an_event("d", host="visio.numerique.gouv.fr", service="visio", action="allow"),
    ]
    found = simulate(DRAFT, events)
    assert (found.connections, found.changed, found.stricter, found.milder) == (5, 4, 4, 0)
    assert moves(found.moves) == {("allow", "allow"): 1, ("warn", "block"): 4}
    assert found.clients == 3
    shares = {item.name: (item.connections, item.stricter, item.clients) for item in found.groups}
    assert shares == {"finance": (4, 3, 2), "press": (1, 1, 1)}
    assert [(item.name, item.changed) for item in found.services] == [("zoom", 4), ("visio", 0)]
    [rule] = found.rules
    assert (rule.rule, rule.new_rule, rule.number) == ("video", "video", 4)
    assert (rule.action, rule.new_action) == ("warn", "block")


def test_an_example_shows_both_verdicts_and_what_was_recorded(simulate):
    [example] = simulate(DRAFT, [an_event(action="block", rule="older")]).examples
    assert (example.recorded.action, example.recorded.rule) == ("block", "older")
    assert (example.now.action, example.draft.action) == ("warn", "block")
    assert "Zoom" in example.draft.reason


def test_what_was_recorded_is_told_apart_from_what_is_in_force_now(simulate):
    """The policy was stricter then: the draft changes nothing of that, and much of today."""
    found = simulate(DRAFT, [an_event(action="block", rule="older")])
    assert moves(found.recorded) == {("block", "block"): 1}
    assert moves(found.moves) == {("warn", "block"): 1}


def test_the_same_policy_changes_nothing(simulate):
    found = simulate(IN_FORCE, [an_event()], [a_rollup()])
    assert (found.changed, found.examples, found.rules, found.not_told) == (0, [], [], [])


def test_counted_connections_are_judged_as_far_as_they_can_be_told(simulate):
    draft = IN_FORCE.replace("action: observe", "action: warn")
    found = simulate(draft, [], [a_rollup(10), a_rollup(5, group="press")])
    assert (found.counted, found.changed, found.clients) == (15, 15, 0)
    assert moves(found.moves) == {("observe", "warn"): 15}
    assert [(item.name, item.counted) for item in found.groups] == [("finance", 10), ("press", 5)]


def test_a_rule_about_a_host_leaves_open_what_was_only_counted(simulate):
    """Some of Slack's hosts fit the new rule and others do not: nobody knows which were counted."""
    rule = "rules:\n  - id: host\n    when: {host: app.slack.com}\n    action: block\n"
    found = simulate(IN_FORCE.replace("rules:\n", rule), [], [a_rollup(10)])
    assert (found.changed, [(item.why.value, item.number) for item in found.not_told]) == (
        0,
        [("hosts", 10)],
    )


def test_a_rule_about_another_host_leaves_nothing_open(simulate):
    rule = "rules:\n  - id: host\n    when: {host: app.example.org}\n    action: block\n"
    found = simulate(IN_FORCE.replace("rules:\n", rule), [], [a_rollup(10)])
    assert (found.changed, found.not_told) == (0, [])


def test_other_internal_networks_leave_open_what_was_only_counted(simulate):
    draft = IN_FORCE.replace("default:", "internal: {networks: [default, 192.0.2.0/24]}\ndefault:")
    found = simulate(draft, [], [a_rollup(10)])
    assert [(item.why.value, item.number) for item in found.not_told] == [("networks", 10)]


def test_what_was_stopped_by_name_and_would_pass_is_told(simulate):
    found = simulate(IN_FORCE.replace("action: warn", "action: allow"), [an_event()])
    assert (found.milder, found.unresolved) == (1, 1)


def test_acknowledgements_and_errors_are_no_traffic(simulate):
    events = [an_event(kind="acknowledgement"), an_event(kind="error", action="block")]
    assert simulate(DRAFT, events).connections == 0


def test_a_filter_and_a_range_choose_the_traffic(simulate):
    events = [an_event("a"), an_event("b", group="press"), an_event("c", minutes=60 * 24 * 20)]
    assert simulate(DRAFT, events).connections == 2
    assert simulate(DRAFT, group=["press"]).connections == 1
    assert simulate(DRAFT, since=NOW - timedelta(days=30)).connections == 3


def test_a_later_day_shows_a_later_phase(simulate):
    draft = IN_FORCE.replace("action: warn", "phases: {warn: 2026-01-01, block: 2027-01-01}")
    assert simulate(draft, [an_event()]).changed == 0
    assert simulate(draft, at=datetime(2027, 1, 2, tzinfo=UTC)).stricter == 1


def test_groups_that_the_draft_changes_are_named(simulate):
    found = simulate(IN_FORCE.replace("10.2.0.0/16", "10.3.0.0/16"), [an_event()])
    assert found.regrouped == ["press"]


def test_when_time_is_up_it_says_so_and_tells_what_was_judged(simulate):
    events = [an_event(minutes=1 + number / 100) for number in range(2500)]
    found = simulate(DRAFT, events, [a_rollup(7)], seconds=-1.0)
    assert found.cut
    assert found.events == 2000
    assert found.since > NOW - timedelta(hours=1)


def test_a_range_without_end_is_refused(simulate):
    with pytest.raises(InvalidSimulation):
        simulate(DRAFT, since=NOW - timedelta(days=400))
