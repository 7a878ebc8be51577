"""Requests for issuing CAs (PKCS 10), read where the root lives: they may come from anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sovproxy.ca.certificates import common_name, scope_of
from sovproxy.ca.issuing import LABEL_START, MAX_FILE, UnusableCertificate
from sovproxy.ca.keys import UnusableKey, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sovproxy.ca.certificates import PublicKey
    from sovproxy.ca.names import Scope

MAX_REQUESTS = 2000

_UNREADABLE = (x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE REQUEST-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE REQUEST-----"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One issuing CA that is asked for."""

    key: PublicKey
    subject: x509.Name
    scope: Scope


def read_requests(pem: bytes, file: Path) -> tuple[Asked, ...]:
    """Read requests, all for one key. Raises UnusableCertificate for anything not like ours."""
    if len(pem) > MAX_FILE:
        raise UnusableCertificate(f"{file}: {len(pem)} bytes; wanted are at most {MAX_FILE}")
    found = tuple(_read(file, number, block) for number, block in enumerate(_blocks(pem), 1))
    if not found or len(found) > MAX_REQUESTS:
        raise UnusableCertificate(
            f"{file}: holds {len(found)} requests in PEM; wanted are 1 to {MAX_REQUESTS}"
        )
    if any(one.key != found[0].key for one in found):
        raise UnusableCertificate(f"{file}: the requests are for several keys; wanted is one")
    return found


def _blocks(pem: bytes) -> Iterator[bytes]:
    for number, match in enumerate(_PEM.finditer(pem)):
        if number > MAX_REQUESTS:
            return
        yield match[0]


def _read(file: Path, number: int, block: bytes) -> Asked:
    place = f"{file}: request {number}"
    try:
        request = x509.load_pem_x509_csr(block)
        signed = request.is_signature_valid
        scope = scope_of(request.extensions, common_name(request.subject).removeprefix(LABEL_START))
        key = request.public_key()
        kind_of(key)
    except (ValueError, TypeError, UnsupportedAlgorithm, *_UNREADABLE) as error:
        raise UnusableCertificate(f"{place} cannot be read: {error}") from None
    except UnusableKey as error:
        raise UnusableCertificate(f"{place}: {error}") from None
    if not list(request.subject):
        raise UnusableCertificate(f"{place} has an empty subject")
    if not signed:
        raise UnusableCertificate(f"{place} is not signed by its own key")
    if scope is None:
        wanted = "DNS names of two labels or more, and all addresses excluded"
        raise UnusableCertificate(f"{place} has no such critical nameConstraints: {wanted}")
    return Asked(_ours(key), request.subject, scope)


def _ours(key: object) -> PublicKey:
    kind_of(key)
    return key  # type: ignore[return-value]  # kind_of has refused all others
