"""Requests of persons about their own data: to have it, or to have it erased."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel


class PersonRequestRow(SQLModel, table=True):
    """One request about the data of one person, who is known here by pseudonyms only.

    `clients` is joined by commas. `named` tells that they were found from an address or a name,
    which is not kept: then a second person decides. `until` is when it lapses while it waits, and
    afterwards when it may not be used any more. `found` counts what was given or erased, JSON.
    """

    __tablename__ = "person_request"

    id: str = Field(primary_key=True)
    kind: str
    clients: str = Field(sa_type=Text)
    named: bool
    reason: str
    state: str
    requester: str
    requester_name: str
    created: int = Field(index=True, sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    decider: str = ""
    decider_name: str = ""
    decided: int | None = Field(default=None, sa_type=BigInteger)
    message: str = ""
    done: int | None = Field(default=None, sa_type=BigInteger)
    found: str = ""


PERSON_REQUESTS = SQLModel.metadata.tables["person_request"]
