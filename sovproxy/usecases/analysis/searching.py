"""Searching and counting, for the API and the command line alike: strict filters, cursors."""

from __future__ import annotations

import base64
import binascii
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sovproxy.decide.words import Action, Standing  # noqa: TC001  # the models read them
from sovproxy.errors import SovproxyError
from sovproxy.events.event import (
    CLIENT_PATTERN,
    COUNTRY_PATTERN,
    MAX_ASN,
    Event,
    EventKind,
    Outcome,
    Transport,
    UtcTime,
)
from sovproxy.events.text import visible
from sovproxy.store import excluding, queries
from sovproxy.store.filters import EXCLUDABLE, Facet, Filter
from sovproxy.store.queries import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sovproxy.store.counting import Count
    from sovproxy.store.database import Store

MAX_PAGE: Final = 500
MAX_VALUES: Final = 20
MAX_EXCLUDED: Final = 50
MAX_COUNTS: Final = 1000
DEFAULT_EXPORT: Final = 100_000
MAX_EXPORT: Final = 1_000_000
_LARGEST: Final = 2**63 - 1
_CURSOR = re.compile(rb"(-?)([0-9]{1,19})\.([0-9]{1,19})")


class Order(StrEnum):
    """Which event comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


class InvalidCursor(SovproxyError):
    """A cursor that no page of ours has given."""


def printable(text: str) -> str:
    """The text, if nothing in it is invisible: what an event may hold. Raises ValueError."""
    if visible(text) != text:
        raise ValueError("only printable characters are wanted")
    return text


def saying(text: str) -> str:
    """The text, if it is printable and says something. Raises ValueError."""
    if not text.strip():
        raise ValueError("more than spaces is wanted")
    return printable(text)


def one_spelling(field: str, value: str) -> str:
    """A host or a number of a network as events have it; any other value as it is."""
    if field == "asn":
        return str(int(value))
    return value.lower() if field == "host" else value


Value = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printable)]
Host = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(printable)]
Client = Annotated[str, Field(min_length=1, pattern=CLIENT_PATTERN)]
Optional = Annotated[str, Field(max_length=100), AfterValidator(printable)]
Country = Annotated[str, Field(pattern=rf"{COUNTRY_PATTERN}|^$")]
AsnValue = Annotated[int, Field(ge=0, le=MAX_ASN)]
Excluded = Annotated[str, Field(min_length=3, max_length=280), AfterValidator(printable)]


class FilterInput(BaseModel):
    """A filter as people give it. Within one field any value fits; all fields must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: UtcTime | None = Field(default=None, description="From this instant on (with zone).")
    until: UtcTime | None = Field(default=None, description="Before this instant (with zone).")
    service: list[Optional] = Field(
        default=[], max_length=MAX_VALUES, description="Service id; empty for none."
    )
    operator: list[Optional] = Field(
        default=[], max_length=MAX_VALUES, description="Operator id; empty for none."
    )
    control: list[Country] = Field(
        default=[], max_length=MAX_VALUES, description="Controlled from this country, among others."
    )
    standing: list[Standing] = Field(default=[], max_length=MAX_VALUES)
    action: list[Action] = Field(default=[], max_length=MAX_VALUES)
    rule: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Rule id.")
    group: list[Optional] = Field(
        default=[], max_length=MAX_VALUES, description="Group id; empty for none."
    )
    node: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Node name.")
    client: list[Client] = Field(default=[], max_length=MAX_VALUES, description="Pseudonym.")
    host: list[Host] = Field(
        default=[], max_length=MAX_VALUES, description="Host; `.zoom.us` is every host below it."
    )
    host_contains: list[Host] = Field(
        default=[], max_length=MAX_VALUES, description="Any host with this text in it."
    )
    location: list[Country] = Field(
        default=[], max_length=MAX_VALUES, description="Country of the server; empty if unknown."
    )
    asn: list[AsnValue] = Field(
        default=[], max_length=MAX_VALUES, description="Number of the network; 0 if unknown."
    )
    kind: list[EventKind] = Field(default=[], max_length=MAX_VALUES)
    outcome: list[Outcome] = Field(default=[], max_length=MAX_VALUES)
    transport: list[Transport] = Field(default=[], max_length=len(Transport))
    decrypted: list[bool] = Field(
        default=[], max_length=2, description="Whether TLS was terminated to answer."
    )
    without: list[Excluded] = Field(
        default=[],
        max_length=MAX_EXCLUDED,
        description="`field:value` that must not be: `service:zoom`, `host:.zoom.us`, `group:`.",
        examples=[["service:zoom"]],
    )

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("`since` must be before `until`")
        for text in self.without:
            _excluded(text)
        return self

    def to_filter(self) -> Filter:
        """The store's filter."""
        values = {name: getattr(self, name) for name in FilterInput.model_fields}
        return Filter(**values | {"without": [_excluded(text) for text in self.without]})


def _excluded(text: str) -> tuple[str, str | int]:
    """Read `field:value`; the value is checked as the filter of that field is."""
    name, separator, value = text.partition(":")
    if not separator or name not in EXCLUDABLE:
        wanted = ", ".join(EXCLUDABLE)
        raise ValueError(f"`{text[:80]}`: field:value is wanted, the field one of {wanted}")
    try:
        read = FilterInput.model_validate({name: [value or ("0" if name == "asn" else "")]})
    except ValidationError as error:
        raise ValueError(f"`{text[:80]}`: {error.errors()[0]['msg']}") from None
    found: str | int = getattr(read, name)[0]
    return name, found


class EventPage(BaseModel):
    """Events, and the cursors of the next page and of the one before; null where there is none."""

    items: list[Event]
    next: str | None = Field(examples=["MTc5NTQyMjYwMDAwMDAwMC40Mg"])
    prev: str | None = Field(examples=[None])


class CountItem(BaseModel):
    """Connections of one value: with an event of their own, counted in rollups, and all."""

    value: str = Field(examples=["zoom"])
    events: int = Field(examples=[12])
    rollups: int = Field(examples=[3400])
    total: int = Field(examples=[3412])


class Counts(BaseModel):
    """Counts by one facet, most first. `others` is how many values were cut off."""

    by: Facet
    items: list[CountItem]
    others: int


def search_page(
    store: Store,
    wanted: FilterInput,
    limit: int,
    cursor: str = "",
    order: Order = Order.NEWEST,
) -> EventPage:
    """Give one page of at most `limit` events. Raises InvalidCursor, StoreUnavailable."""
    after = decode_cursor(cursor) if cursor else None
    oldest_first = order is Order.OLDEST
    found = queries.search(store, wanted.to_filter(), limit, after, oldest_first=oldest_first)
    places = found.more_after, found.more_before
    following, preceding = (encode_cursor(place) if place else None for place in places)
    return EventPage.model_construct(items=found.events, next=following, prev=preceding)


def search_all(store: Store, wanted: FilterInput, limit: int | None = None) -> Iterator[Event]:
    """Give all events (or `limit`), newest first, page by page. Raises StoreUnavailable."""
    after, left = None, limit
    while left is None or left > 0:
        size = MAX_PAGE if left is None else min(left, MAX_PAGE)
        found = queries.search(store, wanted.to_filter(), size, after)
        yield from found.events
        after = found.more_after
        left = None if left is None else left - len(found.events)
        if after is None:
            return


def count_matching(store: Store, wanted: FilterInput, limit: int) -> int:
    """Say how many events fit, `limit` at most. Raises StoreUnavailable."""
    return queries.count_matching(store, wanted.to_filter(), limit)


def count_connections(store: Store, wanted: FilterInput, facet: Facet, limit: int) -> Counts:
    """Count connections by a facet. Raises StoreUnavailable."""
    return counts_of(facet, excluding.count_by(store, facet, wanted.to_filter()), limit)


def counts_of(facet: Facet, counts: Sequence[Count], limit: int) -> Counts:
    """The first `limit` counts, and how many values were cut off."""
    items = [
        CountItem(value=item.value, events=item.events, rollups=item.rollups, total=item.total)
        for item in counts[:limit]
    ]
    return Counts(by=facet, items=items, others=max(0, len(counts) - limit))


def encode_cursor(place: Place) -> str:
    """Write a place as an opaque word."""
    sign = b"-" if place.backwards else b""
    text = b"%s%d.%d" % (sign, place.time, place.seq)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """Read a cursor. It is only a place in an order: it gives no access. Raises InvalidCursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        match = _CURSOR.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error):
        match = None
    place = Place(int(match[2]), int(match[3]), bool(match[1])) if match else None
    if not place or max(place.time, place.seq) > _LARGEST or encode_cursor(place) != cursor:
        raise InvalidCursor("this cursor is not one of ours; begin again without a cursor")
    return place
