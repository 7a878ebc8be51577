"""The audit."""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, event
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE


class AuditRow(SQLModel, table=True):
    """Who did or looked at what: entries are added, never changed; the database sees to it.

    `token` is the public id of the token, `details` JSON, `rows` how many events were shown.
    """

    __tablename__ = "audit"

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    time: int = Field(sa_type=BigInteger)
    token: str
    name: str
    role: str
    what: str
    details: str
    rows: int = Field(sa_type=BigInteger)


AUDIT = SQLModel.metadata.tables["audit"]

_ONLY_ADDED = "the audit is only added to"
_SQLITE = [
    f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
    f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
    for verb in ("UPDATE", "DELETE")
]
_POSTGRESQL = [
    (
        "CREATE OR REPLACE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_ONLY_ADDED}'; END $$"
    ),
    (
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
    ),
]
TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""What makes each database refuse to change or delete entries."""

for _dialect, _statements in TRIGGERS.items():
    for _statement in _statements:
        _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(AUDIT, "after_create", _ddl.execute_if(dialect=_dialect))
