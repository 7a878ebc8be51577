"""A thief with the issuing key: what could be forged with it, and a server that shows it."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sovproxy.ca.certificates import Signer, issuing_name, make_issuing, make_root
from sovproxy.ca.keys import KeyKind, key_pem, make_key
from sovproxy.ca.names import Scope

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
ZOOM = Scope("Zoom", ("zoom.us",), ("static.zoom.us",))
PAGE = b"<!doctype html><title>reached</title>reached"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Ours:
    """A root and one issuing CA under it, as a node has them."""

    root: x509.Certificate
    root_key: object
    issuing: Signer


def make_ours(
    kind: KeyKind = KeyKind.EC_P256, bounds: Scope | None = None, name="Our root"
) -> Ours:
    key = make_key(kind)
    root = make_root(key, name, now(), 3650 * DAY, bounds)
    own = make_key(kind)
    certificate = make_issuing(
        Signer(root, key),
        own.public_key(),
        issuing_name(own, ZOOM, 1),
        ZOOM,
        (now() - DAY, now() + 30 * DAY),
    )
    return Ours(root, key, Signer(certificate, own))


@dataclass
class Forged:
    """A key with its certificate and those above it, without the root."""

    key: ec.EllipticCurvePrivateKey
    chain: list[x509.Certificate] = field(default_factory=list)

    def write(self, path: Path) -> Path:
        path.write_bytes(key_pem(self.key) + pem(*self.chain))
        return path


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)


def forge(
    issuing: Signer, *names: str, common_name: str = "", above: tuple[x509.Certificate, ...] = ()
) -> Forged:
    """A server's certificate for any names at all, as a thief writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _begin(key, common_name).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    if names:
        found = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = builder.add_extension(found, critical=not common_name)
    return Forged(key, [issuing.sign(builder), *(above or (issuing.certificate,))])


def forge_authority(issuing: Signer, name: str = "Sub", path_length: int | None = None) -> Signer:
    """A CA that no bounds are written into, signed by the stolen key."""
    key = ec.generate_private_key(ec.SECP256R1())
    limits = x509.BasicConstraints(ca=True, path_length=path_length)
    builder = _begin(key, name).add_extension(limits, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return Signer(issuing.sign(builder.add_extension(identifier, critical=False)), key)


def cases(ours: Ours) -> dict[str, Forged]:
    """What a thief would try, by the name (or address) under which it is shown."""
    issuing = ours.issuing
    sub = forge_authority(issuing)
    again = (sub.certificate, issuing.certificate)
    return {
        "bank.example": forge(issuing, "bank.example"),
        "zoom.us.evil.example": forge(issuing, "zoom.us.evil.example"),
        "notzoom.us": forge(issuing, "notzoom.us"),
        "static.zoom.us": forge(issuing, "static.zoom.us"),
        "beside.example": forge(issuing, "zoom.us", "beside.example"),
        "only-cn.example": forge(issuing, common_name="only-cn.example"),
        "sub.zoom.us": forge(sub, "sub.zoom.us", above=again),
        "sub.example": forge(sub, "sub.example", above=again),
        "127.0.0.1": forge(issuing, "127.0.0.1"),
    }


class Server:
    """Shows each client the certificate for the name that it asks for, on one port of loopback."""

    def __init__(self, folder: Path, shown: dict[str, Forged]) -> None:
        self._contexts = {
            name: _context(forged.write(folder / f"{number}.pem"))
            for number, (name, forged) in enumerate(shown.items())
        }
        nameless = self._contexts.get("127.0.0.1") or next(iter(self._contexts.values()))
        nameless.sni_callback = self._choose
        self._nameless = nameless
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _choose(self, connection: ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name in self._contexts:
            connection.context = self._contexts[name]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(20)
        with suppress(OSError), self._nameless.wrap_socket(client, server_side=True) as inner:
            head = inner.recv(65536).decode("latin-1")
            if head:
                self.requests.append(head)
                inner.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
                )


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _begin(key: ec.EllipticCurvePrivateKey, common_name: str) -> x509.CertificateBuilder:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + 3 * DAY)
    )


def _general(name: str) -> x509.GeneralName:
    if name.replace(".", "").isdigit():
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)
