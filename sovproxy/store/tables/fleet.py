"""Nodes that report themselves, and acknowledgements that they share."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  # the tables read their annotations

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE


class NodeRow(SQLModel, table=True):
    """One node, as its token and its own name tell it apart; `report` is its last heartbeat, JSON.

    `first` and `last` are when it was heard of first and last.
    """

    __tablename__ = "node"
    __table_args__ = (UniqueConstraint("token", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    token: str
    name: str
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    report: str = Field(sa_type=Text)


class AcknowledgementRow(SQLModel, table=True):
    """A client (a pseudonym) went on after a warning: it passes `subject` until then.

    `seq` is the order of arrival, `token` that of the node that tells of it.
    """

    __tablename__ = "acknowledgement"
    __table_args__ = (
        Index("acknowledgement_until", "until"),
        Index("acknowledgement_client", "client", "until"),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    id: UUID = Field(unique=True)
    client: str
    subject: str
    until: int = Field(sa_type=BigInteger)
    time: int = Field(sa_type=BigInteger)
    token: str


NODES = SQLModel.metadata.tables["node"]
ACKNOWLEDGEMENTS = SQLModel.metadata.tables["acknowledgement"]
