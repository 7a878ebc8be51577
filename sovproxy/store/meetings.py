"""Counts of meetings on sites that no catalogue knows, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from sovproxy.store.bulk import insert_for
from sovproxy.store.tables import MEETING_COUNTS

if TYPE_CHECKING:
    from sovproxy.store.database import Store


class MeetingCount(NamedTuple):
    """How often a host was told in a range of days, and the first and last of them."""

    host: str
    number: int
    first: int
    last: int


def add_meeting(store: Store, day: int, host: str, standing: str, most: int) -> bool:
    """Count one; False if the day holds `most` counts already and this would be another.

    Raises StoreUnavailable.
    """
    table = MEETING_COUNTS
    key = {"day": day, "host": host, "standing": standing}
    same = (table.c.day == day, table.c.host == host, table.c.standing == standing)
    with store.writing() as connection:
        known = connection.scalar(select(table.c.count).where(*same)) is not None
        held = connection.scalar(select(func.count()).where(table.c.day == day)) or 0
        if not known and held >= most:
            return False
        statement = insert_for(connection, table).values(**key, count=1)
        one_more = {"count": table.c.count + 1}
        names = [table.c.day, table.c.host, table.c.standing]
        connection.execute(statement.on_conflict_do_update(index_elements=names, set_=one_more))
    return True


def meeting_counts(store: Store, first: int, last: int, limit: int) -> list[MeetingCount]:
    """The hosts told most often in these days, both included. Raises StoreUnavailable."""
    table = MEETING_COUNTS.c
    total = func.sum(table.count)
    query = (
        select(table.host, total, func.min(table.day), func.max(table.day))
        .where(table.day.between(first, last))
        .group_by(table.host)
        .order_by(total.desc(), table.host)
        .limit(limit)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [MeetingCount(host, int(count), begin, end) for host, count, begin, end in rows]


def delete_old_meetings(store: Store, before: int) -> int:
    """Delete the counts of days before this one, and say how many. Raises StoreUnavailable."""
    with store.writing() as connection:
        old = delete(MEETING_COUNTS).where(MEETING_COUNTS.c.day < before)
        return connection.execute(old).rowcount
