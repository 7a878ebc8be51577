"""The JSON object of DESIGN.md §7, and the evidence in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.decide.describe import describe
from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.evidence import STALE_AFTER_DAYS, evidence_of
from sovproxy.decide.normalise import MAX_INPUT, read_destination
from sovproxy.decide.words import PowerStatus, Verification
from tests.decide.factories import (
    BOOK,
    by_client,
    by_node,
    decider,
    listing,
    operator,
    place,
    power,
    rule,
    service,
)

HOLDING = operator("Holding", "US", verification=Verification.RECALLED)
ZOOM = service(run_by=operator("Zoom Inc.", "NL", [HOLDING], technology=("CN",)))
VISIO = service("Visio", run_by=operator("DINUM", "FR"), stance="keep", url="https://visio.example")
AMAZON = operator("Amazon", "LU")
PARIS = place("FR", 16509, AMAZON)
JUDGED = decider(
    rule(name="stop", services={"zoom"}, alternative="visio"),
    listings=[listing("*.zoom.us", ZOOM, Verification.MIXED)],
    powers=[
        power(),
        power("FISA", status=PowerStatus.LAPSED),
        power("Next", status=PowerStatus.PROPOSED),
    ],
    others=[VISIO],
)


def told(query, asked, where=None):
    verdict = JUDGED.decide(asked, where) if where else JUDGED.decide(asked)
    return json.loads(json.dumps(describe(query, asked, verdict)))


def test_the_whole_answer_has_the_shape_of_the_contract():
    answer = told("https://a.zoom.us/j/1", by_node("a.zoom.us", "15.188.1.1"), PARIS)
    evidence, trace = answer.pop("evidence"), answer.pop("trace")
    reason = answer["verdict"].pop("reason")
    amazon = {"id": "amazon", "name": "Amazon", "country": "LU", "parents": []}
    assert answer == {
        "query": "https://a.zoom.us/j/1",
        "host": "a.zoom.us",
        "address": "15.188.1.1",
        "error": None,
        "listing": {"kind": "host", "pattern": "*.zoom.us"},
        "service": {"id": "zoom", "name": "Zoom", "category": "videoconference"},
        "operator": {
            "id": "zoom inc.",
            "name": "Zoom Inc.",
            "country": "NL",
            "parents": [{"id": "holding", "name": "Holding", "country": "US"}],
        },
        "location": {"country": "FR"},
        "network": {"asn": 16509, "organisation": "Amazon", "country": "LU", "operator": amazon},
        "control": ["NL", "US", "LU"],
        "powers": ["us-cloud-act", "us-fisa"],
        "standing": "hosted_here_controlled_abroad",
        "verdict": {
            "action": "block",
            "rule": "stop",
            "alternative": {"id": "visio", "name": "Visio", "url": "https://visio.example"},
            "policy": "test-policy",
            "policy_version": "v1",
            "softened": False,
        },
        "exception": None,
    }
    assert "Zoom" in reason
    assert {tuple(item) for item in evidence} == {
        ("kind", "value", "source", "as_of", "confidence")
    }
    assert {tuple(step) for step in trace} == {
        ("rung", "decided", "detail", "rule", "action", "note")
    }


def test_what_nothing_is_known_of_is_null_and_empty():
    answer = told("b.fr", Destination("b.fr"))
    for key in ("service", "operator", "location", "network", "error"):
        assert answer[key] is None
    for key in ("control", "powers", "evidence"):
        assert answer[key] == []
    assert answer["standing"] == "unknown"
    assert answer["verdict"]["alternative"] is None


def test_a_network_without_registration_country_says_null():
    answer = told("", by_client("", "192.0.2.1"), place(asn=64500, registered=""))
    assert answer["network"] == {
        "asn": 64500,
        "organisation": "",
        "country": None,
        "operator": None,
    }
    assert answer["location"] is None


def test_what_cannot_be_read_is_described_with_the_reason():
    answer = told("a b", Unreadable("a b\x00", "has a space"))
    assert answer["error"] == r"'a b\x00' has a space"
    assert (answer["host"], answer["address"]) == ("", "")
    assert answer["verdict"]["action"] == "block"


HOSTILE = st.text(st.characters(exclude_categories=()))


@given(HOSTILE)
def test_any_query_is_described_in_json_that_survives_the_wire(query):
    destination = read_destination(query)
    line = json.dumps(describe(query, destination, JUDGED.decide(destination)), allow_nan=False)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["query"] == json.loads(json.dumps(query[:MAX_INPUT]))


def test_the_answer_to_an_endless_query_is_short():
    query = "\x00" * 1_000_000
    destination = read_destination(query)
    answer = describe(query, destination, JUDGED.decide(destination))
    assert len(json.dumps(answer)) < 20_000


def facts(asked, where=None):
    verdict = JUDGED.decide(asked, where) if where else JUDGED.decide(asked)
    return evidence_of(verdict)


def test_every_fact_has_kind_value_source_date_and_confidence():
    found = facts(by_node("a.zoom.us", "15.188.1.1"), PARIS)
    assert [(item.kind, item.value, item.confidence) for item in found] == [
        ("host", "*.zoom.us is Zoom", "mixed"),
        ("operator", "Zoom Inc. (NL)", "verified"),
        ("parent", "Holding (US)", "recalled"),
        ("technology", "builds on technology from CN", "verified"),
        ("operator", "Amazon (LU)", "verified"),
        ("location", "FR", "mixed"),
        ("network", "AS16509 Amazon", "mixed"),
        ("power", "us-cloud-act: CLOUD Act, § CLOUD Act (disclose); in force", "verified"),
        ("power", "us-fisa: FISA, § FISA (disclose); lapsed", "verified"),
    ]
    dates = {"location": ("GeoIP", "2026-06-01")}
    for item in found:
        assert (item.source, item.as_of) == dates.get(item.kind, (BOOK.title, BOOK.as_of))


def test_an_operator_that_runs_service_and_network_is_named_once():
    found = facts(by_node("a.zoom.us", "192.0.2.1"), place("US", 30103, ZOOM.operator))
    assert [item.value for item in found if item.kind == "operator"] == ["Zoom Inc. (NL)"]


def test_a_stale_database_is_a_warning_and_lowers_confidence():
    found = facts(by_client("", "192.0.2.1"), place("FR", 64500, stale=True))
    confidence = {item.kind: item.confidence for item in found}
    assert confidence["location"] == confidence["network"] == "stale"
    (warning,) = (item for item in found if item.kind == "warning")
    assert f"older than {STALE_AFTER_DAYS} days" in warning.value


def test_a_shared_host_is_called_one():
    shared = listing("ocsp.example", None)
    verdict = decider(listings=[shared]).decide(Destination("ocsp.example"))
    (fact,) = evidence_of(verdict)
    assert fact.value == "ocsp.example is shared or third-party host"


@pytest.mark.parametrize("status", [PowerStatus.IN_FORCE, PowerStatus.LAPSED])
def test_the_status_of_a_power_is_told_as_it_is(status):
    judged = decider(powers=[power(status=status)])
    verdict = judged.decide(by_client("", "192.0.2.1"), place("US"))
    assert status.value.replace("_", " ") in evidence_of(verdict)[-1].value
