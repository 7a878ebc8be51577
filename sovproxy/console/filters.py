"""A search as it stands in the URL, and the links to its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from sovproxy.console.failures import Refused
from sovproxy.console.links import link
from sovproxy.usecases.analysis.search_words import (
    COLUMNS,
    DEFAULT_COLUMNS,
    FIELDS,
    NONE,
    OF_A_PAGE,
    SHOWN,
    TIMES,
    InvalidSearch,
    Pairs,
    read_words,
    to_text,
)
from sovproxy.usecases.analysis.searching import FilterInput, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from starlette.datastructures import QueryParams

SPANS: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": timedelta(0),
}
"""The ranges of time that have a tab; the URL takes any such as `90m`."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. `pairs` is the URL's own words: filters, range of time, order, cursor."""

    pairs: Pairs
    wanted: FilterInput
    span: str

    @property
    def cursor(self) -> str:
        """Where the page begins; empty for the first one."""
        return self._last("cursor")

    @property
    def order(self) -> Order:
        """Which event comes first."""
        return Order.OLDEST if self._last("sort") == Order.OLDEST else Order.NEWEST

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """The filters beside time, in the order in which they were added."""
        return [pair for pair in self.pairs if pair[0] in FIELDS]

    @property
    def columns(self) -> tuple[str, ...]:
        """What the list shows of each event; the time always, because it leads to the event."""
        asked = {name for key, value in self.pairs if key == "columns" for name in value.split(",")}
        return tuple(name for name in COLUMNS if name in {*(asked or DEFAULT_COLUMNS), "time"})

    @property
    def shows_suppressed(self) -> bool:
        """Whether what somebody suppressed is shown nevertheless."""
        return self._last("suppressed") == SHOWN

    @property
    def facet(self) -> str:
        """The facet of which more values are shown than of the others; mostly none."""
        return self._last("facet")

    @property
    def text(self) -> str:
        """As it would stand in the search box."""
        return to_text(pair for pair in self.pairs if pair[0] not in OF_A_PAGE)

    @property
    def query(self) -> str:
        """What a saved view keeps of it."""
        return urlencode(list(self._lasting()))

    def plus(self, field: str, value: object) -> str:
        """The link to this search with one more value of a field."""
        pair = (field, _spelled(value))
        kept = [item for item in self._lasting() if item != pair]
        return to_events([*kept, pair])

    def without(self, field: str, value: object) -> str:
        """The link to this search that leaves a value out."""
        spelled = "" if value in {"", 0} else str(value)
        return self.plus("without", f"{field}:{spelled}")

    def minus(self, field: str, value: str) -> str:
        """The link to this search without one value."""
        return to_events(item for item in self._lasting() if item != (field, value))

    def within(self, since: datetime, until: datetime) -> str:
        """The link to this search in another range of time."""
        times = [("since", _iso(since)), ("until", _iso(until))]
        return to_events([*self._timeless(), *times])

    def spanning(self, span: str) -> str:
        """The link to this search over the last hours or days."""
        return to_events([*self._timeless(), ("last", span)])

    def sorted(self, order: str) -> str:
        """The link to this search in another order."""
        return to_events([*self._lasting(), ("sort", order)])

    def page(self, cursor: str) -> str:
        """The link to another page of this search."""
        kept = [item for item in self.pairs if item[0] != "cursor"]
        return to_events([*kept, ("cursor", cursor)])

    def unfolding(self, facet: str) -> str:
        """The link to this search with more values of one facet."""
        return f"{to_events([*self._lasting(), ('facet', facet)])}#facet-{facet}"

    def showing(self, *, suppressed: bool) -> str:
        """The link to this search with or without what is suppressed."""
        kept = [item for item in self._lasting() if item[0] != "suppressed"]
        return to_events([*kept, *([("suppressed", SHOWN)] if suppressed else [])])

    def without_times(self) -> Pairs:
        """The words of this search without range of time, order and cursor."""
        return tuple(self._timeless())

    def without_columns(self) -> Pairs:
        """The words of this search without the choice of columns."""
        return tuple(pair for pair in self._lasting() if pair[0] != "columns")

    def of_the_list(self) -> Pairs:
        """The words that are about how the list looks, not about what is in it."""
        return tuple(pair for pair in self.pairs if pair[0] in {"columns", "suppressed"})

    def at_api(self, path: str, *, timeless: bool = False, **more: str) -> str:
        """The address at the API that has the same filter, with or without the range of time."""
        values = self.wanted.model_dump(mode="json", exclude_defaults=True)
        if timeless:
            values = {name: value for name, value in values.items() if name not in TIMES}
        return f"/api/v1{path}?{urlencode(values | more, doseq=True)}"

    def _last(self, name: str) -> str:
        return next((value for key, value in reversed(self.pairs) if key == name), "")

    def _lasting(self) -> Iterator[tuple[str, str]]:
        return (pair for pair in self.pairs if pair[0] not in OF_A_PAGE)

    def _timeless(self) -> Iterator[tuple[str, str]]:
        return (pair for pair in self._lasting() if pair[0] not in {*TIMES, "last"})


def read_search(params: QueryParams, now: datetime) -> Search:
    """Read a search from a URL. Raises Refused, naming each field that cannot be read."""
    try:
        words = read_words(_joined(params.multi_items()), now)
    except InvalidSearch as error:
        raise Refused(400, str(error)) from None
    return Search(words.pairs, words.wanted, words.span)


def _joined(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A form sends each column by itself; the URL holds them in one word."""
    items = list(pairs)
    columns = [value for name, value in items if name == "columns" and value]
    others = [pair for pair in items if pair[0] not in {"columns", "q"}]
    return [*others, ("columns", ",".join(columns))] if columns else others


def _spelled(value: object) -> str:
    return str(value) if value not in {"", 0} else NONE


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def to_events(pairs: Iterable[tuple[str, str]]) -> str:
    """The link to the events that some words find."""
    return link("/events", _grouped(pairs))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
