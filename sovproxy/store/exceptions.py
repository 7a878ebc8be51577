"""Exceptions as rows. What they mean is `sovproxy.usecases.worker.exceptions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, insert, not_, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.tables import (
    EXCEPTION_STEPS,
    EXCEPTIONS,
    ExceptionRow,
    ExceptionStepRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

_WAITING, _GRANTED = "waiting", "granted"


@dataclass(frozen=True, slots=True)
class Change:
    """What a step changes in a request, and how it goes on record."""

    values: Mapping[str, object]
    step: ExceptionStepRow
    entry: AuditRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests: of these states (told at `now`, Unix µs), services, groups, askers, clients.

    An empty sequence does not care; the fields that are given must all fit.
    """

    now: int
    states: Sequence[str] = ()
    services: Sequence[str] = ()
    groups: Sequence[str] = ()
    clients: Sequence[str] = ()
    askers: Sequence[str] = ()


def transact[T](store: Store, act: Callable[[Connection], T]) -> T:
    """Do several things in one writing transaction. Raises what `act` does, StoreUnavailable."""
    with store.writing() as connection:
        return act(connection)


def find_request(connection: Connection, request_id: UUID) -> ExceptionRow | None:
    """Give a request, locked until the transaction ends where the database has such locks."""
    query = select(EXCEPTIONS).where(EXCEPTIONS.c.id == request_id).with_for_update()
    row = connection.execute(query).mappings().first()
    return ExceptionRow(**row) if row else None


def find_waiting(connection: Connection, row: ExceptionRow) -> ExceptionRow | None:
    """Give a request of the same client (or asker) for the same thing that still waits."""
    table = EXCEPTIONS.c
    query = select(EXCEPTIONS).where(
        table.client == row.client,
        or_(table.client != "", table.asked_by == row.asked_by),
        table.service == row.service,
        table.host == row.host,
        table.state == _WAITING,
        table.wanted > row.asked,
    )
    found = connection.execute(query.order_by(table.number).limit(1)).mappings().first()
    return ExceptionRow(**found) if found else None


def count_asked(connection: Connection, column: str, value: str, since: int) -> tuple[int, int]:
    """How many requests a client or asker made since `since` (Unix µs), and when the first was."""
    table = EXCEPTIONS.c
    query = select(func.count(), func.min(table.asked)).where(
        EXCEPTIONS.c[column] == value, table.asked > since
    )
    number, first = connection.execute(query).one()
    return number, first or since


def count_waiting_of(connection: Connection, now: int) -> int:
    """How many requests wait at `now` (Unix µs)."""
    table = EXCEPTIONS.c
    query = select(func.count()).where(table.state == _WAITING, table.wanted > now)
    return connection.execute(query).scalar_one()


def count_waiting(store: Store, now: int) -> int:
    """How many requests wait at `now` (Unix µs). Raises StoreUnavailable."""
    with store.reading() as connection:
        return count_waiting_of(connection, now)


def add_request(
    connection: Connection, row: ExceptionRow, changed: Callable[[int], Change]
) -> ExceptionRow:
    """Store a request; `changed` makes its first step and audit entry from its number."""
    values = row.model_dump(exclude={"number"})
    key = connection.execute(insert(EXCEPTIONS).values(values)).inserted_primary_key
    number = int(key[0]) if key else 0
    _record(connection, changed(number))
    return ExceptionRow(**values | {"number": number})


def change_request(connection: Connection, row: ExceptionRow, change: Change) -> None:
    """Take a step: change the request, and put it on record, all or nothing."""
    values = {**change.values, "version": EXCEPTIONS.c.version + 1}
    connection.execute(update(EXCEPTIONS).where(EXCEPTIONS.c.number == row.number).values(values))
    _record(connection, change)


def _record(connection: Connection, change: Change) -> None:
    step = change.step.model_dump(exclude={"seq"})
    connection.execute(insert(EXCEPTION_STEPS).values(step))
    add_entry(connection, change.entry)


def get_request(
    store: Store, request_id: UUID
) -> tuple[ExceptionRow, list[ExceptionStepRow]] | None:
    """Give a request and its history, oldest step first. Raises StoreUnavailable."""
    query = select(EXCEPTIONS).where(EXCEPTIONS.c.id == request_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
        if row is None:
            return None
        steps = select(EXCEPTION_STEPS).where(EXCEPTION_STEPS.c.number == row["number"])
        history = connection.execute(steps.order_by(EXCEPTION_STEPS.c.seq)).mappings()
        return ExceptionRow(**row), [ExceptionStepRow(**step) for step in history]


def get_id(store: Store, number: int) -> UUID | None:
    """Give the id of the request that people call by `number`. Raises StoreUnavailable."""
    query = select(EXCEPTIONS.c.id).where(EXCEPTIONS.c.number == number)
    with store.reading() as connection:
        found: UUID | None = connection.execute(query).scalar()
        return found


def list_requests(
    store: Store,
    wanted: Wanted,
    limit: int,
    after: int | None = None,
    *,
    oldest_first: bool = False,
) -> list[ExceptionRow]:
    """Give requests by number, from beyond the number `after` on. Raises StoreUnavailable."""
    number = EXCEPTIONS.c.number
    query = select(EXCEPTIONS).where(*_conditions(wanted)).limit(limit)
    query = query.order_by(number if oldest_first else number.desc())
    if after is not None:
        query = query.where(number > after if oldest_first else number < after)
    with store.reading() as connection:
        return [ExceptionRow(**row) for row in connection.execute(query).mappings()]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    table = EXCEPTIONS.c
    columns = {
        table.service: wanted.services,
        table.group: wanted.groups,
        table.client: wanted.clients,
        table.asked_by: wanted.askers,
    }
    conditions: list[ColumnElement[bool]] = [
        column.in_(values) for column, values in columns.items() if values
    ]
    if wanted.states:
        conditions.append(or_(*(_in_state(state, wanted.now) for state in wanted.states)))
    return conditions


def _in_state(state: str, now: int) -> ColumnElement[bool]:
    table = EXCEPTIONS.c
    over = or_(
        and_(table.state == _WAITING, table.wanted <= now),
        and_(table.state == _GRANTED, table.until <= now),
    )
    return over if state == "expired" else and_(table.state == state, not_(over))


def list_in_force(store: Store, now: int) -> list[ExceptionRow]:
    """Give what is granted and ends after `now` (Unix µs), by number. Raises StoreUnavailable."""
    table = EXCEPTIONS.c
    query = select(EXCEPTIONS).where(table.state == _GRANTED, table.until > now)
    with store.reading() as connection:
        found = connection.execute(query.order_by(table.number)).mappings()
        return [ExceptionRow(**row) for row in found]


def list_in_force_for(
    store: Store, clients: Sequence[str], group: str, now: int, limit: int
) -> list[ExceptionRow]:
    """Give what is in force at `now` (Unix µs) for these clients, in this group; the latest first.

    Raises StoreUnavailable.
    """
    table = EXCEPTIONS.c
    theirs = [
        and_(table.scope == "client", table.client.in_(clients)),
        table.scope == "everybody",
    ]
    if group:
        theirs.append(and_(table.scope == "group", table.group == group))
    in_force = (table.state == _GRANTED, table.start <= now, table.until > now)
    query = select(EXCEPTIONS).where(*in_force, or_(*theirs))
    with store.reading() as connection:
        found = connection.execute(query.order_by(table.number.desc()).limit(limit)).mappings()
        return [ExceptionRow(**row) for row in found]


def forget_ended(store: Store, before: int) -> int:
    """Take client and texts out of what ended before `before` (Unix µs), and say of how many.

    The texts of their history go too, and who the worker was. Raises StoreUnavailable.
    """
    table = EXCEPTIONS.c
    # What was granted and not taken back ends with its time, whenever that was decided.
    ended = case(
        (table.state == _GRANTED, table.until), (table.state == _WAITING, table.wanted),
        else_=table.decided,
    )  # fmt: skip
    old = and_(table.forgotten.is_(False), ended < before)
    with store.writing() as connection:
        numbers = connection.execute(select(table.number).where(old)).scalars().all()
        for start in range(0, len(numbers), 500):
            some = numbers[start : start + 500]
            _forget(connection, some)
    return len(numbers)


def _forget(connection: Connection, numbers: Sequence[int]) -> None:
    blank = {"client": "", "asked_by": "", "reason": "", "message": "", "forgotten": True}
    these = EXCEPTIONS.c.number.in_(numbers)
    connection.execute(update(EXCEPTIONS).where(these).values(blank))
    steps = update(EXCEPTION_STEPS).where(EXCEPTION_STEPS.c.number.in_(numbers))
    connection.execute(steps.values(message=""))
    connection.execute(steps.where(EXCEPTION_STEPS.c.role == "worker").values(by="", name=""))


def forget_requests(connection: Connection, clients: Sequence[str], now: int) -> int:
    """Take clients and texts out of all that these clients asked for, and say of how many.

    What waits is withdrawn, and what holds for the client alone ends at `now` (Unix µs).
    """
    table = EXCEPTIONS.c
    numbers = connection.execute(select(table.number).where(table.client.in_(clients))).scalars()
    these = table.number.in_(found := list(numbers))
    waiting = update(EXCEPTIONS).where(these, table.state == _WAITING)
    connection.execute(waiting.values(state="withdrawn", decided=now))
    own = (these, table.state == _GRANTED, table.scope == "client", table.until > now)
    connection.execute(update(EXCEPTIONS).where(*own).values(state="revoked", until=now))
    _forget(connection, found)
    return len(found)
