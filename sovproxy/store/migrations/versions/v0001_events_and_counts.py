"""The tables of version 2: events, rollups, counts, the audit, sessions and tokens.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EVENT_TEXTS = (
    "node", "kind", "client", "group", "host", "address", "action", "rule", "reason", "service",
    "operator", "control", "standing", "location", "alternative", "policy", "policy_version",
    "outcome", "transport",
)  # fmt: skip
_ROLLUP_TEXTS = (
    "node", "group", "service", "control", "standing", "location", "action", "rule",
)  # fmt: skip


def upgrade() -> None:
    """Make what is not there: a store of version 1 has some of it."""
    _records()
    _counts()
    _audit()
    _access()


def downgrade() -> None:
    """Drop everything."""
    for name in (
        "event", "rollup", "sort", "tally", "seen", "audit", "session", "token", "sovproxy_schema",
    ):  # fmt: skip
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_added")


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _record(*columns: sa.Column[Any]) -> list[sa.Column[Any]]:
    key = sa.Column("seq", _NUMBER, primary_key=True)
    record_id = sa.Column("id", sa.Uuid(), nullable=False, unique=True)
    sort = sa.Column("sort", sa.Integer(), nullable=False, server_default="0")
    return [key, record_id, *columns, sort]


def _records() -> None:
    op.create_table(
        "event",
        *_record(
            *_numbers("time", "asn"),
            *_texts(*_EVENT_TEXTS),
            sa.Column("port", sa.Integer(), nullable=False),
            sa.Column("decrypted", sa.Boolean(), nullable=False),
        ),
        if_not_exists=True,
    )
    op.create_index("event_time", "event", ["time"], if_not_exists=True)
    for name in ("sort", "host", "client"):
        op.create_index(f"event_{name}_time", "event", [name, "time"], if_not_exists=True)
    seconds = sa.Column("seconds", sa.Integer(), nullable=False)
    op.create_table(
        "rollup",
        *_record(*_numbers("start", "asn", "count"), *_texts(*_ROLLUP_TEXTS), seconds),
        if_not_exists=True,
    )
    op.create_index("rollup_start", "rollup", ["start"], if_not_exists=True)


def _counts() -> None:
    op.create_table(
        "sort",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("sort", sa.String(), nullable=False, unique=True),
        *_texts("kind", "action"),
        if_not_exists=True,
    )
    op.create_table(
        "tally",
        sa.Column("seconds", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger(), primary_key=True),
        sa.Column("sort", sa.Integer(), primary_key=True),
        *_numbers("number"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "seen",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), primary_key=True),
        *_numbers("first", "last"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "sovproxy_schema",
        sa.Column("version", sa.Integer(), primary_key=True),
        if_not_exists=True,
    )


def _audit() -> None:
    if sa.inspect(op.get_bind()).has_table("audit"):
        return
    op.create_table(
        "audit",
        sa.Column("seq", _NUMBER, primary_key=True),
        *_numbers("time", "rows"),
        *_texts("token", "name", "role", "what", "filter"),
    )
    for statement in _ONLY_ADDED[op.get_bind().dialect.name]:
        op.execute(statement)


_ONLY_ADDED = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        (
            "CREATE OR REPLACE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$"
        ),
        (
            "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
        ),
    ],
}


def _access() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.String(), primary_key=True),
        *_texts("token"),
        *_numbers("created", "used", "expires"),
        if_not_exists=True,
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(), primary_key=True),
        *_texts("name", "role", "digest"),
        *_numbers("created"),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        if_not_exists=True,
    )
