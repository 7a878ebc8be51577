"""From the rows of revision 0002 to those of 0003: narrow events, words, blocks, packed tallies.

Everything is read in order and some thousands of rows at a time. The forms that are written here
are those of 0003, whatever later versions write.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from sovproxy.store.packing import pack
from sovproxy.store.partitions import ensure_partitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

CHUNK: Final = 8192
BLOCK: Final = 65_536
KINDS: Final = ("client", "host", "address", "detail")
_DETAIL: Final = ("reason", "alternative", "policy", "policy_version", "transport")
_COLUMNS: Final = ("time", "seq", "sort", "client", "host", "detail")
_REMEMBERED: Final = 200_000


def convert(connection: Connection) -> None:
    """Fill the new tables from the old ones."""
    sorts = _sorts(connection)
    events = _Events(connection)
    for rows in chunks(connection, "old_event", "seq"):
        events.add(rows)
    last = events.finish()
    rollups = _rollups(connection)
    tallies = _tallies(connection)
    connection.execute(sa.text("DELETE FROM seen WHERE kind = 'host'"))
    found = {"sort": sorts, "event": last, "rollup": rollups, "tally": tallies}
    counters = [pair for pair in (found | events.counters()).items() if pair[1]]
    insert(connection, "counter", ("name", "last"), counters)


def chunks(connection: Connection, table: str, key: str) -> Iterator[list[dict[str, Any]]]:
    """All rows of a table in the order of its key, some thousands at a time."""
    last = -1
    query = sa.text(f"SELECT * FROM {table} WHERE {key} > :last ORDER BY {key} LIMIT {CHUNK}")  # noqa: S608  # names of our own
    while rows := [dict(row) for row in connection.execute(query, {"last": last}).mappings()]:
        yield rows
        last = rows[-1][key]


def insert(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of values as the driver takes them."""
    if rows:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join([mark] * len(names))
        connection.exec_driver_sql(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(rows))  # noqa: S608  # names of our own


def digest_of(kind: str, text: str) -> bytes:
    """What a text is found by."""
    return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _record_id(value: str | UUID) -> bytes | UUID:
    """SQLite had UUIDs as text and has them as bytes; PostgreSQL has its own."""
    return bytes.fromhex(value) if isinstance(value, str) else value


def _sorts(connection: Connection) -> int:
    number = 0
    for rows in chunks(connection, "old_sort", "id"):
        new = [(row["id"], digest_of("sort", row["sort"]), row["sort"]) for row in rows]
        insert(connection, "sort", ("id", "digest", "sort"), new)
        number = rows[-1]["id"]
    return number


class _Events:
    """Writes events with their words and blocks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, dict[str, int]] = {kind: {"": 0} for kind in KINDS}
        self._last = dict.fromkeys(KINDS, 0)
        self._rows: list[tuple[int, ...]] = []
        self._blocks = 0
        self._seq = 0

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Write some events."""
        for row in rows:
            row["detail"] = json.dumps(
                [row[name] for name in _DETAIL], ensure_ascii=False, separators=(",", ":")
            )
        for kind in KINDS:
            self._name(kind, rows)
        if self._connection.dialect.name == "postgresql":
            ensure_partitions(self._connection, np.array([row["time"] for row in rows]))
        names = ("seq", "id", "time", "sort", *KINDS, "port")
        values = [
            (row["seq"], _record_id(row["id"]), *(row[name] for name in names[2:])) for row in rows
        ]
        insert(self._connection, "event", names, values)
        self._rows += map(itemgetter(*_COLUMNS), rows)
        self._seq = rows[-1]["seq"]
        if len(self._rows) >= BLOCK:
            self._write_block()

    def finish(self) -> int:
        """Write what is left, and when each word was used; give the last number of an event."""
        if self._rows:
            self._write_block()
        for kind in KINDS:
            self._note_times(kind)
        return self._seq

    def counters(self) -> dict[str, int]:
        """The last number of each kind of word, and of blocks."""
        return self._last | {"block": self._blocks}

    def _name(self, kind: str, rows: list[dict[str, Any]]) -> None:
        known = self._known[kind]
        if len(known) > _REMEMBERED:
            self._known[kind] = known = {"": 0}
        missing = {row[kind] for row in rows} - known.keys()
        known |= self._written(kind, {digest_of(kind, text): text for text in missing})
        for row in rows:
            row[kind] = known[row[kind]]

    def _written(self, kind: str, texts: dict[bytes, str]) -> dict[str, int]:
        query = sa.text("SELECT digest, id FROM word WHERE digest IN :digests")
        query = query.bindparams(sa.bindparam("digests", expanding=True))
        rows = self._connection.execute(query, {"digests": list(texts)}) if texts else ()
        found = {texts[bytes(digest)]: number for digest, number in rows}
        new = [(digest, text) for digest, text in texts.items() if text not in found]
        first = self._last[kind] + 1
        values = [(kind, number, *item, 0, 0) for number, item in enumerate(new, start=first)]
        insert(self._connection, "word", ("kind", "id", "digest", "value", "first", "last"), values)
        self._last[kind] += len(new)
        return found | {value[3]: value[1] for value in values}

    def _write_block(self) -> None:
        columns = dict(zip(_COLUMNS, np.array(self._rows, np.int64).T, strict=True))
        self._rows = []
        self._blocks += 1
        times, seqs = columns["time"], columns["seq"]
        first, last, last_seq = int(times.min()), int(times.max()), int(seqs.max())
        level = -1 if len(times) >= BLOCK else 0
        names = ("id", "level", "size", "last_seq", "first_time", "last_time")
        block = (self._blocks, level, len(times), last_seq, first, last)
        insert(self._connection, "block", names, [block])
        columns |= {"time": times - first, "seq": last_seq - seqs}
        values = [(self._blocks, name, pack(column)) for name, column in columns.items()]
        insert(self._connection, "block_column", ("block", "name", "data"), values)

    def _note_times(self, kind: str) -> None:
        query = f"SELECT {kind}, min(time), max(time) FROM event WHERE {kind} > 0 GROUP BY {kind}"  # noqa: S608  # names of our own
        statement = sa.text(
            'UPDATE word SET "first" = :first, "last" = :last WHERE kind = :kind AND id = :id'
        )
        result = self._connection.exec_driver_sql(query)
        while rows := result.fetchmany(CHUNK):
            values = [{"kind": kind, "id": i, "first": f, "last": la} for i, f, la in rows]
            self._connection.execute(statement, values)


def _rollups(connection: Connection) -> int:
    number = 0
    names = ("seq", "id", "start", "seconds", "sort", "count")
    for rows in chunks(connection, "old_rollup", "seq"):
        values = [(r["seq"], _record_id(r["id"]), *(r[n] for n in names[2:])) for r in rows]
        insert(connection, "rollup", names, values)
        number = rows[-1]["seq"]
    return number


def _tallies(connection: Connection) -> int:
    number = 0
    names = ("id", "seconds", "start", "level", "sorts", "numbers")
    starts = connection.exec_driver_sql("SELECT DISTINCT seconds, start FROM old_tally").all()
    for some in (starts[place : place + 100] for place in range(0, len(starts), 100)):
        rows = [row for seconds, start in some for row in _old_tally(connection, seconds, start)]
        for (seconds, start), group in groupby(rows, itemgetter(0, 1)):
            number += 1
            sorts, numbers = np.array([row[2:] for row in group], np.int64).T
            value = (number, seconds, start, 0, pack(sorts), pack(numbers))
            insert(connection, "tally", names, [value])
    return number


def _old_tally(connection: Connection, seconds: int, start: int) -> Sequence[Any]:
    query = sa.text(
        "SELECT seconds, start, sort, number FROM old_tally "
        "WHERE seconds = :seconds AND start = :start ORDER BY sort"
    )
    return connection.execute(query, {"seconds": seconds, "start": start}).all()
