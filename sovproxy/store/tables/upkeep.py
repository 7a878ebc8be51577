"""What the API does by itself: how far it forwarded, and what retention deleted."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE


class ForwardPositionRow(SQLModel, table=True):
    """Up to which arrival (the `seq` of an event) a receiver has everything, and since when."""

    __tablename__ = "forward_position"

    receiver: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)


class RetentionRunRow(SQLModel, table=True):
    """One run of retention. `who` is empty if it ran by the clock; `deleted` is JSON by kind.

    `problem` is empty, or says why it did not end well. `took` is in microseconds.
    """

    __tablename__ = "retention_run"

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    time: int = Field(sa_type=BigInteger)
    took: int = Field(sa_type=BigInteger)
    who: str
    deleted: str
    problem: str


FORWARD_POSITIONS = SQLModel.metadata.tables["forward_position"]
RETENTION_RUNS = SQLModel.metadata.tables["retention_run"]
