"""The audit is chained, and its old entries may be deleted; who made a token; persons' requests.

Entries that are there are chained as they are now: nothing can tell what they were before.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sovproxy.store.chain import GENESIS, entry_hash

revision = "0006"
down_revision = "0005"

PAGE = 5000

_ONLY_ADDED = "the audit is only added to"
_THROUGH = "FROM audit WHERE what = 'audit_checkpoint'"
_BEFORE = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        (
            "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
        ),
    ],
}
_AFTER = {
    "sqlite": [
        (
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
        ),
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN OLD.seq > "
            f"coalesce((SELECT max(json_extract(details, '$.through')) {_THROUGH}), 0) "
            f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
        ),
    ],
    "postgresql": [
        (
            "CREATE OR REPLACE FUNCTION audit_only_old() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF OLD.seq > coalesce((SELECT max((details::json->>'through')::bigint) "
            f"{_THROUGH}), 0) THEN RAISE EXCEPTION '{_ONLY_ADDED}'; END IF; RETURN OLD; END $$"
        ),
        (
            "CREATE TRIGGER audit_no_change BEFORE UPDATE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
        ),
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
            "FOR EACH ROW EXECUTE FUNCTION audit_only_old()"
        ),
    ],
}


def upgrade() -> None:
    """Chain what is there, oldest first."""
    op.add_column("audit", _text("hash", server_default=""))
    op.add_column("token", _text("maker", server_default=""))
    _drop_triggers("audit_no_change", "audit_no_update", "audit_no_delete")
    _chain(op.get_bind())
    op.create_index("audit_what", "audit", ["what", "seq"])
    _make_triggers(_AFTER)
    op.create_table(
        "person_request",
        sa.Column("id", sa.String(), primary_key=True),
        *(_text(name) for name in ("kind", "reason", "state", "requester", "requester_name")),
        *(_text(name) for name in ("decider", "decider_name", "message", "found")),
        sa.Column("clients", sa.Text(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created", "until")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("decided", "done")),
    )
    op.create_index("ix_person_request_created", "person_request", ["created"])


def downgrade() -> None:
    """Take the hashes away."""
    op.drop_table("person_request")
    _drop_triggers("audit_no_change", "audit_no_update", "audit_no_delete")
    op.drop_index("audit_what", "audit")
    op.drop_column("audit", "hash")
    op.drop_column("token", "maker")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_old")
    _make_triggers(_BEFORE)


def _text(name: str, server_default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False, server_default=server_default)


def _drop_triggers(*names: str) -> None:
    on = " ON audit" if op.get_bind().dialect.name == "postgresql" else ""
    for name in names:
        op.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _make_triggers(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def _chain(connection: sa.Connection) -> None:
    audit = sa.Table("audit", sa.MetaData(), autoload_with=connection)
    change = (
        sa.update(audit).where(audit.c.seq == sa.bindparam("of")).values(hash=sa.bindparam("is"))
    )
    before, after = GENESIS, -(2**63)
    while True:
        query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE)
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        changes = []
        for row in rows:
            before, after = entry_hash(before, dict(row)), row["seq"]
            changes.append({"of": after, "is": before})
        connection.execute(change, changes)
