"""HostIndex and PrefixIndex against naive models, and what they do at their edges."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sovproxy.decide.catalogue import HostIndex, PrefixIndex, address_number, prefix_range
from tests.decide.factories import catalogue, listing, power, service

NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)
PATTERNS = st.tuples(st.sampled_from(["", "*."]), NAMES).map("".join)


def fits(pattern, host):
    """The naive model: an exact name, or any name below a starred one."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def fitting(patterns, host):
    """Those that fit, the exact one first, then by the number of labels."""
    found = [pattern for pattern in dict.fromkeys(patterns) if fits(pattern, host)]
    return sorted(found, key=lambda pattern: (pattern.startswith("*"), -pattern.count(".")))


@given(st.lists(PATTERNS), NAMES)
def test_hosts_are_found_as_by_a_search_through_all_patterns(patterns, host):
    index = HostIndex((pattern, pattern) for pattern in patterns)
    wanted = fitting(patterns, host)
    assert index.find(host) == (wanted[0] if wanted else None)
    assert index.find_all(host) == tuple(wanted)
    assert bool(index) == bool(patterns)


def test_a_starred_pattern_does_not_fit_the_name_itself():
    index = HostIndex([("*.zoom.us", 1)])
    assert index.find("zoom.us") is None
    assert index.find("us") is None
    assert index.find("azoom.us") is None
    assert index.find("a.b.zoom.us") == 1


def test_the_first_of_two_equal_patterns_counts():
    assert HostIndex([("a.fr", 1), ("a.fr", 2)]).find("a.fr") == 1
    assert PrefixIndex([("10.0.0.0/8", 1), ("10.0.0.0/8", 2)]).find(10 << 24) == 1


def test_a_host_of_absurd_shape_is_simply_not_found():
    index = HostIndex([("*.a", 1)])
    for host in ("", ".", "..", ".a", "a.", "x" * 10_000, "." * 10_000):
        assert index.find(host) in {None, 1}
        assert len(index.find_all(host)) <= 1


@st.composite
def prefixes(draw):
    """Prefixes that nest often: few distinct first bits, any length."""
    six = draw(st.booleans())
    bits = 128 if six else 32
    length = draw(st.integers(0, bits))
    head = draw(st.sampled_from([0, 1, 0xA, 0xAA, 0xAB, 0xFF]))
    number = head << (bits - 8) | draw(st.sampled_from([0, 1, 1 << bits // 2, (1 << bits - 8) - 1]))
    number = number >> (bits - length) << (bits - length)
    packed = number.to_bytes(bits // 8, "big")
    return str(ip_network((packed, length)))


def longest(prefixes, address):
    """The naive model: the longest prefix that holds the address, the first of equals."""
    where = ip_address(address)
    found = [prefix for prefix in prefixes if where in ip_network(prefix)]
    return max(found, key=lambda prefix: ip_network(prefix).prefixlen, default=None)


def edges(prefix):
    """Addresses at, and just outside, both ends of a prefix."""
    network = ip_network(prefix)
    first, last = int(network[0]), int(network[-1])
    kind = type(network[0])
    top = (1 << network.max_prefixlen) - 1
    return {
        str(kind(number)) for number in (first - 1, first, last, last + 1) if 0 <= number <= top
    }


@given(st.lists(prefixes(), max_size=12))
@example(["10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"])
@example(["0.0.0.0/0", "::/0"])
@example(["255.255.255.255/32", "::/128"])
@example(["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/32"])
def test_addresses_are_found_as_by_a_search_through_all_prefixes(given_prefixes):
    index = PrefixIndex((prefix, prefix) for prefix in given_prefixes)
    ends = {"0.0.0.1", "255.255.255.255", "::", "ffff:" * 7 + "ffff"}
    for address in ends.union(*map(edges, given_prefixes)):
        assert index.find(address_number(address)) == longest(given_prefixes, address)


@given(st.ip_addresses())
def test_addresses_of_both_families_lie_on_one_line(address):
    number = address_number(str(address))
    assert number == int(address) + (1 << 32 if address.version == 6 else 0)
    start, end = prefix_range(f"{address}/{address.max_prefixlen}")
    assert (start, end) == (number, number + 1)


@pytest.mark.parametrize("prefix", ["", "zoom.us", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10/8"])
def test_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match=r".+"):
        prefix_range(prefix)


def test_the_catalogue_sorts_listings_by_kind_and_powers_by_country():
    zoom = service()
    claims = [listing(text, zoom) for text in ("zoom.us", "170.114.0.0/16", "AS30103")]
    cloud, fisa, chinese = power(), power("FISA"), power("NIL", "CN")
    built = catalogue(*claims, powers=[cloud, chinese, fisa])
    assert built.hosts.find("zoom.us") is claims[0]
    assert built.prefixes.find(address_number("170.114.9.9")) is claims[1]
    assert built.networks == {30103: claims[2]}
    assert built.powers == {"US": (cloud, fisa), "CN": (chinese,)}
