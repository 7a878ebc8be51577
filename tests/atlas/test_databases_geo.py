"""Geo: every vendor's layout gives the same facts; bad input gives NOWHERE; equal facts are one."""

from __future__ import annotations

import ipaddress
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sovproxy.atlas import geo as geo_module
from sovproxy.atlas.geo import Geo, embedded_ipv4
from sovproxy.atlas.mmdb_schema import open_database
from sovproxy.decide.facts import NOWHERE, Operator, Source
from sovproxy.decide.words import Verification
from sovproxy.errors import UnusableDatabase

AMAZON = Operator("amazon", "Amazon", "US", Source("test"), Verification.VERIFIED)
PARIS = "15.188.0.0/16"
ADDRESS = "15.188.1.1"

NAMES = {"de": "Frankreich", "en": "France"}
FR = {"geoname_id": 3017382, "iso_code": "FR", "names": NAMES}
US = {"geoname_id": 6252001, "iso_code": "US", "names": {"en": "United States"}}
AS16509 = {
    "autonomous_system_number": 16509,
    "autonomous_system_organization": "Amazon.com, Inc.",
}

LOCATION_LAYOUTS = {
    "GeoLite2-Country": {"continent": {"code": "EU"}, "country": FR, "registered_country": US},
    "GeoLite2-City": {"city": {"names": {"en": "Paris"}}, "country": FR, "location": {"x": 1.5}},
    "GeoIP2-City": {"registered_country": FR},  # no country: an anycast or satellite network
    "GeoIP2-Enterprise": {"country": FR, "traits": AS16509},
    "DBIP-Country-Lite": {"continent": {"code": "EU"}, "country": {**FR, "is_in_eu": True}},
    "ipinfo lite": {"country": "France", "country_code": "FR", "asn": "AS1", "as_name": "x"},
    "ipinfo generic_country": {"country": "FR", "country_name": "France", "continent": "EU"},
    "ipinfo location": {"city": "Paris", "country": "FR", "region": "Île-de-France"},
    "country ipvAll": {"country_code": "FR"},
}
NETWORK_LAYOUTS = {
    "GeoLite2-ASN": AS16509,
    "GeoIP2-ISP": {**AS16509, "isp": "Amazon.com", "organization": "Amazon.com"},
    "DBIP-ASN-Lite": AS16509,
    "DBIP-ISP": {"country": FR, "traits": {**AS16509, "isp": "Amazon.com"}},
    "ipinfo lite": {"asn": "AS16509", "as_name": "Amazon.com, Inc.", "country_code": "FR"},
    "ipinfo asn": {"asn": "AS16509", "name": "Amazon.com, Inc.", "country": "US"},
    "ip-location-db asn": AS16509,
}


def both(mmdb, now, location, network, operators=None, **options) -> Geo:
    first = mmdb("location.mmdb", {PARIS: location}, **options)
    second = mmdb("network.mmdb", {PARIS: network})
    return Geo.open(first, second, operators or {}, now)


@pytest.mark.parametrize("vendor", LOCATION_LAYOUTS)
def test_country_is_read_from_every_vendors_layout(vendor, mmdb, now):
    geo = both(mmdb, now, LOCATION_LAYOUTS[vendor], AS16509, type=vendor)
    assert geo.place(ADDRESS).country == "FR"
    assert geo.place(ADDRESS).country_source == Source(f"{vendor} database", "2026-11-01")


@pytest.mark.parametrize("vendor", NETWORK_LAYOUTS)
def test_asn_is_read_from_every_vendors_layout(vendor, mmdb, now):
    place = both(mmdb, now, {"country_code": "FR"}, NETWORK_LAYOUTS[vendor]).place(ADDRESS)
    assert (place.asn, place.organisation) == (16509, "Amazon.com, Inc.")


def test_country_of_ipinfos_asn_database_is_registration_never_location(mmdb, now):
    asn = {"asn": "AS16509", "name": "Amazon.com, Inc.", "country": "US", "type": "hosting"}
    place = both(mmdb, now, {"country_code": "FR"}, asn).place(ADDRESS)
    assert (place.country, place.registered) == ("FR", "US")
    with pytest.raises(UnusableDatabase, match="wanted for location"):
        open_database(mmdb("asn.mmdb", {PARIS: asn}), "location")


def test_operator_of_the_atlas_says_where_a_network_is_registered(mmdb, now):
    asn = {"asn": "AS16509", "name": "Amazon", "country": "IE"}
    place = both(mmdb, now, {"country_code": "FR"}, asn, {16509: AMAZON}).place(ADDRESS)
    assert place.operator is AMAZON
    assert place.registered == "US"


def test_one_combined_file_serves_location_and_network(mmdb, now):
    record = {"country_code": "FR", "country": "France", "asn": "AS16509", "as_name": "Amazon"}
    path = mmdb("lite.mmdb", {PARIS: record})
    place = Geo.open(path, path, {16509: AMAZON}, now).place(ADDRESS)
    assert (place.country, place.asn, place.organisation) == ("FR", 16509, "Amazon")


def test_a_location_file_named_for_networks_too_is_refused(mmdb, now):
    path = mmdb("country.mmdb", {PARIS: {"country_code": "FR"}})
    with pytest.raises(UnusableDatabase, match="wanted for network: autonomous_system_number"):
        Geo.open(path, path, {}, now)


def test_unknown_layout_is_refused_naming_file_type_and_keys(mmdb):
    path = mmdb("odd.mmdb", {PARIS: {"is_anonymous": True, "is\nvpn": 1}}, type="GeoIP2-Anon")
    with pytest.raises(UnusableDatabase) as caught:
        open_database(path)
    text = str(caught.value)
    assert "odd.mmdb" in text
    assert "'GeoIP2-Anon'" in text
    assert "is_anonymous" in text
    assert "\n" not in text


@pytest.mark.parametrize("content", [b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_no_mmdb_is_refused_by_name(content, tmp_path):
    path = tmp_path / "broken.mmdb"
    path.write_bytes(content)
    with pytest.raises(UnusableDatabase, match=r"broken\.mmdb: cannot be read as an MMDB"):
        open_database(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(UnusableDatabase, match=r"gone\.mmdb: cannot be read"):
        open_database(tmp_path / "gone.mmdb")


@pytest.mark.parametrize(
    "address",
    ["", " ", "zoom.us", "1.2.3.4.5", "999.1.1.1", "15.188.1.1 ", "15.188.1.1/16", "é", "\ud800",
     "15.188.1.1\0", ":::", "::g", "2002:", "64:", "1" * 10_000, "[::1]", "0:0", "::ffff:1.2.3"],
)  # fmt: skip
def test_malformed_address_stands_nowhere(address, mmdb, now):
    assert both(mmdb, now, {"country_code": "FR"}, AS16509).place(address) is NOWHERE


@given(st.text() | st.text(alphabet="0123456789abcdef:.%/"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_makes_a_lookup_raise(tmp_path, mmdb, text):
    if not (tmp_path / "network.mmdb").exists():
        mmdb("location.mmdb", {PARIS: {"country_code": "FR"}})
        mmdb("network.mmdb", {PARIS: AS16509})
    Geo.open(tmp_path / "location.mmdb", tmp_path / "network.mmdb", {}, 0.0).place(text)


def test_unlisted_address_stands_nowhere(mmdb, now):
    geo = both(mmdb, now, {"country_code": "FR"}, AS16509)
    assert geo.place("203.0.113.9") is NOWHERE


@pytest.mark.parametrize(
    "spelling",
    ["::ffff:15.188.1.1", "::ffff:fbc:101", "0:0:0:0:0:ffff:fbc:101", "64:ff9b::fbc:101",
     "2002:fbc:101::1", "64:FF9B::15.188.1.1"],
)  # fmt: skip
def test_ipv6_spelling_of_an_ipv4_address_stands_where_that_stands(spelling, mmdb, now):
    geo = both(mmdb, now, {"country_code": "FR"}, AS16509)
    assert geo.place(spelling) is geo.place(ADDRESS)


@given(st.ip_addresses(v=6))
@settings(deadline=None)
def test_only_embedding_prefixes_are_taken_as_ipv4(address):
    inside = any(
        address in ipaddress.ip_network(prefix)
        for prefix in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16")
    )
    assert ("." in embedded_ipv4(str(address)) and ":" not in embedded_ipv4(str(address))) is inside


def test_ipv6_addresses_are_found(mmdb, now):
    location = mmdb("l.mmdb", {"2001:41d0::/32": {"country_code": "FR"}})
    network = mmdb("n.mmdb", {"2001:41d0::/32": {**AS16509, "autonomous_system_number": 16276}})
    place = Geo.open(location, network, {}, now).place("2001:41d0:1:2::3")
    assert (place.country, place.asn) == ("FR", 16276)


def test_database_without_ipv6_leaves_the_other_ones_facts_standing(mmdb, now):
    location = mmdb("l.mmdb", {PARIS: {"country_code": "FR"}}, ip_version=4)
    network = mmdb("n.mmdb", {"2001:41d0::/32": AS16509, PARIS: AS16509})
    geo = Geo.open(location, network, {}, now)
    assert (geo.place("2001:41d0::1").country, geo.place("2001:41d0::1").asn) == ("", 16509)
    assert geo.place(ADDRESS).country == "FR"


@pytest.mark.parametrize("code", ["EU", "AP", "ZZ", "XX", "", "fr", "FRA", "F1", 33, ["FR"], None])
def test_what_names_no_country_is_no_country(code, mmdb, now):
    records = {PARIS: {"country_code": "FR"}, "198.51.100.0/24": {"country_code": code}}
    if code is None:
        records["198.51.100.0/24"] = {"other": "x"}
    location = mmdb("l.mmdb", records)
    network = mmdb("n.mmdb", {"0.0.0.0/0": AS16509})
    place = Geo.open(location, network, {}, now).place("198.51.100.7")
    assert place.country == ""


def test_organisation_from_a_file_is_made_safe_to_show(mmdb, now):
    hostile = {
        "autonomous_system_number": 64500,
        "autonomous_system_organization": "a\x1b[31m\n" * 99,
    }
    name = both(mmdb, now, {"country_code": "FR"}, hostile).place(ADDRESS).organisation
    assert name.isprintable()
    assert len(name) <= 120


def test_equal_facts_give_the_same_object_whatever_the_network(mmdb, now):
    records = {PARIS: {"country_code": "FR"}, "198.51.100.0/24": {"country_code": "FR"}}
    networks = {PARIS: {"asn": "AS16509", "as_name": "A"},
                "198.51.100.0/24": {"asn": 16509, "as_name": "A"}}  # fmt: skip
    geo = Geo.open(mmdb("l.mmdb", records), mmdb("n.mmdb", networks), {}, now)
    assert geo.place(ADDRESS) is geo.place("198.51.100.7")
    assert geo.place(ADDRESS) is geo.place("15.188.200.9")


def test_memos_stay_bounded(mmdb, now, monkeypatch):
    monkeypatch.setattr(geo_module, "MAX_ADDRESSES", 10)
    monkeypatch.setattr(geo_module, "MAX_PLACES", 4)
    records = {
        f"198.51.{n}.0/24": {**AS16509, "autonomous_system_number": n + 1} for n in range(50)
    }
    geo = Geo.open(
        mmdb("l.mmdb", {PARIS: {"country_code": "FR"}}), mmdb("n.mmdb", records), {}, now
    )
    assert [geo.place(f"198.51.{n}.7").asn for n in range(50)] == list(range(1, 51))
    assert len(geo._addresses) <= 10
    assert len(geo._places) <= 5


def test_threads_get_the_same_places(mmdb, now):
    records = {
        f"198.51.{n}.0/24": {**AS16509, "autonomous_system_number": n + 1} for n in range(50)
    }
    geo = Geo.open(
        mmdb("l.mmdb", {PARIS: {"country_code": "FR"}}), mmdb("n.mmdb", records), {}, now
    )
    seen: list[list[int]] = []
    asked = [f"198.51.{n % 50}.{n % 250}" for n in range(5_000)]
    threads = [
        threading.Thread(target=lambda: seen.append([id(geo.place(a)) for a in asked]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize(("days", "stale"), [(0, False), (89, False), (91, True), (-30, False)])
@pytest.mark.parametrize("which", ["location", "network"])
def test_place_is_stale_when_either_database_is_older_than_90_days(days, stale, which, mmdb, now):
    old = datetime.fromtimestamp(now, UTC) - timedelta(days=days)
    location = mmdb(
        "l.mmdb", {PARIS: {"country_code": "FR"}}, **({"built": old} if which == "location" else {})
    )
    network = mmdb("n.mmdb", {PARIS: AS16509}, **({"built": old} if which == "network" else {}))
    geo = Geo.open(location, network, {}, now)
    assert geo.stale is stale
    assert geo.place(ADDRESS).stale is stale


def test_a_running_node_learns_that_its_databases_grew_old(mmdb, now):
    geo = both(mmdb, now, {"country_code": "FR"}, AS16509)
    assert geo.refreshed(now + 86_400) is geo
    later = geo.refreshed(now + 100 * 86_400)
    assert not geo.place(ADDRESS).stale
    assert later.place(ADDRESS).stale
