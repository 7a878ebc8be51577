"""What the OpenID provider signs: the ID token (OpenID Connect Core 1.0 §3.1.3.7), the userinfo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from sovproxy.usecases.access.oidc_http import BadAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from joserfc.jwk import Key

    from sovproxy.usecases.access.oidc_settings import OidcSettings

SKEW_SECONDS: Final = 60
MAX_AGE_SECONDS: Final = 600
MAX_TOKEN: Final = 32 * 1024
_LATEST: Final = 2**53
_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}

type Keys = Callable[[str], Mapping[str, Key]]


def read_id_token(
    token: str, settings: OidcSettings, keys: Keys, *, nonce: str, access: str, now: datetime
) -> dict[str, Any]:
    """The claims of an ID token that was made for us, now, for this very sign-in.

    Raises BadAnswer.
    """
    claims, algorithm = verified(token, settings, keys)
    _require(claims.get("iss") == settings.issuer, "iss: another issuer")
    _require_audience(claims, settings.client_id)
    _require_times(claims, now.timestamp())
    shown = claims.get("nonce")
    _require(isinstance(shown, str) and _same(shown, nonce), "nonce: not of this sign-in")
    if "at_hash" in claims:
        fits = _same(str(claims["at_hash"]), _half_hash(access, algorithm))
        _require(fits, "at_hash: the access token is another's")
    if settings.acr_values:
        _require(claims.get("acr") in settings.acr_values, "acr: not as strong as was asked for")
    subject = claims.get("sub")
    _require(isinstance(subject, str) and 0 < len(subject) <= 255, "sub: missing or too long")
    _require(str(subject).isprintable(), "sub: a character that cannot be shown")
    return claims


def read_userinfo(
    text: str, media_type: str, settings: OidcSettings, keys: Keys, *, subject: str
) -> dict[str, Any]:
    """The claims of a userinfo answer, as JSON or as a signed JWT (as ProConnect sends it).

    Raises BadAnswer.
    """
    if media_type == "application/jwt":
        claims, _ = verified(text.strip(), settings, keys)
        _require(claims.get("iss", settings.issuer) == settings.issuer, "userinfo iss: another")
        if "aud" in claims:
            _require(settings.client_id in _audiences(claims), "userinfo aud: another client")
    else:
        claims = _object(text.encode("utf-8", "surrogatepass"))
    _require(claims.get("sub") == subject, "userinfo sub: of another person")
    return claims


def verified(token: str, settings: OidcSettings, keys: Keys) -> tuple[dict[str, Any], str]:
    """The claims of a signed JWT and its algorithm, which has to be one of those permitted.

    Raises BadAnswer.
    """
    header = _header(token)
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in settings.algorithms:
        raise BadAnswer(f"alg: {algorithm!r:.40} is not permitted")
    _require("crit" not in header, "crit: an extension that is not known here")
    _require(isinstance(key_id, str), "kid: no text")
    for key in _fitting(keys(key_id), key_id, algorithm):
        try:
            signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError):
            continue
        return _object(signed.payload or b""), algorithm
    raise BadAnswer("the signature fits no key of the provider")


def _fitting(keys: Mapping[str, Key], key_id: str, algorithm: str) -> list[Key]:
    """The keys that may have signed: the one that is named, or all of that type."""
    named = [keys[key_id]] if key_id in keys else [] if key_id else list(keys.values())
    return [key for key in named if key.key_type == _TYPES[algorithm[:2]]]


def _header(token: str) -> dict[str, Any]:
    _require(len(token) <= MAX_TOKEN and token.isascii(), "a token that is too long or no ASCII")
    _require(token.count(".") == 2, "a token that is no signed JWT")
    part = token.partition(".")[0]
    try:
        return _object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise BadAnswer("a token whose header cannot be read") from None


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise BadAnswer("claims that are no JSON") from None
    if not isinstance(value, dict):
        raise BadAnswer("claims that are no JSON object")
    return value


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def _require_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audiences = _audiences(claims)
    _require(client_id in audiences, "aud: for another client")
    if len(audiences) > 1 or "azp" in claims:
        _require(claims.get("azp") == client_id, "azp: given to another client")


def _require_times(claims: Mapping[str, Any], now: float) -> None:
    """Expiry and making, with a minute for clocks that differ; nothing older than 10 minutes."""
    expires, made, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    _require(now < _time(expires) + SKEW_SECONDS, "exp: expired")
    _require(_time(made) <= now + SKEW_SECONDS, "iat: made in the future")
    _require(now - _time(made) <= MAX_AGE_SECONDS, "iat: made long ago")
    _require(_time(begins) <= now + SKEW_SECONDS, "nbf: not valid yet")


def _time(value: object) -> float:
    """A time of a token in Unix seconds. Raises BadAnswer for one that no clock shows."""
    if not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise BadAnswer("exp, iat, nbf: missing or no times")
    return value


def _half_hash(access: str, algorithm: str) -> str:
    name = {"256": "sha256", "384": "sha384"}.get(algorithm[-3:], "sha512")
    digest = hashlib.new(name, access.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


def _same(one: str, other: str) -> bool:
    sides = (text.encode("utf-8", "surrogatepass") for text in (one, other))
    return hmac.compare_digest(*sides)


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise BadAnswer(problem)
