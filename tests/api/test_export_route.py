"""Exports that other programs read, and that harm none of them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from pyarrow import parquet

from sovproxy.api.problems import ApiProblem
from sovproxy.api.streams import Streams
from sovproxy.events.export import csv_cell
from sovproxy.usecases.access.tokens import Principal, Role

URL = "/api/v1/export"


@pytest.fixture
def services_url(store_url):
    """Everything here is asked on each database."""
    return store_url


def export(server, form, **params):
    answer = server.get(URL, format=form, **params)
    assert answer.status_code == 200, answer.text
    return answer


def lines(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def test_json_lines_are_the_events_newest_first(server, make_event):
    events = [make_event(minutes=number) for number in range(1200)]
    server.deliver(events)
    answer = export(server, "jsonl")
    assert [item["id"] for item in lines(answer)] == [str(event.id) for event in events]
    assert lines(answer)[0] == json.loads(events[0].to_json())
    assert answer.headers["x-sovproxy-rows"] == "1200"
    assert answer.headers["x-sovproxy-truncated"] == "false"
    assert "attachment" in answer.headers["content-disposition"]


def test_parquet_holds_the_same_events(server, make_event):
    events = [make_event(minutes=number, control=("FR", "US")) for number in range(30)]
    server.deliver(events)
    answer = export(server, "parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("id").to_pylist() == [str(event.id) for event in events]
    assert table.column("time").to_pylist() == [event.time for event in events]
    assert table.column("control").to_pylist()[0] == ["FR", "US"]
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"].endswith('events.parquet"')


def test_csv_has_a_header_and_one_line_per_event(server, make_event):
    server.deliver([make_event(reason='says "no", and\nstays', control=("FR", "US"))])
    answer = export(server, "csv")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert row["reason"] == 'says "no", and␊stays'
    assert row["control"] == "FR,US"
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1+1", "@SUM(A1)", '=cmd|"/C calc"!A0', " =1", "\t=1", "\r=1", "＝1+1", "\n@x"],
)
def test_no_cell_of_the_csv_is_a_formula(server, make_event, text):
    server.deliver([make_event(host=text, reason=text, group=text, rule=text, node=text)])
    [row] = csv.DictReader(io.StringIO(export(server, "csv").text))
    for name in ("host", "reason", "group", "rule", "node"):
        assert row[name][0] == "'" or row[name][0] not in "=+-@＝＋－＠ \t\r\n"
    assert csv_cell(-5) == "-5"


def test_the_limit_cuts_and_says_so(server, make_event):
    server.deliver([make_event(minutes=number) for number in range(5)])
    answer = export(server, "jsonl", limit=3)
    assert len(lines(answer)) == 3
    assert answer.headers["x-sovproxy-truncated"] == "true"


def test_the_filter_of_a_search_is_the_filter_of_an_export(server, make_event):
    server.deliver([make_event(), make_event(service="teams")])
    assert len(lines(export(server, "jsonl", service="teams"))) == 1
    assert export(server, "csv", rule="none").text.count("\n") == 1


@pytest.mark.parametrize(
    "params",
    [{}, {"format": "xml"}, {"format": "csv", "limit": 1_000_001}, {"format": ["csv", ""]}],
)
def test_a_bad_export_is_refused(server, assert_problem, params):
    assert_problem(server.get(URL, **params), 422, "invalid-request")


def test_ecs_documents_use_fields_and_values_that_ecs_allows(server, make_event):
    server.deliver([make_event(reason="controlled from abroad")])
    [document] = lines(export(server, "ecs"))
    assert document["@timestamp"] == "2026-11-23T08:30:00.000000+00:00"
    assert document["event"]["kind"] == "event"
    assert document["event"]["category"] == ["network"]
    assert document["event"]["type"] == ["connection", "denied"]
    assert document["event"]["action"] == "block"
    assert document["destination"] == {
        "address": "us02web.zoom.us",
        "domain": "us02web.zoom.us",
        "ip": "170.114.52.2",
        "port": 443,
        "geo": {"country_iso_code": "US"},
        "as": {"number": 30103},
    }
    assert document["rule"] == {"id": "video-abroad", "ruleset": "fr-etat", "version": "1"}
    assert document["source"]["user"]["group"] == {"name": "finance"}
    assert document["sovproxy"]["control"] == ["US"]
    assert document["sovproxy"]["decrypted"] is True


@pytest.mark.parametrize(
    ("fields", "type_uid", "answer"),
    [
        ({}, 400201, (2, 2)),
        ({"transport": "http"}, 400200, (2, 2)),
        ({"action": "warn"}, 400201, (2, 23)),
        ({"action": "warn", "kind": "acknowledgement", "outcome": "tunnelled"}, 400201, (1, 1)),
        ({"action": "observe", "outcome": "tunnelled"}, 400201, (1, 17)),
        ({"kind": "error", "outcome": "closed"}, 400201, (2, 27)),
    ],
)
def test_ocsf_events_are_http_activity(server, make_event, fields, type_uid, answer):
    server.deliver([make_event(**fields)])
    [event] = lines(export(server, "ocsf"))
    assert (event["category_uid"], event["class_uid"]) == (4, 4002)
    assert event["type_uid"] == type_uid == event["class_uid"] * 100 + event["activity_id"]
    assert (event["action_id"], event["disposition_id"]) == answer
    assert event["severity_id"] in {1, 2, 3}
    assert event["time"] == 1795422600000
    assert event["metadata"]["version"] == "1.8.0"
    assert event["metadata"]["product"]["name"] == "sovproxy"
    assert event["http_request"]["url"]["hostname"] == "us02web.zoom.us"
    assert event["dst_endpoint"]["ip"] == "170.114.52.2"


def test_ocsf_events_name_an_endpoint_even_when_the_host_is_unknown(server, make_event):
    server.deliver([make_event(host="", address="", client="", port=0)])
    [event] = lines(export(server, "ocsf"))
    assert event["dst_endpoint"]["hostname"] == "unknown"
    assert "src_endpoint" not in event


def test_a_place_is_given_back_once_and_also_when_it_is_forgotten():
    streams, ada = Streams(), Principal("a", "Ada", Role.ANALYST)
    seats = [streams.enter(ada) for _ in range(4)]
    with pytest.raises(ApiProblem, match="4 of one token"):
        streams.enter(ada)
    seats[0].leave()
    seats[0].leave()
    del seats[1]
    assert len([streams.enter(ada), streams.enter(ada)]) == 2


def test_a_token_has_a_bounded_number_of_streams_and_exports(server, make_event, assert_problem):
    headers = server.as_role(Role.ANALYST)
    streams = [
        server.client.stream("GET", "/api/v1/events/stream", headers=headers) for _ in range(4)
    ]
    for stream in streams:
        assert stream.__enter__().status_code == 200
    answer = server.client.get(URL, params={"format": "csv"}, headers=headers)
    assert_problem(answer, 429, "too-many-streams")
    assert server.get(URL, format="csv").status_code == 200
    for stream in streams:
        stream.__exit__(None, None, None)
