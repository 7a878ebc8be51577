"""What tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 2

# On SQLite an INTEGER primary key is the row's own number and costs nothing.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")


class SchemaRow(SQLModel, table=True):
    """The version of the tables, in a single row."""

    __tablename__ = "sovproxy_schema"

    version: int = Field(primary_key=True)
