"""A search as it stands in the URL, and the links to its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from pydantic import ValidationError

from sovproxy.console.failures import Refused
from sovproxy.console.links import link
from sovproxy.usecases.searching import FilterInput, Order
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.datastructures import QueryParams

type Pairs = tuple[tuple[str, str], ...]

NONE: Final = "-"
"""In a URL: the field has no value. (A form sends an empty text where nothing is asked for.)"""

SPANS: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": timedelta(0),
}
DEFAULT_SPAN: Final = "24h"
_TIMES: Final = ("since", "until")
_OF_A_PAGE: Final = ("cursor", "sort")


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
        return [pair for pair in self.pairs if pair[0] in _FIELDS]

    def plus(self, field: str, value: object) -> str:
        """The link to this search with one more value of a field."""
        pair = (field, _spelled(value))
        kept = [item for item in self._lasting() if item != pair]
        return _to_events([*kept, pair])

    def minus(self, field: str, value: str) -> str:
        """The link to this search without one value."""
        return _to_events(item for item in self._lasting() if item != (field, value))

    def within(self, since: datetime, until: datetime) -> str:
        """The link to this search in another range of time."""
        times = [("since", _iso(since)), ("until", _iso(until))]
        return _to_events([*self._timeless(), *times])

    def spanning(self, span: str) -> str:
        """The link to this search over the last hours or days."""
        return _to_events([*self._timeless(), ("last", span)])

    def sorted(self, order: str) -> str:
        """The link to this search in another order."""
        return _to_events([*self._lasting(), ("sort", order)])

    def page(self, cursor: str) -> str:
        """The link to another page of this search."""
        kept = [item for item in self.pairs if item[0] != "cursor"]
        return _to_events([*kept, ("cursor", cursor)])

    def without_times(self) -> Pairs:
        """The words of this search without range of time, order and cursor."""
        return tuple(self._timeless())

    def at_api(self, path: str, *, timeless: bool = False, **more: str) -> str:
        """The address at the API that has the same filter, with or without the range of time."""
        values = self.wanted.model_dump(mode="json", exclude_defaults=True)
        if timeless:
            values = {name: value for name, value in values.items() if name not in _TIMES}
        return f"/api/v1{path}?{urlencode(values | more, doseq=True)}"

    def _last(self, name: str) -> str:
        return next((value for key, value in reversed(self.pairs) if key == name), "")

    def _lasting(self) -> Iterator[tuple[str, str]]:
        return (pair for pair in self.pairs if pair[0] not in _OF_A_PAGE)

    def _timeless(self) -> Iterator[tuple[str, str]]:
        return (pair for pair in self._lasting() if pair[0] not in {*_TIMES, "last"})


_FIELDS: Final = tuple(name for name in FilterInput.model_fields if name not in _TIMES)
_KNOWN: Final = {*_FIELDS, *_TIMES, *_OF_A_PAGE, "last"}


def read_search(params: QueryParams, now: datetime) -> Search:
    """Read a search from a URL. Raises Refused, naming each field that cannot be read."""
    pairs = tuple(
        (name, value.strip())
        for name, value in dict.fromkeys(params.multi_items())
        if name in _KNOWN and value.strip()
    )
    unknown = sorted(set(params) - _KNOWN)
    if unknown:
        raise Refused(400, f"{unknown[0][:50]}: there is no such filter")
    names = {name for name, _ in pairs}
    span = "" if names & set(_TIMES) else next((v for k, v in pairs if k == "last"), DEFAULT_SPAN)
    if span and span not in SPANS:
        raise Refused(400, f"last: one of {', '.join(SPANS)} is wanted, got {span[:20]}")
    wanted = _read_filter(pairs)
    if length := SPANS.get(span):
        wanted = wanted.model_copy(update={"since": now - length})
    return Search(pairs, wanted, span)


def _read_filter(pairs: Pairs) -> FilterInput:
    values: dict[str, list[str] | str] = {
        name: [_read(name, value) for key, value in pairs if key == name]
        for name in _FIELDS
        if any(key == name for key, _ in pairs)
    }
    values |= {name: _with_zone(value) for name, value in pairs if name in _TIMES}
    try:
        return FilterInput.model_validate(values)
    except ValidationError as error:
        said = (f"{path_text(item['loc'])}: {item['msg']}" for item in error.errors()[:5])
        raise Refused(400, "; ".join(said)) from None


def _read(name: str, value: str) -> str:
    if value != NONE:
        return value
    return "0" if name == "asn" else ""


def _spelled(value: object) -> str:
    return str(value) if value not in {"", 0} else NONE


def _with_zone(value: str) -> str:
    """A browser's date-and-time field knows no zone; the console's times are in UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if moment.tzinfo else f"{value}Z" if "T" in value else f"{value}T00:00:00Z"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _to_events(pairs: Iterable[tuple[str, str]]) -> str:
    return link("/events", _grouped(pairs))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
