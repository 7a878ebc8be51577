"""Signing in at an OpenID provider: authorization code with PKCE, state and nonce.

A sign-in is bound to the browser that began it by a cookie, is good for ten minutes and once. Who
comes back gets a role by the claims that the settings name; without one, no access.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sovproxy.errors import SovproxyError
from sovproxy.events.text import clean_text
from sovproxy.store import accounts as account_rows
from sovproxy.store import sign_ins as rows
from sovproxy.store.tables import AccountRow, SignInRow
from sovproxy.store.times import microseconds
from sovproxy.usecases.access.accounts import MAX_NAME, new_account_id, principal_of, read_login
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.oidc_http import BadAnswer, ProviderHttp, ProviderUnavailable
from sovproxy.usecases.access.oidc_tokens import read_id_token, read_userinfo
from sovproxy.usecases.access.tokens import Principal, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.oidc_http import Metadata
    from sovproxy.usecases.access.oidc_settings import OidcSettings

log = logging.getLogger(__name__)

LIFETIME: Final = timedelta(minutes=10)
MAX_PARAMETER: Final = 4096
_ORDER: Final = (Role.ADMIN, Role.AUDITOR, Role.ANALYST)


class NoAccess(SovproxyError):
    """The provider knows this person, but no claim gives a role here, or the account is shut."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who came back: the claims of ID token and userinfo, and where the browser was going."""

    subject: str
    claims: Mapping[str, Any]
    id_token: str
    going: str


class Provider:
    """One OpenID provider, as the settings name it."""

    def __init__(self, settings: OidcSettings, http: ProviderHttp | None = None) -> None:
        self.settings = settings
        self._http = http or ProviderHttp(settings.issuer)

    def start(
        self, store: Store, going: str, now: datetime, login_hint: str = ""
    ) -> tuple[str, str]:
        """Begin a sign-in: the address to send the browser to, and the secret for its cookie.

        Raises ProviderUnavailable, BadAnswer, StoreUnavailable.
        """
        metadata = self._http.metadata()
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        row = SignInRow(
            id=_digest(state),
            browser=_digest(browser),
            nonce=nonce,
            verifier=verifier,
            going=going,
            created=microseconds(now),
        )
        rows.insert_sign_in(store, row, microseconds(now - LIFETIME))
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            "acr_values": " ".join(self.settings.acr_values),
            "login_hint": login_hint,
        }
        shown = urlencode({name: value for name, value in asked.items() if value})
        return f"{metadata.authorization_endpoint}?{shown}", browser

    def finish(self, store: Store, given: Mapping[str, str], browser: str, now: datetime) -> Person:
        """Say who came back with these parameters of the callback, in this browser.

        Raises ProviderUnavailable, BadAnswer, StoreUnavailable.
        """
        begun = rows.take_sign_in(
            store, _digest(given.get("state", "")), microseconds(now - LIFETIME)
        )
        if begun is None or not hmac.compare_digest(begun.browser, _digest(browser)):
            raise BadAnswer("state: no sign-in of this browser is under way")
        metadata = self._http.metadata()
        issuer = given.get("iss", "" if metadata.sends_issuer else self.settings.issuer)
        if issuer != self.settings.issuer:
            raise BadAnswer(f"iss: the answer is of another issuer: {issuer!r:.200}")
        if "error" in given:
            raise BadAnswer(f"the provider refused: {clean_text(given['error'], 100)}")
        code = given.get("code", "")
        if not 0 < len(code) <= MAX_PARAMETER:
            raise BadAnswer("code: missing or too long")
        return self._exchange(metadata, begun, code, now)

    def leaving_address(self, id_token: str, back: str) -> str:
        """Where a browser signs out of the provider; empty if there is no such place."""
        metadata = self._http.known_metadata()
        if metadata is None or not metadata.end_session_endpoint:
            return ""
        asked = {
            "id_token_hint": id_token,
            "post_logout_redirect_uri": self.settings.public_url + back,
            "state": secrets.token_urlsafe(16),
        }
        return f"{metadata.end_session_endpoint}?{urlencode(asked)}"

    def _exchange(self, metadata: Metadata, begun: SignInRow, code: str, now: datetime) -> Person:
        answered = self._redeem(metadata, code, begun.verifier)
        access, id_token = answered.get("access_token"), answered.get("id_token")
        if not isinstance(access, str) or not isinstance(id_token, str) or not access:
            raise BadAnswer("the token answer has no access_token or id_token")
        claims = read_id_token(
            id_token,
            self.settings,
            self._http.keys,
            nonce=begun.nonce,
            access=access,
            now=now,
        )
        subject = str(claims["sub"])
        more = self._userinfo(metadata, access, subject) if metadata.userinfo_endpoint else {}
        return Person(subject, {**more, **claims}, id_token, begun.going)

    def _redeem(self, metadata: Metadata, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": verifier,
        }
        secret = self.settings.client_id, self.settings.client_secret
        options: dict[str, Any] = {"data": form, "headers": {"accept": "application/json"}}
        if metadata.posts_secret:
            form |= {"client_id": secret[0], "client_secret": secret[1]}
        else:
            options["auth"] = secret
        answer = self._http.call("POST", metadata.token_endpoint, **options)
        if answer.status >= 500:
            raise ProviderUnavailable(f"the token endpoint answered {answer.status}")
        if answer.status != 200:
            raise BadAnswer(f"the token endpoint answered {answer.status}: {answer.text[:200]!r}")
        return answer.json()

    def _userinfo(self, metadata: Metadata, access: str, subject: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {access}"}
        answer = self._http.call("GET", metadata.userinfo_endpoint, headers=headers)
        if answer.status != 200:
            raise ProviderUnavailable(f"userinfo answered {answer.status}")
        return read_userinfo(
            answer.text, answer.media_type, self.settings, self._http.keys, subject=subject
        )


def role_of(settings: OidcSettings, claims: Mapping[str, Any]) -> Role | None:
    """The role that the claims give: of several the first in admin, auditor, analyst."""
    fitting = {rule.role for rule in settings.roles if _fits(claims, rule.claim, rule.value)}
    return next((role for role in _ORDER if role in fitting), None)


def person_principal(
    store: Store, settings: OidcSettings, person: Person, now: datetime
) -> Principal:
    """The principal of somebody who came back, with an account made or brought up to date.

    Raises NoAccess, StoreUnavailable.
    """
    role = role_of(settings, person.claims)
    row = account_rows.get_account_by_identity(store, settings.issuer, person.subject)
    if role is None:
        if row and row.disabled is None:
            _end(store, row, now)
        raise NoAccess("no claim of this person gives a role")
    if row is None:
        row = _make(store, settings, person, role, now)
    if row.disabled is not None:
        raise NoAccess("the account is disabled")
    values = {"name": display_name(person), "role": role, "last_sign_in": microseconds(now)}
    changed = AccountRow(**row.model_dump() | values)
    entry = None
    if row.role != role:
        details = {"id": row.id, "login": row.login, "from": row.role, "to": role}
        entry = act_entry(principal_of(changed), Act.ACCOUNT_ROLE, details, now=now)
    if not account_rows.update_account(store, row.id, values, entry, end_sessions=row.role != role):
        raise NoAccess("the last admin cannot lose the role")
    return principal_of(changed)


def display_name(person: Person) -> str:
    """What a person is called: `name`, or given and usual (ProConnect) or family name."""
    claims = person.claims
    last = claims.get("usual_name") or claims.get("family_name") or ""
    parts = claims.get("name") or f"{claims.get('given_name') or ''} {last}".strip()
    return clean_text(str(parts or claims.get("email") or person.subject), MAX_NAME)


def _make(
    store: Store, settings: OidcSettings, person: Person, role: Role, now: datetime
) -> AccountRow:
    """An account without a password. Its login name is the e-mail address, if nobody has it."""
    email = str(person.claims.get("email", "")).lower()
    other = "oidc-" + _digest(settings.issuer + "\0" + person.subject)[:16]
    for login in (email, other):
        row = AccountRow(
            id=new_account_id(),
            login=login,
            name=display_name(person),
            role=role,
            issuer=settings.issuer,
            subject=person.subject,
            created=microseconds(now),
        )
        details = {"id": row.id, "login": login, "role": role, "by": "provider"}
        entry = act_entry(principal_of(row), Act.ACCOUNT_CREATE, details, now=now)
        if _is_login(login) and account_rows.insert_account(store, row, None, entry):
            return row
    raise NoAccess("this person's account was made at the same time; sign in again")


def _end(store: Store, row: AccountRow, now: datetime) -> None:
    """Somebody who had a role once has none any more: what is open ends."""
    entry = act_entry(principal_of(row), Act.SESSION_END, {"id": row.id, "by": "provider"}, now=now)
    account_rows.end_sessions(store, row.id, "", entry)


def _fits(claims: Mapping[str, Any], name: str, value: str) -> bool:
    """Whether a claim has a value, or holds it if it is a list. An unverified e-mail is none."""
    if name == "email" and claims.get("email_verified", True) is not True:
        return False
    claim = claims.get(name)
    values = claim if isinstance(claim, list) else [claim]
    return any(isinstance(one, str | int) and str(one) == value for one in values)


def _is_login(text: str) -> bool:
    try:
        return read_login(text) == text
    except SovproxyError:
        return False


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
