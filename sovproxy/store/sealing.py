"""Secrets that must be read again are sealed: the store alone, stolen or in a backup, has none.

AES-256-GCM (NIST SP 800-38D). What a sealed text is for is authenticated with it, so that nobody
with write access to the store moves one from row to row.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sovproxy.errors import SovproxyError
from sovproxy.events.files import SECRET_BYTES, load_secret

if TYPE_CHECKING:
    from pathlib import Path

NONCE_BYTES: Final = 12
START: Final = "sealed:"
"""How a sealed text begins, so that people who read the store see what it is."""


class BrokenSeal(SovproxyError):
    """A sealed text was changed, is for something else, or was sealed with another key."""


class Seal:
    """Seals texts with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def of(cls, path: Path) -> Seal:
        """The seal whose key lies in a file, made at first use (mode 0600).

        Raises BrokenSeal for a file with anything else in it, which is left as it is; OSError.
        """
        if path.exists() and (size := path.stat().st_size) != SECRET_BYTES:
            raise BrokenSeal(
                f"{path}: has {size} bytes; wanted are the {SECRET_BYTES} of the key that seals"
                " secrets in the store. Restore the file, or remove it: second factors are lost"
            )
        return cls(load_secret(path))

    @classmethod
    def passing(cls) -> Seal:
        """A seal whose key ends with the process: for those who open the store and seal nothing."""
        return cls(secrets.token_bytes(32))

    def close(self, text: str, purpose: str) -> str:
        """Seal a text for a purpose, such as `totp` and an account's id."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), purpose.encode())
        return START + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Read a sealed text. Raises BrokenSeal."""
        try:
            data = base64.urlsafe_b64decode(sealed.removeprefix(START))
            nonce, rest = data[:NONCE_BYTES], data[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, purpose.encode()).decode()
        except (InvalidTag, ValueError):
            told = f"what is sealed for {purpose!r} cannot be read with this key"
            raise BrokenSeal(told) from None
