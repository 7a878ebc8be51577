"""Texts that events name by number, such as hosts: written once, read by number."""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import func, or_, select

from sovproxy.store.bulk import array, chunks, insert_rows, last_number, take_numbers
from sovproxy.store.tables import WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from sovproxy.store.packing import Numbers

KINDS: Final = ("client", "host", "address", "detail")
MAX_REMEMBERED: Final = 500_000  # of each kind
HOUR_MICROSECONDS: Final = 3_600_000_000

type Span = tuple[int, int]
type Known = Mapping[str, tuple[int, int]]  # number and last time of words
_UNKNOWN: Final = (0, -(2**63))


def digest_of(kind: str, text: str) -> bytes:
    """What a text is found by: 128 bits, so that nobody can make two texts meet."""
    return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class WordBook:
    """The numbers of words, remembered with the last time that is written with each.

    A word that no event names any more is deleted, perhaps by another process. Its last time is
    then older than any event that is kept; and an event that is later than the last time by more
    than an hour has the word looked up again. So what is remembered is never wrong for an event
    that is to be kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, tuple[int, int]]] = {kind: {} for kind in KINDS}

    def ids(
        self, connection: Connection, kind: str, texts: Sequence[str], spans: Sequence[Span]
    ) -> tuple[list[int], Known]:
        """The number of each word, by the first and last time of the events that name it; and what
        is to be remembered when the transaction is done.

        New ones are written; the caller has the lock of `Store.ingesting`.
        """
        known = self._known[kind]
        found = [known.get(text, _UNKNOWN) for text in texts]
        unsure = {
            text: span
            for text, span, (_, last) in zip(texts, spans, found, strict=True)
            if span[1] > last + HOUR_MICROSECONDS and text
        }
        ids = _looked_up(connection, kind, unsure) if unsure else {}
        both = zip(texts, found, strict=True)
        numbers = [ids.get(text, number) for text, (number, _) in both]
        return numbers, {text: (number, unsure[text][1]) for text, number in ids.items()}

    def remember(self, kind: str, new: Known) -> None:
        """Remember what was committed."""
        with self._lock:
            known = self._known[kind]
            for text, (number, last) in new.items():
                old = known.get(text, _UNKNOWN)
                if old[0] != number or last > old[1]:
                    known[text] = (number, last)
            if len(known) > MAX_REMEMBERED:
                known.clear()


def _looked_up(connection: Connection, kind: str, spans: Mapping[str, Span]) -> dict[str, int]:
    digests = {digest_of(kind, text): text for text in spans}
    result: dict[str, int] = {}
    later: list[tuple[int, int, int]] = []
    for digest, number, first, last in _rows_of(connection, list(digests)):
        text = digests[bytes(digest)]
        result[text] = number
        span = min(first, spans[text][0]), max(last, spans[text][1])
        if span != (first, last):
            later.append((number, *span))
    _put_forward(connection, kind, later)
    new = [(digest, text) for digest, text in digests.items() if text not in result]
    if new:
        start = take_numbers(connection, kind, len(new))
        rows = [
            (kind, number, digest, text, *spans[text])
            for number, (digest, text) in enumerate(new, start=start)
        ]
        insert_rows(connection, WORDS, rows)
        result |= {row[3]: row[1] for row in rows}
    return result


def _rows_of(connection: Connection, digests: list[bytes]) -> Iterator[Any]:
    """Digest, number, first and last time of what is known; asked past SQLAlchemy, for speed."""
    columns = 'SELECT digest, id, "first", "last" FROM word WHERE digest'
    for chunk in chunks(digests):
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(chunk))
            yield from connection.exec_driver_sql(f"{columns} IN ({marks})", tuple(chunk))
        else:
            given = "ARRAY(SELECT decode(item, 'hex') FROM unnest(%s::text[]) AS item)"
            texts = array(digest.hex() for digest in chunk)
            yield from connection.exec_driver_sql(f"{columns} = ANY({given})", (texts,))


def _put_forward(connection: Connection, kind: str, later: list[tuple[int, int, int]]) -> None:
    """Write the first and last times of words anew, by their numbers."""
    if not later:
        return
    if connection.dialect.name == "sqlite":
        statement = 'UPDATE word SET "first" = ?, "last" = ? WHERE kind = ? AND id = ?'
        values = [(first, last, kind, number) for number, first, last in later]
        connection.exec_driver_sql(statement, values)
        return
    statement = (
        'UPDATE word SET "first" = new.f, "last" = new.l '
        "FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS new (id, f, l) "
        "WHERE word.kind = %s AND word.id = new.id"
    )
    arrays = tuple(array(column) for column in zip(*later, strict=True))
    connection.exec_driver_sql(statement, (*arrays, kind))


def texts_of(
    connection: Connection, wanted: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], str]:
    """The texts of numbers, by kind and number. A number of a deleted word is left out."""
    result: dict[tuple[str, int], str] = {}
    for kind, ids in wanted.items():
        for chunk in chunks(sorted(ids)):
            result |= {(kind, number): text for number, text in _values(connection, kind, chunk)}
    return result


def _values(connection: Connection, kind: str, ids: Sequence[int]) -> Iterator[Any]:
    """Number and text of words; asked past SQLAlchemy, for speed."""
    columns = "SELECT id, value FROM word WHERE kind ="
    if connection.dialect.name == "sqlite":
        numbers = ",".join(map(str, ids))
        yield from connection.exec_driver_sql(f"{columns} ? AND id IN ({numbers})", (kind,))
    else:
        statement = f"{columns} %s AND id = ANY(%s::integer[])"
        yield from connection.exec_driver_sql(statement, (kind, array(ids)))


def numbers_of(connection: Connection, kind: str, texts: Iterable[str]) -> list[int]:
    """The numbers of those texts that are words; an empty text is 0."""
    given = list(texts)
    digests = [digest_of(kind, text) for text in given if text]
    query = select(WORDS.c.id).where(WORDS.c.digest.in_(digests))
    found = list(connection.execute(query).scalars()) if digests else []
    return [0, *found] if "" in given else found


def numbers_where(connection: Connection, kind: str, *tests: ColumnElement[bool]) -> list[int]:
    """The numbers of the words of a kind for which one of the tests is true; of all without."""
    query = select(WORDS.c.id).where(WORDS.c.kind == kind)
    query = query.where(or_(*tests)) if tests else query
    return list(connection.execute(query).scalars())


def contains(text: str, *, at_end: bool = False) -> ColumnElement[bool]:
    """Whether a word has this text in it, or at its end, whatever its letters' case."""
    value = func.lower(WORDS.c.value)
    find = value.endswith if at_end else value.contains
    return find(text.lower(), autoescape=True)


def lookup(connection: Connection, kind: str, numbers: Numbers | list[int]) -> Numbers:
    """For each number of a kind, whether it is one of these."""
    table: Numbers = np.zeros(last_number(connection, kind) + 1, np.bool_)
    table[np.asarray(numbers, np.int64)] = True
    return table
