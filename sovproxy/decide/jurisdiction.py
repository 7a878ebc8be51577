"""From evidence to jurisdiction: who controls it, which powers reach it, where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.decide.verdict import Jurisdiction
from sovproxy.decide.words import PowerStatus, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.decide.facts import Listing, Operator, Place, Power

type PowersByCountry = Mapping[str, tuple[Power, ...]]


def assess(
    listing: Listing | None, place: Place, trust_zone: frozenset[str], powers: PowersByCountry
) -> Jurisdiction:
    """Assess one destination, as the catalogue lists it and as the databases place it."""
    operator = operator_of(listing) or place.operator
    control = control_of(operator, place.operator)
    return Jurisdiction(
        standing=standing_of(control, place.country, trust_zone),
        operator=operator,
        place=place,
        control=control,
        powers=powers_over(control, place.country, trust_zone, powers),
    )


def operator_of(listing: Listing | None) -> Operator | None:
    """Who runs what is listed: the service's operator, or the shared host's own."""
    if listing is None:
        return None
    return listing.service.operator if listing.service else listing.operator


def control_of(*operators: Operator | None) -> tuple[str, ...]:
    """Countries of the operators and of all their parents, each once, in that order.

    The network's operator counts beside the service's: it holds the machines, so that the law
    which reaches it reaches them (Olvid on Amazon's servers is within reach of American law).
    """
    seats = [country for operator in operators if operator for country in operator.control]
    return tuple(dict.fromkeys(seats))


def standing_of(control: tuple[str, ...], location: str, trust_zone: frozenset[str]) -> Standing:
    """Combine control and location; an unknown controller is never called sovereign."""
    here = location in trust_zone
    if not control:
        return Standing.ABROAD if location and not here else Standing.UNKNOWN
    if not trust_zone.issuperset(control):
        return Standing.HOSTED_HERE_CONTROLLED_ABROAD if here else Standing.ABROAD
    return Standing.SOVEREIGN if here or not location else Standing.ABROAD


def powers_over(
    control: tuple[str, ...],
    location: str,
    trust_zone: frozenset[str],
    powers: PowersByCountry,
) -> tuple[Power, ...]:
    """Powers of every country outside the trust zone that controls it or where it stands.

    A lapsed power stays in the list: its status says what is left of it.
    """
    countries = dict.fromkeys((*control, location))
    return tuple(
        power
        for country in countries
        if country and country not in trust_zone
        for power in powers.get(country, ())
        if power.status is not PowerStatus.PROPOSED
    )
