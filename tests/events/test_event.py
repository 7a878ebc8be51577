from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.verdict import Verdict
from sovproxy.decide.words import Action
from sovproxy.events.event import Event, Outcome, Transport
from sovproxy.events.from_verdict import Carried, event_of, rollup_key_of
from sovproxy.events.text import clean_text, visible

from .conftest import COMPLETE


def test_an_event_survives_being_written_and_read(make_event):
    event = make_event()
    assert Event.model_validate_json(event.to_json()) == event


def test_an_event_has_a_uuid_of_version_7_in_order(make_event):
    first, second = make_event(), make_event()
    assert first.id.version == 7
    assert first.id < second.id


@pytest.mark.parametrize("name", ["path", "query", "body", "cookie", "user_agent", "url", "ip"])
def test_an_event_has_no_room_for_private_things(make_event, name):
    data = json.loads(make_event().to_json()) | {name: "x"}
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Event.model_validate_json(json.dumps(data))


@pytest.mark.parametrize(
    "client", ["10.0.0.7", "alice", "2026-11.short", "2026-11.K3F7ABCDEFGH2345", "x" * 24]
)
def test_a_client_that_is_no_pseudonym_is_refused(make_event, client):
    with pytest.raises(ValidationError):
        make_event(client=client)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "0b6f7e9c-6f0a-4f0e-9a55-111111111111"),
        ("time", "2026-11-23T08:30:00"),
        ("time", "9999-12-31T23:59:59Z"),
        ("time", 5),
        ("kind", "other"),
        ("port", 65536),
        ("port", "443"),
        ("asn", -1),
        ("control", ["us"]),
        ("control", ["US"] * 17),
        ("location", "USA"),
        ("address", "1.2.3.4; drop"),
        ("decrypted", "yes"),
        ("standing", ""),
        ("rule", None),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(make_event, field, value):
    data = json.loads(make_event().to_json()) | {field: value}
    with pytest.raises(ValidationError) as caught:
        Event.model_validate_json(json.dumps(data))
    assert caught.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(("field", "limit"), [("host", 253), ("reason", 500), ("rule", 100)])
def test_every_text_is_bounded_with_a_visible_cut(make_event, field, limit):
    value = getattr(make_event(**{field: "x" * 10_000}), field)
    assert len(value) == limit
    assert value.endswith("…")


def test_control_characters_are_made_visible(make_event):
    event = make_event(host="evil\x1b[2J\r\n\u202egpj.exe\x00\ud800")
    assert event.host == "evil␛[2J␍␊<U+202E>gpj.exe␀<U+D800>"
    assert Event.model_validate_json(event.to_json()) == event


def test_french_spaces_are_left_in_a_reason():
    assert visible("Motif\u202f: hébergé\u00a0!") == "Motif\u202f: hébergé\u00a0!"


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_cleaning_bounds_shows_and_is_stable(text, limit):
    once = clean_text(text, limit)
    assert len(once) <= limit
    assert clean_text(once, limit) == once
    assert all(character.isprintable() or character.isspace() for character in once)
    assert not set(once) & set(map(chr, range(32)))
    once.encode()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists) | st.binary())
def test_any_value_in_any_field_is_an_event_or_a_clear_refusal(value):
    complete = Event.model_validate(COMPLETE, strict=False).model_dump()
    for name in Event.model_fields:
        try:
            event = Event.model_validate(complete | {name: value})
        except ValidationError:
            continue
        assert Event.model_validate_json(event.to_json()) == event


@given(st.binary() | st.text().map(lambda text: json.dumps({"host": text}).encode()))
def test_any_bytes_are_an_event_or_a_clear_refusal(data):
    with pytest.raises(ValidationError):
        Event.model_validate_json(data)


def _carried(**fields):
    given_fields = {
        "time": COMPLETE["time"],
        "node": "n",
        "client": "",
        "group": "g",
        "outcome": Outcome.CLOSED,
        "transport": Transport.TCP,
    }
    return Carried(**given_fields | fields)


def test_a_verdict_on_an_unknown_destination_becomes_an_event():
    verdict = Verdict(Action.BLOCK, "unreadable", policy="eu", policy_version="v1")
    event = event_of(verdict, Unreadable("ev\x07il host", "no host"), _carried())
    assert (event.host, event.address, event.port) == ("ev␇il host", "", 0)
    assert (event.action, event.rule, event.policy) == (Action.BLOCK, "unreadable", "eu")


def test_a_bare_address_leaves_the_host_empty():
    verdict = Verdict(Action.ALLOW, "default", policy="eu", policy_version="v1")
    event = event_of(verdict, Destination(address="192.0.2.1", port=5222), _carried())
    assert (event.host, event.address, event.port) == ("", "192.0.2.1", 5222)
    assert rollup_key_of(verdict, "g").group == "g"
