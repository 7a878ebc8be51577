"""The store's tables. Times are Unix microseconds (UTC): they sort and index as integers."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import BigInteger, Index, Integer
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 1

# On SQLite an INTEGER primary key is the row's own number and costs nothing.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")


class SchemaRow(SQLModel, table=True):
    """The version of the tables, in a single row."""

    __tablename__ = "sovproxy_schema"

    version: int = Field(primary_key=True)


class EventRow(SQLModel, table=True):
    """One event. `seq` is the order of arrival; `control` is joined by commas."""

    __tablename__ = "event"
    __table_args__ = (
        Index("event_time", "time"),
        Index("event_service_time", "service", "time"),
        Index("event_action_time", "action", "time"),
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
