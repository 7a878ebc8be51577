"""Tokens as rows. What a token means is `sovproxy.usecases.tokens`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from sovproxy.store.tables import TOKENS, TokenRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sovproxy.store.database import Store


def insert_token(store: Store, row: TokenRow) -> None:
    """Store a token. Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(insert(TOKENS).values(row.model_dump()))


def insert_unless_usable(store: Store, row: TokenRow) -> bool:
    """Store a token unless one of its role can be used at its `created`; say whether it was.

    Raises StoreUnavailable.
    """
    with store.writing() as connection:
        if _has_usable(connection, row.role, row.created):
            return False
        connection.execute(insert(TOKENS).values(row.model_dump()))
        return True


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


def revoke_token(store: Store, token_id: str, now: int) -> bool:
    """Mark a token as revoked at `now` (Unix µs); False if there is no such token in force.

    Raises StoreUnavailable.
    """
    statement = update(TOKENS).where(TOKENS.c.id == token_id, TOKENS.c.revoked.is_(None))
    with store.writing() as connection:
        return connection.execute(statement.values(revoked=now)).rowcount == 1


def _has_usable(connection: Connection, role: str, now: int) -> bool:
    expires = TOKENS.c.expires
    query = select(TOKENS.c.id).where(
        TOKENS.c.role == role,
        TOKENS.c.revoked.is_(None),
        or_(expires.is_(None), expires > now),
    )
    return connection.execute(query.limit(1)).first() is not None
