"""What is looked for, as conditions on the tables of events and rollups."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from sovproxy.store.tables import EVENTS, SEEN
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    type Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]


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
    value. `without` leaves out what has any of these values of a field in `EXCLUDABLE`.
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
    transport: Sequence[str] = ()
    decrypted: Sequence[bool] = ()
    without: Sequence[tuple[str, str | int]] = ()

    @property
    def names_hosts_or_clients(self) -> bool:
        """Whether only the events themselves can answer: counts hold no host and no client."""
        return bool(self.client or self.host or self.host_contains or self.transport)

    @property
    def fits_no_rollup(self) -> bool:
        """Whether it asks for what rollups do not know."""
        other_kind = bool(self.kind) and "decision" not in self.kind
        return self.names_hosts_or_clients or other_kind or bool(self.operator or self.outcome)

    @property
    def names_more_than_time(self) -> bool:
        """Whether it asks for anything beside a range of time."""
        return bool(self.names_sorts or self.names_hosts_or_clients or self.without)

    def sort_fields(self) -> Iterator[tuple[str, Sequence[str | int]]]:
        """The fields beside control that a sort can tell, with what is wanted of them."""
        return ((name, getattr(self, name)) for name in SORT_FIELDS)

    @property
    def names_sorts(self) -> bool:
        """Whether it asks for more than time, host and client."""
        excluded = any(name != "host" for name, _ in self.without)
        return excluded or bool(self.control) or any(values for _, values in self.sort_fields())

    @property
    def excluded_hosts(self) -> tuple[str, ...]:
        """The hosts that are left out; no sort can tell them."""
        return tuple(str(value) for name, value in self.without if name == "host")

    @property
    def excluded_values(self) -> tuple[tuple[str, str | int], ...]:
        """What is left out that a sort can tell."""
        return tuple(item for item in self.without if item[0] != "host")


SORT_FIELDS = (
    "service",
    "operator",
    "location",
    "asn",
    "standing",
    "action",
    "rule",
    "group",
    "node",
    "kind",
    "outcome",
    "decrypted",
)

EXCLUDABLE = (
    "service",
    "operator",
    "control",
    "location",
    "asn",
    "standing",
    "action",
    "rule",
    "group",
    "node",
    "host",
)
"""What `Filter.without` can name."""


def conditions(wanted: Filter, columns: Columns) -> list[ColumnElement[bool]]:
    """Write all of the filter but the time as conditions on the columns of events."""
    result = host_and_client(wanted, columns)
    result += [columns[name].in_(values) for name, values in wanted.sort_fields() if values]
    if wanted.control:
        column = columns["control"]
        result.append(or_(*(_controlled(column, item) for item in wanted.control)))
    return result + [~_has(columns, *item) for item in wanted.excluded_values]


def host_and_client(wanted: Filter, columns: Columns = EVENTS.c) -> list[ColumnElement[bool]]:
    """Write what no sort can tell, beside the time, as conditions on events."""
    result: list[ColumnElement[bool]] = []
    if wanted.client:
        result.append(columns["client"].in_(wanted.client))
    if wanted.transport:
        result.append(columns["transport"].in_(wanted.transport))
    result += [~_is_host(columns["host"], name) for name in wanted.excluded_hosts]
    return result + _host_conditions(wanted, columns["host"])


def time_conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """Write the range of time as conditions on events."""
    time = EVENTS.c.time
    since = [time >= microseconds(wanted.since)] if wanted.since else []
    return since + ([time < microseconds(wanted.until)] if wanted.until else [])


def _controlled(column: ColumnElement[str], country: str) -> ColumnElement[bool]:
    if not country:
        return column == ""
    joined = "," + column + ","
    return joined.contains(f",{country},", autoescape=True)


def _has(columns: Columns, name: str, value: str | int) -> ColumnElement[bool]:
    column = columns[name]
    return _controlled(column, str(value)) if name == "control" else column == value


def _is_host(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    return column.endswith(name, autoescape=True) if name.startswith(".") else column == name


def _host_conditions(wanted: Filter, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Texts within a host are looked for among the hosts seen, which are far fewer than events."""
    name = SEEN.c.value
    result = []
    if wanted.host:
        exact = [item for item in wanted.host if not item.startswith(".")]
        below = [name.endswith(item, autoescape=True) for item in wanted.host if item[:1] == "."]
        result.append(or_(column.in_(exact), *_among_seen(column, below)))
    if wanted.host_contains:
        parts = [name.contains(item, autoescape=True) for item in wanted.host_contains]
        result += _among_seen(column, parts)
    return result


def _among_seen(
    column: ColumnElement[str], parts: list[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    if not parts:
        return []
    return [column.in_(select(SEEN.c.value).where(SEEN.c.kind == "host", or_(*parts)))]
