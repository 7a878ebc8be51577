"""An exception lifts a stop for whom it was granted, while it lasts, and never more than that."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.decide.describe import describe
from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.exceptions import NO_EXCEPTIONS, Exceptions, Grant, Scope
from sovproxy.decide.instants import utc_text
from sovproxy.decide.verdict import NEVER_EXCEPTED, Verdict
from sovproxy.decide.words import Action
from tests.decide.factories import by_client, by_node, decider, listing, rule, service

ME, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"
ZOOM, WEBEX = service("Zoom"), service("Webex")
JUDGED = decider(
    rule(name="stop", services={"zoom", "webex"}),
    rule(Action.WARN, name="careful", hosts={"*.slow.example"}),
    rule(name="games", hosts={"games.example", "*.games.example"}),
    listings=[
        listing("*.zoom.us", ZOOM),
        listing("170.114.0.0/16", ZOOM),
        listing("*.webex.com", WEBEX),
    ],
    refused_networks=("127.0.0.0/8",),
)


def grant(number=1, until=200.0, **fields):
    """A grant to `ME` from 100 until 200."""
    return Grant(
        f"id-{number}",
        number,
        **{"start": 100.0, "until": until, "service": "zoom", "client": ME, **fields},
    )


def judged(asked, *grants, now=150.0, clients=(ME,), group="legal"):
    verdict = JUDGED.decide(asked, now=now, group=group)
    return Exceptions.of(grants).lift(verdict, asked, clients, group, now)


def test_without_exceptions_a_verdict_is_the_same_object():
    verdict = JUDGED.decide(Destination("a.zoom.us"))
    assert NO_EXCEPTIONS.lift(verdict, Destination("a.zoom.us"), (ME,), "", 150.0) is verdict
    assert judged(Destination("a.zoom.us")).exception is None


def test_an_exception_lets_its_client_pass_and_says_so():
    verdict = judged(Destination("a.zoom.us"), grant(7))
    assert (verdict.action, verdict.rule, verdict.passes) == (Action.OBSERVE, "exception", True)
    assert verdict.exception == grant(7)
    assert verdict.overruled.rule == "stop"
    assert "Exception 7 lets it pass until 1970-01-01 00:03 UTC" in verdict.reason
    assert "without it: rule stop, block." in verdict.reason
    assert verdict.steps[-1].rung == "exception"
    assert verdict.steps[:-1] == verdict.overruled.steps
    assert verdict.service is ZOOM


@pytest.mark.parametrize(
    ("now", "passes"), [(99.9, False), (100.0, True), (199.9, True), (200.0, False)]
)
def test_it_holds_from_its_start_until_before_its_end(now, passes):
    assert judged(Destination("a.zoom.us"), grant(), now=now).passes is passes


@pytest.mark.parametrize(
    ("fields", "clients", "group", "passes"),
    [
        ({}, (ME,), "", True),
        ({}, (OTHER,), "legal", False),
        ({}, (OTHER, ME), "", True),
        ({}, (), "", False),
        ({"client": ""}, ("",), "", False),
        ({"scope": Scope.GROUP, "group": "legal"}, (OTHER,), "legal", True),
        ({"scope": Scope.GROUP, "group": "legal"}, (ME,), "finance", False),
        ({"scope": Scope.GROUP, "group": ""}, (ME,), "", False),
        ({"scope": Scope.EVERYBODY}, (OTHER,), "", True),
        ({"scope": Scope.EVERYBODY}, (), "", True),
    ],
)
def test_it_holds_for_its_client_its_group_or_everybody(fields, clients, group, passes):
    verdict = judged(Destination("a.zoom.us"), grant(**fields), clients=clients, group=group)
    assert verdict.passes is passes


@pytest.mark.parametrize(
    ("host", "fields", "passes"),
    [
        ("a.zoom.us", {}, True),
        ("a.webex.com", {}, False),
        ("games.example", {"service": "", "host": "games.example"}, True),
        ("x.games.example", {"service": "", "host": "games.example"}, False),
        ("games.example", {"service": "", "host": "games.example", "below": True}, True),
        ("a.b.games.example", {"service": "", "host": "games.example", "below": True}, True),
        ("mygames.example", {"service": "", "host": "games.example", "below": True}, None),
        ("b.zoom.us", {"service": "", "host": "a.zoom.us", "below": True}, False),
        ("a.zoom.us", {"service": "", "host": "a.zoom.us"}, True),
    ],
)
def test_it_covers_its_service_or_its_host(host, fields, passes):
    verdict = judged(Destination(host), grant(**fields))
    if passes is None:
        assert verdict.rule == "default"
    else:
        assert (verdict.passes, verdict.exception is not None) == (passes, passes)


def test_a_warning_is_lifted_too():
    verdict = judged(Destination("a.slow.example"), grant(service="", host="a.slow.example"))
    assert verdict.passes
    assert verdict.overruled.action is Action.WARN


def test_of_several_the_longest_counts():
    found = judged(Destination("a.zoom.us"), grant(1), grant(2, until=300.0), grant(3, until=300.0))
    assert found.exception.number == 2


def test_what_passes_anyway_is_left_as_it_is():
    verdict = judged(Destination("free.example"), grant(service="", host="free.example"))
    assert (verdict.rule, verdict.exception) == ("default", None)


def test_no_exception_opens_a_refused_network():
    everywhere = grant(service="", host="a.example", below=True, scope=Scope.EVERYBODY)
    verdict = judged(by_node("a.example", "127.0.0.1"), everywhere)
    assert (verdict.rule, verdict.passes) == ("refused-network", False)


def test_nothing_that_cannot_be_read_is_excepted():
    bad = Unreadable("a.zoom.us ", "has a space")
    verdict = judged(bad, grant(service="", host=bad.label, scope=Scope.EVERYBODY))
    assert verdict.rule == "unreadable-destination"
    assert not verdict.passes


@pytest.mark.parametrize("name", sorted(NEVER_EXCEPTED))
def test_a_verdict_of_the_proxys_own_protection_takes_no_exception(name):
    verdict = Verdict(Action.BLOCK, name, "p", "1")
    assert verdict.excepted(grant()) is verdict


def test_a_name_beside_an_address_of_the_clients_own_choice_opens_nothing():
    host = grant(service="", host="games.example", scope=Scope.EVERYBODY)
    assert not judged(by_client("games.example", "170.114.1.1"), host).passes
    assert not judged(by_client("games.example", "192.0.2.1"), host).passes
    assert judged(by_node("games.example", "192.0.2.1"), host).passes


def test_the_name_of_an_excepted_service_opens_no_other_address():
    assert not judged(by_client("a.zoom.us", "192.0.2.1"), grant()).passes
    assert judged(by_node("a.zoom.us", "192.0.2.1"), grant()).passes


def test_an_address_of_an_excepted_service_passes():
    assert judged(by_client("", "170.114.1.1"), grant()).passes


def test_an_address_can_be_excepted_by_itself():
    verdict = judged(by_client("", "170.114.1.1"), grant(service="", host="170.114.1.1"))
    assert verdict.passes
    assert not judged(by_client("", "170.114.1.2"), grant(service="", host="170.114.1.1")).passes


def test_the_description_tells_what_the_exception_overrules():
    asked = Destination("a.zoom.us")
    told = json.loads(json.dumps(describe("a.zoom.us", asked, judged(asked, grant(7)))))
    assert told["exception"] == {
        "id": "id-7",
        "number": 7,
        "scope": "client",
        "until": "1970-01-01T00:03:20+00:00",
        "overrules": {"rule": "stop", "action": "block"},
    }
    assert told["verdict"]["action"] == "observe"
    assert describe("a.zoom.us", asked, judged(asked))["exception"] is None


@given(st.integers(0, 253_000_000_000))
def test_instants_read_as_the_calendar_has_them(seconds):
    assert utc_text(seconds) == datetime.fromtimestamp(seconds, UTC).isoformat()


def test_ten_thousand_exceptions_are_looked_up_by_name_and_not_one_by_one(monkeypatch):
    asked = []
    monkeypatch.setattr(Grant, "holds", lambda self, *_: asked.append(self) or True)
    many = [
        grant(number, service="", host=f"h{number}.example", below=bool(number % 2))
        for number in range(10_000)
    ]
    found = Exceptions.of(many).covering("zoom", "a.h5001.example", (ME,), "", 150.0)
    assert found is many[5001]
    assert asked == [many[5001]]
