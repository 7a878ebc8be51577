"""A prefix is used only while an expected network announces it."""

from __future__ import annotations

import ipaddress

import maxminddb
import pytest

from sovproxy.atlas import origins
from sovproxy.atlas.files import UNUSED, read_folders
from sovproxy.atlas.load import SHIPPED, load_atlas


@pytest.fixture(scope="module")
def baseline():
    return origins.open_baseline()


@pytest.fixture(scope="module")
def atlas():
    return load_atlas()


@pytest.fixture
def reader(mmdb):
    records = {
        "198.51.100.0/25": {
            "autonomous_system_number": 64500,
            "autonomous_system_organization": "Acme",
        },
        "198.51.100.128/26": {
            "autonomous_system_number": 64501,
            "autonomous_system_organization": "Bank",
        },
        "2001:db8::/33": {
            "autonomous_system_number": 64500,
            "autonomous_system_organization": "Acme",
        },
    }
    return maxminddb.open_database(mmdb("asn.mmdb", records))


def claim(prefix, *asns):
    return origins.Claim("meet", prefix, frozenset(asns))


def test_prefix_announced_by_an_expected_network_is_used(reader):
    assert origins.judge(reader, claim("198.51.100.0/25", 64500)) is None
    assert origins.judge(reader, claim("198.51.100.7/32", 64500)) is None
    assert origins.judge(reader, claim("2001:db8::/32", 64500)) is None


def test_prefix_announced_by_nobody_is_not_used(reader):
    unused = origins.judge(reader, claim("203.0.113.0/24", 64500))
    assert (unused.reason, unused.announced_by) == ("nobody announces it", [])
    assert unused.still_used == []


def test_prefix_announced_by_others_is_not_used_and_they_are_named(reader):
    unused = origins.judge(reader, claim("198.51.100.128/25", 64500))
    assert unused.reason == "only other networks announce it"
    assert unused.announced_by == ["AS64501 Bank"]


def test_only_the_part_of_an_expected_network_stays_in_use(reader):
    unused = origins.judge(reader, claim("198.51.100.0/24", 64500))
    assert unused.still_used == ["198.51.100.0/25"]
    assert unused.announced_by == ["AS64501 Bank"]


def test_parts_of_a_prefix_cover_it_without_gap(baseline):
    parts = list(origins.announcements(baseline, "17.0.0.0/8"))
    assert sum(part.num_addresses for part, _, _ in parts) == 1 << 24
    assert {asn for _, asn, _ in parts} >= {714}


def test_bluejeans_old_range_belongs_to_innocents_and_is_set_aside(atlas):
    unused = atlas.set_aside["bluejeans", "31.171.208.0/21"]
    assert "AS201881 JSC-Telasi JSC Telasi" in unused.announced_by
    assert unused.still_used == []
    assert "31.171.208.0/21" not in {listing.pattern for listing in atlas.listings}


def test_committed_file_is_what_the_check_says_today(baseline):
    """If this fails, run `python tools/check_atlas.py --write` and review the difference."""
    unused = origins.unused_prefixes(baseline, origins.claims_of(read_folders([SHIPPED])))
    text = origins.render(unused, *origins.baseline_source())
    assert (SHIPPED / UNUSED).read_text(encoding="utf-8") == text


def test_every_prefix_in_use_is_announced_by_an_expected_network(baseline, atlas):
    claims = {
        (one.service, one.prefix): one.origins for one in origins.claims_of(read_folders([SHIPPED]))
    }
    by_service: dict[str, set[int]] = {}
    for (service, _), asns in claims.items():
        by_service.setdefault(service, set()).update(asns)
    used = [listing for listing in atlas.listings if listing.kind == "prefix"]
    used += [port.listing for port in atlas.port_listings]
    strangers = [
        (listing.pattern, asn)
        for listing in used
        for _, asn, _ in origins.announcements(baseline, listing.pattern)
        if asn and asn not in by_service[listing.service.id]
    ]
    assert strangers == []


@pytest.mark.parametrize(
    ("service", "address"),
    [
        ("zoom", "170.114.52.2"),
        ("zoom", "3.235.82.10"),
        ("ms-teams", "52.113.194.132"),
        ("webex", "66.163.36.1"),
        ("telegram", "149.154.167.91"),
        ("google-meet", "142.250.82.10"),
    ],
)
def test_bare_addresses_of_services_are_recognised_by_prefix(atlas, service, address):
    wanted = ipaddress.ip_address(address)
    found = {
        listing.service.id
        for listing in atlas.listings
        if listing.kind == "prefix" and wanted in ipaddress.ip_network(listing.pattern)
    }
    assert found == {service}


def test_what_several_products_share_is_marked(atlas):
    exclusive = {one.pattern: one.exclusive for one in atlas.listings if one.kind != "host"}
    assert exclusive["52.112.0.0/14"] is False
    assert exclusive["AS32934"] is False
    assert exclusive["162.255.36.0/22"] is True
    assert exclusive["AS30103"] is True


def test_no_cloud_is_any_services_own_network(atlas):
    clouds = {16509, 14618, 8987, 8075, 15169, 396982, 13335, 54113, 20940, 31898, 16276, 24940}
    claimed = {one.pattern for one in atlas.listings if one.kind == "network"}
    assert claimed.isdisjoint(f"AS{asn}" for asn in clouds)
