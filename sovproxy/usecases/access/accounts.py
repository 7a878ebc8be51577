"""Accounts: people who sign in with a password of ours or at an OpenID provider.

Nobody ever sets a password for somebody else: whoever makes an account gets a one-time link, and
hands it to the person. The first admin comes in by such a link too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import IntegrityError

from sovproxy.errors import SovproxyError
from sovproxy.prompt.languages import mark
from sovproxy.store import accounts as rows
from sovproxy.store.tables import AccountRow, LinkRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.passwords import hash_password, require_good
from sovproxy.usecases.access.tokens import ACCOUNT_PREFIX, Principal, Role

if TYPE_CHECKING:
    from sovproxy.store.database import Store

LINK_LIFETIME: Final = timedelta(hours=24)
MAX_LOGIN: Final = 64
MAX_NAME: Final = 64
ACCOUNT_ROLES: Final = (Role.ANALYST, Role.ADMIN, Role.AUDITOR)
"""The roles that a person's account may have; nodes and workers have tokens."""

LOGIN_PATTERN: Final = r"[a-z0-9][a-z0-9._@+-]{0,63}"
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")

BAD_LOGIN: Final = mark("A login name has 1 to 64 of these characters: a–z 0–9 . _ @ + -")
BAD_NAME: Final = mark("A name of 1 to 64 printable characters is wanted.")
BAD_ROLE: Final = mark("An account is an analyst's, an admin's or an auditor's.")
TAKEN: Final = mark("This login name is taken.")
NO_ACCOUNT: Final = mark("There is no such account.")
NO_LINK: Final = mark("This link is used up, too old or mistyped.")
LAST_ADMIN: Final = mark("The last admin who can sign in has to stay.")
PROVIDERS: Final = mark("This person signs in at the OpenID provider, which decides that.")
DISABLED: Final = mark("This account is disabled.")


class AccountProblem(SovproxyError):
    """What was asked of an account cannot be done; the text is English, ready for translation."""


class NoSuchAccount(AccountProblem):
    """There is no account with this id."""

    def __init__(self) -> None:
        super().__init__(NO_ACCOUNT)


class LinkUsedUp(AccountProblem):
    """A one-time link that does not work, or not any more."""

    def __init__(self) -> None:
        super().__init__(NO_LINK)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What admins see of an account. `way` is `password`, `provider`, or `link` (not used yet)."""

    id: str
    login: str
    name: str
    role: Role
    way: str
    second_factor: bool
    created: datetime
    last_sign_in: datetime | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What a one-time link leads to: an account, or the first admin's if `account` is None."""

    id: str
    account: AccountFacts | None
    expires: datetime


def read_login(text: str) -> str:
    """The login name as it is stored: small letters. Raises AccountProblem."""
    login = text.strip().lower()
    if not re.fullmatch(LOGIN_PATTERN, login):
        raise AccountProblem(BAD_LOGIN)
    return login


def create_account(
    store: Store, by: Principal, now: datetime, *, login: str, name: str, role: Role
) -> tuple[AccountFacts, str]:
    """Make an account without a password; give it and the code of the link that sets one.

    Raises AccountProblem, StoreUnavailable.
    """
    row = _new_row(login, name, role, now)
    code, link = _new_link(row.id, now)
    details = {"id": row.id, "login": row.login, "role": role}
    entry = act_entry(by, Act.ACCOUNT_CREATE, details, now=now)
    if not rows.insert_account(store, row, link, entry):
        raise AccountProblem(TAKEN)
    return account_facts(row), code


def list_accounts(store: Store) -> list[AccountFacts]:
    """Give all accounts by login name. Raises StoreUnavailable."""
    return [account_facts(row) for row in rows.list_accounts(store)]


def get_account(store: Store, account_id: str) -> AccountFacts:
    """Give an account. Raises NoSuchAccount, StoreUnavailable."""
    return account_facts(row_of(store, account_id))


def change_role(store: Store, by: Principal, account_id: str, role: Role, now: datetime) -> None:
    """Give an account another role, and end its sessions.

    Raises AccountProblem, StoreUnavailable.
    """
    row = row_of(store, account_id)
    _require_role(role)
    if row.issuer:
        raise AccountProblem(PROVIDERS)
    if row.role != role:
        details = _about(row) | {"from": row.role, "to": role}
        _update(store, by, row, Act.ACCOUNT_ROLE, {"role": role}, now=now, details=details)


def set_disabled(
    store: Store, by: Principal, account_id: str, now: datetime, *, disabled: bool
) -> None:
    """Shut an account out, and end its sessions; or let it in again.

    Raises AccountProblem, StoreUnavailable.
    """
    row = row_of(store, account_id)
    if (row.disabled is not None) == disabled:
        return
    act = Act.ACCOUNT_DISABLE if disabled else Act.ACCOUNT_ENABLE
    values = {"disabled": microseconds(now) if disabled else None}
    _update(store, by, row, act, values, now=now)


def delete_account(store: Store, by: Principal, account_id: str, now: datetime) -> None:
    """Remove an account, its link and its sessions. Raises AccountProblem, StoreUnavailable."""
    row = row_of(store, account_id)
    entry = act_entry(by, Act.ACCOUNT_DELETE, _about(row), now=now)
    if not rows.delete_account(store, account_id, entry):
        raise AccountProblem(LAST_ADMIN)


def end_sessions(store: Store, by: Principal, account_id: str, now: datetime) -> int:
    """End all sessions of an account; give how many. Raises NoSuchAccount, StoreUnavailable."""
    row = row_of(store, account_id)
    entry = act_entry(by, Act.SESSION_END, _about(row), now=now)
    return rows.end_sessions(store, row.id, "", entry)


def drop_second_factor(store: Store, by: Principal, account_id: str, now: datetime) -> None:
    """Take the second factor off an account, whose phone is lost say, and end its sessions.

    Raises AccountProblem, StoreUnavailable.
    """
    row = row_of(store, account_id)
    values = {"totp": "", "totp_step": 0, "recovery": ""}
    details = _about(row) | {"to": "off"}
    _update(store, by, row, Act.ACCOUNT_SECOND_FACTOR, values, now=now, details=details)


def issue_link(store: Store, by: Principal, account_id: str, now: datetime) -> str:
    """Make a one-time link that sets a new password, and give its code; earlier ones end.

    The present password works until then. Raises AccountProblem, StoreUnavailable.
    """
    row = row_of(store, account_id)
    if row.issuer:
        raise AccountProblem(PROVIDERS)
    if row.disabled is not None:
        raise AccountProblem(DISABLED)
    code, link = _new_link(row.id, now)
    rows.replace_link(store, link, act_entry(by, Act.ACCOUNT_LINK, _about(row), now=now))
    return code


def first_link(store: Store, now: datetime) -> str | None:
    """Make the code of the first admin's link, for 24 hours; None if there is an admin already.

    Each call ends the link of the call before. Raises StoreUnavailable.
    """
    code, link = _new_link("", now)
    return code if rows.replace_link(store, link, None) else None


def find_link(store: Store, code: str, now: datetime) -> LinkFacts:
    """Say what a one-time link leads to. Raises LinkUsedUp, StoreUnavailable."""
    found = rows.get_link(store, link_id(code), microseconds(now)) if _is_code(code) else None
    if found is None:
        raise LinkUsedUp
    expires = from_microseconds(found.expires)
    if not found.account:
        if rows.has_admin(store):
            raise LinkUsedUp
        return LinkFacts(found.id, None, expires)
    row = rows.get_account(store, found.account)
    if row is None or row.disabled is not None:
        raise LinkUsedUp
    return LinkFacts(found.id, account_facts(row), expires)


def use_first_link(
    store: Store, code: str, now: datetime, *, login: str, name: str, password: str
) -> Principal:
    """Make the first admin's account by its link.

    Raises LinkUsedUp, AccountProblem, WeakPassword, StoreUnavailable.
    """
    link = find_link(store, code, now)
    if link.account is not None:
        raise LinkUsedUp
    row = _new_row(login, name or login, Role.ADMIN, now)
    require_good(password, (row.login, row.name))
    row.password = hash_password(password)
    principal = principal_of(row)
    details = {"id": row.id, "login": row.login, "role": row.role, "by": "link"}
    entry = act_entry(principal, Act.ACCOUNT_CREATE, details, now=now)
    try:
        if not rows.use_first_link(store, link.id, row, entry):
            raise LinkUsedUp
    except IntegrityError:
        raise AccountProblem(TAKEN) from None
    return principal


def use_link(store: Store, code: str, password: str, now: datetime) -> Principal:
    """Set an account's password by its link; its sessions end.

    Raises LinkUsedUp, WeakPassword, StoreUnavailable.
    """
    link = find_link(store, code, now)
    if link.account is None:
        raise LinkUsedUp
    row = row_of(store, link.account.id)
    require_good(password, (row.login, row.name))
    entry = act_entry(principal_of(row), Act.ACCOUNT_PASSWORD, {"by": "link"}, now=now)
    values = {"password": hash_password(password)}
    at = microseconds(now)
    if not rows.use_link(store, link.id, row.id, values, now=at, entry=entry):
        raise LinkUsedUp
    return principal_of(row)


def account_facts(row: AccountRow) -> AccountFacts:
    """What may be shown of an account."""
    way = "password" if row.password else "provider" if row.issuer else "link"
    return AccountFacts(
        row.id,
        row.login,
        row.name,
        Role(row.role),
        way,
        bool(row.totp),
        from_microseconds(row.created),
        from_microseconds(row.last_sign_in) if row.last_sign_in else None,
        row.disabled is not None,
    )


def principal_of(row: AccountRow) -> Principal:
    """Who an account's owner is to the routes."""
    return Principal(row.id, row.name, Role(row.role))


def row_of(store: Store, account_id: str) -> AccountRow:
    """An account as it is stored. Raises NoSuchAccount, StoreUnavailable."""
    row = rows.get_account(store, account_id[:MAX_LOGIN])
    if row is None:
        raise NoSuchAccount
    return row


def new_account_id() -> str:
    """A new public id: `acc-` and 64 random bits."""
    return ACCOUNT_PREFIX + secrets.token_hex(8)


def link_id(code: str) -> str:
    """Under which id the store keeps a link."""
    return hashlib.sha256(code.encode()).hexdigest()


def _update(
    store: Store,
    by: Principal,
    row: AccountRow,
    act: Act,
    values: dict[str, Any],
    *,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    entry = act_entry(by, act, details or _about(row), now=now)
    if not rows.update_account(store, row.id, values, entry, end_sessions=True):
        raise AccountProblem(LAST_ADMIN)


def _about(row: AccountRow) -> dict[str, Any]:
    return {"id": row.id, "login": row.login}


def _new_row(login: str, name: str, role: Role, now: datetime) -> AccountRow:
    _require_role(role)
    shown = name.strip()
    if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
        raise AccountProblem(BAD_NAME)
    at = microseconds(now)
    return AccountRow(
        id=new_account_id(), login=read_login(login), name=shown, role=role, created=at
    )


def _require_role(role: Role) -> None:
    if role not in ACCOUNT_ROLES:
        raise AccountProblem(BAD_ROLE)


def _new_link(account_id: str, now: datetime) -> tuple[str, LinkRow]:
    code, at = secrets.token_urlsafe(32), microseconds(now)
    expires = microseconds(now + LINK_LIFETIME)
    return code, LinkRow(id=link_id(code), account=account_id, created=at, expires=expires)


def _is_code(code: str) -> bool:
    return bool(_CODE.fullmatch(code))
