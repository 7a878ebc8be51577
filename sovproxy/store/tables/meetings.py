"""Meetings on sites that no catalogue knows, as extensions have counted them: by day, of nobody."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, SQLModel


class MeetingCountRow(SQLModel, table=True):
    """How often a host was told on one day (UTC, days since 1970), with the standing it had."""

    __tablename__ = "meeting_count"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    host: str = Field(primary_key=True)
    standing: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)


MEETING_COUNTS = SQLModel.metadata.tables["meeting_count"]
