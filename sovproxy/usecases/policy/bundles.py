"""The bundle of the catalogue and the policy in force, signed for those who decide by themselves.

It is a JWS (RFC 7515, compact, ES256): browsers verify it by WebCrypto alone. The key is made at
first use and stays on the API's machine; its public half is given to everybody.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from sovproxy.enforce.bundle import make_bundle, to_bytes
from sovproxy.events.files import make_private_folder, replace_private

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.decide.decider import Decider
    from sovproxy.usecases.policy.judging import Judge

log = logging.getLogger(__name__)

ALGORITHM: Final = "ES256"
TYPE: Final = "sovproxy-bundle+jws"


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """A bundle in force: its version, and the whole of it as a compact JWS."""

    version: str
    token: bytes


class Bundles:
    """Makes and signs the bundle anew when the judge enforces something else. Safe to share."""

    def __init__(self, judge: Judge, key_file: Path) -> None:
        """Load the key, or make it. Raises OSError."""
        self._judge = judge
        self._key = load_key(key_file)
        self._lock = threading.Lock()
        self._of: Decider | None = None
        self._signed: SignedBundle | None = None

    def current(self) -> SignedBundle:
        """The bundle of what is in force now."""
        with self._lock:
            decider = self._judge.decider
            if self._signed is None or self._of is not decider:
                self._signed, self._of = self._sign(), decider
            return self._signed

    def keys(self) -> dict[str, Any]:
        """The public key as a JWK Set (RFC 7517)."""
        return key_set(self._key)

    def _sign(self) -> SignedBundle:
        bundle = make_bundle(self._judge.atlas, self._judge.policy)
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": TYPE}
        token = jws.serialize_compact(header, to_bytes(bundle), self._key)
        return SignedBundle(bundle["version"], token.encode())


def key_set(key: ECKey) -> dict[str, Any]:
    """The public half of a key as a JWK Set."""
    return {"keys": [key.as_dict(private=False) | {"use": "sig", "alg": ALGORITHM}]}


def load_key(path: Path) -> ECKey:
    """The key in `path` (PEM, mode 0600), made when there is none. Raises OSError.

    A file that holds no key is replaced: extensions take the new key over from the API.
    """
    try:
        key = ECKey.import_key(path.read_bytes())
    except FileNotFoundError:
        key = _make_key(path)
    except (JoseError, ValueError) as error:
        log.warning("%s holds no key for bundles (%s); a new one is made", path, error)
        key = _make_key(path)
    key.ensure_kid()
    return key


def _make_key(path: Path) -> ECKey:
    key = ECKey.generate_key("P-256")
    make_private_folder(path.parent)
    replace_private(path, key.as_pem(private=True))
    return key
