"""Events, rollups, and what is counted from them.

Rows are narrow: what an event is counted as is a sort, and its texts are words, both written once.
`sovproxy.store.blocks` and `sovproxy.store.tally` say how columns and tallies are kept.
"""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import DDL, BigInteger, Index, Integer, LargeBinary, UniqueConstraint, event
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import RECORD_ID, SEQUENCE

_NO_COUNTER = {"autoincrement": False}


class EventRow(SQLModel, table=True):
    """One event. `seq` is the order of arrival.

    `sort` is the id of a SortRow; `client`, `host`, `address` and `detail` are ids of WordRows of
    that kind, 0 for an empty text. On PostgreSQL the table is cut into partitions by time, and an
    index that is unique must hold the time: as the time of one id never changes, `(id, time)` is
    as good as `id`.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("id", name="event_id").ddl_if(dialect="sqlite"),
        Index("event_id_time", "id", "time", unique=True).ddl_if(dialect="postgresql"),
        Index("event_seq", "seq").ddl_if(dialect="postgresql"),
        {"postgresql_partition_by": "RANGE (time)"},
    )

    seq: int = Field(primary_key=True, sa_type=SEQUENCE, sa_column_kwargs=_NO_COUNTER)
    id: UUID = Field(sa_type=RECORD_ID)
    time: int = Field(sa_type=BigInteger)
    sort: int = Field(sa_type=Integer)
    client: int = Field(sa_type=Integer)
    host: int = Field(sa_type=Integer)
    address: int = Field(sa_type=Integer)
    detail: int = Field(sa_type=Integer)
    port: int = Field(sa_type=Integer)


class RollupRow(SQLModel, table=True):
    """One rollup. Several rows of one bucket and sort add up."""

    __tablename__ = "rollup"
    __table_args__ = (Index("rollup_start", "start"),)

    seq: int = Field(primary_key=True, sa_type=SEQUENCE, sa_column_kwargs=_NO_COUNTER)
    id: UUID = Field(sa_type=RECORD_ID, unique=True)
    start: int = Field(sa_type=BigInteger)
    seconds: int = Field(sa_type=Integer)
    sort: int = Field(sa_type=Integer)
    count: int = Field(sa_type=BigInteger)


class SortRow(SQLModel, table=True):
    """What is counted together: a `sovproxy.store.sorts.Sort` as a JSON array. Never changed.

    `digest` finds it: the text itself may be longer than PostgreSQL takes into an index.
    """

    __tablename__ = "sort"

    id: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs=_NO_COUNTER)
    digest: bytes = Field(unique=True, sa_type=LargeBinary)
    sort: str


class WordRow(SQLModel, table=True):
    """A text that events name by number: a client, a host, an address, or a detail.

    Ids count up for each kind and are never given again. `first` and `last` are times of events,
    `last` to the hour; `digest` finds it, as for sorts.
    """

    __tablename__ = "word"
    __table_args__ = (
        UniqueConstraint("digest", name="word_digest"),
        {"sqlite_with_rowid": False},
    )

    kind: str = Field(primary_key=True)
    id: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs=_NO_COUNTER)
    digest: bytes = Field(sa_type=LargeBinary)
    value: str
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)


class CounterRow(SQLModel, table=True):
    """The last number given to something. Who gives numbers holds the lock of `Store.ingesting`."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True)
    last: int = Field(sa_type=BigInteger)


class BlockRow(SQLModel, table=True):
    """Some events as columns; its values are BlockColumnRows. Never changed, only replaced.

    `level` tells how often its rows were joined into a larger block, -1 that it is large enough.
    """

    __tablename__ = "block"

    id: int = Field(primary_key=True, sa_type=SEQUENCE, sa_column_kwargs=_NO_COUNTER)
    level: int = Field(sa_type=Integer)
    size: int = Field(sa_type=Integer)
    last_seq: int = Field(sa_type=BigInteger)
    first_time: int = Field(sa_type=BigInteger)
    last_time: int = Field(sa_type=BigInteger)


class BlockColumnRow(SQLModel, table=True):
    """One column of a block: numbers as `sovproxy.store.packing` writes them."""

    __tablename__ = "block_column"

    block: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=_NO_COUNTER)
    name: str = Field(primary_key=True)
    data: bytes = Field(sa_type=LargeBinary)


class TallyRow(SQLModel, table=True):
    """How many connections of some sorts began in one hour or day (`seconds`), UTC.

    `sorts` and `numbers` are packed columns. All tallies of one hour or day add up. Never changed,
    only replaced: `level` is as for blocks.
    """

    __tablename__ = "tally"
    __table_args__ = (Index("tally_start", "seconds", "start"),)

    id: int = Field(primary_key=True, sa_type=SEQUENCE, sa_column_kwargs=_NO_COUNTER)
    seconds: int = Field(sa_type=Integer)
    start: int = Field(sa_type=BigInteger)
    level: int = Field(sa_type=Integer)
    sorts: bytes = Field(sa_type=LargeBinary)
    numbers: bytes = Field(sa_type=LargeBinary)


class SeenRow(SQLModel, table=True):
    """When a service or a network was seen first and last; `last` to the hour."""

    __tablename__ = "seen"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)


EVENTS = SQLModel.metadata.tables["event"]
EVENTS.primary_key.ddl_if(dialect="sqlite")
ROLLUPS = SQLModel.metadata.tables["rollup"]
SORTS = SQLModel.metadata.tables["sort"]
WORDS = SQLModel.metadata.tables["word"]
COUNTERS = SQLModel.metadata.tables["counter"]
BLOCKS = SQLModel.metadata.tables["block"]
BLOCK_COLUMNS = SQLModel.metadata.tables["block_column"]
TALLIES = SQLModel.metadata.tables["tally"]
SEEN = SQLModel.metadata.tables["seen"]

# Packed numbers do not shrink: PostgreSQL need not try.
for _table, _column in (("block_column", "data"), ("tally", "sorts"), ("tally", "numbers")):
    event.listen(
        SQLModel.metadata.tables[_table],
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"ALTER TABLE {_table} ALTER COLUMN {_column} SET STORAGE EXTERNAL"
        ).execute_if(dialect="postgresql"),
    )
