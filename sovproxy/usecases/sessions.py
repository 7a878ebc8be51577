"""Sessions of the console: a bearer token exchanged for a cookie that a page cannot read.

The cookie holds 256 random bits, the store only their SHA-256. What unsafe requests must repeat
against forgery (CSRF) is derived from the same bits, so it need not be stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sovproxy.store import sessions as rows
from sovproxy.store.tables import SessionRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.tokens import Principal, Role

if TYPE_CHECKING:
    from sovproxy.store.database import Store

LIFETIME: Final = timedelta(hours=8)
IDLE: Final = timedelta(minutes=30)
MAX_PER_TOKEN: Final = 20
_TOUCH: Final = timedelta(minutes=1)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A session in force: who, until when at most, until when without use, and its CSRF token."""

    principal: Principal
    csrf: str
    expires: datetime
    idle_until: datetime


def open_session(store: Store, principal: Principal, now: datetime) -> tuple[str, Session]:
    """Begin a session, and give the secret for its cookie: it can be seen only now.

    A token has 20 sessions at most; the oldest end. Raises StoreUnavailable.
    """
    secret, at = secrets.token_urlsafe(32), microseconds(now)
    row = SessionRow(
        id=_id_of(secret),
        token=principal.token_id,
        created=at,
        used=at,
        expires=at + LIFETIME // _MICROSECOND,
    )
    rows.insert_session(store, row, MAX_PER_TOKEN, at - IDLE // _MICROSECOND)
    return secret, Session(principal, csrf_token(secret), now + LIFETIME, now + IDLE)


def find_session(store: Store, secret: str, now: datetime, *, use: bool = True) -> Session | None:
    """Give the session of a cookie, and note that it is used; None if it is not in force.

    It ends with its token. What goes on by itself does not `use` it. Raises StoreUnavailable.
    """
    if not _SECRET.fullmatch(secret):
        return None
    found = rows.get_session(store, _id_of(secret), microseconds(now))
    if found is None:
        return None
    session, token = found
    expires, used = from_microseconds(session.expires), from_microseconds(session.used)
    if now >= expires or now >= used + IDLE:
        return None
    if use and now >= used + _TOUCH:
        rows.touch_session(store, session.id, microseconds(now))
        used = now
    principal = Principal(token.id, token.name, Role(token.role))
    return Session(principal, csrf_token(secret), expires, used + IDLE)


def close_session(store: Store, secret: str) -> bool:
    """End a session; False if there is none. Raises StoreUnavailable."""
    return rows.delete_session(store, _id_of(secret))


def csrf_token(secret: str) -> str:
    """What unsafe requests of a session must repeat in a header."""
    return hmac.new(secret.encode(), b"sovproxy csrf", hashlib.sha256).hexdigest()


def _id_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
