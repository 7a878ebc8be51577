"""From an older version of the tables to the next, in the transaction that opens the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlmodel import SQLModel

from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

# The JSON array of `Sort`, as `Sort.to_text` writes it. Bound to version 2: it stays as it is.
_EVENT_SORT: Final = """
json_array(json('false'), event.kind, "group", service, operator, control, location, asn,
           event.action, rule, node, standing, outcome,
           json(CASE WHEN decrypted THEN 'true' ELSE 'false' END))
"""
_ROLLUP_SORT: Final = """
json_array(json('true'), 'decision', "group", service, '', control, location, asn,
           rollup.action, rule, node, standing, '', json('false'))
"""


def _from_1_to_2(connection: Connection) -> None:
    """Count what is stored already, by sort, hour and day. Version 1 was SQLite's only."""
    run = connection.exec_driver_sql
    for index in ("event_service_time", "event_action_time"):
        run(f"DROP INDEX IF EXISTS {index}")
    for name in ("event", "rollup"):
        run(f"ALTER TABLE {name} ADD COLUMN sort INTEGER NOT NULL DEFAULT 0")
    SQLModel.metadata.create_all(connection)
    for name, kind, text in (
        ("event", "kind", _EVENT_SORT),
        ("rollup", "'decision'", _ROLLUP_SORT),
    ):
        run(
            "INSERT OR IGNORE INTO sort (sort, kind, action) "  # noqa: S608
            f"SELECT DISTINCT {text}, {kind}, action FROM {name}"
        )
        run(f"UPDATE {name} SET sort = (SELECT id FROM sort WHERE sort.sort = {text})")  # noqa: S608
    for new in EVENTS.indexes:
        new.create(connection, checkfirst=True)
    for seconds in (3600, 86_400):
        run(_tally("event", "time", "count(*)", seconds))
        run(_tally("rollup", "start", "sum(count)", seconds))
    for kind in ("service", "asn"):
        _see(connection, "event", "time", kind)
        _see(connection, "rollup", "start", kind)
    _see(connection, "event", "time", "host")


def _tally(table: str, time: str, number: str, seconds: int) -> str:
    start = f"{time} - {time} % {seconds * 1_000_000}"
    return (
        f"INSERT INTO tally SELECT {seconds}, {start}, sort, sum(number) FROM "  # noqa: S608
        f"(SELECT {time}, sort, {number} AS number FROM {table} GROUP BY 1, 2) GROUP BY 2, 3 "
        "ON CONFLICT DO UPDATE SET number = number + excluded.number"
    )


def _see(connection: Connection, table: str, time: str, kind: str) -> None:
    connection.exec_driver_sql(
        f"INSERT INTO seen SELECT '{kind}', CAST({kind} AS TEXT), min({time}), max({time}) "  # noqa: S608
        f"FROM {table} WHERE CAST({kind} AS TEXT) NOT IN ('', '0') GROUP BY 2 "
        "ON CONFLICT DO UPDATE SET first = min(first, excluded.first), "
        "last = max(last, excluded.last)"
    )


MIGRATIONS: Final[Mapping[int, Callable[[Connection], None]]] = {1: _from_1_to_2}
