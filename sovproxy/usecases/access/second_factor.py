"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

if TYPE_CHECKING:
    from datetime import datetime

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
ISSUER: Final = "sovproxy"
_DRIFT: Final = 1  # steps that a clock may be off, either way

_CODE = re.compile(r"[0-9]{6}")
_SECRET = re.compile(r"[A-Z2-7]{32}")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without what looks alike


def new_secret() -> str:
    """160 random bits in base32, as apps read them."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether this is a secret of ours."""
    return bool(_SECRET.fullmatch(text))


def provisioning_uri(secret: str, login: str) -> str:
    """What the QR code says to the app."""
    return _totp(secret).get_provisioning_uri(login, ISSUER)


def fitting_step(secret: str, code: str, after: int, now: datetime) -> int | None:
    """The step whose code this is, if it lies after the step `after`; None if it does not fit.

    A code is good once: the caller keeps the step. The clock may be 30 s off.
    """
    digits = "".join(code.split())
    if not _CODE.fullmatch(digits):
        return None
    present = int(now.timestamp()) // STEP_SECONDS
    fitting = None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        expected = _totp(secret).generate(step * STEP_SECONDS)
        if hmac.compare_digest(expected, digits.encode()) and step > after:
            fitting = step
    return fitting


def new_recovery_codes() -> list[str]:
    """Ten codes of about 79 bits for the day on which the app is gone: `abcd-efgh-jkmn-pqrs`."""
    return ["-".join(_letters(4) for _ in range(4)) for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str:
    """Under which digest a recovery code is kept; blanks and case do not matter."""
    plain = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(plain.encode()).hexdigest()


def without_code(kept: str, code: str) -> str | None:
    """What is left of the kept digests when a recovery code is used up; None if it is not one."""
    digest = recovery_digest(code)
    left = [one for one in kept.split() if not hmac.compare_digest(one, digest)]
    return " ".join(left) if len(left) < len(kept.split()) else None


def _letters(number: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(number))


def _totp(secret: str) -> TOTP:
    """SHA-1, because that is what every app understands; RFC 6238 holds it good for this."""
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303
