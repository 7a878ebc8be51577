"""The lab's own certificate authority, which stands for the public ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

PEM = serialization.Encoding.PEM
NAME = "Lab Root"


@dataclass
class Authority:
    """Issues certificates for origins into `folder`; `certificate` is what clients trust."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate

    @property
    def certificate(self) -> Path:
        return self.folder / "root.pem"

    def issue(self, *names: str) -> Path:
        """A PEM file with key and certificate for these hosts or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        builder = _builder(names[0], key).issuer_name(self.root.subject)
        builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.add_extension(usage, critical=False).sign(self.key, hashes.SHA256())
        path = self.folder / f"{certificate.serial_number:x}.pem"
        path.write_bytes(_key_pem(key) + certificate.public_bytes(PEM))
        return path


def make_authority(folder: Path) -> Authority:
    """Make a new root in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(NAME, key)
    builder = builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]))
    limits = x509.BasicConstraints(ca=True, path_length=0)
    root = builder.add_extension(limits, critical=True).sign(key, hashes.SHA256())
    authority = Authority(folder, key, root)
    authority.certificate.write_bytes(root.public_bytes(PEM))
    return authority


def _builder(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _alternative(name: str) -> x509.GeneralName:
    if name.replace(".", "").isdigit():
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain)
