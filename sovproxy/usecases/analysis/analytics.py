"""The analyst's pictures: facets, a histogram, and the first page in one answer."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.decide.words import Action
from sovproxy.errors import SovproxyError
from sovproxy.store import counting, excluding
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.newness import first_record, new_values
from sovproxy.store.records import split_control
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.analysis.exposure import Outside, outside_of
from sovproxy.usecases.analysis.searching import Counts, FilterInput, counts_of
from sovproxy.usecases.analysis.suppressing import SuppressionKind, suppressed_values, suppressions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sovproxy.store.counting import Totals
    from sovproxy.store.database import Store
    from sovproxy.usecases.analysis.suppressing import Suppression

MAX_FACET_VALUES: Final = 20
MAX_BUCKETS: Final = 500
WANTED_BUCKETS: Final = 60
MAX_NEW: Final = 50
MAX_SIFTED: Final = 5000
"""New values that are looked through for those that fit a filter."""

FLOW_GROUPS: Final = 8
FLOW_SERVICES: Final = 12
FLOW_CONTROLS: Final = 8
TOP_SERVICES: Final = 10
OTHER: Final = "other"
WIDTHS: Final = (60, 300, 900, 3600, 10_800, 86_400, 604_800, 2_592_000)
_SECOND: Final = 1_000_000


class InvalidRange(SovproxyError):
    """A range of time that cannot be drawn as it was asked for."""


class Range(StrEnum):
    """How far back the overview looks."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def length(self) -> timedelta:
        """As a duration."""
        hours = {Range.DAY: 24, Range.WEEK: 7 * 24, Range.MONTH: 30 * 24}
        return timedelta(hours=hours[self])


class FacetAnswer(BaseModel):
    """The top values of each facet, most first."""

    facets: list[Counts]


class Bucket(BaseModel):
    """Connections that began in one bucket, by action. Every action is there, also with 0."""

    start: datetime
    counts: dict[Action, int] = Field(
        examples=[{"allow": 120, "observe": 4, "warn": 2, "block": 1}]
    )


class Histogram(BaseModel):
    """Connections over time. `width` is the length of a bucket in seconds.

    Buckets begin at multiples of it since the Unix epoch, so the first and the last may reach
    beyond the range; only what is within the range is counted.
    """

    width: int = Field(examples=[3600])
    since: datetime
    until: datetime
    buckets: list[Bucket]


class Flow(BaseModel):
    """Connections of a group to a service that answers to these countries.

    `other` stands for all groups, services or countries that are not among the first; an empty
    text, or no country, for what is not known.
    """

    group: str = Field(examples=["finance"])
    service: str = Field(examples=["zoom"])
    control: list[str] = Field(examples=[["US"]])
    count: int = Field(examples=[1204])


class NewValue(BaseModel):
    """A service (id) or network (ASN) and when it was first seen."""

    value: str = Field(examples=["zoom"])
    first: datetime


class NewInRange(BaseModel):
    """What was never seen before the range, newest first, 50 of each at most.

    `suppressed` is how many more there are that somebody does not want to see.
    """

    services: list[NewValue]
    networks: list[NewValue]
    suppressed: int = Field(default=0, examples=[3])


class Decrypted(BaseModel):
    """For how many of all connections TLS was terminated. `share` is between 0 and 1."""

    decrypted: int = Field(examples=[31])
    connections: int = Field(examples=[124_000])
    share: float = Field(examples=[0.00025])


class Overview(BaseModel):
    """The analyst's first page. All numbers are connections, from events and rollups together."""

    range: Range
    since: datetime
    until: datetime
    connections: int = Field(examples=[124_000])
    totals: dict[Action, int] = Field(
        examples=[{"allow": 120_000, "observe": 3600, "warn": 300, "block": 100}]
    )
    standings: Counts
    decrypted: Decrypted
    flows: list[Flow]
    trend: Histogram
    services: Counts
    outside: Outside
    new: NewInRange


def facets(
    store: Store, wanted: FilterInput, fields: Sequence[Facet], limit: int = MAX_FACET_VALUES
) -> FacetAnswer:
    """Give the top values of the facets. Raises StoreUnavailable."""
    counts = excluding.count_facets(store, fields, wanted.to_filter())
    pairs = zip(fields, counts, strict=True)
    return FacetAnswer(facets=[counts_of(facet, items, limit) for facet, items in pairs])


def histogram(
    store: Store, wanted: FilterInput, now: datetime, width: int | None = None
) -> Histogram:
    """Count over time. Without `since` it begins with the oldest record, without `until` it ends
    now. Raises InvalidRange, StoreUnavailable.
    """
    since, until = _range(store, wanted, now)
    chosen = width or choose_width(until - since)
    number = -(-microseconds(until) // (chosen * _SECOND)) - microseconds(since) // (
        chosen * _SECOND
    )
    if number > MAX_BUCKETS:
        message = f"{number} buckets of {chosen} s would be needed, at most {MAX_BUCKETS} are given"
        raise InvalidRange(f"{message}; choose a greater width or a shorter range")
    asked = wanted.model_copy(update={"since": since, "until": until}).to_filter()
    return _drawn(excluding.trend(store, asked, chosen), since, until, chosen)


def choose_width(length: timedelta) -> int:
    """Choose a bucket's length (seconds): the shortest that cuts the range into 60 at most."""
    seconds = length.total_seconds()
    return next((width for width in WIDTHS if seconds / width <= WANTED_BUCKETS), WIDTHS[-1])


def overview(store: Store, span: Range, now: datetime, wanted: FilterInput) -> Overview:
    """Give the first page. The filter's own range of time is not used. Raises StoreUnavailable."""
    since, until = now - span.length, now
    asked = wanted.model_copy(update={"since": since, "until": until}).to_filter()
    width = choose_width(span.length)
    found = excluding.totals(store, counting.decisions_only(asked))
    totals = _by_action(found)
    return Overview(
        range=span,
        since=since,
        until=until,
        connections=sum(totals.values()),
        totals=totals,
        standings=_counts(found, Facet.STANDING, MAX_FACET_VALUES),
        decrypted=_decrypted(found),
        flows=_flows(found),
        trend=_drawn(excluding.trend(store, asked, width), since, until, width),
        services=_counts(found, Facet.SERVICE, TOP_SERVICES),
        outside=outside_of(found),
        new=_new(store, asked, now, found if asked.names_more_than_time else None),
    )


def _range(store: Store, wanted: FilterInput, now: datetime) -> tuple[datetime, datetime]:
    until = wanted.until or max(now, (wanted.since or now) + timedelta(minutes=1))
    since = wanted.since or min(
        first_record(store) or until - timedelta(days=1), until - timedelta(minutes=1)
    )
    return since, until


def _drawn(
    numbers: Mapping[tuple[int, str], int], since: datetime, until: datetime, width: int
) -> Histogram:
    step = width * _SECOND
    first, end = microseconds(since) // step * step, microseconds(until)
    counts = {start: dict.fromkeys(Action, 0) for start in range(first, end, step)}
    for (start, action), number in numbers.items():
        counts[start][Action(action)] = number
    buckets = [
        Bucket(start=from_microseconds(start), counts=by_action)
        for start, by_action in counts.items()
    ]
    return Histogram(width=width, since=since, until=until, buckets=buckets)


def _by_action(found: Totals) -> dict[Action, int]:
    totals = dict.fromkeys(Action, 0)
    for (action,), number in found.by("action").items():
        totals[Action(action)] += number
    return totals


def _counts(found: Totals, facet: Facet, limit: int) -> Counts:
    return counts_of(facet, found.facet(facet), limit)


def _decrypted(found: Totals) -> Decrypted:
    numbers = found.by("decrypted")
    everything = numbers.total()
    share = numbers[True,] / everything if everything else 0.0
    return Decrypted(decrypted=numbers[True,], connections=everything, share=share)


def _flows(found: Totals) -> list[Flow]:
    links = found.by("group", "service", "control")
    tops = [
        _top(links, 0, FLOW_GROUPS),
        _top(links, 1, FLOW_SERVICES),
        _top(links, 2, FLOW_CONTROLS),
    ]
    joined: Counter[tuple[str, ...]] = Counter()
    for link, number in links.items():
        pairs = zip(link, tops, strict=True)
        joined[tuple(name if name in top else OTHER for name, top in pairs)] += number
    return [
        Flow(group=group, service=service, control=list(split_control(control)), count=number)
        for (group, service, control), number in sorted(joined.items(), key=_most_first)
    ]


def _most_first(item: tuple[tuple[str, ...], int]) -> tuple[int, tuple[str, ...]]:
    return -item[1], item[0]


def _top(links: Counter[tuple[str, ...]], place: int, limit: int) -> set[str]:
    totals: Counter[str] = Counter()
    for link, number in links.items():
        totals[link[place]] += number
    return {name for name, _ in totals.most_common(limit)}


def new_in_range(store: Store, since: datetime, until: datetime, now: datetime) -> NewInRange:
    """What was never seen before a range of time. Raises StoreUnavailable."""
    return _new(store, Filter(since=since, until=until), now)


def _new(store: Store, asked: Filter, now: datetime, found: Totals | None = None) -> NewInRange:
    """`found` is what fits a filter: what is new elsewhere is left out."""
    in_force = suppressions(store, now)
    services, hidden = _new_values(store, SuppressionKind.SERVICE, asked, in_force, found)
    networks, more = _new_values(store, SuppressionKind.ASN, asked, in_force, found)
    return NewInRange(services=services, networks=networks, suppressed=hidden + more)


def _new_values(
    store: Store,
    kind: SuppressionKind,
    asked: Filter,
    in_force: Sequence[Suppression],
    fitting: Totals | None,
) -> tuple[list[NewValue], int]:
    """The new values of one field that are not suppressed, and how many are; of those that fit."""
    out = suppressed_values(in_force, kind)
    limit = MAX_SIFTED if fitting else MAX_NEW + len(out)
    found = new_values(store, kind.value, asked, limit)
    if fitting:
        among = {item.value for item in fitting.facet(Facet(kind))}
        found = [item for item in found if item[0] in among]
    shown = [NewValue(value=value, first=first) for value, first in found if value not in out]
    return shown[:MAX_NEW], len(found) - len(shown)
