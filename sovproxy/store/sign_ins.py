"""Sign-ins under way at an OpenID provider, as rows: each is taken once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from sovproxy.store.tables import SIGN_INS, SignInRow

if TYPE_CHECKING:
    from sovproxy.store.database import Store


def insert_sign_in(store: Store, row: SignInRow, since: int) -> None:
    """Store a sign-in; those that began before `since` (Unix µs) go. Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(delete(SIGN_INS).where(SIGN_INS.c.created < since))
        connection.execute(insert(SIGN_INS).values(row.model_dump()))


def take_sign_in(store: Store, sign_in_id: str, since: int) -> SignInRow | None:
    """Give a sign-in that began since then and take it out, so that nobody gets it again.

    Raises StoreUnavailable.
    """
    wanted = SIGN_INS.c.id == sign_in_id
    with store.writing() as connection:
        query = select(SIGN_INS).where(wanted, SIGN_INS.c.created >= since).with_for_update()
        row = connection.execute(query).mappings().first()
        connection.execute(delete(SIGN_INS).where(wanted))
    return SignInRow(**row) if row else None
