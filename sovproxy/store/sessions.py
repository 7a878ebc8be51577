"""Sessions as rows. What a session means is `sovproxy.usecases.access.sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from sovproxy.store.tables import SESSIONS, SessionRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sovproxy.store.database import Store


def insert_session(store: Store, row: SessionRow, keep: int, idle_before: int) -> None:
    """Store a session. Those that have ended go, and its principal's beyond the newest `keep`.

    A session has ended that expired, or was not used since `idle_before` (Unix µs). Raises
    StoreUnavailable.
    """
    own = select(SESSIONS.c.id).where(SESSIONS.c.principal == row.principal)
    newest = own.order_by(SESSIONS.c.created.desc()).limit(keep - 1)
    ended = or_(SESSIONS.c.expires <= row.created, SESSIONS.c.used <= idle_before)
    surplus = (SESSIONS.c.principal == row.principal) & SESSIONS.c.id.not_in(newest)
    with store.writing() as connection:
        connection.execute(delete(SESSIONS).where(or_(ended, surplus)))
        connection.execute(insert(SESSIONS).values(row.model_dump()))


def get_session(store: Store, session_id: str) -> SessionRow | None:
    """Give a session, or None. Raises StoreUnavailable."""
    query = select(SESSIONS).where(SESSIONS.c.id == session_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return SessionRow(**row) if row else None


def list_sessions(store: Store, principal: str) -> list[SessionRow]:
    """Give all sessions of a token or an account, the latest used first.

    Raises StoreUnavailable.
    """
    query = select(SESSIONS).where(SESSIONS.c.principal == principal)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(SESSIONS.c.used.desc(), SESSIONS.c.id)).mappings()
        return [SessionRow(**row) for row in rows]


def touch_session(store: Store, session_id: str, now: int) -> None:
    """Note that a session was used at `now` (Unix µs). Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(update(SESSIONS).where(SESSIONS.c.id == session_id).values(used=now))


def delete_session(store: Store, session_id: str) -> bool:
    """End a session; False if there is none. Raises StoreUnavailable."""
    with store.writing() as connection:
        return connection.execute(delete(SESSIONS).where(SESSIONS.c.id == session_id)).rowcount == 1


def delete_sessions_of(connection: Connection, principal: str, but: str = "") -> int:
    """End all sessions of a token or an account but one; give how many those were."""
    own = SESSIONS.c.principal == principal
    return connection.execute(delete(SESSIONS).where(own, SESSIONS.c.id != but)).rowcount
