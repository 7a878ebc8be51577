"""Findings, their notes and suppressions as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from sovproxy.store.audit import add_entry
from sovproxy.store.tables import (
    FINDINGS,
    NOTES,
    SUPPRESSIONS,
    FindingRow,
    NoteRow,
    SuppressionRow,
)
from sovproxy.store.times import later

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

type Thing = tuple[str, str, str]
"""Kind, value and group."""


def insert_finding(
    store: Store, row: FindingRow, notes: Sequence[NoteRow], entry: AuditRow
) -> tuple[FindingRow, bool]:
    """Store a finding with its first notes; give it, or the one of the same thing, and if it is
    new. Raises StoreUnavailable.
    """
    try:
        with store.writing() as connection:
            values = row.model_dump(exclude={"id"})
            adding = insert(FINDINGS).values(values).returning(FINDINGS.c.id)
            number = connection.execute(adding).scalar_one()
            _add_notes(connection, number, notes)
            add_entry(connection, entry)
    except IntegrityError:
        [present] = find_things(store, [(row.kind, row.value, row.group)])
        return present, False
    row.id = number
    return row, True


def get_finding(store: Store, finding_id: int) -> tuple[FindingRow, list[NoteRow]] | None:
    """Give a finding and its notes, oldest first, or None. Raises StoreUnavailable."""
    notes = select(NOTES).where(NOTES.c.finding == finding_id).order_by(NOTES.c.id)
    with store.reading() as connection:
        query = select(FINDINGS).where(FINDINGS.c.id == finding_id)
        row = connection.execute(query).mappings().first()
        if row is None:
            return None
        found = [NoteRow(**note) for note in connection.execute(notes).mappings()]
    return FindingRow(**row), found


def find_things(store: Store, things: Sequence[Thing]) -> list[FindingRow]:
    """Give the findings of these things. Raises StoreUnavailable."""
    if not things:
        return []
    key = tuple_(FINDINGS.c.kind, FINDINGS.c.value, FINDINGS.c.group)
    with store.reading() as connection:
        rows = connection.execute(select(FINDINGS).where(key.in_(list(things)))).mappings()
        return [FindingRow(**row) for row in rows]


def list_findings(
    store: Store, wanted: dict[str, Sequence[str]], limit: int, before: int | None
) -> list[FindingRow]:
    """Give at most `limit` findings, the last marked first, older than the finding `before`.

    `wanted` names values by column; of `tags`, all have to be there. Raises StoreUnavailable.
    """
    query = select(FINDINGS).where(*_conditions(wanted))
    if before is not None:
        query = query.where(FINDINGS.c.id < before)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(FINDINGS.c.id.desc()).limit(limit)).mappings()
        return [FindingRow(**row) for row in rows]


def count_states(store: Store, wanted: dict[str, Sequence[str]]) -> dict[str, int]:
    """Count the findings by state. Raises StoreUnavailable."""
    others = {name: values for name, values in wanted.items() if name != "state"}
    query = select(FINDINGS.c.state, func.count()).where(*_conditions(others))
    with store.reading() as connection:
        rows = connection.execute(query.group_by(FINDINGS.c.state)).all()
    return {state: int(number) for state, number in rows}


def update_finding(
    store: Store,
    finding_id: int,
    values: dict[str, Any],
    notes: Sequence[NoteRow],
    entry: AuditRow,
    *,
    unchanged_since: int | None = None,
) -> bool:
    """Change a finding and add notes to it; False if there is none, or if it was not last changed
    at `unchanged_since` (Unix µs). Each change has a time of its own. Raises StoreUnavailable.
    """
    changed = later(FINDINGS.c.changed, values["changed"])
    changing = update(FINDINGS).where(FINDINGS.c.id == finding_id)
    if unchanged_since is not None:
        changing = changing.where(FINDINGS.c.changed == unchanged_since)
    changing = changing.values(values | {"changed": changed})
    with store.writing() as connection:
        if not connection.execute(changing).rowcount:
            return False
        _add_notes(connection, finding_id, notes)
        add_entry(connection, entry)
    return True


def count_notes(store: Store, finding_id: int) -> int:
    """How many notes a finding has. Raises StoreUnavailable."""
    query = select(func.count()).select_from(NOTES).where(NOTES.c.finding == finding_id)
    with store.reading() as connection:
        return connection.scalar(query) or 0


def insert_suppression(store: Store, row: SuppressionRow, most: int, entry: AuditRow) -> int | None:
    """Store a suppression and give its id; None if `most` are in force already.

    One of the same value that is in force ends now. Raises StoreUnavailable.
    """
    now, same = row.created, (SUPPRESSIONS.c.kind == row.kind, SUPPRESSIONS.c.value == row.value)
    ending = update(SUPPRESSIONS).where(*same, *_in_force(now))
    in_force = select(func.count()).select_from(SUPPRESSIONS).where(*_in_force(now))
    values = row.model_dump(exclude={"id"})
    with store.writing() as connection:
        connection.execute(ending.values(lifted=now, lifted_by=row.author_name))
        if (connection.scalar(in_force) or 0) >= most:
            return None
        adding = insert(SUPPRESSIONS).values(values).returning(SUPPRESSIONS.c.id)
        number = connection.execute(adding).scalar_one()
        add_entry(connection, entry)
    return int(number)


def list_suppressions(
    store: Store, now: int, *, ended: bool = False, limit: int = 500
) -> list[SuppressionRow]:
    """Give the suppressions in force at `now` (Unix µs), or those that have ended, newest first.

    Raises StoreUnavailable.
    """
    in_force = _in_force(now)
    kept = ~(in_force[0] & in_force[1]) if ended else in_force[0] & in_force[1]
    query = select(SUPPRESSIONS).where(kept).order_by(SUPPRESSIONS.c.id.desc()).limit(limit)
    with store.reading() as connection:
        return [SuppressionRow(**row) for row in connection.execute(query).mappings()]


def lift_suppression(
    store: Store, suppression_id: int, by: str, now: int, entry: AuditRow
) -> SuppressionRow | None:
    """End a suppression at `now` (Unix µs); None if none of this id is in force.

    Raises StoreUnavailable.
    """
    this = (SUPPRESSIONS.c.id == suppression_id, *_in_force(now))
    with store.writing() as connection:
        lifting = update(SUPPRESSIONS).where(*this).values(lifted=now, lifted_by=by)
        row = connection.execute(lifting.returning(SUPPRESSIONS)).mappings().first()
        if row is None:
            return None
        add_entry(connection, entry)
    return SuppressionRow(**row)


def delete_old_findings(store: Store, before: int) -> int:
    """Delete the findings not changed since `before` (Unix µs) with their notes, and the
    suppressions that ended before; say how many findings. Raises StoreUnavailable.
    """
    old = select(FINDINGS.c.id).where(FINDINGS.c.changed < before)
    ended = or_(SUPPRESSIONS.c.expires < before, SUPPRESSIONS.c.lifted < before)
    with store.writing() as connection:
        connection.execute(delete(NOTES).where(NOTES.c.finding.in_(old)))
        connection.execute(delete(SUPPRESSIONS).where(ended))
        return connection.execute(delete(FINDINGS).where(FINDINGS.c.changed < before)).rowcount


def _add_notes(connection: Connection, finding_id: int, notes: Sequence[NoteRow]) -> None:
    for note in notes:
        values = note.model_dump(exclude={"id"}) | {"finding": finding_id}
        connection.execute(insert(NOTES).values(values))


def _conditions(wanted: dict[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    result: list[ColumnElement[bool]] = []
    for name, values in wanted.items():
        column = FINDINGS.c[name]
        if name == "tags":
            result += [column.contains(f",{tag},", autoescape=True) for tag in values]
        elif values:
            result.append(column.in_(values))
    return result


def _in_force(now: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SUPPRESSIONS.c.lifted.is_(None), SUPPRESSIONS.c.expires > now
