"""Finds the catalogue's listing for a host or an address, at the same speed however many there are.

Hosts: one dictionary by name, asked once per label, most specific first. Addresses: prefixes are
flattened into disjoint intervals once, then found by bisection.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sovproxy.decide.facts import Listing, Operator, PortListing, Power, Service

_V6 = 1 << 32
"""IPv6 addresses are moved up by this much, so that one sorted list holds both families."""

ADDRESSES_END = _V6 + (1 << 128)
"""The first number after all addresses."""

_HEAD4 = 1 << 16
_HEAD6 = 1 << 112
"""How many addresses share a head: the first 16 bits of their canonical text."""


def address_number(address: str) -> int:
    """The place of a canonical address text on one line: IPv4 first, then IPv6."""
    if ":" in address:
        return int(IPv6Address(address)) + _V6
    first, second, third, fourth = address.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def prefix_range(prefix: str) -> tuple[int, int]:
    """First number of a prefix and the first number after it. Raises ValueError if it is none."""
    network = ip_network(prefix)
    start = int(network.network_address) + (_V6 if network.version == 6 else 0)
    return start, start + network.num_addresses


def heads_between(start: int, end: int) -> Iterator[str]:
    """Heads (`170.114`, `2a00`) with all their addresses between two numbers, the end excluded."""
    for head in range(-(-start // _HEAD4), min(end, _V6) // _HEAD4):
        yield f"{head >> 8}.{head & 0xFF}"
    for head in range(-(-max(start - _V6, 0) // _HEAD6), max(end - _V6, 0) // _HEAD6):
        yield f"{head:x}"


def head_cut_at(number: int) -> str:
    """The head that this number cuts in two, or empty if it is the first of its head."""
    if number < _V6:
        return f"{number >> 24}.{number >> 16 & 0xFF}" if number % _HEAD4 else ""
    number -= _V6
    return f"{number // _HEAD6:x}" if number % _HEAD6 else ""


class HostIndex[T]:
    """Finds the value of the most specific pattern that a host name fits.

    `zoom.us` fits that name only; `*.zoom.us` every name below it, at any depth, but not itself.
    Patterns are kept by their number of dots: a name is looked for only where one of its length
    can be, which is rarely among the many names of two labels. (A million entries do not fit the
    processor's cache, so that each look costs time.)
    """

    def __init__(self, patterns: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[int, dict[str, T]] = {}
        self._below: dict[int, dict[str, T]] = {}
        self._plans: dict[int, tuple[dict[str, T], tuple[dict[str, T], ...]]] = {}
        for pattern, value in patterns:
            name = pattern.removeprefix("*.")
            tables = self._exact if name == pattern else self._below
            tables.setdefault(name.count("."), {}).setdefault(name, value)

    def __bool__(self) -> bool:
        return bool(self._exact or self._below)

    def find(self, host: str) -> T | None:
        """The value for `host`, which must be in canonical spelling, or None."""
        dots = host.count(".")
        exact, tables = self._plans.get(dots) or self._plan(dots)
        found = exact.get(host)
        if found is not None:
            return found
        name = host
        for table in tables:
            name = name.partition(".")[2]
            found = table.get(name)
            if found is not None:
                return found
        return None

    def find_all(self, host: str) -> tuple[T, ...]:
        """The values of every pattern that `host` fits, most specific first."""
        names = [host[dot + 1 :] for dot in range(len(host)) if host[dot] == "."]
        exact, tables = self._plan(len(names))
        below = (table.get(name) for table, name in zip(tables, names, strict=False))
        return tuple(value for value in (exact.get(host), *below) if value is not None)

    def _plan(self, dots: int) -> tuple[dict[str, T], tuple[dict[str, T], ...]]:
        """Where to look: for the name itself, and for each name above it."""
        tables = [self._below.get(above, {}) for above in reversed(range(dots))]
        while tables and not tables[-1]:
            tables.pop()
        self._plans[dots] = (self._exact.get(dots, {}), tuple(tables))
        return self._plans[dots]


class PrefixIndex[T]:
    """Finds the value of the longest prefix that an address lies in; of equals, the first given."""

    def __init__(self, prefixes: Iterable[tuple[str, T]]) -> None:
        self.starts: list[int] = []
        self.values: list[T | None] = []
        spans: dict[tuple[int, int], T] = {}
        for prefix, value in prefixes:
            spans.setdefault(prefix_range(prefix), value)
        self._flatten(sorted(spans, key=lambda span: (span[0], -span[1])), spans)

    def _flatten(self, ordered: list[tuple[int, int]], spans: dict[tuple[int, int], T]) -> None:
        """Cut nested spans into disjoint intervals; prefixes nest or are apart, never overlap."""
        open_spans: list[tuple[int, T]] = []
        for start, end in ordered:
            value = spans[start, end]
            self._close(open_spans, start)
            self._begin(start, value)
            open_spans.append((end, value))
        self._close(open_spans, None)

    def _close(self, open_spans: list[tuple[int, T]], before: int | None) -> None:
        while open_spans and (before is None or open_spans[-1][0] <= before):
            end, _ = open_spans.pop()
            self._begin(end, open_spans[-1][1] if open_spans else None)

    def _begin(self, start: int, value: T | None) -> None:
        if self.starts and self.starts[-1] == start:
            self.values[-1] = value
        else:
            self.starts.append(start)
            self.values.append(value)

    def find(self, number: int) -> T | None:
        """The value at an `address_number`, or None."""
        index = bisect_right(self.starts, number) - 1
        return self.values[index] if index >= 0 else None


class PortIndex:
    """Finds the listings that an address may have on some ports, longest prefix first."""

    def __init__(self, listings: Iterable[PortListing] = ()) -> None:
        by_prefix: dict[tuple[int, int], tuple[PortListing, ...]] = {}
        for item in listings:
            span = prefix_range(item.listing.pattern)
            by_prefix[span] = (*by_prefix.get(span, ()), item)
        self._spans = sorted(by_prefix.items(), key=lambda entry: entry[0][1] - entry[0][0])
        self.starts = sorted({edge for span in by_prefix for edge in span})

    def find(self, number: int) -> tuple[PortListing, ...]:
        """All that may hold at an `address_number`, depending on the port. For building only."""
        found = (items for (start, end), items in self._spans if start <= number < end)
        return tuple(item for items in found for item in items)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that the decider knows by heart: listings, services, operators' ASNs, powers."""

    hosts: HostIndex[Listing]
    prefixes: PrefixIndex[Listing]
    networks: Mapping[int, Listing] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    operators_by_asn: Mapping[int, Operator] = field(default_factory=dict)
    powers: Mapping[str, tuple[Power, ...]] = field(default_factory=dict)
    ports: PortIndex = field(default_factory=PortIndex)

    @classmethod
    def build(
        cls,
        listings: Iterable[Listing],
        services: Mapping[str, Service],
        operators_by_asn: Mapping[int, Operator],
        powers: Iterable[Power],
        port_listings: Iterable[PortListing] = (),
    ) -> Catalogue:
        """Index listings by kind, and powers by the country that holds them."""
        by_kind: dict[str, list[Listing]] = {"host": [], "prefix": [], "network": []}
        for listing in listings:
            by_kind[listing.kind].append(listing)
        by_country: dict[str, tuple[Power, ...]] = {}
        for power in powers:
            by_country[power.country] = (*by_country.get(power.country, ()), power)
        return cls(
            hosts=HostIndex((listing.pattern, listing) for listing in by_kind["host"]),
            prefixes=PrefixIndex((listing.pattern, listing) for listing in by_kind["prefix"]),
            networks={int(item.pattern.removeprefix("AS")): item for item in by_kind["network"]},
            services=services,
            operators_by_asn=operators_by_asn,
            powers=by_country,
            ports=PortIndex(port_listings),
        )
