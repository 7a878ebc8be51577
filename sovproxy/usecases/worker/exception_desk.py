"""The desk where exceptions are asked for, granted, refused, revoked and given up.

`waiting` becomes `granted`, `refused` or `withdrawn`; `granted` becomes `revoked` or `withdrawn`.
Each step is one transaction with its history and its audit entry: of two people who answer at once,
the second is told who was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sovproxy.decide.exceptions import Scope
from sovproxy.store import exceptions as rows
from sovproxy.store.tables import ExceptionRow, ExceptionStepRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.findings import same_name
from sovproxy.usecases.analysis.resolving_clients import is_of_one_maker
from sovproxy.usecases.versions import matches
from sovproxy.usecases.worker.exception_models import (
    CannotBeExcepted,
    ExceptionConflict,
    ExceptionDetail,
    ExceptionInput,
    GrantInput,
    NotForYou,
    State,
    StepFacts,
    TooManyRequests,
    UnknownException,
)
from sovproxy.usecases.worker.exceptions import detail, etag, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from sqlalchemy import Connection

    from sovproxy.store.database import Store

DEFAULT_MAX_DAYS: Final = 30
"""How long an exception lasts at most, where the policy says nothing else."""

MAX_WAITING: Final = 10_000
"""Requests that wait at once, of everybody together."""

MAX_PER_CLIENT: Final = 10
"""Requests of one client (or of one worker's token) within a day."""

MAX_PER_NODE: Final = 1_000
"""Requests that one node passes on within an hour."""

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR

type Values = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A sort of step: how the audit calls it, from which states it leads to which."""

    act: Act
    before: tuple[State, ...]
    after: State


_ASK = _Kind(Act.EXCEPTION_ASK, (), State.WAITING)
_GRANT = _Kind(Act.EXCEPTION_GRANT, (State.WAITING,), State.GRANTED)
_REFUSE = _Kind(Act.EXCEPTION_REFUSE, (State.WAITING,), State.REFUSED)
_REVOKE = _Kind(Act.EXCEPTION_REVOKE, (State.GRANTED,), State.REVOKED)
_WITHDRAW = _Kind(Act.EXCEPTION_WITHDRAW, (State.WAITING, State.GRANTED), State.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Desk:
    """One caller at the desk, now. `max_days` is how long an exception may last at most.

    Steps may raise UnknownException, ExceptionConflict, NotForYou, CannotBeExcepted and
    StoreUnavailable; then nothing has changed. `match`, if given, must be the ETag of the request.
    """

    store: Store
    principal: Principal
    now: datetime
    max_days: int = DEFAULT_MAX_DAYS

    def ask(self, wanted: ExceptionInput) -> tuple[ExceptionDetail, bool]:
        """Put a request into the queue; give it, and whether it is new.

        The same request again (by its id, or by client and destination while it waits) is given as
        it stands. Raises TooManyRequests as well.
        """
        self._check_asker(wanted)
        self._check_end(wanted.until)
        if self.principal.client:  # a worker whom a node vouches for
            own = {"client": self.principal.client, "group": self.principal.group}
            wanted = wanted.model_copy(update=own)
        row = self._row_of(wanted)
        found, is_new = rows.transact(self.store, lambda link: self._add(link, row))
        return detail(self.store, found.id, self.now), is_new

    def grant(self, request_id: UUID, given: GrantInput, match: str = "") -> ExceptionDetail:
        """Let somebody pass, from now on until a time: that which was asked for, if none is given.

        Nobody grants their own request, nor by another token under the same name.
        """
        if given.until:
            self._check_end(given.until)
        asked = detail(self.store, request_id, self.now).history[0]
        latest = microseconds(self.now + timedelta(days=self.max_days))

        def values(row: ExceptionRow) -> Values:
            self._check_granter(row, asked)
            _check_scope(given.scope, row)
            until = microseconds(given.until) if given.until else min(row.wanted, latest)
            return {"start": microseconds(self.now), "until": until, "scope": given.scope.value}

        return self._step(request_id, _GRANT, values, given.message, match)

    def refuse(self, request_id: UUID, message: str, match: str = "") -> ExceptionDetail:
        """Say no, with a message to the worker."""
        return self._step(request_id, _REFUSE, _nothing, message, match)

    def revoke(self, request_id: UUID, message: str, match: str = "") -> ExceptionDetail:
        """Take back what was granted, from now on."""
        return self._step(request_id, _REVOKE, _nothing, message, match)

    def withdraw(self, request_id: UUID, client: str = "", match: str = "") -> ExceptionDetail:
        """Give up a request or an exception: by who asked, or by a node on behalf of `client`.

        An admin may do it for anybody.
        """

        def values(row: ExceptionRow) -> Values:
            theirs = self.principal.token_id == row.asked_by
            if self.principal.client:  # the token's id is that of all workers
                theirs = row.client in self.principal.clients
            if self.principal.role is Role.NODE:
                theirs = bool(client) and client == row.client
            if self.principal.role is not Role.ADMIN and not theirs:
                raise UnknownException(request_id)
            return {}

        return self._step(request_id, _WITHDRAW, values, "", match)

    # -- checks -------------------------------------------------------------------------------

    def _check_asker(self, wanted: ExceptionInput) -> None:
        role = self.principal.role
        if role is Role.NODE and not wanted.client:
            raise CannotBeExcepted("client: a node asks on behalf of a client; name its pseudonym")
        if role is Role.WORKER and (wanted.client or wanted.group or wanted.node):
            raise NotForYou("a worker asks for themselves: leave client, group and node out")

    def _check_end(self, until: datetime) -> None:
        latest = self.now + timedelta(days=self.max_days)
        got = until.isoformat(timespec="minutes")
        if until <= self.now:
            raise CannotBeExcepted(f"until: {got} is over already; give a later time")
        if until > latest:
            most = f"{self.max_days} days at most, until {latest.isoformat(timespec='minutes')}"
            raise CannotBeExcepted(f"until: exceptions last {most}; got {got}")

    def _check_granter(self, row: ExceptionRow, asked: StepFacts) -> None:
        who = self.principal
        by_worker = asked.role == Role.NODE  # who asked stands behind the node's token
        same = who.token_id == row.asked_by or (
            not by_worker
            and (
                same_name(asked.name, who.name)
                or is_of_one_maker(self.store, row.asked_by, who.token_id)
            )
        )
        if same:
            raise NotForYou("nobody grants their own request: another admin has to")

    def _check_limits(self, connection: Connection, row: ExceptionRow) -> None:
        if rows.count_waiting_of(connection, row.asked) >= MAX_WAITING:
            raise TooManyRequests(f"{MAX_WAITING} requests are waiting already", 600)
        for column, value, most, window in self._limits(row):
            number, first = rows.count_asked(connection, column, value, row.asked - window)
            if number >= most:
                whose = "this client" if column == "client" else "this token"
                hours = f"within {window // _HOUR} h"
                message = f"{whose} has made {number} requests {hours}, which is the limit"
                seconds = max(1, (first + window - row.asked) // 1_000_000)
                raise TooManyRequests(message, seconds)

    def _limits(self, row: ExceptionRow) -> Iterator[tuple[str, str, int, int]]:
        """Column, value, how many at most, within how long (µs)."""
        if row.client:
            yield "client", row.client, MAX_PER_CLIENT, _DAY
        if self.principal.role is Role.NODE:
            yield "asked_by", row.asked_by, MAX_PER_NODE, _HOUR
        elif self.principal.role is Role.WORKER and not self.principal.client:
            yield "asked_by", row.asked_by, MAX_PER_CLIENT, _DAY

    # -- steps --------------------------------------------------------------------------------

    def _row_of(self, wanted: ExceptionInput) -> ExceptionRow:
        return ExceptionRow(
            **wanted.model_dump(exclude={"until", "role", "action"}),
            asked=microseconds(self.now),
            asked_by=self.principal.token_id,
            role=wanted.role.value,
            wanted=microseconds(wanted.until),
            action=wanted.action.value if wanted.action else "",
            state=State.WAITING.value,
        )

    def _add(self, connection: Connection, row: ExceptionRow) -> tuple[ExceptionRow, bool]:
        same = rows.find_request(connection, row.id)
        if same and _asked(same) != _asked(row):
            raise ExceptionConflict(f"the id {row.id} is another request's; make a new id")
        same = same or rows.find_waiting(connection, row)
        if same:
            return same, False
        self._check_limits(connection, row)

        def first(number: int) -> rows.Change:
            row.number = number
            return self._change(row, _ASK, {}, "")

        return rows.add_request(connection, row, first), True

    def _step(
        self,
        request_id: UUID,
        kind: _Kind,
        values: Callable[[ExceptionRow], Values],
        message: str,
        match: str,
    ) -> ExceptionDetail:
        def take(connection: Connection) -> None:
            row = rows.find_request(connection, request_id)
            if row is None:
                raise UnknownException(request_id)
            changed = values(row)
            self._check_state(row, kind, match)
            rows.change_request(connection, row, self._change(row, kind, changed, message))

        rows.transact(self.store, take)
        return detail(self.store, request_id, self.now)

    def _check_state(self, row: ExceptionRow, kind: _Kind, match: str) -> None:
        state = state_of(row, self.now)
        if state not in kind.before:
            by = f" by {row.decided_name}" if row.decided_name and state != State.EXPIRED else ""
            wanted = " or ".join(kind.before)
            message = f"request {row.number} is {state}{by}; it would have to be {wanted}"
            raise ExceptionConflict(message)
        if not matches(match, etag(row, self.now)):
            message = f"request {row.number} has changed since you read it; read it again"
            raise ExceptionConflict(message, stale=True)

    def _change(self, row: ExceptionRow, kind: _Kind, values: Values, message: str) -> rows.Change:
        """What a step changes, its history, and its audit entry (without client and reason)."""
        who, now, number = self.principal, microseconds(self.now), row.number or 0
        step = ExceptionStepRow(
            number=number,
            time=now,
            by=who.token_id,
            name=who.name,
            role=who.role,
            before="" if kind is _ASK else state_of(row, self.now).value,
            after=kind.after.value,
            message=message,
        )
        told = {"number": number, "id": str(row.id), "service": row.service, "host": row.host}
        told |= {key: values[key] for key in ("scope",) if key in values}
        if isinstance(until := values.get("until"), int):
            told["until"] = from_microseconds(until).isoformat()
        decided = {"decided": now, "decided_by": who.token_id, "decided_name": who.name}
        changed = {**values, **decided, "state": kind.after.value, "message": message}
        return rows.Change(changed, step, act_entry(who, kind.act, told, now=self.now))


def _check_scope(scope: Scope, row: ExceptionRow) -> None:
    if scope is Scope.CLIENT and not row.client:
        raise CannotBeExcepted("scope: the request names no client; choose `group` or `everybody`")
    if scope is Scope.GROUP and not row.group:
        raise CannotBeExcepted("scope: the request names no group; choose `client` or `everybody`")


def _asked(row: ExceptionRow) -> tuple[str, ...]:
    """What makes two requests of one id the same."""
    return (row.asked_by, row.client, row.service, row.host)


def _nothing(_row: ExceptionRow) -> Values:
    return {}
