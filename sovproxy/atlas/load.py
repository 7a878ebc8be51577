"""Load the atlas: what is known about services, operators and powers, joined and checked.

The shipped data lies beside this module. An administration adds its own folder of the same shape.
A catalogue with any error is refused whole, with every error's file and line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.atlas import link
from sovproxy.atlas.files import read_folders
from sovproxy.atlas.names import port_numbers
from sovproxy.decide.facts import PortListing
from sovproxy.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sovproxy.atlas.files import Collection
    from sovproxy.atlas.schema import App, ServiceFile, TenantHeader, UnusedPrefix
    from sovproxy.decide.facts import Listing, Operator, Power, Service

type Unused = Mapping[tuple[str, str], UnusedPrefix]
"""Prefixes that are not used as listed, by service id and prefix."""

SHIPPED = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Details:
    """What the catalogue says of a service beyond what deciding needs.

    `covers` names its parts; `ports` are lines in the vendor's words; `seen_in` are ASNs it was
    seen in.
    """

    covers: str = ""
    ports: tuple[str, ...] = ()
    apps: tuple[App, ...] = ()
    tenant_headers: tuple[TenantHeader, ...] = ()
    seen_in: tuple[int, ...] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Atlas:
    """The whole catalogue, joined and frozen. `listings` holds what is used today.

    `port_listings` are prefixes that tell a service only together with a port; they are not among
    `listings`. `set_aside` holds the prefixes that are not used as listed, by service and prefix.
    `operator_notes` is by operator id. `undecrypted` has the domains that full inspection leaves
    alone, by category.
    """

    services: Mapping[str, Service]
    operators: Mapping[str, Operator]
    operators_by_asn: Mapping[int, Operator]
    powers: tuple[Power, ...]
    listings: tuple[Listing, ...]
    port_listings: tuple[PortListing, ...]
    details: Mapping[str, Details]
    operator_notes: Mapping[str, str]
    set_aside: Unused
    undecrypted: Mapping[str, frozenset[str]]


def load_atlas(folders: Iterable[Path] = (SHIPPED,)) -> Atlas:
    """Load and join all folders; later ones add to, or replace by id, what earlier ones say.

    What ships is read once in a process, as its code is: it changes with that. Raises InvalidFile
    with every problem of all files.
    """
    folders = tuple(folders)
    return _shipped() if folders == (SHIPPED,) else _load(folders)


@cache
def _shipped() -> Atlas:
    return _load((SHIPPED,))


def _load(folders: tuple[Path, ...]) -> Atlas:
    collection = read_folders(folders)
    problems = collection.problems
    operators = link.Operators(collection, problems).build_all()
    by_asn = link.operators_by_asn(collection, operators, problems)
    services = link.services(collection, operators, problems)
    claims = link.listings(collection, services, operators, problems)
    powers = link.powers(collection, problems)
    if problems:
        raise InvalidFile(problems)
    unused = {(item.value.service, item.value.prefix): item.value for item in collection.unused}
    return Atlas(
        services=MappingProxyType(services),
        operators=MappingProxyType(operators),
        operators_by_asn=MappingProxyType(by_asn),
        powers=powers,
        listings=tuple(_used((claims[key] for key in claims if not key[1]), unused)),
        port_listings=tuple(_port_listings(claims, unused)),
        details=MappingProxyType(_details(collection)),
        operator_notes=MappingProxyType(_operator_notes(collection)),
        set_aside=MappingProxyType(unused),
        undecrypted=MappingProxyType(_undecrypted(collection)),
    )


def _used(listings: Iterable[Listing], unused: Unused) -> Iterator[Listing]:
    """Leave out the prefixes set aside, but keep the parts that are still the service's."""
    listings = list(listings)
    known = {listing.pattern for listing in listings}
    for listing in listings:
        aside = unused.get((_service_id(listing), listing.pattern))
        if aside is None:
            yield listing
            continue
        for part in aside.still_used:
            if part not in known:
                yield replace(listing, pattern=part)


def _service_id(listing: Listing) -> str:
    return listing.service.id if listing.service else ""


def _port_listings(
    claims: Mapping[tuple[str, str], Listing], unused: Unused
) -> Iterator[PortListing]:
    by_ports: dict[str, list[Listing]] = {}
    for (_, ports), listing in claims.items():
        if ports:
            by_ports.setdefault(ports, []).append(listing)
    for ports, listings in by_ports.items():
        for listing in _used(listings, unused):
            yield PortListing(listing, *port_numbers(ports))


def _details(collection: Collection) -> dict[str, Details]:
    return {key: _detail(item.value) for key, item in collection.services.items()}


def _detail(entry: ServiceFile) -> Details:
    return Details(
        covers=entry.covers or "",
        ports=tuple(entry.ports),
        apps=tuple(entry.apps),
        tenant_headers=tuple(entry.tenant_headers),
        seen_in=tuple(entry.seen_in),
        notes=entry.notes or "",
    )


def _undecrypted(collection: Collection) -> dict[str, frozenset[str]]:
    """Names by category; what a later folder says is added, and takes nothing out."""
    found: dict[str, frozenset[str]] = {}
    for item in collection.undecrypted:
        category = item.value
        found[category.id] = found.get(category.id, frozenset()).union(category.names)
    return found


def _operator_notes(collection: Collection) -> dict[str, str]:
    items = collection.operators.items()
    return {key: item.value.notes for key, item in items if item.value.notes}
