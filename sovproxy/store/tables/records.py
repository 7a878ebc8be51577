"""Events, rollups, and what is counted from them."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import BigInteger, Index, Integer
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE

_NO_COUNTER = {"autoincrement": False}


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

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
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

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
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


EVENTS = SQLModel.metadata.tables["event"]
ROLLUPS = SQLModel.metadata.tables["rollup"]
SORTS = SQLModel.metadata.tables["sort"]
TALLIES = SQLModel.metadata.tables["tally"]
SEEN = SQLModel.metadata.tables["seen"]
