"""Which facts an MMDB holds and under which names: every vendor has its own record layout.

Layouts are those that the vendors document: MaxMind (GeoLite2 and GeoIP2 Country, City, Enterprise,
ASN, ISP), DB-IP (country, city, ASN, ISP), IPinfo (Lite, Core, Plus, Country + ASN, ASN, location)
and ip-location-db (country, asn). What a file holds is found by reading records, not by its name.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, cast

import maxminddb

from sovproxy.atlas.mmdb_copy import open_copy
from sovproxy.errors import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from maxminddb.reader import Metadata, Reader

type Kind = Literal["location", "network"]
KINDS: tuple[Kind, ...] = ("location", "network")

type Record = dict[str, Any]
"""What a database says about one network; anything may stand in it."""

type CountryOf = Callable[[Record], object]
"""Record -> country code as the record has it, empty or None when it has none."""

type NetworkFacts = tuple[object, ...]
"""ASN, organisation and, where the layout has it, country of registration; as in the record."""

type NetworkOf = Callable[[Record], NetworkFacts]

PROBES = (
    "8.8.8.8", "1.1.1.1", "9.9.9.9", "15.188.1.1", "51.79.1.1", "193.0.6.139", "77.88.8.8",
    "114.114.114.114", "196.216.2.1", "200.160.2.3", "2001:41d0::1", "2606:4700::1111",
    "2001:4860:4860::8888",
)  # fmt: skip
"""Well-known addresses on all continents: public resolvers, registries, large hosts."""

SAMPLED_RECORDS = 400
"""How many of a file's first records are read, besides the probes, to learn its layout."""

SHOWN_KEYS = 12

NO_COUNTRY = frozenset({"AP", "EU", "XX", "ZZ"})
"""Two-letter codes in whois data that name no country (Asia/Pacific, Europe, unknown)."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)

WANTED: dict[Kind, str] = {
    "location": "country.iso_code (MaxMind, DB-IP), country_code (IPinfo, ip-location-db) or "
    "country (IPinfo)",
    "network": "autonomous_system_number (MaxMind, DB-IP, ip-location-db), "
    "traits.autonomous_system_number (DB-IP ISP, GeoIP2 Enterprise) or asn (IPinfo)",
}


@dataclass(frozen=True, slots=True)
class Database:
    """An open MMDB and how to read it. `country_of` or `network_of` is None if it has no such fact.

    `title` is the vendor's own description, `type` its database_type, `built` the vendor's date.
    """

    path: Path
    reader: Reader
    type: str
    title: str
    built: datetime
    country_of: CountryOf | None
    network_of: NetworkOf | None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it can be used for."""
        usable = {"location": self.country_of, "network": self.network_of}
        return tuple(kind for kind in KINDS if usable[kind])


def open_database(
    path: Path, kind: Kind | None = None, name: str = "", *, copied: bool = False
) -> Database:
    """Open an MMDB for one kind of fact, or for whatever it holds; `name` is shown in errors.

    `copied` reads a copy in memory: for a file that others may write into meanwhile.

    Raises UnusableDatabase, naming the file, its type, the keys found and those wanted.
    """
    try:
        reader = open_copy(path) if copied else maxminddb.open_database(path)
        keys = _keys(reader)
        metadata = reader.metadata()
        database = Database(
            path, reader, printable(metadata.database_type) or "without a type",
            _title(metadata, path), datetime.fromtimestamp(metadata.build_epoch, UTC),
            _country_of(keys), _network_of(keys),
        )  # fmt: skip
    except (OSError, ValueError, OverflowError, maxminddb.InvalidDatabaseError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = printable(reason.replace(str(path), name or str(path)), 300)
        raise UnusableDatabase(
            f"{name or path}: cannot be read as an MMDB database: {reason}"
        ) from None
    _require(database, kind, keys, name or str(path))
    return database


def _require(database: Database, kind: Kind | None, keys: Record, name: str) -> None:
    if database.kinds and (kind is None or kind in database.kinds):
        return
    wanted = WANTED[kind] if kind else f"{WANTED['location']}; or {WANTED['network']}"
    found = ", ".join(printable(key) for key in sorted(keys)[:SHOWN_KEYS]) or "no records"
    message = (
        f"{name}: is an MMDB database of type {database.type!r} with {found}; "
        f"wanted for {kind or 'location or network'}: {wanted}"
    )
    raise UnusableDatabase(message)


def printable(text: object, limit: int = 120) -> str:
    """Give text from a foreign file in a form that is safe to show: one line, bounded."""
    shown = str(text)
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def country_code(code: object) -> str:
    """Read a country code as a record has it; empty if it names no country."""
    if isinstance(code, str) and _COUNTRY.fullmatch(code) and code not in NO_COUNTRY:
        return code
    return ""


def as_number(asn: object) -> int:
    """Read `15169`, `"15169"` or `"AS15169"`; 0 for anything else."""
    match = _ASN.fullmatch(str(asn)) if isinstance(asn, (int, str)) else None
    number = int(match[1]) if match else 0
    return number if number < 2**32 else 0


def _title(metadata: Metadata, path: Path) -> str:
    described = metadata.description.get("en") or next(iter(metadata.description.values()), "")
    return printable(described or metadata.database_type or path.name)


def records(reader: Reader) -> Iterator[Any]:
    """Give a bounded sample of the records: of well-known addresses, then the first ones."""
    for address in PROBES:
        if reader.metadata().ip_version == 6 or ":" not in address:
            record = reader.get(address)
            if record is not None:
                yield record
    for _, record in itertools.islice(reader, SAMPLED_RECORDS):
        yield record


def _keys(reader: Reader) -> Record:
    """Collect the keys of the sample, `outer.inner` for maps in maps, each with one value."""
    found: Record = {}
    for record in records(reader):
        if isinstance(record, dict):
            for key, value in record.items():
                inner = value.items() if isinstance(value, dict) else ()
                found.setdefault(key, value)
                found.update({f"{key}.{name}": item for name, item in inner})
    return found


def _country_of(keys: Record) -> CountryOf | None:
    if "country.iso_code" in keys or "registered_country.iso_code" in keys:
        return _nested_country
    if "country_code" in keys:
        return _flat_country_code
    # In IPinfo's ASN database (asn, name, country) the country is where the AS is registered.
    if isinstance(keys.get("country"), str) and not _is_ipinfo_asn(keys):
        return _flat_country
    return None


def _network_of(keys: Record) -> NetworkOf | None:
    if "autonomous_system_number" in keys:
        return _flat_network
    if "traits.autonomous_system_number" in keys:
        return _nested_network
    if _is_ipinfo_asn(keys):
        return _ipinfo_asn
    return _ipinfo_network if "asn" in keys else None


def _is_ipinfo_asn(keys: Record) -> bool:
    return "asn" in keys and "name" in keys and "as_name" not in keys


def _nested_country(record: Record) -> object:
    """Where the server stands; failing that, where its block of addresses is registered."""
    country = record.get("country")
    if not country or "iso_code" not in country:
        country = record.get("registered_country") or {}
    code: object = country.get("iso_code")
    return code


def _flat_country_code(record: Record) -> object:
    return record.get("country_code")


def _flat_country(record: Record) -> object:
    return record.get("country")


def _flat_network(record: Record) -> NetworkFacts:
    return record.get("autonomous_system_number"), record.get("autonomous_system_organization")


def _nested_network(record: Record) -> NetworkFacts:
    return _flat_network(record.get("traits") or {})


def _ipinfo_network(record: Record) -> NetworkFacts:
    return record.get("asn"), record.get("as_name")


def _ipinfo_asn(record: Record) -> NetworkFacts:
    return record.get("asn"), record.get("name"), record.get("country")


_QUICK: dict[object, Callable[[Record], Any]] = {
    _flat_country_code: itemgetter("country_code"),
    _flat_country: itemgetter("country"),
    _flat_network: itemgetter("autonomous_system_number", "autonomous_system_organization"),
    _ipinfo_network: itemgetter("asn", "as_name"),
    _ipinfo_asn: itemgetter("asn", "name", "country"),
}


def quick[F](read: F) -> F:
    """Give a faster reader of the same facts; it raises KeyError where one of them is missing."""
    return cast("F", _QUICK.get(read, read))
