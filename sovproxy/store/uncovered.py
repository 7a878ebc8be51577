"""Hosts that events name and no service covers, with who uses them and whose network it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from sovproxy.events.event import EventKind
from sovproxy.store.filters import Filter, conditions, time_conditions
from sovproxy.store.tables import EVENTS
from sovproxy.store.times import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from sovproxy.store.database import Store


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
    no_service = (EVENTS.c.service == "", EVENTS.c.host != "", EVENTS.c.kind == EventKind.DECISION)
    where = [*no_service, *time_conditions(wanted), *conditions(wanted, EVENTS.c)]
    time = EVENTS.c.time
    number = func.count().label("number")
    clients = func.count(EVENTS.c.client.distinct()).label("clients")
    first, last = func.min(time).label("first"), func.max(time).label("last")
    query = (
        select(EVENTS.c.host, number, clients, first, last)
        .where(*where)
        .group_by(EVENTS.c.host)
        .order_by(number.desc(), EVENTS.c.host)
        .limit(limit)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
        found = {row.host: _host(row) for row in rows}
        of_these = [*where, EVENTS.c.host.in_(list(found))]
        columns = EVENTS.c.host, EVENTS.c.group, EVENTS.c.asn, EVENTS.c.operator
        spread = select(*columns, number).where(*of_these).group_by(*columns)
        parts = connection.execute(spread).all() if found else ()
    _spread(found, parts)
    return list(found.values())


def _host(row: Row[Any]) -> UncoveredHost:
    first, last = from_microseconds(row.first), from_microseconds(row.last)
    return UncoveredHost(row.host, row.number, row.clients, first, last)


def _spread(found: dict[str, UncoveredHost], parts: Sequence[Row[Any]]) -> None:
    for row in parts:
        found[row.host].groups[row.group] += row.number
        found[row.host].places[row.asn, row.operator] += row.number
