"""From the rows of revision 0003 back to those of 0002, where each event has all its texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from sovproxy.store.migrations.compact import KINDS, chunks, insert
from sovproxy.store.packing import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_DETAIL: Final = ("reason", "alternative", "policy", "policy_version", "transport")
_SORT: Final = (
    "rollup", "kind", "group", "service", "operator", "control", "location", "asn", "action",
    "rule", "node", "standing", "outcome", "decrypted",
)  # fmt: skip
_NOT_OF_ROLLUPS: Final = ("rollup", "kind", "operator", "outcome", "decrypted")


def make_tables() -> None:
    """Make the tables that were set aside as they were in 0002."""
    from sovproxy.store.migrations.versions import v0001_events_and_counts  # noqa: PLC0415  # no circle

    v0001_events_and_counts.upgrade()


def convert(connection: Connection) -> None:
    """Fill the tables of 0002 from those of 0003."""
    sorts = _sorts(connection)
    for rows in chunks(connection, "old_event", "seq"):
        _events(connection, rows, sorts)
    for rows in chunks(connection, "old_rollup", "seq"):
        _rollups(connection, rows, sorts)
    _tallies(connection)
    connection.execute(
        sa.text(
            'INSERT INTO seen (kind, value, "first", "last") '
            'SELECT kind, value, "first", "last" FROM word WHERE kind = \'host\''
        )
    )
    if connection.dialect.name == "postgresql":
        for name in ("event", "rollup"):
            query = f"SELECT setval('{name}_seq_seq', (SELECT max(seq) FROM {name}))"  # noqa: S608  # names of our own
            connection.exec_driver_sql(query)


def _sorts(connection: Connection) -> dict[int, dict[str, Any]]:
    """All sorts: as many as the process knows anyway."""
    result: dict[int, dict[str, Any]] = {}
    for rows in chunks(connection, "old_sort", "id"):
        found = {row["id"]: dict(zip(_SORT, json.loads(row["sort"]), strict=True)) for row in rows}
        names = ("id", "sort", "kind", "action")
        values = [
            (row["id"], row["sort"], *(found[row["id"]][name] for name in names[2:]))
            for row in rows
        ]
        insert(connection, "sort", names, values)
        result |= found
    return result


def _events(
    connection: Connection, rows: list[dict[str, Any]], sorts: dict[int, dict[str, Any]]
) -> None:
    for kind in KINDS:
        texts = _texts(connection, kind, {row[kind] for row in rows})
        for row in rows:
            row[kind] = texts.get(row[kind], "")
    for row in rows:
        detail = json.loads(row.pop("detail") or '["", "", "", "", "https"]')
        row.update(dict(zip(_DETAIL, detail, strict=True)) | sorts[row["sort"]])
        del row["rollup"]
    _insert(connection, "event", rows)


def _texts(connection: Connection, kind: str, numbers: set[int]) -> dict[int, str]:
    query = sa.text("SELECT id, value FROM word WHERE kind = :kind AND id IN :numbers")
    query = query.bindparams(sa.bindparam("numbers", expanding=True))
    rows = connection.execute(query, {"kind": kind, "numbers": list(numbers)})
    return {row.id: row.value for row in rows}


def _rollups(
    connection: Connection, rows: list[dict[str, Any]], sorts: dict[int, dict[str, Any]]
) -> None:
    for row in rows:
        sort = sorts[row["sort"]]
        row.update((name, sort[name]) for name in sort.keys() - set(_NOT_OF_ROLLUPS))
    _insert(connection, "rollup", rows)


def _insert(connection: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        if isinstance(row["id"], bytes):
            row["id"] = row["id"].hex()
    insert(connection, table, list(rows[0]), [tuple(row.values()) for row in rows])


def _tallies(connection: Connection) -> None:
    statement = sa.text(
        "INSERT INTO tally (seconds, start, sort, number) VALUES (:seconds, :start, :sort, :number)"
        " ON CONFLICT (seconds, start, sort) DO UPDATE SET number = tally.number + excluded.number"
    )
    for rows in chunks(connection, "old_tally", "id"):
        for row in rows:
            pairs = zip(unpack(row["sorts"]).tolist(), unpack(row["numbers"]).tolist(), strict=True)
            place = {"seconds": row["seconds"], "start": row["start"]}
            values = [place | {"sort": sort, "number": number} for sort, number in pairs]
            connection.execute(statement, values)
