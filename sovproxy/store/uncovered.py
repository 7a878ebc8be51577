"""Hosts that events name and no service covers, with who uses them and whose network it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sovproxy.events.event import EventKind
from sovproxy.store.scanning import Test, scan, tests_of
from sovproxy.store.times import from_microseconds
from sovproxy.store.words import texts_of

if TYPE_CHECKING:
    from datetime import datetime

    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter
    from sovproxy.store.packing import Numbers
    from sovproxy.store.scanning import Scan
    from sovproxy.store.sorts import Snapshot

_DECISION: Final = EventKind.DECISION


@dataclass(frozen=True, slots=True)
class UncoveredHost:
    """One host: how many events, of how many clients, of which groups, and in which networks.

    `places` counts pairs of ASN and operator.
    """

    host: str
    events: int
    clients: int
    first: datetime
    last: datetime
    groups: Counter[str] = field(default_factory=Counter)
    places: Counter[tuple[int, str]] = field(default_factory=Counter)


def uncovered_hosts(store: Store, wanted: Filter, limit: int) -> list[UncoveredHost]:
    """The hosts of events without a service, most frequent first. Raises StoreUnavailable."""
    asked = replace(wanted, without=(*wanted.without, ("host", "")))
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        no_service = sorts.is_one_of("service", [""]) & sorts.is_one_of("kind", [_DECISION])
        tests = tests_of(connection, store, asked)
        tests.append(Test("sort", no_service, None))
        found = _Found.read(scan(connection, store, asked, tests=tests))
        most = found.most_frequent(limit)
        texts = texts_of(connection, {"host": most})
    named = ((texts.get(("host", number), ""), number) for number in most)
    return sorted(
        (found.host(name, number, sorts) for name, number in named if name),
        key=lambda host: (-host.events, host.host),
    )


class _Found(NamedTuple):
    """Events as columns."""

    hosts: Numbers
    clients: Numbers
    times: Numbers
    sorts: Numbers

    @classmethod
    def read(cls, look: Scan) -> _Found:
        parts: list[tuple[Numbers, ...]] = [
            (np.empty(0, np.int64),) * 4,
            *(
                (
                    look.column(item, "host"),
                    look.column(item, "client"),
                    look.times(item),
                    look.column(item, "sort"),
                )
                for item in look.chosen()
            ),
        ]
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def most_frequent(self, limit: int) -> list[int]:
        """The numbers of the hosts with the most events."""
        numbers, counts = np.unique(self.hosts, return_counts=True)
        found: list[int] = numbers[np.argsort(-counts, kind="stable")[:limit]].tolist()
        return found

    def host(self, name: str, number: int, sorts: Snapshot) -> UncoveredHost:
        """What is known of one host."""
        rows = self.hosts == number
        result = UncoveredHost(
            name,
            int(rows.sum()),
            len(np.unique(self.clients[rows])),
            from_microseconds(int(self.times[rows].min())),
            from_microseconds(int(self.times[rows].max())),
        )
        for place, count in zip(*np.unique(self.sorts[rows], return_counts=True), strict=True):
            if sort := sorts.sorts[int(place)]:
                result.groups[sort.group] += int(count)
                result.places[sort.asn, sort.operator] += int(count)
        return result
