"""The CA of `inspection: full`: it may speak for every name but those that are never decrypted.

What is left alone is excluded in the certificate itself (RFC 5280 §4.2.1.10), so that a workstation
refuses a leaf for such a name even from a stolen key. A CA of an administration's own PKI may be
bound otherwise; its bounds are kept, and the names that are left alone are left alone by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from sovproxy.ca.certificates import Signer, begin_of, common_name, end_of, name_bounds
from sovproxy.ca.issuing import (
    UnusableCertificate,
    certificates_pem,
    is_authority,
    read_certificates,
)
from sovproxy.ca.keys import key_pem, read_key
from sovproxy.ca.names import is_below, is_name

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

    from sovproxy.ca.keys import Key

MAX_CHAIN = 4
"""Certificates between a leaf and the root that workstations trust."""

_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Inspecting:
    """A key with its CA's certificate and those above it. `never` are base names left alone."""

    key: Key
    certificates: tuple[x509.Certificate, ...]
    never: frozenset[str]
    permitted: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    def find(self, host: str) -> Signer | None:
        """The CA, if it may speak for `host` (in canonical spelling)."""
        if not is_name(host) or is_below(host, self.never) or is_below(host, self.excluded):
            return None
        if self.permitted is not None and not is_below(host, self.permitted):
            return None
        return Signer(self.certificates[0], self.key)

    @property
    def begins(self) -> datetime:
        """When the last of the certificates becomes valid."""
        return begin_of(self.certificates)

    @property
    def ends(self) -> datetime:
        """When the first of the certificates ends."""
        return end_of(self.certificates)

    def to_pem(self) -> bytes:
        """Write the key, unencrypted, and the CA's certificate: a secret."""
        return key_pem(self.key) + certificates_pem(self.certificates)


def read_inspecting(pem: bytes, file: Path, never: frozenset[str]) -> Inspecting:
    """Read a key, its CA's certificate, and those above it in their order.

    Raises UnusableKey, UnusableCertificate.
    """
    head, mark, tail = pem.partition(_BEGIN)
    key, certificates = read_key(head, file), read_certificates(mark + tail, file)
    if not 0 < len(certificates) <= MAX_CHAIN:
        raise UnusableCertificate(
            f"{file}: holds {len(certificates)} certificates; wanted are the CA's own and those"
            f" above it, {MAX_CHAIN} at most"
        )
    first = certificates[0]
    if first.public_key() != key.public_key():
        name = common_name(first.subject)
        raise UnusableCertificate(f"{file}: the first certificate, {name!r}, is for another key")
    for number, certificate in enumerate(certificates):
        if not is_authority(certificate, number):
            name = common_name(certificate.subject)
            raise UnusableCertificate(f"{file}: {name!r} is no CA with room for {number} below it")
    for below, above in pairwise(certificates):
        _require_issued(below, above, file)
    permitted, excluded = name_bounds(first)
    return Inspecting(key, certificates, never, permitted, excluded)


def _require_issued(below: x509.Certificate, above: x509.Certificate, file: Path) -> None:
    try:
        below.verify_directly_issued_by(above)
    except (InvalidSignature, ValueError, TypeError):
        name, by = common_name(below.subject), common_name(above.subject)
        raise UnusableCertificate(f"{file}: {name!r} is not signed by {by!r}") from None
