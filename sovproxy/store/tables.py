"""The store's tables. Times are Unix microseconds (UTC): they sort and index as integers."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import DDL, BigInteger, Index, Integer, event
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 2

# On SQLite an INTEGER primary key is the row's own number and costs nothing.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

_NO_COUNTER = {"autoincrement": False}


class SchemaRow(SQLModel, table=True):
    """The version of the tables, in a single row."""

    __tablename__ = "sovproxy_schema"

    version: int = Field(primary_key=True)


class EventRow(SQLModel, table=True):
    """One event. `seq` is the order of arrival; `control` is joined by commas.

    `sort` is what it is counted as, the id of a SortRow.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("event_time", "time"),
        Index("event_sort_time", "sort", "time"),
        Index("event_host_time", "host", "time"),
        Index("event_client_time", "client", "time"),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_Sequence)
    id: UUID = Field(unique=True)
    time: int = Field(sa_type=BigInteger)
    node: str
    kind: str
    client: str
    group: str
    host: str
    address: str
    port: int
    action: str
    rule: str
    reason: str
    service: str
    operator: str
    control: str
    standing: str
    location: str
    asn: int = Field(sa_type=BigInteger)
    alternative: str
    policy: str
    policy_version: str
    outcome: str
    transport: str
    decrypted: bool
    sort: int = Field(sa_type=Integer, sa_column_kwargs={"server_default": "0"})


class RollupRow(SQLModel, table=True):
    """One rollup. Several rows of one bucket and key add up."""

    __tablename__ = "rollup"
    __table_args__ = (Index("rollup_start", "start"),)

    seq: int | None = Field(default=None, primary_key=True, sa_type=_Sequence)
    id: UUID = Field(unique=True)
    start: int = Field(sa_type=BigInteger)
    seconds: int
    node: str
    group: str
    service: str
    control: str
    standing: str
    location: str
    asn: int = Field(sa_type=BigInteger)
    action: str
    rule: str
    count: int = Field(sa_type=BigInteger)
    sort: int = Field(sa_type=Integer, sa_column_kwargs={"server_default": "0"})


class SortRow(SQLModel, table=True):
    """What is counted together: a `sovproxy.store.sorts.Sort` as a JSON array. Never changed.

    `kind` and `action` stand by themselves too: trends are drawn by them.
    """

    __tablename__ = "sort"

    id: int | None = Field(default=None, primary_key=True)
    sort: str = Field(unique=True)
    kind: str
    action: str


class TallyRow(SQLModel, table=True):
    """How many connections of one sort began in one hour or day (`seconds`), UTC.

    Kept while events and rollups arrive, so that counting need not read them.
    """

    __tablename__ = "tally"
    __table_args__ = ({"sqlite_with_rowid": False},)

    seconds: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs=_NO_COUNTER)
    start: int = Field(primary_key=True, sa_type=BigInteger)
    sort: int = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)


class SeenRow(SQLModel, table=True):
    """When a service, a network or a host was seen first and last; `last` to the hour."""

    __tablename__ = "seen"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)


class AuditRow(SQLModel, table=True):
    """Who looked at what: entries are added, never changed; on SQLite the file itself sees to it.

    `token` is the public id of the token, `filter` JSON, `rows` how many events were shown.
    """

    __tablename__ = "audit"

    seq: int | None = Field(default=None, primary_key=True, sa_type=_Sequence)
    time: int = Field(sa_type=BigInteger)
    token: str
    name: str
    role: str
    what: str
    filter: str
    rows: int = Field(sa_type=BigInteger)


class SessionRow(SQLModel, table=True):
    """A session of the console: the SHA-256 of its cookie's secret, and the token it began with."""

    __tablename__ = "session"

    id: str = Field(primary_key=True)
    token: str
    created: int = Field(sa_type=BigInteger)
    used: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger)


class TokenRow(SQLModel, table=True):
    """A bearer token: its public id, and the SHA-256 of its secret in hexadecimal."""

    __tablename__ = "token"

    id: str = Field(primary_key=True)
    name: str
    role: str
    digest: str
    created: int = Field(sa_type=BigInteger)
    expires: int | None = Field(default=None, sa_type=BigInteger)
    revoked: int | None = Field(default=None, sa_type=BigInteger)


EVENTS = SQLModel.metadata.tables["event"]
ROLLUPS = SQLModel.metadata.tables["rollup"]
TOKENS = SQLModel.metadata.tables["token"]
SORTS = SQLModel.metadata.tables["sort"]
TALLIES = SQLModel.metadata.tables["tally"]
SEEN = SQLModel.metadata.tables["seen"]
AUDIT = SQLModel.metadata.tables["audit"]
SESSIONS = SQLModel.metadata.tables["session"]

for _verb in ("UPDATE", "DELETE"):
    event.listen(
        AUDIT,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER audit_no_{_verb.lower()} BEFORE {_verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
        ).execute_if(dialect="sqlite"),
    )
