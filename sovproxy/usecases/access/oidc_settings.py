"""How an OpenID provider is used: read from the settings once, and refused whole if odd."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sovproxy.errors import SovproxyError
from sovproxy.usecases.access.accounts import ACCOUNT_ROLES
from sovproxy.usecases.access.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sovproxy.settings import Settings

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a key of which only the public half is known here; never `none`, never HMAC."""

SHARED_CLAIMS: Final = frozenset(
    {"siret", "siren", "idp_id", "acr", "amr", "iss", "aud", "organizational_unit",
     "belonging_population", "email_verified"}
)  # fmt: skip
"""What many people have in common: not enough to make somebody an admin."""

CALLBACK: Final = "/console/oidc/callback"


class UnusableProvider(SovproxyError):
    """The settings of the OpenID provider do not fit together."""


@dataclass(frozen=True, slots=True)
class RoleRule:
    """A claim that gives a role: `siret=11002001300097` gives it to a whole organisation."""

    role: Role
    claim: str
    value: str


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """One provider. Of several roles that fit, admin counts before auditor, then analyst."""

    issuer: str
    client_id: str
    client_secret: str
    public_url: str
    scopes: str
    algorithms: tuple[str, ...]
    acr_values: tuple[str, ...]
    label: str
    roles: tuple[RoleRule, ...]

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to; it has to know this address."""
        return self.public_url + CALLBACK


def read_oidc(settings: Settings) -> OidcSettings | None:
    """The provider of the settings, or None without one. Raises UnusableProvider, OSError."""
    if not settings.oidc_issuer:
        return None
    _require_safe("SOVPROXY_OIDC_ISSUER", settings.oidc_issuer)
    public = (settings.public_url or settings.api_url).rstrip("/")
    _require_safe("SOVPROXY_PUBLIC_URL", public)
    secret_file = settings.oidc_client_secret_file
    if not settings.oidc_client_id or secret_file is None:
        wanted = "SOVPROXY_OIDC_CLIENT_ID and SOVPROXY_OIDC_CLIENT_SECRET_FILE"
        raise UnusableProvider(f"with SOVPROXY_OIDC_ISSUER, {wanted} are wanted too")
    return OidcSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret_file.read_text("utf-8").strip(),
        public_url=public,
        scopes=_scopes(settings.oidc_scopes),
        algorithms=_algorithms(settings.oidc_algorithms.split()),
        acr_values=tuple(settings.oidc_acr_values.split()),
        label=settings.oidc_label,
        roles=_rules(settings.oidc_roles),
    )


def is_safe_url(url: str) -> bool:
    """Whether a URL is https, or http to this very machine; without user, query and fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if not host or parts.username or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _require_safe(name: str, url: str) -> None:
    if not is_safe_url(url):
        wanted = "an https:// address without query (http:// only for this machine) is wanted"
        raise UnusableProvider(f"{name}: {wanted}, got {url!r}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _scopes(text: str) -> str:
    scopes = text.split()
    if "openid" not in scopes:
        raise UnusableProvider(f"SOVPROXY_OIDC_SCOPES: openid is wanted among them, got {text!r}")
    return " ".join(scopes)


def _algorithms(names: list[str]) -> tuple[str, ...]:
    if odd := [name for name in names if name not in ALGORITHMS] or not names:
        wanted = f"some of {', '.join(sorted(ALGORITHMS))} are wanted"
        raise UnusableProvider(f"SOVPROXY_OIDC_ALGORITHMS: {wanted}, got {odd}")
    return tuple(names)


def _rules(roles: Mapping[str, Iterable[str]]) -> tuple[RoleRule, ...]:
    return tuple(_rule(role, text) for role, texts in roles.items() for text in texts)


def _rule(role: str, text: str) -> RoleRule:
    claim, equals, value = text.partition("=")
    if role not in ACCOUNT_ROLES or not claim or not equals or not value:
        wanted = '{"analyst": ["siret=11002001300097"], "admin": ["email=ada@…"]} is wanted'
        raise UnusableProvider(f"SOVPROXY_OIDC_ROLES: such as {wanted}, got {role!r}: {text!r}")
    if role == Role.ADMIN and claim in SHARED_CLAIMS:
        why = "a whole organisation would become admins; name persons (email, sub) or a group"
        raise UnusableProvider(f"SOVPROXY_OIDC_ROLES: admin by {claim}: {why}")
    return RoleRule(Role(role), claim, value)
