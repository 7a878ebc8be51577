"""The audit."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, Index, event
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE

CHECKPOINT: Final = "audit_checkpoint"
"""What an entry tells that names the entries which retention deletes: those up to `through`."""


class AuditRow(SQLModel, table=True):
    """Who did or looked at what: entries are added, never changed; the database sees to it.

    `token` is the public id of the token, `details` JSON, `rows` how many events were shown.
    `hash` is over the entry and the hash of the one before (`sovproxy.store.chain`).
    """

    __tablename__ = "audit"
    __table_args__ = (Index("audit_what", "what", "seq"),)

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    time: int = Field(sa_type=BigInteger)
    token: str
    name: str
    role: str
    what: str
    details: str
    rows: int = Field(sa_type=BigInteger)
    hash: str = Field(default="", sa_column_kwargs={"server_default": ""})


AUDIT = SQLModel.metadata.tables["audit"]

_ONLY_ADDED = "the audit is only added to"
_THROUGH = f"FROM audit WHERE what = '{CHECKPOINT}'"
_SQLITE = [
    (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
        f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
    ),
    (
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN OLD.seq > "
        f"coalesce((SELECT max(json_extract(details, '$.through')) {_THROUGH}), 0) "
        f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
    ),
]
_POSTGRESQL = [
    (
        "CREATE OR REPLACE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_ONLY_ADDED}'; END $$"
    ),
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
]
TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""What makes each database refuse to change entries, and to delete any but old ones: those that an
entry of retention, which stays, says that it deletes."""

for _dialect, _statements in TRIGGERS.items():
    for _statement in _statements:
        _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(AUDIT, "after_create", _ddl.execute_if(dialect=_dialect))
