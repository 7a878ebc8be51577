"""Receivers to forward to: a small one in Python that can misbehave, and a real rsyslog."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sovproxy.events.event import Event
from sovproxy.receivers import SyslogReceiver
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.upkeep.forwarding import Forwarding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UUID = re.compile(rb'\[sovproxy@32473 id="([0-9a-f-]{36})"')


def eventually(true: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something to become true, and give it."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it has not happened"
        time.sleep(0.02)
    return found


def an_event(number: int = 0, **fields: Any) -> Event:
    values = {
        "time": dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
        "node": "proxy-1",
        "kind": "decision",
        "host": "us02web.zoom.us",
        "action": "block",
        "rule": "video-abroad",
        "reason": f"number {number}",
        "service": "zoom",
        "control": ("US",),
        "policy": "fr-etat",
        "policy_version": "1",
        "outcome": "prompted",
        "transport": "https",
    }
    return Event.model_validate(values | fields, strict=False)


@pytest.fixture
def make_event() -> Callable[..., Event]:
    return an_event


@pytest.fixture(name="eventually")
def eventually_fixture() -> Any:
    """Wait for something to become true, and give it."""
    return eventually


@pytest.fixture
def store(tmp_path):
    found = open_store(sqlite_url(tmp_path / "sovproxy.sqlite"))
    yield found
    found.close()


@pytest.fixture
def add(store):
    """Let events arrive, and give their ids in order of arrival."""

    def _add(number: int, first: int = 0, **fields: Any) -> list[str]:
        events = [an_event(first + index, **fields) for index in range(number)]
        insert_records(store, events, [])
        return [str(event.id) for event in events]

    return _add


@pytest.fixture
def forward(store) -> Iterator[Callable[..., Forwarding]]:
    """Begin to forward to some receivers."""
    begun: list[Forwarding] = []

    def start(*receivers: Any) -> Forwarding:
        forwarding = Forwarding.of(store, receivers, "proxy-1")
        forwarding.start()
        begun.append(forwarding)
        return forwarding

    yield start
    for forwarding in begun:
        forwarding.stop()


class Collector:
    """A syslog server: reads counted frames, over TCP or TLS, and can be told to misbehave."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.frames: list[bytes] = []
        self.raw: list[bytes] = []
        self.clients: list[socket.socket] = []
        self.reading = threading.Event()
        self.reading.set()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def ids(self) -> list[str]:
        return [match[1].decode() for frame in list(self.frames) if (match := UUID.search(frame))]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            self.clients.append(client)
            buffer = b""
            while self.reading.wait() and (part := client.recv(65536)):
                buffer = self._take(buffer + part)

    def _take(self, buffer: bytes) -> bytes:
        while (space := buffer.find(b" ")) > 0:
            length = int(buffer[:space])
            if len(buffer) < space + 1 + length:
                break
            self.frames.append(buffer[space + 1 : space + 1 + length])
            buffer = buffer[space + 1 + length :]
        return buffer

    def hang_up(self) -> None:
        """Close every connection at once, as a server does that dies."""
        clients, self.clients = self.clients, []
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    made: list[Collector] = []

    def start(**options: Any) -> Collector:
        made.append(Collector(**options))
        return made[-1]

    yield start
    for item in made:
        item.stop()


class Certificates:
    """A CA of its own with certificates for servers and clients, as PEM files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        own = self._builder(self._name, self._key)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def make(self, name: str) -> tuple[Path, Path]:
        """A certificate for a host name or address, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        with contextlib.suppress(ValueError):
            name = ipaddress.ip_address(name)  # type: ignore[assignment]
        alternative = x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name)
        builder = self._builder(subject, key).add_extension(
            x509.SubjectAlternativeName([alternative]), critical=False
        )
        files = self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"
        files[0].write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def server_context(self, name: str, *, asks_for_clients: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(*self.make(name))
        if asks_for_clients:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _builder(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def certificates(tmp_path) -> Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Certificates(folder)


@pytest.fixture
def syslog() -> Callable[..., SyslogReceiver]:
    """A receiver as the settings have it; over TCP unless told otherwise."""

    def make(port: int, **fields: Any) -> SyslogReceiver:
        values = {"kind": "syslog", "name": "siem", "host": "127.0.0.1", "port": port, "tls": False}
        return SyslogReceiver.model_validate(values | {"begin": "first"} | fields)

    return make


class Rsyslog:
    """A real rsyslogd that writes what it is sent into a file, one message a line."""

    def __init__(self, folder: Path, certificates: Certificates | None = None) -> None:
        self.folder = folder
        self.file = folder / "received"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.config = folder / "rsyslog.conf"
        self.config.write_text(self._configuration(certificates))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["rsyslogd", "-n", "-f", str(self.config), "-i", str(self.folder / "pid")]
        self._process = subprocess.Popen(command)
        eventually(self._answers)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        (self.folder / "pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def ids(self) -> list[str]:
        if not self.file.exists():
            return []
        return [match.decode() for match in UUID.findall(self.file.read_bytes())]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _configuration(self, certificates: Certificates | None) -> str:
        stream, driver = "", ""
        if certificates:
            certificate, key = certificates.make("localhost")
            driver = (
                f'global(DefaultNetstreamDriverCAFile="{certificates.ca}" '
                f'DefaultNetstreamDriverCertFile="{certificate}" '
                f'DefaultNetstreamDriverKeyFile="{key}")\n'
            )
            stream = (
                ' StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"'
                ' PermittedPeer="proxy-1"'
            )
        return (
            f'global(workDirectory="{self.folder}" maxMessageSize="64k")\n{driver}'
            f'module(load="imtcp"{stream})\n'
            'template(name="whole" type="string" string="%rawmsg%\\n")\n'
            f'input(type="imtcp" port="{self.port}" address="127.0.0.1")\n'
            f'action(type="omfile" file="{self.file}" template="whole" asyncWriting="off")\n'
        )


@pytest.fixture
def rsyslog(tmp_path) -> Iterator[Callable[..., Rsyslog]]:
    assert shutil.which("rsyslogd"), "tools/install-test-tools installs rsyslog"
    made: list[Rsyslog] = []

    def start(**options: Any) -> Rsyslog:
        folder = tmp_path / f"rsyslog{len(made)}"
        folder.mkdir()
        made.append(Rsyslog(folder, **options))
        made[-1].start()
        return made[-1]

    yield start
    for item in made:
        item.stop()
