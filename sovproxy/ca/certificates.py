"""The three kinds of certificates: root, issuing CA, leaf; and how each is signed.

An issuing CA is bound by RFC 5280 §4.2.1.10 (critical nameConstraints): it may name its DNS names
and what lies below them, and no address. The extended key usage binds it to TLS servers, which
leaves no use for mail, URIs or clients; `pathLen:0` to leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sovproxy.ca.names import Scope, is_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from sovproxy.ca.keys import Key

    type PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

BACKDATED = timedelta(hours=12)
"""Certificates begin in the past: workstations' clocks may be slow."""

MAX_COMMON_NAME = 64
"""Characters in a common name, X.520's upper bound."""

NO_ADDRESSES = tuple(x509.IPAddress(ip_network(every)) for every in ("0.0.0.0/0", "::/0"))
"""All of IPv4 and of IPv6, excluded; RFC 5280 leaves a form of name free that is not spoken of."""

_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@dataclass(frozen=True, slots=True)
class Signer:
    """A CA's certificate with its key."""

    certificate: x509.Certificate
    key: Key

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate in this CA's name."""
        above = x509.SubjectKeyIdentifier.from_public_key(self.certificate.public_key())
        known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
        return (
            builder.issuer_name(self.certificate.subject)
            .add_extension(known, critical=False)
            .sign(self.key, hashes.SHA256())
        )


def make_root(
    key: Key, name: str, now: datetime, lasts: timedelta, bounds: Scope | None = None
) -> x509.Certificate:
    """Make the certificate that workstations trust. With `bounds` it is constrained itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:MAX_COMMON_NAME])])
    builder = _begin(key.public_key(), subject, now - BACKDATED, now + lasts)
    builder = _as_authority(builder, key.public_key(), path_length=1)
    if bounds:
        builder = builder.add_extension(_constraints(bounds), critical=True)
    return builder.issuer_name(subject).sign(key, hashes.SHA256())


def make_request(key: Key, scope: Scope, number: int) -> x509.CertificateSigningRequest:
    """Ask for an issuing CA: PKCS 10, with subject and constraints as they are to be."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(issuing_name(key, scope, number))
    return builder.add_extension(_constraints(scope), critical=True).sign(key, hashes.SHA256())


def make_issuing(
    root: Signer,
    key: PublicKey,
    subject: x509.Name,
    scope: Scope,
    times: tuple[datetime, datetime],
) -> x509.Certificate:
    """Sign an issuing CA for `scope`, valid between two times and never longer than its root."""
    first, last = times
    first = max(first, root.certificate.not_valid_before_utc)
    last = min(last, root.certificate.not_valid_after_utc)
    builder = _as_authority(_begin(key, subject, first, last), key, path_length=0)
    return root.sign(builder.add_extension(_constraints(scope), critical=True))


def make_leaf(
    issuing: Signer, key: Key, host: str, times: tuple[datetime, datetime]
) -> x509.Certificate:
    """Sign a server's certificate for one DNS name and nothing else.

    The subject is empty, so that the name stands in one place only; RFC 5280 §4.2.1.6 then wants
    the alternative name to be critical.
    """
    first = max(times[0], issuing.certificate.not_valid_before_utc)
    last = min(times[1], issuing.certificate.not_valid_after_utc)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    return issuing.sign(
        _begin(key.public_key(), x509.Name([]), first, last)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_SERVERS, critical=False)
        .add_extension(names, critical=True)
    )


def issuing_name(key: Key, scope: Scope, number: int) -> x509.Name:
    """The subject of an issuing CA: whose names, and which key and number, so that it is unique."""
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]
    told = f"sovproxy: {scope.label}"[:MAX_COMMON_NAME]
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, told),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{digest}-{number}"),
        ]
    )


def make_inspecting(
    root: Signer,
    key: Key,
    never: Iterable[str],
    times: tuple[datetime, datetime],
) -> x509.Certificate:
    """Sign the CA of full inspection: any DNS name but `never` (base names), and no address."""
    first = max(times[0], root.certificate.not_valid_before_utc)
    last = min(times[1], root.certificate.not_valid_after_utc)
    scope = Scope("full inspection", (), tuple(sorted(never)))
    builder = _begin(key.public_key(), issuing_name(key, scope, 0), first, last)
    builder = _as_authority(builder, key.public_key(), path_length=0)
    return root.sign(builder.add_extension(_constraints(scope), critical=True))


def scope_of(extensions: x509.Extensions, label: str) -> Scope | None:
    """Read what an issuing CA may speak for; None if it is not bound as ours are."""
    try:
        found = extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None
    permitted = tuple(found.value.permitted_subtrees or ())
    excluded = tuple(found.value.excluded_subtrees or ())
    dns = _dns(permitted)
    bound = found.critical and dns and len(dns) == len(permitted) and all(map(is_name, dns))
    if not bound or any(every not in excluded for every in NO_ADDRESSES):
        return None
    return Scope(label, dns, _dns(excluded))


def name_bounds(certificate: x509.Certificate) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The DNS names that any CA is bound to: permitted (None: all) and excluded base names.

    Other forms of names are passed over: we make leaves for DNS names only. A leading dot, which
    some write for "below only", is read as if it were not there on what is excluded, and leaves
    nothing permitted.
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None, frozenset()
    permitted, excluded = found.permitted_subtrees, found.excluded_subtrees
    names = _dns(permitted or ())
    without = frozenset(name.lower().lstrip(".") for name in _dns(excluded or ()))
    return frozenset(map(str.lower, names)) if names else None, without


def begin_of(certificates: Iterable[x509.Certificate]) -> datetime:
    """When the last of them becomes valid."""
    return max(item.not_valid_before_utc for item in certificates)


def end_of(certificates: Iterable[x509.Certificate]) -> datetime:
    """When the first of them ends."""
    return min(item.not_valid_after_utc for item in certificates)


def common_name(name: x509.Name) -> str:
    """What people read of a subject."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _dns(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(name.value for name in names if isinstance(name, x509.DNSName))


def _constraints(scope: Scope) -> x509.NameConstraints:
    return x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(name) for name in scope.permitted] or None,
        excluded_subtrees=[*map(x509.DNSName, scope.excluded), *NO_ADDRESSES],
    )


def _begin(
    key: PublicKey, subject: x509.Name, first: datetime, last: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _as_authority(
    builder: x509.CertificateBuilder, key: PublicKey, *, path_length: int
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return (
        builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=path_length), critical=True
        )
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_SERVERS, critical=False)
        .add_extension(identifier, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
