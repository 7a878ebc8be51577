"""Hosts are found by a text in them, also those that came since, in memory as in the database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sovproxy.events.event import Event
from sovproxy.store import hosts
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Filter
from sovproxy.store.queries import search

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def make_event(host):
    values = {"time": NOW, "node": "n", "kind": "decision", "action": "block", "rule": "r"}
    more = {"policy": "p", "policy_version": "1", "outcome": "closed", "transport": "tcp"}
    return Event.model_validate(values | more | {"host": host}, strict=False)


@pytest.mark.parametrize("most", [0, 1000])
def test_a_text_finds_the_hosts_that_have_it(any_store, most, monkeypatch):
    monkeypatch.setattr(hosts, "MOST", most)

    def found(**fields):
        return sorted(event.host for event in search(any_store, Filter(**fields), 500).events)

    for number in range(40):  # each time some more: small texts are joined
        insert_records(any_store, [make_event(f"h{number}.zoom.us")], [])
        assert len(found(host_contains=["ZOOM"])) == number + 1
    insert_records(any_store, [make_event("A.Example"), make_event("aa%_aa"), make_event("")], [])
    assert found(host_contains=["h1"]) == sorted(f"h{n}.zoom.us" for n in (1, *range(10, 20)))
    assert found(host_contains=["a.exa"]) == ["A.Example"]
    assert found(host_contains=["%_"]) == ["aa%_aa"]
    assert found(host_contains=["a"], host=[".example", "h7.zoom.us"]) == ["A.Example"]
    assert found(host_contains=["h7.", "e"], host=[".us"]) == ["h7.zoom.us"]
    assert found(host_contains=["us" + "h"]) == []
    assert found(host=[".zoom.us", ""])[0] == ""
