"""Many rows at once: on SQLite past SQLAlchemy's handling of each value, which costs more than
SQLite's own work."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")


def insert_for(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert of the dialect in use, which knows `ON CONFLICT`."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def execute_many(
    connection: Connection,
    statement: sqlite.Insert | postgresql.Insert,
    rows: Sequence[dict[str, Any]],
) -> int:
    """Insert at least one row, all with the same fields, and say how many were changed.

    The statement may hold no values of its own: write them as literals.
    """
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, rows).rowcount
    names = list(rows[0])
    compiled = statement.compile(dialect=_DIALECT, column_keys=names)
    order = list(compiled.positiontup or ())
    values: Iterable[tuple[Any, ...]] = map(itemgetter(*order), rows)
    if isinstance(rows[0].get("id"), UUID):
        place = order.index("id")
        values = ((*row[:place], row[place].hex, *row[place + 1 :]) for row in values)
    return connection.exec_driver_sql(str(compiled), list(values)).rowcount
