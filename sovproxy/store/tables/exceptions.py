"""Exceptions: what was asked for and granted, and every step on the way."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE


class ExceptionRow(SQLModel, table=True):
    """A request for an exception, and the answer to it. `number` is what people call it by.

    `state` is the last step that was taken; that time is over, whoever reads it finds by `wanted`
    and `until`. `asked_by` and `decided_by` are the public ids of tokens or accounts. `version`
    grows with each step. `forgotten` is true once client and texts were taken out (retention).
    """

    __tablename__ = "exception_request"
    __table_args__ = (
        Index("exception_state_until", "state", "until"),
        Index("exception_client_asked", "client", "asked"),
        Index("exception_asker_asked", "asked_by", "asked"),
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    id: UUID = Field(unique=True)
    asked: int = Field(sa_type=BigInteger)
    asked_by: str
    node: str
    client: str
    group: str
    service: str
    host: str
    below: bool
    role: str
    reason: str
    wanted: int = Field(sa_type=BigInteger)
    language: str
    rule: str
    action: str
    state: str
    version: int = 1
    decided: int | None = Field(default=None, sa_type=BigInteger)
    decided_by: str = ""
    decided_name: str = ""
    start: int | None = Field(default=None, sa_type=BigInteger)
    until: int | None = Field(default=None, sa_type=BigInteger)
    scope: str = ""
    message: str = ""
    forgotten: bool = False


class ExceptionStepRow(SQLModel, table=True):
    """One step of a request's history: who took it, when, from which state to which.

    `seq` grows with every change of any request: its largest value tells that something changed.
    """

    __tablename__ = "exception_step"
    __table_args__ = (Index("exception_step_number", "number", "seq"),)

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    number: int = Field(sa_type=BigInteger)
    time: int = Field(sa_type=BigInteger)
    by: str
    name: str
    role: str
    before: str
    after: str
    message: str


EXCEPTIONS = SQLModel.metadata.tables["exception_request"]
EXCEPTION_STEPS = SQLModel.metadata.tables["exception_step"]
