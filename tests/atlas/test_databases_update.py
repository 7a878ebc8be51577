"""Updating from a real HTTP server: checked, bounded, remembered; a failure changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sovproxy.atlas import database_fetch
from sovproxy.atlas.databases import Databases
from sovproxy.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARIS = "15.188.0.0/16"
ADDRESS = "15.188.1.1"


def asn(number: int) -> dict[str, object]:
    record = {"autonomous_system_number": number, "autonomous_system_organization": "Org"}
    return {PARIS: record}


@dataclass
class Site:
    """What the server has, and what it was asked. A page is a status, a body and headers."""

    url: str = ""
    pages: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, body, named)
        return self.url + path


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers)))
            status, body, headers = site.pages.get(self.path, (404, b"no such page", {}))
            tag = headers.get("ETag")
            if tag and self.headers.get("If-None-Match") == tag:
                status, body = 304, b""
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(body), 100_000):
                self.wfile.write(body[start : start + 100_000])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    return Handler


def serve(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve()


@pytest.fixture
def fetching(data_dir):
    """Make databases whose network database is updated from a URL."""

    def make(url: str, **more: object) -> Databases:
        return Databases.of(Settings(data_dir=data_dir, network_update_url=url, **more))

    return make


def left_over(databases: Databases) -> list[str]:
    return [path.name for path in databases.folder.glob(".new-*")]


def network_of(databases: Databases, now: float) -> int:
    return databases.open_geo({}, now).place(ADDRESS).asn


def test_update_over_http_needs_no_key_and_is_remembered(site, fetching, mmdb, now):
    url = site.put("/asn.mmdb", mmdb("a.mmdb", asn(64500)).read_bytes(), ETag='"one"')
    databases = fetching(url)
    (outcome,) = databases.update(now)
    assert (outcome.kind, outcome.result) == ("network", "imported")
    assert network_of(databases, now) == 64500
    (path, headers), *_ = site.asked
    assert path == "/asn.mmdb"
    assert not {"authorization", "cookie"} & {name.lower() for name in headers}


def test_second_update_asks_with_the_etag_and_changes_nothing_on_304(site, fetching, mmdb, now):
    databases = fetching(site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes(), ETag='"one"'))
    databases.update(now)
    token = databases.generation()
    (outcome,) = databases.update(now)
    assert outcome.result == "unchanged"
    assert site.asked[-1][1]["If-None-Match"] == '"one"'
    assert databases.generation() == token


def test_etag_is_not_sent_once_something_else_is_in_use(site, fetching, mmdb, now):
    databases = fetching(site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes(), ETag='"one"'))
    databases.update(now)
    databases.rollback()
    (outcome,) = databases.update(now)
    assert outcome.result == "imported"
    assert "If-None-Match" not in site.asked[-1][1]
    assert network_of(databases, now) == 64500


def test_server_without_etags_sending_the_same_file_counts_as_unchanged(site, fetching, mmdb, now):
    databases = fetching(site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes()))
    assert [o.result for o in (*databases.update(now), *databases.update(now))] == [
        "imported",
        "unchanged",
    ]


def test_one_url_for_both_kinds_is_fetched_once(site, data_dir, mmdb, now):
    record = {"country_code": "CH", "asn": "AS64500", "as_name": "Lite"}
    url = site.put("/lite", gzip.compress(mmdb("l.mmdb", {PARIS: record}).read_bytes()))
    databases = Databases.of(
        Settings(data_dir=data_dir, network_update_url=url, location_update_url=url)
    )
    assert [(o.kind, o.result) for o in databases.update(now)] == [
        ("location", "imported"),
        ("network", "imported"),
    ]
    assert len(site.asked) == 1


def wrong_answers(good: bytes) -> dict[str, tuple[int, bytes, dict[str, str]]]:
    return {
        "404": (404, b"gone", {}),
        "500": (500, b"", {}),
        "401": (401, good, {}),
        "204 without a body": (204, b"", {}),
        "304 that nobody asked for": (304, b"", {}),
        "a sign-in page": (200, b"<html>Please sign in</html>", {}),
        "an empty body": (200, b"", {}),
        "a truncated body": (200, good[:-9], {}),
        "less than announced": (200, good, {"Content-Length": str(len(good) + 5)}),
        "a redirect in circles": (302, b"", {"Location": "/a"}),
        "a redirect to a file": (302, b"", {"Location": "file:///etc/passwd"}),
        "a country database": (200, b"country", {}),
    }


@pytest.mark.parametrize("what", list(wrong_answers(b"")))
def test_a_failed_update_leaves_everything_as_it_was(what, site, fetching, mmdb, now):
    databases = fetching(site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes()))
    databases.update(now)
    token = databases.generation()
    site.pages["/a"] = wrong_answers(mmdb("b.mmdb", asn(64501)).read_bytes())[what]
    if what == "a country database":
        site.put("/a", mmdb("c.mmdb", {PARIS: {"country_code": "FR"}}).read_bytes())
    (outcome,) = databases.update(now)
    assert outcome.result == "failed"
    assert site.url + "/a" in outcome.message
    assert databases.generation() == token
    assert network_of(databases, now) == 64500
    assert left_over(databases) == []


def test_a_server_that_cannot_be_reached_is_a_clear_failure(fetching, now):
    databases = fetching("http://127.0.0.1:1/asn.mmdb")
    (outcome,) = databases.update(now)
    assert outcome.result == "failed"
    assert "http://127.0.0.1:1/asn.mmdb: cannot be fetched" in outcome.message
    assert network_of(databases, now) == 16509


@pytest.mark.parametrize(
    ("fragment", "listed"),
    [
        ("#sha256={digest}", None),
        ("#sha256=/a.sha256", "{digest}\n"),
        ("#sha256=a.sha256", "{digest}  GeoLite2-ASN.mmdb\n"),
        ("#sha256={url}/a.sha256", "{digest} *a"),
    ],
)
def test_checksum_is_checked_from_the_url_or_a_file_beside_it(
    fragment, listed, site, fetching, mmdb
):
    content = mmdb("a.mmdb", asn(64500)).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    url = site.put("/a", content) + fragment.format(digest=digest, url=site.url)
    if listed:
        site.put("/a.sha256", listed.format(digest=digest).encode())
    (outcome,) = fetching(url).update(0.0)
    assert outcome.result == "imported"
    site.put("/a", mmdb("b.mmdb", asn(64501)).read_bytes())
    (outcome,) = fetching(url).update(0.0)
    assert outcome.result == "failed"
    assert f"wanted {digest}; not used" in outcome.message


@pytest.mark.parametrize(
    ("fragment", "listed", "why"),
    [
        ("#md5=abc", b"", "wanted sha256="),
        ("#sha256=", b"", "wanted sha256="),
        ("#sha256=a.sha256", b"<html>", "does not begin with a sha256"),
        ("#sha256=a.sha256", b"", "does not begin with a sha256"),
        ("#sha256=a.sha256", b"a" * 5000, "larger than the limit of 4096"),
        ("#sha256=gone.sha256", b"", "answered 404"),
    ],
)
def test_a_checksum_that_cannot_be_had_stops_the_update(fragment, listed, why, site, fetching):
    url = site.put("/a", b"never fetched") + fragment
    site.put("/a.sha256", listed)
    (outcome,) = fetching(url).update(0.0)
    assert outcome.result == "failed"
    assert why in outcome.message
    assert "/a" not in [path for path, _ in site.asked]


def test_an_oversized_download_is_stopped(site, tmp_path):
    url = site.put("/big", b"x" * 2_000_000)
    with (
        (tmp_path / "out").open("wb") as out,
        pytest.raises(
            database_fetch.UnusableDatabase, match="larger than the limit of 1000000 bytes"
        ),
    ):
        database_fetch.fetch(url, out, limits=database_fetch.Limits(fetched=1_000_000))
    assert (tmp_path / "out").stat().st_size <= 1_000_000


def test_a_download_that_takes_too_long_is_stopped(site, tmp_path):
    url = site.put("/slow", b"x" * 1_000_000)
    with (
        (tmp_path / "out").open("wb") as out,
        pytest.raises(database_fetch.UnusableDatabase, match="took longer than 0 seconds"),
    ):
        database_fetch.fetch(url, out, limits=database_fetch.Limits(deadline=0.0))


def test_an_update_does_not_go_back_in_time(site, fetching, mmdb, now):
    databases = fetching(site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes()))
    databases.update(now)
    older = datetime(2026, 10, 1, tzinfo=UTC)
    site.put("/a", mmdb("b.mmdb", asn(64501), built=older).read_bytes())
    (outcome,) = databases.update(now)
    assert outcome.result == "failed"
    assert "built on 2026-10-01, before the network database in use (2026-11-01)" in outcome.message
    assert network_of(databases, now) == 64500


@pytest.mark.parametrize(("prefix", "space"), [("", " "), ("file://", "%20")])
def test_update_from_a_file_or_a_file_url(prefix, space, fetching, mmdb, now):
    path = str(mmdb("a b.mmdb", asn(64500)))
    databases = fetching(prefix + path.replace(" ", space))
    assert [o.result for o in databases.update(now)] == ["imported"]
    assert network_of(databases, now) == 64500


def test_checksum_file_beside_a_local_file_is_checked(fetching, mmdb, now):
    file = mmdb("a.mmdb", asn(64500))
    file.with_suffix(".sha256").write_text("0" * 64)
    (outcome,) = fetching(f"{file}#sha256=a.sha256").update(now)
    assert outcome.result == "failed"
    assert f"wanted {'0' * 64}" in outcome.message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "http://", "http://[", "gopher:x", "/gone"])
def test_an_absurd_url_is_a_clear_failure(url, fetching, now):
    (outcome,) = fetching(url).update(now)
    assert outcome.result == "failed"
    assert outcome.message


def test_no_url_means_nothing_to_do(tmp_path, now):
    assert Databases.of(Settings(data_dir=tmp_path)).update(now) == ()


def test_keys_in_a_url_never_reach_messages_or_the_disk(site, fetching, mmdb, now):
    secret = "s3cr3t-token"
    body = mmdb("a.mmdb", asn(64500)).read_bytes()
    site.put(f"/a?token={secret}", body)
    url = site.url.replace("//", f"//user:{secret}@") + f"/a?token={secret}"
    databases = fetching(url)
    told = [o.message for o in databases.update(now)]
    site.pages.clear()
    told += [o.message for o in databases.update(now)]
    written = (databases.folder / "databases.json").read_text()
    assert site.asked[0][0] == f"/a?token={secret}"
    assert secret not in written + "".join(told) + str(databases.status(now))


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    start = datetime.now(UTC) - timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def safe_site(tmp_path, monkeypatch) -> Iterator[Site]:
    """An https server whose certificate this process trusts."""
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    yield from serve(context)


def test_update_over_https_works(safe_site, fetching, mmdb, now):
    databases = fetching(safe_site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes()))
    assert [o.result for o in databases.update(now)] == ["imported"]


def test_redirect_from_https_to_http_is_refused(safe_site, site, fetching, mmdb, now):
    target = site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes())
    databases = fetching(safe_site.put("/a", b"", 302, Location=target))
    (outcome,) = databases.update(now)
    assert outcome.result == "failed"
    assert "redirects from https to http" in outcome.message
    assert site.asked == []


def test_redirect_that_stays_on_http_is_followed(site, fetching, mmdb, now):
    site.put("/b", mmdb("a.mmdb", asn(64500)).read_bytes())
    databases = fetching(site.put("/a", b"", 302, Location="/b"))
    assert [o.result for o in databases.update(now)] == ["imported"]


def test_an_untrusted_certificate_stops_the_update(safe_site, fetching, mmdb, now, monkeypatch):
    url = safe_site.put("/a", mmdb("a.mmdb", asn(64500)).read_bytes())
    monkeypatch.delenv("SSL_CERT_FILE")
    (outcome,) = fetching(url).update(now)
    assert outcome.result == "failed"
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
