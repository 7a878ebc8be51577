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

for _verb in ("UPDATE", "DELETE"):
    event.listen(
        AUDIT,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER audit_no_{_verb.lower()} BEFORE {_verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
        ).execute_if(dialect="sqlite"),
    )
