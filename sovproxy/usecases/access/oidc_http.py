"""What is fetched from the OpenID provider: only from the issuer's own host, bounded, in time."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from sovproxy.errors import SovproxyError
from sovproxy.usecases.access.oidc_settings import is_safe_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from joserfc.jwk import Key

TIMEOUT_SECONDS: Final = 5.0
MAX_SECONDS: Final = 10.0
MAX_BYTES: Final = 256 * 1024
FRESH_SECONDS: Final = 3600
RETRY_SECONDS: Final = 30  # how soon keys are asked for again for a signature by an unknown one
PAUSE_SECONDS: Final = 2.0
"""How long a provider that cannot be reached is not asked again: a server's threads are few, and
each would wait for it in turn."""
MAX_KEYS: Final = 32
_DISCOVERY: Final = "/.well-known/openid-configuration"


class ProviderUnavailable(SovproxyError):
    """The provider cannot be reached, or answers nothing that can be used."""


class BadAnswer(SovproxyError):
    """What came back does not fit; it may be an attack. The text is for the log."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself; every address is on the issuer's own host."""

    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    end_session_endpoint: str
    posts_secret: bool
    sends_issuer: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A bounded answer: its status, media type and text."""

    status: int
    media_type: str
    text: str

    def json(self) -> dict[str, Any]:
        """The JSON object in it. Raises BadAnswer."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            raise BadAnswer("the answer is no JSON") from None
        if not isinstance(value, dict):
            raise BadAnswer("the answer is no JSON object")
        return value


class ProviderHttp:
    """Fetches from one issuer. What it says of itself and its keys are kept for an hour."""

    def __init__(self, issuer: str, client: httpx.Client | None = None) -> None:
        self._issuer = issuer
        self._client = client or httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._down: tuple[float, str] | None = None
        self._keys: tuple[float, dict[str, Key]] | None = None

    def metadata(self) -> Metadata:
        """What the provider says of itself. Raises ProviderUnavailable, BadAnswer."""
        with self._lock:
            if self._metadata and time.monotonic() - self._metadata[0] < FRESH_SECONDS:
                return self._metadata[1]
            if self._down and time.monotonic() - self._down[0] < PAUSE_SECONDS:
                raise ProviderUnavailable(self._down[1])
            try:
                found = self._discover()
            except ProviderUnavailable as error:
                self._down = (time.monotonic(), str(error))
                raise
            self._metadata = (time.monotonic(), found)
            return found

    def _discover(self) -> Metadata:
        answer = self._fetch("GET", self._issuer.rstrip("/") + _DISCOVERY)
        if answer.status != 200:
            raise ProviderUnavailable(f"discovery answered {answer.status}")
        return self._read_metadata(answer.json())

    def known_metadata(self) -> Metadata | None:
        """What the provider said of itself, without asking again; None if it never did."""
        return self._metadata[1] if self._metadata else None

    def keys(self, key_id: str) -> dict[str, Key]:
        """The provider's public keys by id, asked for anew when `key_id` is not among them.

        Raises ProviderUnavailable, BadAnswer.
        """
        metadata = self.metadata()
        with self._lock:
            now = time.monotonic()
            if self._keys:
                age = now - self._keys[0]
                known = not key_id or key_id in self._keys[1]
                if age < (FRESH_SECONDS if known else RETRY_SECONDS):
                    return self._keys[1]
            answer = self._fetch("GET", metadata.jwks_uri)
            if answer.status != 200:
                raise ProviderUnavailable(f"the keys answered {answer.status}")
            found = _read_keys(answer.json())
            self._keys = (now, found)
            return found

    def call(self, method: str, url: str, **options: Any) -> Answer:  # noqa: ANN401  # as httpx has them
        """Ask one of the addresses of the metadata. Raises ProviderUnavailable, BadAnswer."""
        return self._fetch(method, url, **options)

    def _fetch(self, method: str, url: str, **options: Any) -> Answer:  # noqa: ANN401  # as httpx has them
        """One request; no redirect is followed, and an answer may have 256 KiB and take 10 s."""
        deadline, content = time.monotonic() + MAX_SECONDS, bytearray()
        try:
            with self._client.stream(method, url, **options) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MAX_BYTES:
                        raise BadAnswer(f"{url} answered more than {MAX_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise ProviderUnavailable(f"{url} took too long")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderUnavailable(f"{url}: {type(error).__name__}: {error}") from error
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(response.status_code, media_type, content.decode("utf-8", "replace"))

    def _read_metadata(self, document: Mapping[str, Any]) -> Metadata:
        """Mixed up issuers are noticed here: the document has to name the very issuer asked."""
        if document.get("issuer") != self._issuer:
            raise BadAnswer(f"discovery names another issuer: {document.get('issuer')!r:.200}")
        methods = document.get("token_endpoint_auth_methods_supported", [])
        return Metadata(
            authorization_endpoint=self._own(document, "authorization_endpoint"),
            token_endpoint=self._own(document, "token_endpoint"),
            userinfo_endpoint=self._own(document, "userinfo_endpoint", needed=False),
            jwks_uri=self._own(document, "jwks_uri"),
            end_session_endpoint=self._own(document, "end_session_endpoint", needed=False),
            posts_secret=isinstance(methods, list) and "client_secret_post" in methods,
            sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _own(self, document: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
        """An address on the issuer's own host and port, by the issuer's scheme."""
        url = document.get(name, "")
        if not url and not needed:
            return ""
        if (
            not isinstance(url, str)
            or not is_safe_url(url)
            or _origin(url) != _origin(self._issuer)
        ):
            raise BadAnswer(f"discovery: {name} is not on the issuer's host: {url!r:.200}")
        return url


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _read_keys(document: Mapping[str, Any]) -> dict[str, Key]:
    """Public signing keys; those that cannot be read are passed over. Never a shared secret."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise BadAnswer("the key set has no keys")
    found = {}
    for number, entry in enumerate(entries[:MAX_KEYS]):
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        if entry.get("kty") not in {"RSA", "EC", "OKP"}:
            continue
        try:
            found[str(entry.get("kid", f"#{number}"))] = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found
