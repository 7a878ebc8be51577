"""Records that tests of the store make; what matters to a test stands in the test."""

from __future__ import annotations

from datetime import UTC, datetime

from sovproxy.events.event import Event, Rollup

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def make_event(**fields):
    values = {
        "time": NOW,
        "node": "n",
        "kind": "decision",
        "action": "block",
        "rule": "r",
        "policy": "p",
        "policy_version": "1",
        "outcome": "closed",
        "transport": "tcp",
    }
    return Event.model_validate(values | fields, strict=False)


def make_rollup(**fields):
    values = {"start": NOW, "seconds": 60, "node": "n", "rule": "r", "action": "allow", "count": 1}
    return Rollup.model_validate(values | fields, strict=False)
