"""Bearer tokens: 256 random bits under a name and a role, of which only a hash is stored.

A token reads `sov_<id>_<secret>`. The id finds the row; the secret is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from sovproxy.errors import SovproxyError
from sovproxy.events.files import make_private_folder, replace_private
from sovproxy.events.text import clean_text, visible
from sovproxy.store import tokens as rows
from sovproxy.store.tables import TokenRow
from sovproxy.usecases.access.auditing import Act, act_entry

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.store.database import Store

SECRET_BYTES: Final = 32
DEFAULT_DAYS: Final = 365
MAX_DAYS: Final = 3650
RENEW_DAYS: Final = 90
MAX_NAME: Final = 64
MAX_MAKERS: Final = 100
"""Tokens that made tokens, one after the other; no line is followed further."""

_TOKEN = re.compile(r"sov_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_DAY: Final = 86400 * 1_000_000


class InvalidToken(SovproxyError):
    """A token that is asked for cannot be made, or there is none to revoke."""


class Role(StrEnum):
    """Who may do what; each route names the roles that may call it."""

    NODE = "node"
    WORKER = "worker"
    ANALYST = "analyst"
    ADMIN = "admin"
    AUDITOR = "auditor"


MAY_SEE_EVENTS: Final = frozenset({Role.ANALYST, Role.ADMIN})
"""Events carry pseudonyms of persons. Auditors see counts and the audit, but no events."""

ACCOUNT_PREFIX: Final = "acc-"
COMMAND_LINE: Final = "cli"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, with a role: a token, or a person with an account, by its public id.

    `client`, `group` and `former` are there for a worker whom a node vouches for: the pseudonym,
    the group's id or empty, and pseudonyms of months before.
    """

    token_id: str
    name: str
    role: Role
    client: str = ""
    group: str = ""
    former: tuple[str, ...] = ()

    @property
    def clients(self) -> tuple[str, ...]:
        """Every pseudonym of the worker, the present one first; none of anybody else."""
        return (self.client, *self.former) if self.client else ()

    @property
    def is_account(self) -> bool:
        """Whether this is a person with an account, and no token."""
        return self.token_id.startswith(ACCOUNT_PREFIX)


def command_line(user: str) -> Principal:
    """Whoever may use the store on its own machine; the audit names the system's user."""
    return Principal(COMMAND_LINE, clean_text(user, MAX_NAME) or "?", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What may be shown of a token. Times are Unix microseconds; `state` tells if it works.

    `maker` is the public id of the account or token that made it; `cli` for the command line, and
    empty where it is not known.
    """

    id: str
    name: str
    role: str
    created: int
    expires: int | None
    state: str
    maker: str = ""


def create_token(
    store: Store, role: Role, name: str, days: int = DEFAULT_DAYS, now: datetime | None = None
) -> str:
    """Make a token and return it: this is the only time that it can be seen.

    Raises InvalidToken for a bad name or lifetime, StoreUnavailable.
    """
    token, row = _make(role, name, days, _microseconds(now))
    rows.insert_token(store, row)
    return token


def create_token_as(
    store: Store, principal: Principal, now: datetime, *, role: Role, name: str, days: int
) -> tuple[str, TokenFacts]:
    """Make a token for somebody, with an entry in the audit; give it and what may be shown of it.

    Raises InvalidToken for a bad name or lifetime, StoreUnavailable.
    """
    token, row = _make(role, name, days, _microseconds(now))
    row.maker = principal.token_id
    details = {"id": row.id, "name": name, "role": role, "days": days}
    rows.insert_token(store, row, act_entry(principal, Act.TOKEN_CREATE, details, now=now))
    return token, _facts(row, row.created)


class Vouching(Protocol):
    """Who knows workers by tokens that nodes sign: `usecases.access.workers.WorkerKeys`."""

    def principal(self, token: str, now: datetime) -> Principal | None:
        """Whose token this is, or None."""
        ...


def authenticate(
    store: Store, token: str, now: datetime | None = None, workers: Vouching | None = None
) -> Principal | None:
    """Say whose token this is; None if it is unknown, expired or revoked.

    With `workers`, tokens that nodes sign are known too. Raises StoreUnavailable, UnusableKeys.
    """
    if workers is not None and not token.startswith("sov_"):
        return workers.principal(token, now or datetime.now(UTC))
    row = _row_of(store, token, _microseconds(now))
    return Principal(row.id, row.name, Role(row.role)) if row else None


def list_tokens(store: Store, now: datetime | None = None) -> list[TokenFacts]:
    """List all tokens, oldest first. Raises StoreUnavailable."""
    at = _microseconds(now)
    return [_facts(row, at) for row in rows.list_tokens(store)]


def revoke_token(
    store: Store, token_id: str, now: datetime | None = None, by: Principal | None = None
) -> None:
    """Make a token useless from now on, and end its sessions.

    `by` leaves an entry in the audit. Raises InvalidToken if there is none, StoreUnavailable.
    """
    entry = act_entry(by, Act.TOKEN_REVOKE, {"id": token_id[:64]}, now=now) if by else None
    if not rows.revoke_token(store, token_id, _microseconds(now), entry):
        message = f"there is no token in force with the id {visible(token_id[:64])}"
        raise InvalidToken(f"{message}; `sovproxy tokens list` shows the ids")


def token_principal(store: Store, token_id: str, now: datetime) -> Principal | None:
    """Who a token with this public id stands for, if it is in force. Raises StoreUnavailable."""
    row = rows.get_token(store, token_id)
    if row is None or _state(row, _microseconds(now)) != "valid":
        return None
    return Principal(row.id, row.name, Role(row.role))


def maker_of(store: Store, token_id: str) -> str:
    """Who answers for a token: the account, or the command line, that the line of makers begins
    with; the token itself where its maker is not known, and an account for itself.

    Raises StoreUnavailable.
    """
    for _ in range(MAX_MAKERS):
        row = rows.get_token(store, token_id)
        if row is None or not row.maker:
            break
        token_id = row.maker
    return token_id


def ensure_node_token(store: Store, path: Path, node: str, now: datetime | None = None) -> None:
    """See that the file `path` (mode 0600) holds a working token for the local node.

    One that expires within 90 days is replaced. Raises StoreUnavailable, OSError.
    """
    soon = _microseconds(now) + RENEW_DAYS * _DAY
    present = _row_of(store, read_token(path), soon)
    if not present or present.role != Role.NODE:
        token, row = _make(Role.NODE, node[:MAX_NAME], DEFAULT_DAYS, _microseconds(now))
        make_private_folder(path.parent)
        rows.insert_token(store, row)
        replace_private(path, token.encode() + b"\n")


def read_token(path: Path) -> str:
    """Read a token from its file; empty if there is no file. Raises OSError."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""


def _row_of(store: Store, token: str, at: int) -> TokenRow | None:
    """The row of a token that is genuine and in force at `at`."""
    match = _TOKEN.fullmatch(token)
    row = rows.get_token(store, match[1]) if match else None
    if not match or not row or not hmac.compare_digest(row.digest, _digest(match[2])):
        return None
    return row if _state(row, at) == "valid" else None


def _make(role: Role, name: str, days: int, now: int) -> tuple[str, TokenRow]:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidToken(f"a name of 1 to {MAX_NAME} printable characters is wanted")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidToken(f"a lifetime of 1 to {MAX_DAYS} days is wanted, got {days}")
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
    row = TokenRow(
        id=token_id,
        name=name,
        role=role,
        digest=_digest(secret),
        created=now,
        expires=now + days * _DAY,
    )
    return f"sov_{token_id}_{secret}", row


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _facts(row: TokenRow, at: int) -> TokenFacts:
    return TokenFacts(
        row.id, row.name, row.role, row.created, row.expires, _state(row, at), row.maker
    )


def _state(row: TokenRow, now: int) -> str:
    if row.revoked is not None:
        return "revoked"
    return "valid" if row.expires is None or now < row.expires else "expired"


def _microseconds(now: datetime | None) -> int:
    return int((now.timestamp() if now else time.time()) * 1_000_000)
