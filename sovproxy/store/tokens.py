"""Tokens as rows. What a token means is `sovproxy.usecases.access.tokens`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.sessions import delete_sessions_of
from sovproxy.store.tables import TOKENS, AuditRow, TokenRow

if TYPE_CHECKING:
    from sovproxy.store.database import Store


def insert_token(store: Store, row: TokenRow, entry: AuditRow | None = None) -> None:
    """Store a token, perhaps with the audit entry that tells of it. Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(insert(TOKENS).values(row.model_dump()))
        if entry:
            add_entry(connection, entry)


def get_token(store: Store, token_id: str) -> TokenRow | None:
    """Give a token by its public id, or None. Raises StoreUnavailable."""
    query = select(TOKENS).where(TOKENS.c.id == token_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return TokenRow(**row) if row else None


def list_tokens(store: Store) -> list[TokenRow]:
    """Give all tokens, oldest first. Raises StoreUnavailable."""
    query = select(TOKENS).order_by(TOKENS.c.created, TOKENS.c.id)
    with store.reading() as connection:
        return [TokenRow(**row) for row in connection.execute(query).mappings()]


def revoke_token(store: Store, token_id: str, now: int, entry: AuditRow | None = None) -> bool:
    """Mark a token as revoked at `now` (Unix µs) and end its sessions; False if there is no such
    token in force.

    Raises StoreUnavailable.
    """
    statement = update(TOKENS).where(TOKENS.c.id == token_id, TOKENS.c.revoked.is_(None))
    with store.writing() as connection:
        if connection.execute(statement.values(revoked=now)).rowcount != 1:
            return False
        delete_sessions_of(connection, token_id)
        if entry:
            add_entry(connection, entry)
        return True


def delete_old_tokens(store: Store, before: int) -> int:
    """Delete the tokens that expired or were revoked before `before` (Unix µs); say how many.

    Raises StoreUnavailable.
    """
    ended = or_(TOKENS.c.expires < before, TOKENS.c.revoked < before)
    with store.writing() as connection:
        return connection.execute(delete(TOKENS).where(ended)).rowcount
