"""Writing records into the tables, each id once, and counting them, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sovproxy.store.batches import places_of, spans_of
from sovproxy.store.blocks import add_block, join_blocks
from sovproxy.store.bulk import take_numbers
from sovproxy.store.insertion import Repeated, insert_new
from sovproxy.store.sorts import PLACES
from sovproxy.store.tables import EVENTS, ROLLUPS
from sovproxy.store.tally import add_numbers, add_seen, span_of
from sovproxy.store.words import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from sovproxy.store.batches import Batch
    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers
    from sovproxy.store.tally import Seen
    from sovproxy.store.words import Known

_SERVICE: Final = PLACES["service"]
_ASN: Final = PLACES["asn"]


class Written(NamedTuple):
    """The places of those events and rollups that were new, in ascending order."""

    events: Numbers
    rollups: Numbers


def write_new(store: Store, events: Batch, rollups: Batch) -> Written:
    """Store and count what is not stored yet, in one transaction. Raises StoreUnavailable."""
    try:
        return _write(store, events, rollups, repeats=False)
    except Repeated:
        return _write(store, events, rollups, repeats=True)


def _write(store: Store, events: Batch, rollups: Batch, *, repeats: bool) -> Written:
    with store.ingesting() as connection:
        store.sorts.refresh(connection)
        writer = _Writer(connection, store, repeats=repeats)
        written = Written(writer.keep_events(events), writer.keep_rollups(rollups))
        writer.count()
    writer.remember()
    return written


class _Writer:
    """Writes batches within one transaction, and remembers afterwards what it wrote."""

    def __init__(self, connection: Connection, store: Store, *, repeats: bool) -> None:
        self._connection = connection
        self._store = store
        self._repeats = repeats
        self._kept: list[_Kept] = []
        self._words: list[tuple[str, Known]] = []
        self._seen: Seen = {}

    def keep_events(self, batch: Batch) -> Numbers:
        """Store events that are new, and give their places."""
        if not batch.ids:
            return np.arange(0)
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
            join_blocks(self._connection)
            self._kept.append(_Kept(batch, new, columns["sort"][new], np.ones(len(new), np.int64)))
        return new

    def keep_rollups(self, batch: Batch) -> Numbers:
        """Store rollups that are new, and give their places."""
        if not batch.ids:
            return np.arange(0)
        first = take_numbers(self._connection, "rollup", len(batch.ids))
        columns = {
            "seq": np.arange(first, first + len(batch.ids)),
            "start": batch.times,
            "seconds": batch.numbers["seconds"],
            "sort": self._sorts(batch),
            "count": batch.numbers["count"],
        }
        new = insert_new(self._connection, ROLLUPS, batch.ids, columns, repeats=self._repeats)
        if new.size:
            self._kept.append(_Kept(batch, new, columns["sort"][new], columns["count"][new]))
        return new

    def count(self) -> None:
        """Count what was stored."""
        if not self._kept:
            return
        times = np.concatenate([item.times for item in self._kept])
        sorts = np.concatenate([item.sorts for item in self._kept])
        numbers = np.concatenate([item.numbers for item in self._kept])
        add_numbers(self._connection, times, sorts, numbers)
        self._seen = span_of(seen for item in self._kept for seen in item.seen())
        add_seen(self._connection, self._store.seen.unnoted(self._seen))

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
        networks, places = places_of((sort[_SERVICE], sort[_ASN]) for sort in self.batch.sorts)
        spans = spans_of(places[self.batch.sort_places[self.new]], self.times, len(networks))
        for (service, asn), span in zip(networks, spans, strict=True):
            if span[0] > span[1]:  # all records of it were there already
                continue
            if service:
                yield ("service", service), *span
            if asn:
                yield ("asn", str(asn)), *span
