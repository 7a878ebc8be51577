"""Sessions as rows. What a session means is `sovproxy.usecases.sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from sovproxy.store.tables import SESSIONS, TOKENS, SessionRow, TokenRow

if TYPE_CHECKING:
    from sovproxy.store.database import Store


def insert_session(store: Store, row: SessionRow, keep: int, idle_before: int) -> None:
    """Store a session. Those that have ended go, and a token's own beyond the newest `keep`.

    A session has ended that expired, or was not used since `idle_before` (Unix µs). Raises
    StoreUnavailable.
    """
    own = select(SESSIONS.c.id).where(SESSIONS.c.token == row.token)
    newest = own.order_by(SESSIONS.c.created.desc()).limit(keep - 1)
    ended = or_(SESSIONS.c.expires <= row.created, SESSIONS.c.used <= idle_before)
    surplus = (SESSIONS.c.token == row.token) & SESSIONS.c.id.not_in(newest)
    with store.writing() as connection:
        connection.execute(delete(SESSIONS).where(or_(ended, surplus)))
        connection.execute(insert(SESSIONS).values(row.model_dump()))


def get_session(store: Store, session_id: str, now: int) -> tuple[SessionRow, TokenRow] | None:
    """Give a session and its token, if that is in force at `now` (Unix µs).

    Raises StoreUnavailable.
    """
    session = select(SESSIONS).where(SESSIONS.c.id == session_id)
    in_force = TOKENS.c.revoked.is_(None), or_(TOKENS.c.expires.is_(None), TOKENS.c.expires > now)
    with store.reading() as connection:
        row = connection.execute(session).mappings().first()
        if row is None:
            return None
        query = select(TOKENS).where(TOKENS.c.id == row["token"], *in_force)
        token = connection.execute(query).mappings().first()
    return (SessionRow(**row), TokenRow(**token)) if token else None


def touch_session(store: Store, session_id: str, now: int) -> None:
    """Note that a session was used at `now` (Unix µs). Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(update(SESSIONS).where(SESSIONS.c.id == session_id).values(used=now))


def delete_session(store: Store, session_id: str) -> bool:
    """End a session; False if there is none. Raises StoreUnavailable."""
    with store.writing() as connection:
        return connection.execute(delete(SESSIONS).where(SESSIONS.c.id == session_id)).rowcount == 1
