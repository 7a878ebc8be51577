"""Versions and drafts of policies as rows. Their meaning: `sovproxy.usecases.policy.policies`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from sovproxy.store.audit import add_entry
from sovproxy.store.tables.policies import (
    POLICY_DRAFTS,
    POLICY_VERSIONS,
    PolicyDraftRow,
    PolicyVersionRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow


def append_versions(
    store: Store, rows: Sequence[PolicyVersionRow], newest: int, entry: AuditRow
) -> bool:
    """Add versions and an audit entry if `newest` is still the highest number; say whether.

    Raises StoreUnavailable.
    """
    try:
        with store.writing() as connection:
            if (connection.scalar(select(func.max(POLICY_VERSIONS.c.number))) or 0) != newest:
                return False
            connection.execute(insert(POLICY_VERSIONS), [row.model_dump() for row in rows])
            add_entry(connection, entry)
    except IntegrityError:  # somebody else took the number at the same instant
        return False
    return True


def newest_version(store: Store) -> PolicyVersionRow | None:
    """Give the version with the highest number, or None. Raises StoreUnavailable."""
    query = select(POLICY_VERSIONS).order_by(POLICY_VERSIONS.c.number.desc()).limit(1)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return PolicyVersionRow(**row) if row else None


def newest_number(store: Store) -> int:
    """Give the highest number, 0 if there is no version. Raises StoreUnavailable."""
    with store.reading() as connection:
        return connection.scalar(select(func.max(POLICY_VERSIONS.c.number))) or 0


def get_version(store: Store, number: int) -> PolicyVersionRow | None:
    """Give a version by its number, or None. Raises StoreUnavailable."""
    query = select(POLICY_VERSIONS).where(POLICY_VERSIONS.c.number == number)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return PolicyVersionRow(**row) if row else None


def list_versions(store: Store, limit: int, before: int | None = None) -> list[PolicyVersionRow]:
    """Give at most `limit` versions without their texts, newest first, before a number.

    Raises StoreUnavailable.
    """
    columns = [column for column in POLICY_VERSIONS.c if column.name != "text"]
    query = select(*columns).order_by(POLICY_VERSIONS.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(POLICY_VERSIONS.c.number < before)
    with store.reading() as connection:
        return [PolicyVersionRow(**row, text="") for row in connection.execute(query).mappings()]


def save_draft(store: Store, row: PolicyDraftRow, most: int, entry: AuditRow) -> bool:
    """Store a draft or replace the one with its id, unless its author has `most` others.

    The author of a draft stays who began it.

    Raises StoreUnavailable.
    """
    drafts = POLICY_DRAFTS.c
    with store.writing() as connection:
        values = row.model_dump()
        changed = update(POLICY_DRAFTS).where(drafts.id == row.id)
        kept = {name: values[name] for name in ("comment", "based_on", "time", "text")}
        if not connection.execute(changed.values(kept)).rowcount:
            count = select(func.count()).where(drafts.author == row.author)
            if (connection.scalar(count) or 0) >= most:
                return False
            connection.execute(insert(POLICY_DRAFTS).values(values))
        add_entry(connection, entry)
    return True


def get_draft(store: Store, draft: str) -> PolicyDraftRow | None:
    """Give a draft by its id, or None. Raises StoreUnavailable."""
    query = select(POLICY_DRAFTS).where(POLICY_DRAFTS.c.id == draft)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return PolicyDraftRow(**row) if row else None


def list_drafts(store: Store, limit: int) -> list[PolicyDraftRow]:
    """Give at most `limit` drafts without their texts, latest first. Raises StoreUnavailable."""
    columns = [column for column in POLICY_DRAFTS.c if column.name != "text"]
    query = select(*columns).order_by(POLICY_DRAFTS.c.time.desc(), POLICY_DRAFTS.c.id).limit(limit)
    with store.reading() as connection:
        return [PolicyDraftRow(**row, text="") for row in connection.execute(query).mappings()]


def delete_draft(store: Store, draft: str, entry: AuditRow) -> bool:
    """Delete a draft; False if there is none. Raises StoreUnavailable."""
    with store.writing() as connection:
        statement = delete(POLICY_DRAFTS).where(POLICY_DRAFTS.c.id == draft)
        if connection.execute(statement).rowcount != 1:
            return False
        add_entry(connection, entry)
    return True
