"""What is remembered of one address never speaks for a neighbour that stands elsewhere."""

from __future__ import annotations

import random
from dataclasses import astuple
from ipaddress import IPv4Address, IPv6Address

import pytest

from sovproxy.atlas import geo as geo_module
from sovproxy.atlas.databases import Databases
from sovproxy.atlas.geo import Geo
from sovproxy.decide.facts import NOWHERE
from sovproxy.settings import Settings


def test_a_head_that_is_cut_in_two_is_not_remembered_as_one(mmdb, now):
    halves = {"170.114.0.0/17": {"country_code": "FR"}, "170.114.128.0/17": {"country_code": "US"}}
    whole = {"170.114.0.0/16": {"asn": "AS64500", "as_name": "One"}}
    geo = Geo.open(mmdb("l.mmdb", halves), mmdb("n.mmdb", whole), {}, now)
    asked = ["170.114.1.1", "170.114.200.1", "170.114.127.255", "170.114.128.0"]
    assert [geo.place(address).country for address in asked] == ["FR", "US", "FR", "US"]


def test_a_head_that_is_whole_is_remembered_and_ends_where_it_ends(mmdb, now):
    records = {"170.114.0.0/16": {"country_code": "FR", "asn": 64500, "as_name": "One"}}
    path = mmdb("both.mmdb", records)
    geo = Geo.open(path, path, {}, now)
    assert {geo.place(f"170.114.{n}.1").country for n in range(256)} == {"FR"}
    assert not geo._addresses
    assert geo.place("170.115.0.1") is geo.place("170.113.255.255") is NOWHERE


def test_ipv6_addresses_are_not_taken_for_heads_of_ipv4(mmdb, now):
    records = {"2001:db8::/16": {"country_code": "DE"}, "0.0.0.0/1": {"country_code": "FR"}}
    networks = {"170.114.0.0/16": {"asn": 64500, "as_name": "One"}}
    geo = Geo.open(mmdb("l.mmdb", records), mmdb("n.mmdb", networks), {}, now)
    for address, country in {"2001:db8::1": "DE", "1.2.3.4": "FR", "::ffff:1.2.9.9": "FR"}.items():
        assert [geo.place(address).country for _ in range(2)] == [country] * 2


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(geo_module, "MAX_HEADS", 50)
    monkeypatch.setattr(geo_module, "MAX_ADDRESSES", 50)


def test_a_long_used_geo_answers_as_a_fresh_one_does(tmp_path, now, small):
    long_used = Databases.of(Settings(data_dir=tmp_path)).open_geo({}, now)
    chance = random.Random(7)  # noqa: S311 - no secret
    near = [chance.randrange(1 << 16) << 16 for _ in range(60)]
    addresses = [
        str(IPv4Address(chance.choice(near) | chance.getrandbits(16))) for _ in range(1500)
    ]
    addresses += [str(IPv6Address(0x2A00 << 112 | chance.getrandbits(116))) for _ in range(200)]
    for address in addresses:
        fresh = Geo(
            long_used.location,
            long_used.network,
            {},
            long_used.stale,
            long_used._lookup,
            {},
            {},
            {},
        )
        assert astuple(long_used.place(address)) == astuple(fresh.place(address)), address
    assert len(long_used._heads) <= 50
