"""The facts behind a verdict, each with kind, value, source, date and confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.decide.facts import Evidence
from sovproxy.decide.words import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.decide.facts import Listing, Operator, Place, Power
    from sovproxy.decide.verdict import Verdict

STALE_AFTER_DAYS = 90
"""A database older than this is a warning wherever it is used."""


def evidence_of(verdict: Verdict) -> tuple[Evidence, ...]:
    """Everything the verdict rests on, in the order in which a person would ask."""
    return tuple(_evidence(verdict))


def _evidence(verdict: Verdict) -> Iterator[Evidence]:
    jurisdiction = verdict.jurisdiction
    place = jurisdiction.place
    if verdict.listing:
        yield _listing(verdict.listing)
    operators = dict.fromkeys((jurisdiction.operator, place.operator))
    for operator in operators:
        if operator:
            yield from _operator(operator)
    yield from _place(place)
    for power in jurisdiction.powers:
        yield _power(power)


def _listing(listing: Listing) -> Evidence:
    what = listing.service.name if listing.service else "shared or third-party host"
    value = f"{listing.pattern} is {what}"
    return Evidence(
        listing.kind, value, listing.source.title, listing.source.as_of, listing.verification
    )


def _operator(operator: Operator) -> Iterator[Evidence]:
    for entity in (operator, *operator.parents):
        kind = "operator" if entity is operator else "parent"
        value = f"{entity.name} ({entity.country})"
        source = entity.source
        yield Evidence(kind, value, source.title, source.as_of, entity.verification)
    if operator.technology:
        value = f"builds on technology from {', '.join(operator.technology)}"
        source = operator.source
        yield Evidence("technology", value, source.title, source.as_of, operator.verification)


def _place(place: Place) -> Iterator[Evidence]:
    confidence = "stale" if place.stale else Verification.MIXED.value
    if place.country:
        source = place.country_source
        yield Evidence("location", place.country, source.title, source.as_of, confidence)
    if place.asn:
        source = place.network_source
        value = f"AS{place.asn} {place.organisation}".strip()
        yield Evidence("network", value, source.title, source.as_of, confidence)
    if place.stale:
        value = f"a database used here is older than {STALE_AFTER_DAYS} days: import a newer one"
        yield Evidence("warning", value, "sovproxy data status", "", "verified")


def _power(power: Power) -> Evidence:
    value = f"{power.id}: {power.name}, {power.citation} ({power.effect}); {power.status_text}"
    return Evidence("power", value, power.source.title, power.source.as_of, power.verification)
