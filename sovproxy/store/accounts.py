"""Accounts and one-time links as rows. What they mean is `sovproxy.usecases.access.accounts`.

Every change takes the audit entry that tells of it: both are durable, or neither happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exc, insert, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.sessions import delete_sessions_of
from sovproxy.store.tables import ACCOUNTS, LINKS, SESSIONS, AccountRow, AuditRow, LinkRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from sovproxy.store.database import Store


def insert_account(store: Store, row: AccountRow, link: LinkRow | None, entry: AuditRow) -> bool:
    """Store an account, perhaps with a link; False if its login or identity is taken already.

    Raises StoreUnavailable.
    """
    try:
        with store.writing() as connection:
            connection.execute(insert(ACCOUNTS).values(row.model_dump()))
            if link:
                connection.execute(insert(LINKS).values(link.model_dump()))
            add_entry(connection, entry)
    except exc.IntegrityError:
        return False
    return True


def get_account(store: Store, account_id: str) -> AccountRow | None:
    """Give an account by its id, or None. Raises StoreUnavailable."""
    return _one(store, ACCOUNTS.c.id == account_id)


def get_account_by_login(store: Store, login: str) -> AccountRow | None:
    """Give an account by its login name, or None. Raises StoreUnavailable."""
    return _one(store, ACCOUNTS.c.login == login)


def get_account_by_identity(store: Store, issuer: str, subject: str) -> AccountRow | None:
    """Give the account of a person at an OpenID provider, or None. Raises StoreUnavailable."""
    return _one(store, and_(ACCOUNTS.c.issuer == issuer, ACCOUNTS.c.subject == subject))


def list_accounts(store: Store) -> list[AccountRow]:
    """Give all accounts by login name. Raises StoreUnavailable."""
    with store.reading() as connection:
        rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.login)).mappings()
        return [AccountRow(**row) for row in rows]


def has_admin(store: Store) -> bool:
    """Whether an account that can sign in is an admin's. Raises StoreUnavailable."""
    with store.reading() as connection:
        return (
            connection.execute(select(ACCOUNTS.c.id).where(_admin()).limit(1)).first() is not None
        )


def update_account(
    store: Store,
    account_id: str,
    values: dict[str, Any],
    entry: AuditRow | None,
    *,
    end_sessions: bool = False,
    keep_session: str = "",
) -> bool:
    """Change an account; False if there is none, or no admin would be left who can sign in.

    `end_sessions` ends its sessions but `keep_session`. With another password its one-time link
    works no more. Raises StoreUnavailable.
    """
    statement = update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(values)
    return _change(
        store,
        account_id,
        statement,
        entry,
        end_sessions=end_sessions,
        keep_session=keep_session,
        end_link="password" in values,
    )


def sign_in(store: Store, row: AccountRow, values: dict[str, Any]) -> bool:
    """Note a sign-in; False if the account has changed since `row` was read.

    So a code of the second factor is good once, even for two who send it at the same time. Raises
    StoreUnavailable.
    """
    same = [
        ACCOUNTS.c[name] == getattr(row, name)
        for name in ("id", "password", "totp", "totp_step", "recovery")
    ]
    statement = update(ACCOUNTS).where(*same, ACCOUNTS.c.disabled.is_(None)).values(values)
    with store.writing() as connection:
        return connection.execute(statement).rowcount == 1


def delete_account(store: Store, account_id: str, entry: AuditRow) -> bool:
    """Remove an account, its links and its sessions; False as with `update_account`.

    Raises StoreUnavailable.
    """
    statement = delete(ACCOUNTS).where(ACCOUNTS.c.id == account_id)
    return _change(store, account_id, statement, entry, end_sessions=True, keep_session="")


def end_session(store: Store, session_id: str, entry: AuditRow) -> bool:
    """End one session; False if there is none. Raises StoreUnavailable."""
    with store.writing() as connection:
        statement = delete(SESSIONS).where(SESSIONS.c.id == session_id)
        if connection.execute(statement).rowcount != 1:
            return False
        add_entry(connection, entry)
        return True


def end_sessions(store: Store, principal: str, but: str, entry: AuditRow) -> int:
    """End all sessions of a principal but one; give how many. Raises StoreUnavailable."""
    with store.writing() as connection:
        add_entry(connection, entry)
        return delete_sessions_of(connection, principal, but)


def replace_link(store: Store, row: LinkRow, entry: AuditRow | None) -> bool:
    """Store a link; earlier ones for the same account work no more.

    The link for the first admin (of no account) is stored only while there is no admin; False if
    there is one. Raises StoreUnavailable.
    """
    with store.writing() as connection:
        if not row.account and _has_admin(connection):
            return False
        connection.execute(delete(LINKS).where(LINKS.c.account == row.account))
        connection.execute(insert(LINKS).values(row.model_dump()))
        if entry:
            add_entry(connection, entry)
    return True


def get_link(store: Store, link_id: str, now: int) -> LinkRow | None:
    """Give a link that works at `now` (Unix µs), or None. Raises StoreUnavailable."""
    query = select(LINKS).where(LINKS.c.id == link_id, LINKS.c.expires > now)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return LinkRow(**row) if row else None


def use_link(
    store: Store,
    link_id: str,
    account_id: str,
    values: dict[str, Any],
    *,
    now: int,
    entry: AuditRow,
) -> bool:
    """Use up a link and change its account; False if the link works no more.

    Sessions of the account end. Raises StoreUnavailable.
    """
    with store.writing() as connection:
        if not _take_link(connection, link_id, account_id, now):
            return False
        connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(values))
        delete_sessions_of(connection, account_id)
        add_entry(connection, entry)
    return True


def use_first_link(store: Store, link_id: str, row: AccountRow, entry: AuditRow) -> bool:
    """Use up the first admin's link and store the account; False if it works no more.

    It works while there is no admin. Raises StoreUnavailable; IntegrityError for a login name
    that is taken.
    """
    with store.writing() as connection:
        if not _take_link(connection, link_id, "", row.created) or _has_admin(connection):
            return False
        connection.execute(insert(ACCOUNTS).values(row.model_dump()))
        add_entry(connection, entry)
    return True


def _take_link(connection: Connection, link_id: str, account_id: str, now: int) -> bool:
    fits = LINKS.c.id == link_id, LINKS.c.account == account_id, LINKS.c.expires > now
    return connection.execute(delete(LINKS).where(*fits)).rowcount == 1


def _change(
    store: Store,
    account_id: str,
    statement: Any,  # noqa: ANN401  # an update or a delete
    entry: AuditRow | None,
    *,
    end_sessions: bool,
    keep_session: str,
    end_link: bool = False,
) -> bool:
    with store.writing() as connection:
        # Locked on PostgreSQL, so that two admins cannot take each other's place at once.
        admins = connection.execute(select(ACCOUNTS.c.id).where(_admin()).with_for_update()).all()
        if connection.execute(statement).rowcount != 1 or (admins and not _has_admin(connection)):
            connection.rollback()
            return False
        if end_sessions:
            delete_sessions_of(connection, account_id, keep_session)
        if end_link:
            connection.execute(delete(LINKS).where(LINKS.c.account == account_id))
        connection.execute(
            delete(LINKS).where(
                LINKS.c.account.not_in(select(ACCOUNTS.c.id)), LINKS.c.account != ""
            )
        )
        if entry:
            add_entry(connection, entry)
    return True


def _admin() -> ColumnElement[bool]:
    able = or_(ACCOUNTS.c.password != "", ACCOUNTS.c.issuer.is_not(None))
    return and_(ACCOUNTS.c.role == "admin", ACCOUNTS.c.disabled.is_(None), able)


def _has_admin(connection: Connection) -> bool:
    return connection.execute(select(ACCOUNTS.c.id).where(_admin()).limit(1)).first() is not None


def _one(store: Store, condition: ColumnElement[bool]) -> AccountRow | None:
    with store.reading() as connection:
        row = connection.execute(select(ACCOUNTS).where(condition)).mappings().first()
    return AccountRow(**row) if row else None
