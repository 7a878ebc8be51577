"""Many rows at once, past SQLAlchemy's handling of each value, which costs more than the
database's own work; and what is asked for by many ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from sovproxy.store.tables import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Table

FEW: Final = 8  # rows that one statement inserts sooner than a stream, which takes three turns
CHUNK: Final = 10_000  # SQLite takes 32,766 values in one question


def insert_for(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert of the dialect in use, which knows `ON CONFLICT`."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], ending: str = ""
) -> int:
    """Insert rows, which have the values of all columns in order; say how many were inserted.

    The values are those of the driver. `ending` is SQL that follows on SQLite, such as
    `ON CONFLICT …`.
    """
    if not rows:
        return 0
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in table.columns)
    target = f"{quote(table.name)} ({names})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(table.columns))
        statement = f"INSERT INTO {target} VALUES ({marks}) {ending}"  # noqa: S608  # names of our own
        return connection.exec_driver_sql(statement, list(rows)).rowcount
    if len(rows) > FEW:
        return copy_rows(connection, target, rows)
    marks = ", ".join(["%s"] * len(table.columns))
    places = ", ".join([f"({marks})"] * len(rows))
    values = tuple(value for row in rows for value in row)
    statement = f"INSERT INTO {target} VALUES {places}"  # noqa: S608  # names of our own
    return connection.exec_driver_sql(statement, values).rowcount


def copy_rows(connection: Connection, target: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows into a table of PostgreSQL with its columns named, as one stream."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    return len(rows)


def array(items: Iterable[object]) -> str:
    """Numbers or words without quotes as a text that PostgreSQL reads as an array."""
    return "{%s}" % ",".join(map(str, items))  # noqa: UP031  # braces


def chunks[Item](items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """Pieces that are small enough for one question."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def take_numbers(connection: Connection, name: str, number: int) -> int:
    """Take so many numbers and give the first. They are never given again.

    The caller has the lock of `Store.ingesting`.
    """
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = (
        f"INSERT INTO counter (name, last) VALUES ({mark}, {mark}) "  # noqa: S608  # no values
        "ON CONFLICT (name) DO UPDATE SET last = counter.last + excluded.last RETURNING last"
    )
    last: int = connection.exec_driver_sql(statement, (name, number)).scalar_one()
    return last - number + 1


def last_number(connection: Connection, name: str) -> int:
    """The last number that was given, 0 if none was."""
    return connection.scalar(select(COUNTERS.c.last).where(COUNTERS.c.name == name)) or 0
