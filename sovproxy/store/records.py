"""Events and rollups as rows, in and out. An id is stored once, however often it arrives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Event, EventKind, Outcome, Transport
from sovproxy.store.blocks import add_block, join_blocks
from sovproxy.store.bulk import take_numbers
from sovproxy.store.insertion import Repeated, insert_new
from sovproxy.store.sorts import PLACES, Sort
from sovproxy.store.tables import EVENTS, ROLLUPS
from sovproxy.store.tally import add_numbers, add_seen, span_of
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.store.words import KINDS, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from sovproxy.events.event import Rollup
    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers
    from sovproxy.store.sorts import Snapshot, SortKey
    from sovproxy.store.tally import Seen
    from sovproxy.store.words import Known

_EVENT_SORT: Final = Sort._fields[1:]
_SERVICE, _ASN = PLACES["service"], PLACES["asn"]
_ROLLUP_SORT: Final = tuple(
    name for name in _EVENT_SORT if name not in {"kind", "operator", "outcome"}
)
_DETAIL: Final = ("reason", "alternative", "policy", "policy_version", "transport")
_sort_of_event = itemgetter(*_EVENT_SORT)
_sort_of_rollup = itemgetter(*_ROLLUP_SORT)
_detail_of = itemgetter(*_DETAIL)


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records were new, and how many were there already."""

    accepted: int
    duplicates: int


def insert_records(store: Store, events: Sequence[Event], rollups: Sequence[Rollup]) -> Stored:
    """Store and count what is not stored yet, in one transaction. Raises StoreUnavailable."""
    return insert_columns(store, _event_batch(events), _rollup_batch(rollups))


def insert_columns(store: Store, events: Batch, rollups: Batch) -> Stored:
    """As `insert_records`, of records as columns. Raises StoreUnavailable."""
    try:
        accepted = _insert(store, events, rollups, repeats=False)
    except Repeated:
        accepted = _insert(store, events, rollups, repeats=True)
    return Stored(accepted, len(events.ids) + len(rollups.ids) - accepted)


def _insert(store: Store, events: Batch, rollups: Batch, *, repeats: bool) -> int:
    with store.ingesting() as connection:
        store.sorts.refresh(connection)
        writer = _Writer(connection, store, repeats=repeats)
        if events.ids:
            writer.keep_events(events)
        if rollups.ids:
            writer.keep_rollups(rollups)
        accepted = writer.count()
    writer.remember()
    return accepted


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


def _places[Key](keys: Iterable[Key]) -> tuple[list[Key], Numbers]:
    """The different keys, and for each key given its place among them."""
    listed = list(keys)
    place_of = {key: place for place, key in enumerate(dict.fromkeys(listed))}
    places = np.fromiter(map(place_of.__getitem__, listed), np.int64, len(listed))
    return list(place_of), places


def _event_batch(events: Sequence[Event]) -> Batch:
    values = [event.__dict__ for event in events]
    keys, sort_places = _places(map(_sort_of_event, values))
    details, detail_places = _places(map(_detail_of, values))
    words = {kind: _places(map(itemgetter(kind), values)) for kind in ("client", "host", "address")}
    words["detail"] = ([_detail_text(detail) for detail in details], detail_places)
    return Batch(
        ids=[item["id"].bytes for item in values],
        times=_times(item["time"] for item in values),
        sorts=[(False, *key) for key in keys],
        sort_places=sort_places,
        words=words,
        numbers={"port": _whole(item["port"] for item in values)},
    )


def _rollup_batch(rollups: Sequence[Rollup]) -> Batch:
    values = [rollup.__dict__ for rollup in rollups]
    keys, sort_places = _places(map(_sort_of_rollup, values))
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


class _Writer:
    """Writes batches within one transaction, and remembers afterwards what it wrote."""

    def __init__(self, connection: Connection, store: Store, *, repeats: bool) -> None:
        self._connection = connection
        self._store = store
        self._repeats = repeats
        self._kept: list[_Kept] = []
        self._words: list[tuple[str, Known]] = []
        self._seen: Seen = {}

    def keep_events(self, batch: Batch) -> None:
        """Store events that are new."""
        first = take_numbers(self._connection, "event", len(batch.ids))
        columns = {
            "seq": np.arange(first, first + len(batch.ids)),
            "time": batch.times,
            "sort": self._sorts(batch),
            **{kind: self._word_numbers(kind, batch) for kind in KINDS},
            "port": batch.numbers["port"],
        }
        new = insert_new(self._connection, EVENTS, batch.ids, columns, repeats=self._repeats)
        if new.size:
            add_block(self._connection, {name: column[new] for name, column in columns.items()})
            join_blocks(self._connection, self._store.columns)
        self._kept.append(_Kept(batch, new, columns["sort"][new], np.ones(len(new), np.int64)))

    def keep_rollups(self, batch: Batch) -> None:
        """Store rollups that are new."""
        first = take_numbers(self._connection, "rollup", len(batch.ids))
        columns = {
            "seq": np.arange(first, first + len(batch.ids)),
            "start": batch.times,
            "seconds": batch.numbers["seconds"],
            "sort": self._sorts(batch),
            "count": batch.numbers["count"],
        }
        new = insert_new(self._connection, ROLLUPS, batch.ids, columns, repeats=self._repeats)
        self._kept.append(_Kept(batch, new, columns["sort"][new], columns["count"][new]))

    def count(self) -> int:
        """Count what was stored; say how many records it is."""
        kept = [item for item in self._kept if item.new.size]
        if not kept:
            return 0
        times, sorts, numbers = (
            np.concatenate(parts)
            for parts in zip(
                *((item.times, item.sorts, item.numbers) for item in kept), strict=True
            )
        )
        add_numbers(self._connection, self._store.columns, times, sorts, numbers)
        self._seen = span_of(seen for item in kept for seen in item.seen())
        add_seen(self._connection, self._store.seen.unnoted(self._seen))
        return len(times)

    def remember(self) -> None:
        """Remember what was written, now that it is committed."""
        for kind, new in self._words:
            self._store.words.remember(kind, new)
        self._store.seen.remember(self._seen)

    def _sorts(self, batch: Batch) -> Numbers:
        ids = self._store.sorts.ids(self._connection, batch.sorts)
        return np.array(ids, np.int64)[batch.sort_places]

    def _word_numbers(self, kind: str, batch: Batch) -> Numbers:
        texts, places = batch.words[kind]
        spans = spans_of(places, batch.times, len(texts))
        numbers, new = self._store.words.ids(self._connection, kind, texts, spans)
        self._words.append((kind, new))
        return np.array(numbers, np.int64)[places]


class _Kept(NamedTuple):
    """What was new of a batch: the places in it, the sorts, and what each stands for."""

    batch: Batch
    new: Numbers
    sorts: Numbers
    numbers: Numbers

    @property
    def times(self) -> Numbers:
        return self.batch.times[self.new]

    def seen(self) -> Iterator[tuple[tuple[str, str], int, int]]:
        """The services and networks, each with a first and last time."""
        networks, places = _places((sort[_SERVICE], sort[_ASN]) for sort in self.batch.sorts)
        spans = spans_of(places[self.batch.sort_places[self.new]], self.times, len(networks))
        for (service, asn), span in zip(networks, spans, strict=True):
            if span[0] > span[1]:  # all records of it were there already
                continue
            if service:
                yield ("service", service), *span
            if asn:
                yield ("asn", str(asn)), *span


def spans_of(places: Numbers, times: Numbers, size: int) -> list[tuple[int, int]]:
    """The first and last of the times at each place."""
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, places, times)
    np.maximum.at(last, places, times)
    return list(zip(first.tolist(), last.tolist(), strict=True))


def events_from_rows(
    connection: Connection, sorts: Snapshot, rows: Sequence[Row[Any]]
) -> list[Event]:
    """Make the events of rows, in their order; they were checked when they were stored."""
    wanted = {kind: {getattr(row, kind) for row in rows} - {0} for kind in KINDS}
    texts = texts_of(connection, wanted)
    text_of: Callable[[str, int], str] = lambda kind, number: texts.get((kind, number), "")  # noqa: E731  # short
    return [_event_from_row(row, sorts.sorts[row.sort], text_of) for row in rows]


def _event_from_row(row: Row[Any], sort: Sort | None, text_of: Callable[[str, int], str]) -> Event:
    assert sort is not None  # noqa: S101  # rows of `sort` are never deleted
    detail = dict(zip(_DETAIL, json.loads(text_of("detail", row.detail)), strict=True))
    fields = sort._asdict()
    del fields["rollup"]
    return Event.model_construct(
        id=row.id,
        time=from_microseconds(row.time),
        client=text_of("client", row.client),
        host=text_of("host", row.host),
        address=text_of("address", row.address),
        port=row.port,
        **fields
        | {
            "control": split_control(sort.control),
            "kind": EventKind(sort.kind),
            "action": Action(sort.action),
            "standing": Standing(sort.standing),
            "outcome": Outcome(sort.outcome),
            "decrypted": bool(sort.decrypted),
        },
        **detail | {"transport": Transport(detail["transport"])},
    )


def split_control(text: str) -> tuple[str, ...]:
    """The countries of a `control` text."""
    return tuple(text.split(",")) if text else ()
