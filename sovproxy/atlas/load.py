"""Load the atlas: what is known about services, operators and powers, joined and checked.

The shipped data lies beside this module. An administration adds its own folder of the same shape.
A catalogue with any error is refused whole, with every error's file and line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.atlas import link
from sovproxy.atlas.files import read_folders
from sovproxy.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sovproxy.atlas.files import Collection
    from sovproxy.atlas.schema import App, ServiceFile, TenantHeader, UnusedPrefix
    from sovproxy.decide.facts import Listing, Operator, Power, Service

SHIPPED = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Details:
    """What the catalogue says of a service beyond what deciding needs.

    `ports` are lines in the vendor's words; `seen_in` are ASNs it was seen in.
    """

    ports: tuple[str, ...] = ()
    apps: tuple[App, ...] = ()
    tenant_headers: tuple[TenantHeader, ...] = ()
    seen_in: tuple[int, ...] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Atlas:
    """The whole catalogue, joined and frozen. `listings` holds what is used today.

    `set_aside` holds the prefixes of the catalogue that another network announces today (or that
    nobody does), by prefix. `operator_notes` is by operator id.
    """

    services: Mapping[str, Service]
    operators: Mapping[str, Operator]
    operators_by_asn: Mapping[int, Operator]
    powers: tuple[Power, ...]
    listings: tuple[Listing, ...]
    details: Mapping[str, Details]
    operator_notes: Mapping[str, str]
    set_aside: Mapping[str, UnusedPrefix]


def load_atlas(folders: Iterable[Path] = (SHIPPED,)) -> Atlas:
    """Load and join all folders; later ones add to, or replace by id, what earlier ones say.

    Raises InvalidFile with every problem of all files.
    """
    collection = read_folders(folders)
    problems = collection.problems
    operators = link.Operators(collection, problems).build_all()
    by_asn = link.operators_by_asn(collection, operators, problems)
    services = link.services(collection, operators, problems)
    listings = link.listings(collection, services, operators, problems)
    powers = link.powers(collection, problems)
    if problems:
        raise InvalidFile(problems)
    unused = {item.value.prefix: item.value for item in collection.unused}
    return Atlas(
        services=MappingProxyType(services),
        operators=MappingProxyType(operators),
        operators_by_asn=MappingProxyType(by_asn),
        powers=powers,
        listings=tuple(_used(listings, unused)),
        details=MappingProxyType(_details(collection)),
        operator_notes=MappingProxyType(_operator_notes(collection)),
        set_aside=MappingProxyType(unused),
    )


def _used(listings: list[Listing], unused: Mapping[str, UnusedPrefix]) -> Iterator[Listing]:
    """Leave out the prefixes set aside, but keep the parts that are still the service's."""
    known = {listing.pattern for listing in listings}
    for listing in listings:
        aside = unused.get(listing.pattern) if listing.kind == "prefix" else None
        if aside is None or listing.service is None or aside.service != listing.service.id:
            yield listing
            continue
        for part in aside.still_used:
            if part not in known:
                yield replace(listing, pattern=part)


def _details(collection: Collection) -> dict[str, Details]:
    return {key: _detail(item.value) for key, item in collection.services.items()}


def _detail(entry: ServiceFile) -> Details:
    return Details(
        ports=tuple(entry.ports),
        apps=tuple(entry.apps),
        tenant_headers=tuple(entry.tenant_headers),
        seen_in=tuple(entry.seen_in),
        notes=entry.notes or "",
    )


def _operator_notes(collection: Collection) -> dict[str, str]:
    items = collection.operators.items()
    return {key: item.value.notes for key, item in items if item.value.notes}
