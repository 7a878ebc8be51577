"""The issuing CAs of one node: one key, and one certificate per service, so that answers are small.

All names in one certificate would put tens of kilobytes into every handshake. A stolen key is
worth the names of all its certificates together, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.certificates import Signer, begin_of, common_name, end_of, scope_of
from sovproxy.ca.keys import UnusableKey, key_pem, kind_of, read_key
from sovproxy.ca.names import is_below, names_above
from sovproxy.errors import SovproxyError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sovproxy.ca.keys import Key
    from sovproxy.ca.names import Scope

MAX_FILE = 16 * 1024 * 1024
"""Bytes of a file with issuing CAs; the shipped catalogue's take some 200 kB."""

_UNREADABLE = (x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_BEGIN = b"-----BEGIN CERTIFICATE-----"
LABEL_START = "sovproxy: "


class UnusableCertificate(SovproxyError):
    """A certificate is broken, foreign, or not bound as ours are."""


@dataclass(frozen=True, slots=True)
class Issuing:
    """Issuing CAs that share a key. `bounds` is what their root permits; None: everything."""

    key: Key
    certificates: tuple[x509.Certificate, ...]
    scopes: tuple[Scope, ...]
    bounds: Scope | None = None
    _by_base: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for number, scope in enumerate(self.scopes):
            for name in scope.permitted:
                self._by_base.setdefault(name, []).append(number)

    def find(self, host: str) -> Signer | None:
        """The issuing CA that may speak for `host` (in canonical spelling), or None."""
        if self.bounds and not self.bounds.covers(host):
            return None
        for name in names_above(host):
            for number in self._by_base.get(name, ()):
                if not is_below(host, frozenset(self.scopes[number].excluded)):
                    return Signer(self.certificates[number], self.key)
        return None

    @property
    def begins(self) -> datetime:
        """When the last of them becomes valid."""
        return begin_of(self.certificates)

    @property
    def ends(self) -> datetime:
        """When the first of them ends."""
        return end_of(self.certificates)

    @property
    def largest(self) -> int:
        """Bytes (DER) of the largest certificate: the most that it adds to an answer."""
        return max(len(item.public_bytes(Encoding.DER)) for item in self.certificates)

    def to_pem(self) -> bytes:
        """Write the key, unencrypted, and all certificates: a secret."""
        return key_pem(self.key) + certificates_pem(self.certificates)


def certificates_pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    """Write certificates one after the other."""
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)


def read_certificates(pem: bytes, file: Path) -> tuple[x509.Certificate, ...]:
    """Read all certificates of a file. Raises UnusableCertificate."""
    if len(pem) > MAX_FILE:
        raise UnusableCertificate(f"{file}: {len(pem)} bytes; wanted are at most {MAX_FILE}")
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise UnusableCertificate(f"{file}: holds no certificate in PEM: {error}") from None


def read_root(pem: bytes, file: Path) -> x509.Certificate:
    """Read a root: the only certificate of its file, a CA that signed itself.

    Raises UnusableCertificate.
    """
    found = read_certificates(pem, file)
    if len(found) != 1:
        raise UnusableCertificate(f"{file}: holds {len(found)} certificates; wanted is one, a root")
    root = found[0]
    if not is_authority(root, 1):
        raise UnusableCertificate(f"{file}: is no CA above other CAs (basicConstraints)")
    _require_signed(root, root, file)
    _kind(root, file)
    if _is_bound(root, file) and bounds_of(root) is None:
        raise UnusableCertificate(f"{file}: the root is bound otherwise than by DNS names")
    return root


def _is_bound(root: x509.Certificate, file: Path) -> bool:
    try:
        return any(isinstance(item.value, x509.NameConstraints) for item in root.extensions)
    except (ValueError, *_UNREADABLE) as error:
        raise UnusableCertificate(f"{file}: its extensions cannot be read: {error}") from None


def read_issuing(pem: bytes, file: Path, root: x509.Certificate) -> Issuing:
    """Read key and certificates. Raises UnusableKey, UnusableCertificate."""
    head, mark, tail = pem.partition(_BEGIN)
    return check_issuing(read_key(head, file), read_certificates(mark + tail, file), file, root)


def check_issuing(
    key: Key, certificates: tuple[x509.Certificate, ...], file: Path, root: x509.Certificate
) -> Issuing:
    """Put key and certificates together, if they are ours. Raises UnusableCertificate."""
    if not certificates:
        raise UnusableCertificate(f"{file}: holds no certificate")
    scopes = tuple(_scope(item, key, file, root) for item in certificates)
    return Issuing(key, certificates, scopes, bounds_of(root))


def bounds_of(root: x509.Certificate) -> Scope | None:
    """What a root permits itself; None if it is not constrained."""
    return scope_of(root.extensions, common_name(root.subject))


def _scope(certificate: x509.Certificate, key: Key, file: Path, root: x509.Certificate) -> Scope:
    name = common_name(certificate.subject)
    _require_signed(certificate, root, file)
    if certificate.public_key() != key.public_key():
        raise UnusableCertificate(f"{file}: the certificate of {name!r} is for another key")
    if not is_authority(certificate, 0) or is_authority(certificate, 1):
        raise UnusableCertificate(f"{file}: {name!r} is no CA with pathLen 0")
    scope = scope_of(certificate.extensions, name.removeprefix(LABEL_START))
    if scope is None:
        wanted = "critical nameConstraints with DNS names permitted and all addresses excluded"
        raise UnusableCertificate(f"{file}: {name!r} is not bound; wanted are {wanted}")
    return scope


def _require_signed(certificate: x509.Certificate, root: x509.Certificate, file: Path) -> None:
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):
        name, by = common_name(certificate.subject), common_name(root.subject)
        raise UnusableCertificate(f"{file}: {name!r} is not signed by the root {by!r}") from None


def is_authority(certificate: x509.Certificate, below: int) -> bool:
    """Whether it is a CA that may have `below` CAs in line under it."""
    found = _constraints_of(certificate)
    if found is None or not found.ca:
        return False
    return found.path_length is None or found.path_length >= below


def _constraints_of(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    """Its basicConstraints if they are critical."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError, *_UNREADABLE):
        return None
    return found.value if found.critical else None


def _kind(certificate: x509.Certificate, file: Path) -> None:
    try:
        kind_of(certificate.public_key())
    except UnusableKey as error:
        raise UnusableCertificate(f"{file}: {error}") from None
