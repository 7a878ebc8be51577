"""The policies that were applied, and drafts of those to come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, SQLModel


class PolicyVersionRow(SQLModel, table=True):
    """One version: rows are added, never changed, and the one with the highest number counts.

    `origin` tells where it came from, `source` the number that was rolled back to, or 0. With the
    origin `settings` nothing is applied any more, and `text` is what the settings' file held then.
    `author` is the public id of a token or account, empty for this machine's command line.
    """

    __tablename__ = "policy_version"

    number: int = Field(
        primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False}
    )
    time: int = Field(sa_type=BigInteger)
    origin: str
    source: int = Field(sa_type=Integer)
    author: str
    author_name: str
    comment: str
    policy: str
    digest: str
    text: str


class PolicyDraftRow(SQLModel, table=True):
    """A draft that somebody saved. `based_on` is the version that it began from."""

    __tablename__ = "policy_draft"

    id: str = Field(primary_key=True)
    author: str = Field(index=True)
    author_name: str
    comment: str
    based_on: int = Field(sa_type=Integer)
    time: int = Field(sa_type=BigInteger)
    text: str


POLICY_VERSIONS = SQLModel.metadata.tables["policy_version"]
POLICY_DRAFTS = SQLModel.metadata.tables["policy_draft"]
