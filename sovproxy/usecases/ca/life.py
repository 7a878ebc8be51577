"""What is done with a CA: made, renewed, or signed elsewhere in two steps.

Nothing is changed before everything new has been made and checked; files are written aside, synced
and renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.certificates import (
    BACKDATED,
    Signer,
    issuing_name,
    make_issuing,
    make_request,
    make_root,
)
from sovproxy.ca.issuing import (
    Issuing,
    bounds_of,
    certificates_pem,
    check_issuing,
    read_certificates,
    read_root,
)
from sovproxy.ca.keys import (
    MIN_PASSPHRASE,
    KeyKind,
    key_pem,
    kind_of,
    make_key,
    read_key,
)
from sovproxy.ca.names import Scope, is_below
from sovproxy.errors import SovproxyError
from sovproxy.events.files import replace_private
from sovproxy.usecases.ca.folder import CaFolder, read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

    from sovproxy.ca.requests import Asked

ROOT_YEARS = 10
ISSUING_DAYS = 30
MAX_ISSUING_DAYS = 397


class CannotSign(SovproxyError):
    """What was asked of the CA cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class RootTerms:
    """How a root is made. `bounds` constrains the root itself; empty `passphrase`: in the clear."""

    name: str
    kind: KeyKind = KeyKind.EC_P256
    years: int = ROOT_YEARS
    passphrase: str = ""
    bounds: Scope | None = None


def require_strong(passphrase: str) -> str:
    """Give back a passphrase that will do. Raises CannotSign."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise CannotSign(
            f"the passphrase has {len(passphrase)} characters; wanted are {MIN_PASSPHRASE} or more"
        )
    return passphrase


def make_root_in(folder: CaFolder, terms: RootTerms, now: datetime) -> x509.Certificate:
    """Make a root: key first, then certificate. Raises CannotSign if there is one, OSError."""
    if folder.has_root:
        raise CannotSign(
            f"{folder.path} holds a root already; workstations may trust it. To make a new one, "
            "move that folder away first"
        )
    folder.prepare()
    if folder.key_is_here:  # of a root whose certificate is gone: nothing of it is thrown away
        folder.root_key_file.replace(folder.path / f"root-key-{now:%Y%m%dT%H%M%S}.pem")
    key = make_key(terms.kind)
    root = make_root(key, terms.name, now, timedelta(days=365 * terms.years), terms.bounds)
    replace_private(folder.root_key_file, key_pem(key, terms.passphrase))
    folder.write_root(root)
    return root


def renew(
    folder: CaFolder, scopes: Iterable[Scope], days: int, now: datetime, passphrase: str = ""
) -> Issuing:
    """Make new issuing CAs, with a new key, and put them in place.

    Raises CannotSign when the root's key is not here, UnusableKey, UnusableCertificate, OSError.
    """
    root = folder.root()
    signer = _signer(folder, root, passphrase)
    kept = within(scopes, bounds_of(root))
    if not kept:
        raise CannotSign(
            "there is no name that the CA should permit: the policy stops none by name"
        )
    key = make_key(kind_of(root.public_key()))
    times = (now - BACKDATED, now + timedelta(days=days))
    certificates = tuple(
        make_issuing(signer, key.public_key(), issuing_name(key, scope, number), scope, times)
        for number, scope in enumerate(kept, 1)
    )
    return _put(folder, check_issuing(key, certificates, folder.issuing_file, root))


def ask(folder: CaFolder, scopes: Iterable[Scope]) -> bytes:
    """Make a key and, with it, a request for every scope: PKCS 10 in PEM, one after the other.

    The key stays here until the answer is installed. Raises CannotSign, OSError.
    """
    root = folder.root()
    kept = within(scopes, bounds_of(root))
    if not kept:
        raise CannotSign("there is nothing to ask for: the policy stops no host by name")
    key = make_key(kind_of(root.public_key()))
    requests = [make_request(key, scope, number) for number, scope in enumerate(kept, 1)]
    replace_private(folder.request_key_file, key_pem(key))
    return b"".join(request.public_bytes(Encoding.PEM) for request in requests)


def sign_requests(
    folder: CaFolder, asked: Sequence[Asked], days: int, now: datetime, passphrase: str
) -> bytes:
    """Sign requests with the root in `folder`: the issuing CAs' certificates in PEM.

    Only key, name and DNS names are taken from a request; all else is as we make it. Raises
    CannotSign, UnusableKey, UnusableCertificate, OSError.
    """
    root = folder.root()
    signer = _signer(folder, root, passphrase)
    times = (now - BACKDATED, now + timedelta(days=days))
    signed = tuple(make_issuing(signer, one.key, one.subject, one.scope, times) for one in asked)
    return certificates_pem(signed)


def take_root(folder: CaFolder, file: Path) -> x509.Certificate:
    """Take over the certificate of a root that lives elsewhere. Raises CannotSign for another one.

    Raises UnusableCertificate, OSError.
    """
    root = read_root(read_bounded(file), file)
    if folder.has_root and folder.root() != root:
        raise CannotSign(
            f"{file} is not the root in {folder.root_file}; "
            f"to change roots, move {folder.path} away"
        )
    folder.prepare()
    folder.write_root(root)
    return root


def install(folder: CaFolder, file: Path) -> Issuing:
    """Put certificates that were signed elsewhere in place, with the key that waits for them.

    Raises CannotSign when no key waits, UnusableKey, UnusableCertificate, OSError; then everything
    stays as it was.
    """
    if not folder.request_key_file.exists():
        raise CannotSign("nothing was asked for here; begin with `sovproxy ca request`")
    key = read_key(read_bounded(folder.request_key_file), folder.request_key_file)
    found = read_certificates(read_bounded(file), file)
    root = folder.root()
    certificates = tuple(item for item in found if item != root)
    issuing = _put(folder, check_issuing(key, certificates, file, root))
    folder.request_key_file.unlink()
    return issuing


def within(scopes: Iterable[Scope], bounds: Scope | None) -> tuple[Scope, ...]:
    """The scopes as far as a root's own bounds permit them."""
    if bounds is None:
        return tuple(scopes)
    bases, never = frozenset(bounds.permitted), frozenset(bounds.excluded)
    cut = (
        Scope(
            scope.label,
            tuple(n for n in scope.permitted if is_below(n, bases) and not is_below(n, never)),
            scope.excluded,
        )
        for scope in scopes
    )
    return tuple(scope for scope in cut if scope.permitted)


def _signer(folder: CaFolder, root: x509.Certificate, passphrase: str) -> Signer:
    if not folder.key_is_here:
        raise CannotSign(
            f"the root's key is not in {folder.path}: it lives elsewhere. "
            "Ask it by `sovproxy ca request`, then `sovproxy ca install`"
        )
    key = read_key(read_bounded(folder.root_key_file), folder.root_key_file, passphrase)
    if key.public_key() != root.public_key():
        raise CannotSign(f"{folder.root_key_file} is not the key of {folder.root_file}")
    return Signer(root, key)


def _put(folder: CaFolder, issuing: Issuing) -> Issuing:
    replace_private(folder.issuing_file, issuing.to_pem())
    return issuing
