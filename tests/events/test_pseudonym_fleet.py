"""Nodes of one fleet share keys; what a node's own key made can still be told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sovproxy.events.pseudonym import MAX_REPLACED, Pseudonyms, months_ahead

NOVEMBER = datetime(2026, 11, 2, tzinfo=UTC)
KEYS = {"2026-11": b"\1" * 32, "2026-12": b"\2" * 32}


@pytest.fixture
def clock():
    return NOVEMBER.timestamp


def test_two_nodes_with_the_fleets_keys_give_one_pseudonym(tmp_path, clock):
    one = Pseudonyms(tmp_path / "one.json", clock=clock)
    two = Pseudonyms(tmp_path / "two.json", clock=clock)
    assert one.of("ada") != two.of("ada")
    assert one.adopt(KEYS)
    assert two.adopt(KEYS)
    assert one.of("ada") == two.of("ada")
    assert not one.adopt(KEYS)


def test_a_nodes_own_pseudonyms_are_still_told(tmp_path, clock):
    path = tmp_path / "keys.json"
    node = Pseudonyms(path, clock=clock)
    own = node.of("ada")
    node.adopt(KEYS)
    later = Pseudonyms(path, clock=clock)
    assert later.of("ada") != own
    assert own in later.every("ada")
    assert own in later.aliases("ada")
    assert own in later.under("2026-11", "ada")
    assert later.of("ada") in later.aliases("ada")


def test_the_key_of_a_month_to_come_is_used_when_it_begins(tmp_path):
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp
    path = tmp_path / "keys.json"
    Pseudonyms(path, clock=NOVEMBER.timestamp).adopt(KEYS)
    node, other = Pseudonyms(path, clock=december), Pseudonyms(tmp_path / "o", clock=december)
    other.adopt({"2026-12": KEYS["2026-12"]})
    assert node.of("ada") == other.of("ada")


def test_keys_that_are_handed_out_are_made_once(tmp_path, clock):
    months = months_ahead(NOVEMBER)
    assert months == ("2026-11", "2026-12")
    assert months_ahead(datetime(2026, 12, 31, tzinfo=UTC)) == ("2026-12", "2027-01")
    first = Pseudonyms(tmp_path / "keys.json", clock=clock).hand_out(months)
    assert set(first) == set(months)
    assert Pseudonyms(tmp_path / "keys.json", clock=clock).hand_out(months) == first


def test_keys_of_months_long_gone_are_not_adopted(tmp_path, clock):
    node = Pseudonyms(tmp_path / "keys.json", 60, clock=clock)
    node.adopt(KEYS | {"2020-01": b"\3" * 32})
    assert "2020-01" not in (tmp_path / "keys.json").read_text()


def test_only_so_many_replaced_keys_are_kept(tmp_path, clock):
    node = Pseudonyms(tmp_path / "keys.json", clock=clock)
    for number in range(20):
        node.adopt({"2026-11": bytes([number]) * 32})
    assert len(node.aliases("ada")) == MAX_REPLACED + 1


def test_a_file_of_an_earlier_version_is_read(tmp_path, clock):
    path = tmp_path / "keys.json"
    node = Pseudonyms(path, clock=clock)
    own = node.of("ada")
    assert set(json.loads(path.read_text())) == {"keys"}
    assert Pseudonyms(path, clock=clock).of("ada") == own
