"""Exceptions as they stand: what waits, what is in force, what was said and done.

Asking and answering is `sovproxy.usecases.worker.exception_desk`. That the time of a request is
over needs no job to be true: its state is read from the clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sovproxy.decide.exceptions import NO_EXCEPTIONS, Exceptions, Grant, Scope
from sovproxy.store import exceptions as rows
from sovproxy.store.fleet import read_marks
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.analysis.searching import Order
from sovproxy.usecases.worker.exception_models import (
    ExceptionDetail,
    ExceptionFacts,
    ExceptionPage,
    ExceptionQuery,
    State,
    StepFacts,
    UnknownException,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sovproxy.store.database import Store
    from sovproxy.store.tables import ExceptionRow, ExceptionStepRow


def state_of(row: ExceptionRow, now: datetime) -> State:
    """The state at `now`: what is waiting or granted is expired once its time is over."""
    ends = row.wanted if row.state == State.WAITING else row.until
    over = row.state in {State.WAITING, State.GRANTED} and ends and ends <= microseconds(now)
    return State.EXPIRED if over else State(row.state)


def etag(row: ExceptionRow, now: datetime) -> str:
    """What changes whenever the request does, as an ETag."""
    return f'"{row.number}-{row.version}-{state_of(row, now)}"'


def page(
    store: Store,
    query: ExceptionQuery,
    now: datetime,
    *,
    askers: Sequence[str] = (),
    clients: Sequence[str] = (),
) -> ExceptionPage:
    """Give one page of requests, those of some askers or clients if they are given.

    Raises StoreUnavailable.
    """
    wanted = rows.Wanted(
        now=microseconds(now),
        states=query.state,
        services=query.service,
        groups=query.group,
        clients=clients,
        askers=askers,
    )
    oldest_first = query.order is Order.OLDEST
    found = rows.list_requests(
        store, wanted, query.limit + 1, query.cursor, oldest_first=oldest_first
    )
    items = [facts_of(row, now) for row in found[: query.limit]]
    more = len(found) > query.limit
    return ExceptionPage(items=items, next=items[-1].number if more else None)


def detail(store: Store, request_id: UUID, now: datetime) -> ExceptionDetail:
    """Give one request with its history. Raises UnknownException, StoreUnavailable."""
    found = rows.get_request(store, request_id)
    if found is None:
        raise UnknownException(request_id)
    row, steps = found
    history = [_step_facts(step) for step in steps]
    return ExceptionDetail(**facts_of(row, now).model_dump(), history=history, etag=etag(row, now))


def id_of_number(store: Store, number: int) -> UUID:
    """The id of the request that people call by this number. Raises UnknownException."""
    found = rows.get_id(store, number)
    if found is None:
        raise UnknownException(number)
    return found


def count_waiting(store: Store, now: datetime) -> int:
    """How many requests wait for an answer; cheap. Raises StoreUnavailable."""
    return rows.count_waiting(store, microseconds(now))


def facts_of(row: ExceptionRow, now: datetime) -> ExceptionFacts:
    """A request as people read it at `now`."""
    times = {
        name: from_microseconds(value) if (value := getattr(row, name)) is not None else None
        for name in ("asked", "wanted", "start", "until", "decided")
    }
    fields = row.model_dump(exclude={*times, "version", "state"})
    return ExceptionFacts.model_validate(fields | times | {"state": state_of(row, now)})


def _step_facts(step: ExceptionStepRow) -> StepFacts:
    return StepFacts(
        **step.model_dump(include={"by", "name", "role", "before", "after", "message"}),
        time=from_microseconds(step.time),
    )


def in_force(store: Store, now: datetime) -> list[Grant]:
    """Everything that is granted and not over. Raises StoreUnavailable.

    Each says until when it holds: what has a copy need not ask again to see one end.
    """
    return [_grant_of(row) for row in rows.list_in_force(store, microseconds(now))]


def _grant_of(row: ExceptionRow) -> Grant:
    return Grant(
        id=str(row.id),
        number=row.number or 0,
        until=from_microseconds(row.until or 0).timestamp(),
        service=row.service,
        host=row.host,
        below=row.below,
        scope=Scope(row.scope),
        client=row.client,
        group=row.group,
        start=from_microseconds(row.start or 0).timestamp(),
    )


class ExceptionsInForce:
    """Keeps the exceptions of a judge as the store has them; for the API's own process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._marks: tuple[int, ...] | None = None
        self._exceptions = NO_EXCEPTIONS

    def read(self, now: datetime) -> Exceptions:
        """Those in force; nothing is read anew unless something changed. Raises StoreUnavailable.

        The marks are read first: a change in between is seen the next time.
        """
        marks = read_marks(self._store, microseconds(now)).exceptions
        if marks != self._marks:
            self._exceptions = Exceptions.of(in_force(self._store, now))
            self._marks = marks
        return self._exceptions


def forget_ended(store: Store, now: datetime, days: int) -> int:
    """Take client, reason and messages out of what ended over `days` ago; say of how many.

    Raises StoreUnavailable.
    """
    return rows.forget_ended(store, microseconds(now.astimezone(UTC) - timedelta(days=days)))
