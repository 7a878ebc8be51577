"""What is looked for, as conditions on the tables of events and rollups."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import or_

from sovproxy.store.records import microseconds
from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Table


class Facet(StrEnum):
    """What can be counted by."""

    SERVICE = "service"
    OPERATOR = "operator"
    CONTROL = "control"
    LOCATION = "location"
    ASN = "asn"
    ACTION = "action"
    RULE = "rule"
    GROUP = "group"
    NODE = "node"
    STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for. Empty means anything; within one field any value fits.

    `since` is included, `until` is not. A `host` that begins with a dot means every host below it,
    `host_contains` every host with that text in it. An empty text, or ASN 0, finds what has no such
    value.
    """

    since: datetime | None = None
    until: datetime | None = None
    service: Sequence[str] = ()
    operator: Sequence[str] = ()
    control: Sequence[str] = ()
    location: Sequence[str] = ()
    asn: Sequence[int] = ()
    standing: Sequence[str] = ()
    action: Sequence[str] = ()
    rule: Sequence[str] = ()
    group: Sequence[str] = ()
    node: Sequence[str] = ()
    client: Sequence[str] = ()
    host: Sequence[str] = ()
    host_contains: Sequence[str] = ()
    kind: Sequence[str] = ()
    outcome: Sequence[str] = ()

    @property
    def names_hosts_or_clients(self) -> bool:
        """Whether only the events themselves can answer: counts hold no host and no client."""
        return bool(self.client or self.host or self.host_contains)

    @property
    def fits_no_rollup(self) -> bool:
        """Whether it asks for what rollups do not know."""
        other_kind = bool(self.kind) and "decision" not in self.kind
        return self.names_hosts_or_clients or other_kind or bool(self.operator or self.outcome)


EQUAL_FIELDS = (
    "service",
    "operator",
    "location",
    "asn",
    "standing",
    "action",
    "rule",
    "group",
    "node",
    "client",
    "kind",
    "outcome",
)


def conditions(wanted: Filter, table: Table) -> list[ColumnElement[bool]]:
    """Write the filter as conditions on events or rollups; fields they do not have are left out."""
    columns = table.c
    result = [*time_conditions(wanted, table)]
    for name in EQUAL_FIELDS:
        values = getattr(wanted, name)
        if values and name in columns:
            result.append(columns[name].in_(values))
    if wanted.control:
        result.append(or_(*(_controlled(columns["control"], item) for item in wanted.control)))
    if "host" in columns:
        result += _host_conditions(wanted, columns["host"])
    return result


def time_conditions(wanted: Filter, table: Table) -> list[ColumnElement[bool]]:
    """Write the range of time as conditions."""
    time = table.c["time" if table is EVENTS else "start"]
    result = []
    if wanted.since:
        result.append(time >= microseconds(wanted.since))
    if wanted.until:
        result.append(time < microseconds(wanted.until))
    return result


def _controlled(column: ColumnElement[str], country: str) -> ColumnElement[bool]:
    if not country:
        return column == ""
    joined = "," + column + ","
    return joined.contains(f",{country},", autoescape=True)


def _host_conditions(wanted: Filter, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    result = []
    if wanted.host:
        result.append(or_(*(_host(column, item) for item in wanted.host)))
    if wanted.host_contains:
        result.append(
            or_(*(column.contains(item, autoescape=True) for item in wanted.host_contains))
        )
    return result


def _host(column: ColumnElement[str], host: str) -> ColumnElement[bool]:
    return column.endswith(host, autoescape=True) if host.startswith(".") else column == host
