"""What of a page of events was marked: a lookup for templates, made with one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovproxy.usecases.analysis.findings import FindingKind, findings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sovproxy.events.event import Event
    from sovproxy.store.database import Store
    from sovproxy.store.findings import Thing
    from sovproxy.usecases.analysis.findings import FindingRecord
    from sovproxy.usecases.analysis.searching import Counts

MARKABLE: Final = ("service", "operator", "asn")
"""Facets whose values can be marked."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Findings by thing. Templates ask for one value, or for all that is marked of an event."""

    found: Mapping[Thing, FindingRecord]

    def value(self, kind: str, value: object) -> FindingRecord | None:
        """The finding of a value of a field, if it was marked."""
        return self.found.get((kind, str(value), ""))

    def event(self, event: Event) -> list[FindingRecord]:
        """All findings that an event belongs to."""
        return [self.found[thing] for thing in things_of(event) if thing in self.found]


def things_of(event: Event) -> Iterator[Thing]:
    """What can be marked of an event."""
    yield FindingKind.EVENT.value, str(event.id), ""
    if event.host:
        yield FindingKind.HOST.value, event.host, ""
    if event.service:
        yield FindingKind.SERVICE.value, event.service, ""
    if event.service and event.group:
        yield FindingKind.PAIR.value, event.service, event.group
    if event.operator:
        yield FindingKind.OPERATOR.value, event.operator, ""
    if event.asn:
        yield FindingKind.ASN.value, str(event.asn), ""


def marked(store: Store, events: Iterable[Event], facets: Iterable[Counts] = ()) -> Marked:
    """Look up what of events and facets was marked. Raises StoreUnavailable."""
    things = [thing for event in events for thing in things_of(event)]
    for facet in facets:
        if facet.by.value in MARKABLE:
            things += [(facet.by.value, item.value, "") for item in facet.items if item.value]
    return Marked(findings_of(store, things))
