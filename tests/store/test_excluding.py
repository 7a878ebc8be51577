"""What a filter leaves out is left out of searches and of counts alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.events.event import Event, Rollup
from sovproxy.store import excluding
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Facet
from sovproxy.store.queries import search
from sovproxy.usecases.analysis.searching import FilterInput

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
VALUES = {
    "node": "proxy-1", "action": "block", "rule": "r", "standing": "abroad", "control": ("US",),
    "location": "US", "asn": 30103, "service": "zoom", "group": "finance",
}  # fmt: skip
OF_AN_EVENT = {
    "kind": "decision", "host": "a.zoom.us", "operator": "zoom", "policy": "p",
    "policy_version": "1", "outcome": "prompted", "transport": "https", "decrypted": True,
}  # fmt: skip


def an_event(hours=1.0, **fields):
    values = {"time": NOW - timedelta(hours=hours)} | VALUES | OF_AN_EVENT | fields
    return Event.model_validate(values, strict=False)


def a_rollup(hours, **fields):
    values = {"start": NOW - timedelta(hours=hours), "seconds": 60, "count": 10}
    return Rollup.model_validate(values | VALUES | fields, strict=False)


@pytest.fixture
def store(tmp_path):
    found = open_store(sqlite_url(tmp_path / "s.sqlite"))
    events = [
        an_event(),
        an_event(5, host="b.zoom.us", transport="http"),
        an_event(30, host="zoom.us", decrypted=False),
        an_event(2, host="teams.example", service="teams", control=("IE", "US"), asn=8075),
        an_event(3, host="own.example", service="", control=("FR",), asn=0, group=""),
    ]
    insert_records(found, events, [a_rollup(4), a_rollup(40, service="visio", control=("FR",))])
    yield found
    found.close()


def hosts(store, *without, **fields):
    wanted = FilterInput.model_validate({"without": list(without)} | fields).to_filter()
    return {event.host for event in search(store, wanted, 50).events}


EVERYTHING = {"a.zoom.us", "b.zoom.us", "zoom.us", "teams.example", "own.example"}


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (["service:zoom"], {"teams.example", "own.example"}),
        (["service:"], EVERYTHING - {"own.example"}),
        (["control:US"], {"own.example"}),
        (["control:IE"], EVERYTHING - {"teams.example"}),
        (["asn:8075", "asn:"], {"a.zoom.us", "b.zoom.us", "zoom.us"}),
        (["host:.zoom.us"], {"zoom.us", "teams.example", "own.example"}),
        (["host:zoom.us"], EVERYTHING - {"zoom.us"}),
        (["group:", "host:.zoom.us"], {"zoom.us", "teams.example"}),
        (["host:%"], EVERYTHING),
        (["host:._oom.us"], EVERYTHING),
    ],
)
def test_a_search_leaves_out_what_it_is_told_to(store, without, left):
    assert hosts(store, *without) == left


@pytest.mark.parametrize(
    "without",
    [
        [],
        ["service:zoom"],
        ["host:.zoom.us"],
        ["host:a.zoom.us", "host:zoom.us"],
        ["host:own.example", "control:IE"],
        ["host:nowhere.example", "group:finance"],
    ],
)
@pytest.mark.parametrize("since", [None, NOW - timedelta(hours=26, minutes=17)])
def test_counts_and_search_leave_out_the_same(store, without, since):
    asked = FilterInput(without=without, since=since)
    wanted = asked.to_filter()
    shown = len(search(store, wanted, 50).events)
    for facet in Facet:
        if facet is not Facet.CONTROL:  # a connection counts for each of its countries
            counts = excluding.count_by(store, facet, wanted)
            assert sum(item.events for item in counts) == shown, facet
    assert sum(
        item.number for item in excluding.counted(store, wanted) if not item.sort.rollup
    ) == (shown)


def test_leaving_a_host_out_keeps_what_is_only_counted(store):
    without = FilterInput(without=["host:.zoom.us"]).to_filter()
    [zoom, visio] = [
        item for item in excluding.count_by(store, Facet.SERVICE, without)
        if item.value in {"zoom", "visio"}
    ]  # fmt: skip
    assert (zoom.value, zoom.events, zoom.rollups) == ("zoom", 1, 10)
    assert (visio.value, visio.events, visio.rollups) == ("visio", 0, 10)


def test_a_trend_leaves_a_host_out_too(store):
    since = NOW - timedelta(hours=48)
    everything = FilterInput(since=since, until=NOW).to_filter()
    without = FilterInput(since=since, until=NOW, without=["host:.zoom.us"]).to_filter()
    counts = [
        sum(excluding.trend(store, wanted, 3600).values()) for wanted in (everything, without)
    ]
    assert counts == [25, 23]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"transport": ["http"]}, {"b.zoom.us"}),
        ({"decrypted": [False]}, {"zoom.us"}),
        ({"decrypted": [True], "service": ["zoom"]}, {"a.zoom.us", "b.zoom.us"}),
        ({"decrypted": [True, False]}, EVERYTHING),
    ],
)
def test_events_are_found_by_transport_and_by_whether_they_were_decrypted(store, fields, found):
    assert hosts(store, **fields) == found
    wanted = FilterInput.model_validate(fields).to_filter()
    assert sum(item.events for item in excluding.count_by(store, Facet.ACTION, wanted)) == len(
        found
    )
