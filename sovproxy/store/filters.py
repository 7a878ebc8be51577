"""What is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


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
