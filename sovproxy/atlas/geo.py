"""Where an address stands: one location and one network database, read as one `Place`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import maxminddb

from sovproxy.atlas.mmdb_schema import (
    Database,
    as_number,
    country_code,
    open_database,
    printable,
    quick,
)
from sovproxy.decide.facts import NOWHERE, Place, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from sovproxy.atlas.mmdb_schema import Record
    from sovproxy.decide.facts import Operator

    type Facts = tuple[object, tuple[object, ...]]

STALE_AFTER = timedelta(days=90)
"""Age of a database's build date from which its answers carry a warning."""

MAX_PLACES = 200_000
MAX_HEADS = 65_536
MAX_ADDRESSES = 8_192
"""Few enough for the processor's cache: remembering more costs more than it saves."""

HEAD_BITS = 16
"""Most of the IPv4 space is the same network in the same country throughout its first 16 bits."""

NO_NETWORK = (None, None)
NO_SOURCE = Source("")

_MAY_EMBED_IPV4 = ("::", "0", "2002:", "64:")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, well-known prefix


def is_stale(built: datetime, now: float) -> bool:
    """Tell whether a database built then is too old at `now` (seconds since the epoch)."""
    return datetime.fromtimestamp(now, UTC) - built > STALE_AFTER


@dataclass(frozen=True, slots=True)
class Geo:
    """Looks addresses up. One object may be used by many threads at once.

    Equal facts give the same `Place` object, which callers may use as a key. All memos are
    bounded and emptied when full; a lookup never takes a lock. `_heads` remembers what holds for
    all IPv4 addresses with the same first 16 bits (`170.114`), which is most of what is asked.
    """

    location: Database
    network: Database
    operators: Mapping[int, Operator]
    stale: bool
    _lookup: Callable[[str], tuple[Facts, int]]
    _heads: dict[str, Place]
    _addresses: dict[str, Place]
    _places: dict[Facts, Place]

    @classmethod
    def open(
        cls,
        location: Path,
        network: Path,
        operators_by_asn: Mapping[int, Operator],
        now: float,
        *,
        copied: Collection[Path] = (),
    ) -> Self:
        """Open two databases (or one for both). `now` is seconds since the epoch.

        Of the paths in `copied` a copy in memory is read. Raises UnusableDatabase.
        """
        places = open_database(location, "location", copied=location in copied)
        same = network.exists() and location.samefile(network) and bool(places.network_of)
        networks = places
        if not same:
            networks = open_database(network, "network", copied=network in copied)
        stale = is_stale(places.built, now) or is_stale(networks.built, now)
        return cls(
            places,
            networks,
            operators_by_asn,
            stale,
            _lookup_of(places, networks, same=same),
            {},
            {},
            {},
        )

    def refreshed(self, now: float) -> Self:
        """Give this, or a fresh one over the same files if they became stale by `now`."""
        stale = is_stale(self.location.built, now) or is_stale(self.network.built, now)
        if stale == self.stale:
            return self
        return replace(self, stale=stale, _heads={}, _addresses={}, _places={})

    def place(self, address: str) -> Place:
        """Say where an address stands, given in canonical text. What is no address stands NOWHERE.

        Text that only begins like an address may stand where that does: nothing is parsed twice.
        """
        head = address.rsplit(".", 2)[0]
        return self._heads.get(head) or self._addresses.get(address) or self._find(address, head)

    def _find(self, address: str, head: str) -> Place:
        asked = embedded_ipv4(address) if ":" in address else address
        try:
            facts, bits = self._lookup(asked)
            place = self._places.get(facts) or self._remember(facts)
        except (ValueError, TypeError, AttributeError, maxminddb.InvalidDatabaseError):
            return NOWHERE  # no address; or a record that is not laid out like its neighbours
        if bits <= HEAD_BITS and ":" not in address:
            _keep(self._heads, head, place, MAX_HEADS)
        else:
            _keep(self._addresses, address, place, MAX_ADDRESSES)
        return place

    def _remember(self, facts: Facts) -> Place:
        """Find or make the place for facts that were not seen in this spelling before."""
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        country, (asn, organisation, *registered) = facts
        number = as_number(asn)
        name = printable(organisation) if number and organisation else ""
        seat = country_code(registered[0]) if number and registered else ""
        clean = (country_code(country), (number, name, seat))
        place = self._places.setdefault(clean, self._place(clean[0], number, name, seat))
        return self._places.setdefault(facts, place)

    def _place(self, country: str, asn: int, organisation: str, registered: str) -> Place:
        if not country and not asn:
            return NOWHERE
        operator = self.operators.get(asn)
        return Place(
            country=country,
            country_source=source_of(self.location) if country else NO_SOURCE,
            asn=asn,
            organisation=organisation,
            registered=operator.country if operator else registered,
            network_source=source_of(self.network) if asn else NO_SOURCE,
            operator=operator,
            stale=self.stale,
        )


def _keep(memo: dict[str, Place], key: str, place: Place, limit: int) -> None:
    if len(memo) >= limit:
        memo.clear()
    memo[key] = place


def source_of(database: Database) -> Source:
    """Name a database as the source of a fact, with its build date."""
    return _source(database.title, database.built)


@lru_cache(maxsize=16)
def _source(title: str, built: datetime) -> Source:
    return Source(title, built.date().isoformat())


def _lookup_of(
    location: Database, network: Database, *, same: bool
) -> Callable[[str], tuple[Facts, int]]:
    """Build the function that reads both databases, once for every address.

    It gives the facts, and how many of the address's first bits they hang on.
    """
    country_of, network_of = location.country_of, network.network_of
    assert country_of is not None and network_of is not None  # noqa: S101, PT018
    first, second = _get_of(location), _get_of(network)
    quick_country, quick_network = quick(country_of), quick(network_of)

    def tolerant(place: Record | None, net: Record | None) -> Facts:
        country = country_of(place) if place is not None else None
        return country, network_of(net) if net is not None else NO_NETWORK

    def lookup(address: str) -> tuple[Facts, int]:
        place, bits = first(address)
        net, net_bits = (place, bits) if same else second(address)
        bits = max(bits, net_bits)
        try:
            return (quick_country(place), quick_network(net)), bits
        except (KeyError, TypeError):
            return tolerant(place, net), bits

    return lookup


def _get_of(database: Database) -> Callable[[str], tuple[Any, int]]:
    """Give the reader's lookup. A database without IPv6 knows nothing about IPv6, that is all."""
    get = database.reader.get_with_prefix_len
    if database.reader.metadata().ip_version == 6:
        return get
    return lambda address: (None, 0) if ":" in address else get(address)


def embedded_ipv4(text: str) -> str:
    """Give the IPv4 address that an IPv6 address stands for (mapped, NAT64, 6to4), or the text."""
    if not text.startswith(_MAY_EMBED_IPV4):
        return text
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return text
    if address in _NAT64:
        return str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return str(address.ipv4_mapped or address.sixtofour or text)
