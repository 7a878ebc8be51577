"""What people do with their own account: sign in, change the password, set up a second factor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sovproxy.prompt.languages import mark
from sovproxy.store import accounts as rows
from sovproxy.store.sealing import BrokenSeal
from sovproxy.store.times import microseconds
from sovproxy.usecases.access import second_factor
from sovproxy.usecases.access.accounts import (
    PROVIDERS,
    AccountProblem,
    principal_of,
    read_login,
    row_of,
)
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.passwords import (
    hash_password,
    needs_rehash,
    require_good,
    verify_password,
)

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AccountRow
    from sovproxy.usecases.access.tokens import Principal

log = logging.getLogger(__name__)

BAD_SIGN_IN: Final = mark("Login name, password or code is wrong.")
WRONG_PASSWORD: Final = mark("The present password is wrong.")
WRONG_CODE: Final = mark("The code does not fit. Codes change every 30 seconds.")
NO_PASSWORD: Final = mark("A token has neither a password nor a second factor.")
FACTOR_IS_ON: Final = mark("The second factor is on already. Turn it off first, with a code of it.")


class BadSignIn(AccountProblem):
    """Login name, password or code is wrong; nothing says which."""

    def __init__(self) -> None:
        super().__init__(BAD_SIGN_IN)


class WrongPassword(AccountProblem):
    """The present password that a change needs is wrong."""

    def __init__(self) -> None:
        super().__init__(WRONG_PASSWORD)


class WrongCode(AccountProblem):
    """A code of the second factor that does not fit, or was used before."""

    def __init__(self) -> None:
        super().__init__(WRONG_CODE)


def sign_in(store: Store, login: str, password: str, code: str, now: datetime) -> Principal:
    """Say whose login name, password and (if there is a second factor) code these are.

    It costs the same whether there is such an account or not. Raises BadSignIn, StoreUnavailable.
    """
    row = _row_by_login(store, login)
    good = verify_password(row.password if row else "", password)
    if row is None or not good or row.disabled is not None:
        raise BadSignIn
    values: dict[str, Any] = {"last_sign_in": microseconds(now)}
    if row.totp:
        values |= _spent(store, row, code, now)
    if needs_rehash(row.password):
        values["password"] = hash_password(password)
    if not rows.sign_in(store, row, values):
        raise BadSignIn
    return principal_of(row)


def known_login(store: Store, login: str) -> str:
    """The login name if there is such an account, else empty: people type passwords there.

    Raises StoreUnavailable.
    """
    row = _row_by_login(store, login)
    return row.login if row else ""


def check_password(store: Store, principal: Principal, password: str) -> AccountRow:
    """Give one's own account when the password fits.

    Raises WrongPassword, AccountProblem without a password, StoreUnavailable.
    """
    row = _own(store, principal)
    if not verify_password(row.password, password):
        raise WrongPassword
    return row


def change_password(
    store: Store, principal: Principal, now: datetime, *, old: str, new: str, keep_session: str
) -> None:
    """Change one's own password; all sessions but `keep_session` end.

    Raises WrongPassword, WeakPassword, AccountProblem, StoreUnavailable.
    """
    row = check_password(store, principal, old)
    require_good(new, (row.login, row.name))
    entry = act_entry(principal, Act.ACCOUNT_PASSWORD, {"by": "owner"}, now=now)
    values = {"password": hash_password(new)}
    rows.update_account(store, row.id, values, entry, end_sessions=True, keep_session=keep_session)


def begin_second_factor(store: Store, principal: Principal) -> tuple[str, str]:
    """Give a new secret, and the URI that a QR code shows. Nothing is stored yet.

    Raises AccountProblem, StoreUnavailable.
    """
    row, secret = _own(store, principal), second_factor.new_secret()
    _require_no_factor(row)
    return secret, second_factor.provisioning_uri(secret, row.login)


def uri_of(store: Store, principal: Principal, secret: str) -> str:
    """The URI of a secret that was given before; empty if it is none of ours.

    Raises AccountProblem, StoreUnavailable.
    """
    row = _own(store, principal)
    return second_factor.provisioning_uri(secret, row.login) if _fits(secret) else ""


def enrol_second_factor(
    store: Store,
    principal: Principal,
    now: datetime,
    *,
    secret: str,
    code: str,
    password: str,
    keep_session: str,
) -> list[str]:
    """Turn the second factor on once the app has shown a code; give the recovery codes.

    One that is on has to be turned off first. All sessions but `keep_session` end. Raises
    WrongPassword, WrongCode, AccountProblem, StoreUnavailable.
    """
    row = check_password(store, principal, password)
    _require_no_factor(row)
    step = second_factor.fitting_step(secret, code, 0, now) if _fits(secret) else None
    if step is None:
        raise WrongCode
    codes = second_factor.new_recovery_codes()
    kept = " ".join(second_factor.recovery_digest(one) for one in codes)
    sealed = store.seal.close(secret, _purpose(row))
    values = {"totp": sealed, "totp_step": step, "recovery": kept}
    _store_factor(store, principal, row, values, now, to="on", keep_session=keep_session)
    return codes


def remove_second_factor(
    store: Store,
    principal: Principal,
    now: datetime,
    *,
    password: str,
    code: str,
    keep_session: str,
) -> None:
    """Turn the second factor off, with the password and a code.

    Raises WrongPassword, WrongCode, AccountProblem, StoreUnavailable.
    """
    row = check_password(store, principal, password)
    if row.totp:
        try:
            _spent(store, row, code, now)
        except BadSignIn:
            raise WrongCode from None
        values = {"totp": "", "totp_step": 0, "recovery": ""}
        _store_factor(store, principal, row, values, now, to="off", keep_session=keep_session)


def _store_factor(
    store: Store,
    principal: Principal,
    row: AccountRow,
    values: dict[str, Any],
    now: datetime,
    *,
    to: str,
    keep_session: str,
) -> None:
    entry = act_entry(principal, Act.ACCOUNT_SECOND_FACTOR, {"to": to}, now=now)
    rows.update_account(store, row.id, values, entry, end_sessions=True, keep_session=keep_session)


def _purpose(row: AccountRow) -> str:
    return f"second factor of {row.id}"


def _spent(store: Store, row: AccountRow, code: str, now: datetime) -> dict[str, Any]:
    """What changes when a code of the second factor is used. Raises BadSignIn.

    Without the key of the seal, as after a restore, recovery codes still do.
    """
    try:
        secret = store.seal.open(row.totp, _purpose(row))
    except BrokenSeal as error:
        log.warning("%s: sign in with a recovery code, or have an admin reset it", error)
    else:
        step = second_factor.fitting_step(secret, code, row.totp_step, now)
        if step is not None:
            return {"totp_step": step}
    left = second_factor.without_code(row.recovery, code)
    if left is None:
        raise BadSignIn
    return {"recovery": left}


def _require_no_factor(row: AccountRow) -> None:
    """Else a session and the password would do to put another phone in the place of the first."""
    if row.totp:
        raise AccountProblem(FACTOR_IS_ON)


def _own(store: Store, principal: Principal) -> AccountRow:
    if not principal.is_account:
        raise AccountProblem(NO_PASSWORD)
    row = row_of(store, principal.token_id)
    if row.issuer:
        raise AccountProblem(PROVIDERS)
    return row


def _row_by_login(store: Store, login: str) -> AccountRow | None:
    try:
        return rows.get_account_by_login(store, read_login(login))
    except AccountProblem:
        return None


def _fits(secret: str) -> bool:
    return second_factor.is_secret(secret)
