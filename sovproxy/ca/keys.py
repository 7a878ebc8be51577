"""Private keys of the CA: made, written as PEM, read again. None is ever logged or shown."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sovproxy.errors import SovproxyError

if TYPE_CHECKING:
    from pathlib import Path

type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

RSA_BITS = 3072
MIN_PASSPHRASE = 12
"""Characters that a root's passphrase has at least: a stolen key is guessed at leisure."""

MAX_KEY_FILE = 64 * 1024


class UnusableKey(SovproxyError):
    """A file holds no key that can be used, or the passphrase does not open it."""


class KeyKind(StrEnum):
    """What kind of key the root has; issuing CAs and leaves have the same."""

    EC_P256 = "ec-p256"
    RSA_3072 = "rsa-3072"


def make_key(kind: KeyKind) -> Key:
    """Make a new key."""
    if kind is KeyKind.RSA_3072:
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def kind_of(key: object) -> KeyKind:
    """The kind of a private or public key. Raises UnusableKey for any other than ours."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if key.curve.name == "secp256r1":
            return KeyKind.EC_P256
    elif isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) and key.key_size >= RSA_BITS:
        return KeyKind.RSA_3072
    kinds = " or ".join(kind.value for kind in KeyKind)
    raise UnusableKey(f"the key is a {type(key).__name__}; wanted is one of {kinds}")


def key_pem(key: Key, passphrase: str = "") -> bytes:
    """Write a key as PKCS 8, encrypted if there is a passphrase."""
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def is_locked(pem: bytes) -> bool:
    """Whether a PEM file of ours needs a passphrase."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem


def read_key(pem: bytes, file: Path, passphrase: str = "") -> Key:
    """Read a key; `file` is named in errors. Raises UnusableKey."""
    if len(pem) > MAX_KEY_FILE:
        raise UnusableKey(f"{file}: {len(pem)} bytes are too many for a key")
    locked = is_locked(pem)
    if locked and not passphrase:
        raise UnusableKey(f"{file}: the key is encrypted, and no passphrase is given")
    try:
        key = load_pem_private_key(pem, passphrase.encode() if locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "the passphrase does not open it" if locked else "it holds no private key in PEM"
        raise UnusableKey(f"{file}: {why}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise UnusableKey(f"{file}: the key is a {type(key).__name__}, no EC or RSA key")
    kind_of(key)
    return key
