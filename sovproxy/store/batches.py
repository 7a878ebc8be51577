"""Records as columns, so that numpy and the database can take thousands at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sovproxy.events.event import EventKind
from sovproxy.store.sorts import Sort
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sovproxy.events.event import Event, Rollup
    from sovproxy.store.packing import Numbers
    from sovproxy.store.sorts import SortKey

_EVENT_SORT: Final = Sort._fields[1:]
_ROLLUP_SORT: Final = tuple(
    name for name in _EVENT_SORT if name not in {"kind", "operator", "outcome"}
)
DETAIL: Final = ("reason", "alternative", "policy", "policy_version", "transport")
_PLAIN: Final = ("client", "host", "address")
_sort_of_event = itemgetter(*_EVENT_SORT)
_sort_of_rollup = itemgetter(*_ROLLUP_SORT)
_detail_of = itemgetter(*DETAIL)


@dataclass(slots=True)
class Batch:
    """Records as columns. What many have in common stands once, and is named by its place.

    `sort_places` says for each record which of `sorts` it is; `words` has, for each kind, the texts
    and their places; `numbers` is the port of an event, or of a rollup its seconds and count.
    """

    ids: list[bytes]
    times: Numbers
    sorts: list[SortKey]
    sort_places: Numbers
    words: dict[str, tuple[list[str], Numbers]] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, in their order."""
    if len(batches) == 1:
        return batches[0]
    sorts, sort_places = _joined_places([(batch.sorts, batch.sort_places) for batch in batches])
    return Batch(
        ids=[item for batch in batches for item in batch.ids],
        times=np.concatenate([batch.times for batch in batches]),
        sorts=sorts,
        sort_places=sort_places,
        words={
            kind: _joined_places([part.words[kind] for part in batches])
            for kind in batches[0].words
        },
        numbers={
            name: np.concatenate([batch.numbers[name] for batch in batches])
            for name in batches[0].numbers
        },
    )


def _joined_places[Key](parts: Sequence[tuple[list[Key], Numbers]]) -> tuple[list[Key], Numbers]:
    keys, moved = places_of(key for keys, _ in parts for key in keys)
    starts = np.cumsum([0] + [len(keys) for keys, _ in parts[:-1]])
    places = [places + start for (_, places), start in zip(parts, starts, strict=True)]
    return keys, moved[np.concatenate(places)]


def places_of[Key](keys: Iterable[Key]) -> tuple[list[Key], Numbers]:
    """The different keys, and for each key given its place among them."""
    listed = list(keys)
    place_of = {key: place for place, key in enumerate(dict.fromkeys(listed))}
    places = np.fromiter(map(place_of.__getitem__, listed), np.int64, len(listed))
    return list(place_of), places


def event_batch(events: Sequence[Event]) -> Batch:
    """Events as columns."""
    values = [event.__dict__ for event in events]
    keys, sort_places = places_of(map(_sort_of_event, values))
    details, detail_places = places_of(map(_detail_of, values))
    words = {kind: places_of(map(itemgetter(kind), values)) for kind in _PLAIN}
    words["detail"] = ([_detail_text(detail) for detail in details], detail_places)
    return Batch(
        ids=[item["id"].bytes for item in values],
        times=_times(item["time"] for item in values),
        sorts=[(False, *key) for key in keys],
        sort_places=sort_places,
        words=words,
        numbers={"port": _whole(item["port"] for item in values)},
    )


def rollup_batch(rollups: Sequence[Rollup]) -> Batch:
    """Rollups as columns."""
    values = [rollup.__dict__ for rollup in rollups]
    keys, sort_places = places_of(map(_sort_of_rollup, values))
    return Batch(
        ids=[item["id"].bytes for item in values],
        times=_times(item["start"] for item in values),
        sorts=[_rollup_key(key) for key in keys],
        sort_places=sort_places,
        numbers={name: _whole(item[name] for item in values) for name in ("seconds", "count")},
    )


def _times(times: Iterable[Any]) -> Numbers:
    return _whole(map(microseconds, times))


def _whole(numbers: Iterable[int]) -> Numbers:
    return np.fromiter(numbers, np.int64)


def _rollup_key(key: tuple[Any, ...]) -> SortKey:
    """A rollup is counted as a decision of which less is known."""
    group, service, control, location, asn, action, rule, node, standing, decrypted = key
    known = (group, service, "", control, location, asn, action, rule, node, standing)
    return (True, EventKind.DECISION, *known, "", decrypted)


def _detail_text(detail: tuple[str, ...]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"))


def spans_of(places: Numbers, times: Numbers, size: int) -> list[tuple[int, int]]:
    """The first and last of the times at each place."""
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, places, times)
    np.maximum.at(last, places, times)
    return list(zip(first.tolist(), last.tolist(), strict=True))
