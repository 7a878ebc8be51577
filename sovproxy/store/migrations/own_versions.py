"""From version 1 of the tables to version 2, which revisions begin with. Only SQLite had it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic.migration import MigrationContext
from alembic.operations import Operations

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The JSON array of a sort, as version 2 wrote it.
_EVENT_SORT: Final = """
json_array(json('false'), event.kind, "group", service, operator, control, location, asn,
           event.action, rule, node, standing, outcome,
           json(CASE WHEN decrypted THEN 'true' ELSE 'false' END))
"""
_ROLLUP_SORT: Final = """
json_array(json('true'), 'decision', "group", service, '', control, location, asn,
           rollup.action, rule, node, standing, '', json('false'))
"""


def from_1_to_2(connection: Connection) -> None:
    """Count what is stored already, by sort, hour and day."""
    run = connection.exec_driver_sql
    for index in ("event_service_time", "event_action_time"):
        run(f"DROP INDEX IF EXISTS {index}")
    for name in ("event", "rollup"):
        run(f"ALTER TABLE {name} ADD COLUMN sort INTEGER NOT NULL DEFAULT 0")
    _make_tables(connection)
    for name, kind, text in (
        ("event", "kind", _EVENT_SORT),
        ("rollup", "'decision'", _ROLLUP_SORT),
    ):
        run(
            "INSERT OR IGNORE INTO sort (sort, kind, action) "  # noqa: S608
            f"SELECT DISTINCT {text}, {kind}, action FROM {name}"
        )
        run(f"UPDATE {name} SET sort = (SELECT id FROM sort WHERE sort.sort = {text})")  # noqa: S608
    for seconds in (3600, 86_400):
        run(_tally("event", "time", "count(*)", seconds))
        run(_tally("rollup", "start", "sum(count)", seconds))
    for kind in ("service", "asn"):
        _see(connection, "event", "time", kind)
        _see(connection, "rollup", "start", kind)
    _see(connection, "event", "time", "host")


def _make_tables(connection: Connection) -> None:
    from sovproxy.store.migrations.versions import v0001_events_and_counts  # noqa: PLC0415  # needs `op`

    context = MigrationContext.configure(connection)
    with Operations.context(context):
        v0001_events_and_counts.upgrade()


def _tally(table: str, time: str, number: str, seconds: int) -> str:
    start = f"{time} - {time} % {seconds * 1_000_000}"
    return (
        "INSERT INTO tally (seconds, start, sort, number) "  # noqa: S608
        f"SELECT {seconds}, {start}, sort, sum(number) FROM "
        f"(SELECT {time}, sort, {number} AS number FROM {table} GROUP BY 1, 2) GROUP BY 2, 3 "
        "ON CONFLICT DO UPDATE SET number = number + excluded.number"
    )


def _see(connection: Connection, table: str, time: str, kind: str) -> None:
    connection.exec_driver_sql(
        'INSERT INTO seen (kind, value, "first", "last") '  # noqa: S608
        f"SELECT '{kind}', CAST({kind} AS TEXT), min({time}), max({time}) "
        f"FROM {table} WHERE CAST({kind} AS TEXT) NOT IN ('', '0') GROUP BY 2 "
        "ON CONFLICT DO UPDATE SET first = min(first, excluded.first), "
        "last = max(last, excluded.last)"
    )
