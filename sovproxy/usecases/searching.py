"""Searching and counting, for the API and the command line alike: strict filters, cursors."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.decide.words import Action, Standing  # noqa: TC001  # the models read them
from sovproxy.errors import SovproxyError
from sovproxy.events.event import CLIENT_PATTERN, COUNTRY_PATTERN, Event, UtcTime
from sovproxy.store import queries
from sovproxy.store.queries import Facet, Filter, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.store.database import Store

MAX_PAGE: Final = 500
MAX_VALUES: Final = 20
MAX_COUNTS: Final = 1000
_LARGEST: Final = 2**63 - 1
_CURSOR = re.compile(rb"([0-9]{1,19})\.([0-9]{1,19})")


class InvalidCursor(SovproxyError):
    """A cursor that no page of ours has given."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("only printable characters are wanted")
    return text


Value = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Host = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(_printable)]
Client = Annotated[str, Field(min_length=1, pattern=CLIENT_PATTERN)]
Country = Annotated[str, Field(pattern=COUNTRY_PATTERN)]


class FilterInput(BaseModel):
    """A filter as people give it. Within one field any value fits; all fields must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: UtcTime | None = Field(default=None, description="From this instant on (with zone).")
    until: UtcTime | None = Field(default=None, description="Before this instant (with zone).")
    service: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Service id.")
    operator: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Operator id.")
    control: list[Country] = Field(
        default=[], max_length=MAX_VALUES, description="Controlled from this country, among others."
    )
    standing: list[Standing] = Field(default=[], max_length=MAX_VALUES)
    action: list[Action] = Field(default=[], max_length=MAX_VALUES)
    rule: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Rule id.")
    group: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Group id.")
    node: list[Value] = Field(default=[], max_length=MAX_VALUES, description="Node name.")
    client: list[Client] = Field(default=[], max_length=MAX_VALUES, description="Pseudonym.")
    host: list[Host] = Field(
        default=[], max_length=MAX_VALUES, description="Host; `.zoom.us` is every host below it."
    )

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("`since` must be before `until`")
        return self

    def to_filter(self) -> Filter:
        """The store's filter."""
        return Filter(**{name: getattr(self, name) for name in FilterInput.model_fields})


class EventPage(BaseModel):
    """Events, newest first, and the cursor of the next page, or null at the end."""

    items: list[Event]
    next: str | None


class CountItem(BaseModel):
    """Connections of one value: with an event of their own, counted in rollups, and all."""

    value: str
    events: int
    rollups: int
    total: int


class Counts(BaseModel):
    """Counts by one facet, most first. `others` is how many values were cut off."""

    by: Facet
    items: list[CountItem]
    others: int


def search_page(store: Store, wanted: FilterInput, limit: int, cursor: str = "") -> EventPage:
    """Give one page of at most `limit` events. Raises InvalidCursor, StoreUnavailable."""
    after = decode_cursor(cursor) if cursor else None
    found = queries.search(store, wanted.to_filter(), limit, after)
    following = encode_cursor(found.more_after) if found.more_after else None
    return EventPage.model_construct(items=found.events, next=following)


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


def count_connections(store: Store, wanted: FilterInput, facet: Facet, limit: int) -> Counts:
    """Count connections by a facet. Raises StoreUnavailable."""
    counts = queries.count_by(store, facet, wanted.to_filter())
    items = [
        CountItem(value=item.value, events=item.events, rollups=item.rollups, total=item.total)
        for item in counts[:limit]
    ]
    return Counts(by=facet, items=items, others=max(0, len(counts) - limit))


def encode_cursor(place: Place) -> str:
    """Write a place as an opaque word."""
    return base64.urlsafe_b64encode(b"%d.%d" % (place.time, place.seq)).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """Read a cursor. It is only a place in an order: it gives no access. Raises InvalidCursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        match = _CURSOR.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error):
        match = None
    place = Place(int(match[1]), int(match[2])) if match else None
    if not place or max(place.time, place.seq) > _LARGEST or encode_cursor(place) != cursor:
        raise InvalidCursor("this cursor is not one of ours; begin again without a cursor")
    return place
