"""Writing the rows of records, each id once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import BigInteger, select

from sovproxy.store.bulk import array, insert_rows
from sovproxy.store.partitions import ensure_partitions
from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, Connection, Table

    from sovproxy.store.packing import Numbers

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"


class Repeated(Exception):
    """Some of the records that were taken for new are stored; the transaction has failed."""


def insert_new(
    connection: Connection,
    table: Table,
    ids: Sequence[bytes],
    columns: Mapping[str, Numbers],
    *,
    repeats: bool,
) -> Numbers:
    """Insert the records whose id is not stored yet, and give their places.

    The caller has the lock of `Store.ingesting`: nobody else inserts now. On PostgreSQL all are
    taken for new if the first is, unless `repeats`; raises Repeated if that was wrong. There an
    event is one by its id and its time, which no node changes.
    """
    if connection.dialect.name == "sqlite":
        return _insert_sqlite(connection, table, ids, columns)
    return _copy_postgresql(connection, table, ids, columns, repeats=repeats)


def _insert_sqlite(
    connection: Connection, table: Table, ids: Sequence[bytes], columns: Mapping[str, Numbers]
) -> Numbers:
    values = {name: column.tolist() for name, column in columns.items()}
    values["id"] = list(ids)
    rows = list(zip(*(values[column.name] for column in table.columns), strict=True))
    if insert_rows(connection, table, rows, "ON CONFLICT (id) DO NOTHING") == len(ids):
        return np.arange(len(ids))
    first = int(columns["seq"][0])
    arrived = connection.execute(select(table.c.seq).where(table.c.seq >= first)).scalars()
    return np.sort(np.fromiter(arrived, np.int64) - first)


def _copy_postgresql(
    connection: Connection,
    table: Table,
    ids: Sequence[bytes],
    columns: Mapping[str, Numbers],
    *,
    repeats: bool,
) -> Numbers:
    """Nearly always all are new, so they are written at once. A batch that is delivered again, as
    its answer was lost, begins with what is stored: that is asked first, not tried, for what fails
    is in PostgreSQL's log as an error."""
    if table is EVENTS:
        ensure_partitions(connection, columns["time"])
    new = np.arange(len(ids))
    if repeats or len(set(ids)) < len(ids) or _stored(connection, table, ids[:1], columns):
        places = {item: place for place, item in reversed(list(enumerate(ids)))}
        for item in _stored(connection, table, ids, columns):
            places.pop(item, None)
        new = np.sort(np.fromiter(places.values(), np.int64))
    kept = {name: column[new] for name, column in columns.items()}
    rows = copy_format(table, [ids[place] for place in new.tolist()], kept)
    try:
        _copy(connection, table, rows)
    except connection.dialect.loaded_dbapi.errors.UniqueViolation as error:
        raise Repeated from error
    return new


def _stored(
    connection: Connection, table: Table, ids: Sequence[bytes], columns: Mapping[str, Numbers]
) -> list[bytes]:
    """The ids that are stored already. A range of time spares most partitions of events; for
    rollups it would lead PostgreSQL to read all of that time, instead of those with the ids."""
    statement = f"SELECT uuid_send(id) FROM {table.name} WHERE id = ANY(%s::uuid[])"  # noqa: S608  # a name of our own
    values: tuple[object, ...] = (array(item.hex() for item in ids),)
    if table is EVENTS:
        times = columns["time"]
        statement += " AND time BETWEEN %s AND %s"
        values = (*values, int(times.min()), int(times.max()))
    return list(connection.exec_driver_sql(statement, values).scalars())


def copy_format(table: Table, ids: Sequence[bytes], columns: Mapping[str, Numbers]) -> bytes:
    """Rows in PostgreSQL's binary form of COPY: each a count of fields, each field its length and
    its value, all of fixed length here, so that numpy can lay them out."""
    fields: list[tuple[str, Any]] = [("number of fields", ">i2")]
    for column in table.columns:
        kind = "S16" if column.name == "id" else _number_type(column)
        fields += [(f"{column.name} length", ">i4"), (column.name, kind)]
    rows = np.zeros(len(ids), np.dtype(fields))
    rows["number of fields"] = len(table.columns)
    for column in table.columns:
        is_id = column.name == "id"
        rows[column.name] = np.frombuffer(b"".join(ids), "S16") if is_id else columns[column.name]
        rows[f"{column.name} length"] = rows.dtype[column.name].itemsize
    return rows.tobytes()


def _number_type(column: Column[Any]) -> str:
    return ">i8" if isinstance(column.type, BigInteger) else ">i4"


def _copy(connection: Connection, table: Table, rows: bytes) -> None:
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(_SIGNATURE + rows + _END)
