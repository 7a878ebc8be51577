"""Whatever is signed: ID tokens, workers' tokens, the offers on prompts. None can be forged."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jws
from joserfc.jwk import ECKey

from sovproxy.usecases.access.oidc_http import BadAnswer
from sovproxy.usecases.access.oidc_settings import OidcSettings
from sovproxy.usecases.access.oidc_tokens import read_id_token, read_userinfo
from sovproxy.usecases.access.workers import WorkerKeys, mint
from sovproxy.usecases.worker.acknowledging import Offer, Offers

from .target import Target, require, text_of

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_FOLDER = Path(tempfile.mkdtemp(prefix="sov-fuzz-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_ISSUER, _US, _NONCE, _ACCESS = "https://id.example", "sovproxy", "n" * 43, "access"
_SETTINGS = OidcSettings(
    issuer=_ISSUER,
    client_id=_US,
    client_secret="",
    public_url="https://sov.example",
    scopes="openid",
    algorithms=("ES256", "RS256"),
    acr_values=(),
    label="id",
    roles=(),
)
_KEY = ECKey.generate_key("P-256", {"kid": "one"})
_CLAIMS = {
    "iss": _ISSUER,
    "aud": _US,
    "sub": "ada",
    "nonce": _NONCE,
    "exp": int(_NOW.timestamp()) + 300,
    "iat": int(_NOW.timestamp()),
    "nbf": 0,
    "azp": _US,
}
_CLIENT, _OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.bbbbccccddddeeee"


def _sign(claims: bytes) -> str:
    return jws.serialize_compact({"alg": "ES256", "kid": "one"}, claims, _KEY)


def _read(token: str) -> dict[str, object] | None:
    try:
        keys = {"one": _KEY}
        return read_id_token(
            token, _SETTINGS, lambda _: keys, nonce=_NONCE, access=_ACCESS, now=_NOW
        )
    except BadAnswer:
        return None


def check_id_token(data: bytes) -> None:
    """A token that is not the provider's own says nothing but what the provider has signed."""
    claims = _read(text_of(data))
    require(claims is None or claims == _CLAIMS, "no token is forged", data, claims)


def check_claims(data: bytes) -> None:
    """Whatever the provider signs, somebody of its own comes out, or nobody."""
    claims = _read(_sign(data))
    if claims is not None:
        require(claims["iss"] == _ISSUER and claims["nonce"] == _NONCE, "claims fit", claims)
        require(isinstance(claims["sub"], str), "somebody has a name", claims)


def check_userinfo(data: bytes) -> None:
    """The same for what it says of the person, as JSON."""
    try:
        read_userinfo(text_of(data), "application/json", _SETTINGS, lambda _: {}, subject="ada")
    except BadAnswer:
        return


_WORKERS = WorkerKeys(_FOLDER / "workers", lambda: _NOW)
_MINTED = mint(_WORKERS.hand_out(_NOW), _CLIENT, "finance", [_OTHER], _NOW)
_TOKEN = _MINTED[0] if _MINTED else ""
_OFFERS = Offers(b"s" * 32)
_OFFER = _OFFERS.make(_CLIENT, "zoom", "/j/1")
_ASKING = Offers(b"s" * 32, "asking").make(_CLIENT, "zoom", "/j/1")


def check_worker(data: bytes) -> None:
    """Only who was vouched for comes out."""
    principal = _WORKERS.principal(text_of(data), _NOW)
    if principal is not None:
        told = (principal.client, principal.group, principal.former)
        require(told == (_CLIENT, "finance", (_OTHER,)), "no worker is forged", data, told)


def check_offer(data: bytes) -> None:
    """Only what a node offered to this very client comes out."""
    text = text_of(data)
    made = _OFFERS.check(text, _CLIENT, "zoom")
    if isinstance(made, Offer):
        require((made.client, made.subject, made.to) == (_CLIENT, "zoom", "/j/1"), "as made", made)
    require(not isinstance(_OFFERS.check(text, _OTHER, "zoom"), Offer), "for nobody else", data)
    require(not isinstance(_OFFERS.check(text, _CLIENT, "webex"), Offer), "nothing else", data)


_CLAIM_SEEDS = (json.dumps(_CLAIMS).encode(), b'{"iat": -1e400}', b"[]", b"[" * 50)
_CLAIM_WORDS = (
    *tuple(f'"{name}":'.encode() for name in _CLAIMS),
    b"1e999",
    b"NaN",
    b"-",
    b"null",
    b"[",
)
_PARTS = (b".", b"eyJ", b"eyJhbGciOiJub25lIn0", b"=", b"-", b"_")
TARGETS = (
    Target("id-token", check_id_token, (_sign(_CLAIM_SEEDS[0]).encode(), b"a.b.c"), 20, _PARTS),
    Target("id-claims", check_claims, _CLAIM_SEEDS, 20, _CLAIM_WORDS),
    Target("userinfo", check_userinfo, _CLAIM_SEEDS, 30, _CLAIM_WORDS),
    Target("worker-token", check_worker, (_TOKEN.encode(), b"a.b.c"), 40, _PARTS),
    Target("offer", check_offer, (_OFFER.encode(), _ASKING.encode()), 40, _PARTS),
)
