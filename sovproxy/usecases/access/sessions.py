"""Sessions of the console: whoever has shown who they are gets a cookie that a page cannot read.

The cookie holds 256 random bits, the store only their SHA-256. What unsafe requests must repeat
against forgery (CSRF) is derived from the same bits, so it need not be stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sovproxy.events.text import clean_text
from sovproxy.store import accounts as account_rows
from sovproxy.store import sessions as rows
from sovproxy.store.sealing import BrokenSeal, Seal
from sovproxy.store.tables import SessionRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.tokens import ACCOUNT_PREFIX, Principal, Role, token_principal

if TYPE_CHECKING:
    from sovproxy.store.database import Store

LIFETIME: Final = timedelta(hours=8)
IDLE: Final = timedelta(minutes=30)
MAX_PER_PRINCIPAL: Final = 20
MAX_AGENT: Final = 200
SEALED_FOR: Final = "the provider"
_TOUCH: Final = timedelta(minutes=1)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A session in force: who, until when at most, until when without use, and its CSRF token.

    `key` names it in lists, and cannot open it. `id_token` is what the OpenID provider gave.
    """

    principal: Principal
    csrf: str
    expires: datetime
    idle_until: datetime
    key: str
    id_token: str = ""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What its owner may see of a session. `agent` is what the browser calls itself."""

    key: str
    agent: str
    created: datetime
    used: datetime
    expires: datetime


def open_session(
    store: Store, principal: Principal, now: datetime, agent: str = "", id_token: str = ""
) -> tuple[str, Session]:
    """Begin a session, and give the secret for its cookie: it can be seen only now.

    A token or account has 20 sessions at most; the oldest end. Raises StoreUnavailable.
    """
    secret, at = secrets.token_urlsafe(32), microseconds(now)
    row = SessionRow(
        id=_id_of(secret),
        principal=principal.token_id,
        created=at,
        used=at,
        expires=at + LIFETIME // _MICROSECOND,
        agent=clean_text(agent, MAX_AGENT),
        id_token=_seal(secret).close(id_token, SEALED_FOR) if id_token else "",
    )
    rows.insert_session(store, row, MAX_PER_PRINCIPAL, at - IDLE // _MICROSECOND)
    return secret, _session(row, principal, secret, now)


def find_session(store: Store, secret: str, now: datetime, *, use: bool = True) -> Session | None:
    """Give the session of a cookie, and note that it is used; None if it is not in force.

    It ends with its token or account. What goes on by itself does not `use` it. Raises
    StoreUnavailable.
    """
    if not _SECRET.fullmatch(secret):
        return None
    row = rows.get_session(store, _id_of(secret))
    if row is None or not _in_force(row, now):
        return None
    principal = find_principal(store, row.principal, now)
    if principal is None:
        return None
    used = from_microseconds(row.used)
    if use and now >= used + _TOUCH:
        rows.touch_session(store, row.id, microseconds(now))
        used = now
    return _session(row, principal, secret, used)


def find_principal(store: Store, principal_id: str, now: datetime) -> Principal | None:
    """Who a public id stands for, with the role of now; None if that is nobody any more.

    Raises StoreUnavailable.
    """
    if not principal_id.startswith(ACCOUNT_PREFIX):
        return token_principal(store, principal_id, now)
    row = account_rows.get_account(store, principal_id)
    if row is None or row.disabled is not None:
        return None
    return Principal(row.id, row.name, Role(row.role))


def close_session(store: Store, secret: str) -> bool:
    """End a session; False if there is none. Raises StoreUnavailable."""
    return rows.delete_session(store, _id_of(secret))


def list_sessions(store: Store, principal: Principal, now: datetime) -> list[SessionFacts]:
    """Give the sessions in force of a token or an account, the latest used first.

    Raises StoreUnavailable.
    """
    return [
        SessionFacts(
            _key(row),
            row.agent,
            from_microseconds(row.created),
            from_microseconds(row.used),
            from_microseconds(row.expires),
        )
        for row in rows.list_sessions(store, principal.token_id)
        if _in_force(row, now)
    ]


def end_session(store: Store, principal: Principal, key: str, now: datetime) -> bool:
    """End one of the principal's own sessions by its key; False if there is none.

    Raises StoreUnavailable.
    """
    for row in rows.list_sessions(store, principal.token_id):
        if hmac.compare_digest(_key(row).encode(), key.encode()):
            entry = act_entry(principal, Act.SESSION_END, {"session": _key(row)}, now=now)
            return account_rows.end_session(store, row.id, entry)
    return False


def end_other_sessions(store: Store, principal: Principal, secret: str, now: datetime) -> int:
    """End the principal's sessions but that of `secret`; give how many. Raises StoreUnavailable."""
    entry = act_entry(principal, Act.SESSION_END, {"session": "others"}, now=now)
    return account_rows.end_sessions(store, principal.token_id, _id_of(secret), entry)


def csrf_token(secret: str) -> str:
    """What unsafe requests of a session must repeat in a header."""
    return hmac.new(secret.encode(), b"sovproxy csrf", hashlib.sha256).hexdigest()


def session_id(secret: str) -> str:
    """Under which id the store keeps the session of a cookie; empty without one."""
    return _id_of(secret) if secret else ""


def _session(row: SessionRow, principal: Principal, secret: str, used: datetime) -> Session:
    expires = from_microseconds(row.expires)
    id_token = ""
    if row.id_token:
        with suppress(BrokenSeal):  # of an earlier version: signing out works without
            id_token = _seal(secret).open(row.id_token, SEALED_FOR)
    return Session(principal, csrf_token(secret), expires, used + IDLE, _key(row), id_token)


def _seal(secret: str) -> Seal:
    """What only the holder of the cookie opens: the store has the secret's SHA-256 alone."""
    return Seal(hmac.new(secret.encode(), b"sovproxy seal", hashlib.sha256).digest())


def _in_force(row: SessionRow, now: datetime) -> bool:
    return now < from_microseconds(row.expires) and now < from_microseconds(row.used) + IDLE


def _key(row: SessionRow) -> str:
    return row.id[:16]


def _id_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
