"""A real server on a loopback port, over a real SQLite file, for each test that asks for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sovproxy.api.app import create_app
from sovproxy.api.services import DataAge, Services
from sovproxy.decide.normalise import read_destination
from sovproxy.events.event import Event
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role, create_token
from tests.serving import Serving, client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import httpx

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)

EVENT: dict[str, Any] = {
    "node": "proxy-1",
    "kind": "decision",
    "client": "2026-11.aaaabbbbccccdddd",
    "group": "finance",
    "host": "us02web.zoom.us",
    "address": "170.114.52.2",
    "port": 443,
    "action": "block",
    "rule": "video-abroad",
    "service": "zoom",
    "operator": "zoom",
    "control": ("US",),
    "standing": "abroad",
    "location": "US",
    "asn": 30103,
    "policy": "fr-etat",
    "policy_version": "1",
    "outcome": "prompted",
    "transport": "https",
    "decrypted": True,
}


class NameJudge:
    """Judges by name alone: enough to see that questions and answers pass the API unharmed."""

    def check(
        self, query: str, ip: str = "", group: str = "", client: str = ""
    ) -> Mapping[str, object]:
        if query == "boom":
            raise RuntimeError("secret inside: /var/lib/sovproxy")
        answer = {"query": query, "host": read_destination(query).label, "ip": ip, "group": group}
        return answer | ({"client": client} if client else {})


class Server:
    """A running app, and a client that speaks to it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.app = create_app(services)
        self._serving = Serving(self.app)
        self.url = self._serving.url
        self.client = client_of(self.url)

    def stop(self) -> None:
        self.client.close()
        self._serving.stop()

    def as_role(self, role: Role) -> dict[str, str]:
        """Headers with a new token of this role."""
        token = create_token(self.services.store, role, role.value)
        return {"authorization": f"Bearer {token}"}

    def get(self, path: str, role: Role = Role.ANALYST, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params, headers=self.as_role(role))

    def deliver(self, events: list[Event], rollups: Any = ()) -> httpx.Response:
        lists = [b",".join(item.to_json() for item in items) for items in (events, rollups)]
        body = b'{"events":[%s],"rollups":[%s]}' % tuple(lists)
        return self.client.post("/api/v1/events", content=body, headers=self.as_role(Role.NODE))


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A file as mitmproxy writes it: private key and root certificate together."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sovproxy test root")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "mitmproxy-ca.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def services_url(tmp_path: Path) -> str:
    """The store behind the API; a module that is asked on each database gives `store_url`."""
    return sqlite_url(tmp_path / "data" / "sovproxy.sqlite")


@pytest.fixture
def services(tmp_path: Path, ca_file: Path, services_url: str) -> Iterator[Services]:
    store = open_store(services_url)
    yield Services(
        store=store,
        judge=NameJudge(),
        proxy_address="127.0.0.1:8888",
        ca_file=ca_file,
        internal_domains=lambda: (".intra.example", "Ministere.Example."),
        retention_days=lambda: 183,
        data_ages=lambda: [DataAge("location", "2026-11-01", stale=False)],
        policy_problem=lambda: "",
    )
    store.close()


@pytest.fixture
def serve(services: Services) -> Iterator[Callable[..., Server]]:
    """Start servers; services can be replaced by name."""
    servers: list[Server] = []

    def start(**changes: Any) -> Server:
        servers.append(Server(replace(services, **changes)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture
def make_event() -> Callable[..., Event]:
    def make(minutes: float = 0, **fields: Any) -> Event:
        time_ = NOW - timedelta(minutes=minutes)
        return Event.model_validate({"time": time_} | EVENT | fields, strict=False)

    return make


@pytest.fixture
def assert_problem() -> Callable[..., dict[str, Any]]:
    """The one shape of every error."""

    def check(response: httpx.Response, status: int, slug: str = "") -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert set(problem) == {"type", "title", "status", "detail", "instance", "errors"}
        assert problem["status"] == status
        assert problem["type"].startswith("urn:sovproxy:problem:" + slug)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        return problem

    return check
