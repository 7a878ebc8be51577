"""`inspection: full`: what passes is decrypted, but for what never is; nothing of it is kept."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress

import pytest
from cryptography import x509

from tests.lab import world as places
from tests.lab.clients import connect, curl, get, read_all, read_answer, trusting
from tests.lab.namespaces import Namespace
from tests.lab.origins import Origin
from tests.lab.proxies import BIN, Proxy, wait_until
from tests.lab.test_lab_http2 import h2_to
from tests.lab.test_lab_warnings import Worker

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-full")]

FULL = """\
inspection: full
full:
  purpose: {fr: "Trouver les noms cachés dans TLS.", en: "Find names that are hidden in TLS."}
  domains: [neutral-alone.example]
"""
SECRET = "secret-4711"
SPARED = {
    "www.ameli.fr": "health",
    "mabanque.bnpparibas.net": "banking",
    "www.cgt.fr": "unions",
    "www.e-barreau.fr": "lawyers",
    "secure.mediapart.fr": "press",
    "signalement.cnil.fr": "whistleblowing",
    "eglise.catholique.fr": "religion",
    "www.spd.de": "politics",
    "www.planning-familial.org": "private-life",
    "cfspart.impots.gouv.fr": "citizen",
    "www.posteo.de": "correspondence",
    "www.icloud.com": "pinned",
    "deep.below.neutral-alone.example": "the policy's own domain",
}


def make_root(data, *arguments):
    """An unbound root, as an admin makes it; the node's passphrase opens it."""
    secret = data.parent / "passphrase"
    secret.write_text("correct horse battery staple\n")
    found = subprocess.run(
        [BIN / "sovproxy", "ca", "init", "--passphrase-file", secret, *arguments],
        env={"SOVPROXY_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return {"SOVPROXY_CA_PASSPHRASE_FILE": str(secret)}


def ca_show(proxy):
    command = [BIN / "sovproxy", "ca", "show"]
    return subprocess.run(
        command, env=proxy.environment, capture_output=True, text=True, check=False
    )


def start_full(start, authority, folder):
    """A proxy under `inspection: full`; every spared name leads to the neutral origin."""
    world = places.make_world(folder / "world")
    world.write_policy("inspection: prompt\n", FULL)
    world.write_hosts(**dict.fromkeys(SPARED, places.NEUTRAL))
    settings = {"SOVPROXY_UPSTREAM_CA_FILE": str(authority.certificate)}
    return start(world, settings=settings, enrol=with_root)


def with_root(proxy):
    proxy.data.mkdir(parents=True)
    proxy.settings |= make_root(proxy.data)


@pytest.fixture(scope="module")
def full(start_shared_proxy, tmp_path_factory, authority):
    return start_full(start_shared_proxy, authority, tmp_path_factory.mktemp("full"))


def speak(proxy, origin, host, request="", *, asked="", me="127.0.0.1", trust=(), alpn=()):
    """The issuer's name that a client sees in a tunnel, and the answer it reads.

    It asks for `asked` in its CONNECT, and for `host` in its TLS.
    """
    client, answer = connect(proxy, f"{asked or host}:{origin.port}", me=me)
    assert answer.status == 200, (host, answer)
    context = trusting(*trust, alpn=alpn)
    if not trust:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(client, server_hostname=host) as secure:
        certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True))
        secure.sendall((request or get(host)).encode())
        return certificate.issuer.rfc4514_string(), read_answer(read_all(secure))


def test_what_passes_is_decrypted_and_reaches_its_origin(full, origins):
    issuer, answer = speak(full, origins.neutral, "neutral.example", trust=[full.authority])
    assert "full inspection" in issuer
    assert answer.status == 200
    assert answer.text.endswith("<h1>Neutral /</h1>")


def test_its_ca_excludes_what_is_never_decrypted(full):
    """The exclusion stands in the certificate: not even its thief could pass for a bank."""
    [certificate] = x509.load_pem_x509_certificates(
        (full.data / "ca" / "inspection.pem").read_bytes()
    )
    found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert found.value.permitted_subtrees is None
    excluded = {str(item.value) for item in found.value.excluded_subtrees}
    assert excluded >= {"ameli.fr", "neutral-alone.example", "0.0.0.0/0", "::/0"}
    shown = ca_show(full)
    assert f"speaks for all but {len(excluded) - 2} names" in shown.stdout
    assert "decrypted" not in shown.stderr


def test_curl_and_its_origin_agree_through_it(full, origins):
    """Real curl, which offers HTTP/2, and sends a body up and down."""
    url = f"https://neutral.example:{origins.neutral.port}/form"
    answer = curl(full, url, "-d", "x" * 100_000, "--http2")
    assert (answer.status, origins.neutral.calls[0].body_bytes) == (200, 100_000)


@pytest.mark.parametrize(("host", "category"), SPARED.items(), ids=SPARED.values())
def test_never_decrypted(full, origins, authority, host, category):
    """The client speaks TLS with the origin alone: the origin gets the very first byte."""
    issuer, answer = speak(full, origins.neutral, host)
    assert "full inspection" not in issuer, category
    assert answer.status == 200
    assert origins.neutral.calls[0].first_bytes[0] == 0x16
    assert issuer == authority.root.subject.rfc4514_string()


@pytest.mark.parametrize("asked", ["visio.numerique.gouv.fr", places.VISIO])
def test_what_the_catalogue_keeps_is_never_decrypted(full, origins, asked):
    host = "visio.numerique.gouv.fr"
    issuer, _ = speak(full, origins.visio, host, asked=asked)
    assert "full inspection" not in issuer


@pytest.mark.parametrize("asked", ["neutral.example", places.NEUTRAL])
def test_the_name_in_the_tls_is_enough_to_be_left_alone(full, origins, asked):
    issuer, _ = speak(full, origins.neutral, "www.ameli.fr", asked=asked)
    assert "full inspection" not in issuer


def test_the_name_in_the_connect_is_enough_as_well(full, origins):
    issuer, _ = speak(full, origins.neutral, "neutral.example", asked="www.ameli.fr")
    assert "full inspection" not in issuer


def test_what_goes_on_after_a_warning_is_not_decrypted(full, origins, me, authority):
    Worker(full, me, origins.whatsapp, "web.whatsapp.com", authority).acknowledge()
    issuer, _ = speak(full, origins.whatsapp, "web.whatsapp.com", me=me)
    assert "full inspection" not in issuer


def test_a_blocked_host_that_is_fronted_for_is_stopped_inside_its_tls(full, origins, me):
    """Domain fronting: CONNECT and SNI name an innocent host, the request names Zoom."""
    request = get("zoom.us", f"/j/{SECRET}")
    _, answer = speak(full, origins.neutral, "neutral.example", request, me=me)
    assert answer.is_prompt
    assert all(not call.requests for call in origins.neutral.calls)
    [event] = full.wait_for_events(me, 1)
    assert (event["service"], event["host"], event["decrypted"]) == ("zoom", "zoom.us", True)
    assert event["action"] == "block"


def test_the_second_request_of_a_connection_is_judged_too(full, origins, me):
    request = get("neutral.example").replace("close", "keep-alive") + get("zoom.us")
    _, answer = speak(full, origins.neutral, "neutral.example", request, me=me)
    assert b"Neutral" in answer.body
    assert b"451" in answer.body
    assert [len(call.requests) for call in origins.neutral.calls] == [1]


def test_no_path_query_body_or_cookie_of_it_is_kept_anywhere(full, origins, me):
    path = f"/{SECRET}?q={SECRET}"
    request = get("neutral.example", path, f"Cookie: id={SECRET}", f"User-Agent: {SECRET}")
    _, answer = speak(full, origins.neutral, "neutral.example", request, me=me)
    assert SECRET in answer.text
    time.sleep(0.5)
    files = [file for file in full.data.rglob("*") if file.is_file()]
    assert len(files) > 3
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


def test_a_server_that_nobody_vouches_for_is_not_reached(start_proxy, origins, tmp_path):
    """Decryption must not hide from the worker that a certificate is bad."""
    world = places.make_world(tmp_path / "world")
    world.write_policy("inspection: prompt\n", FULL)
    proxy = start_proxy(world, enrol=with_root)
    request = get("neutral.example", f"/{SECRET}")
    _, answer = speak(proxy, origins.neutral, "neutral.example", request)
    assert answer.status == 502
    assert all(not call.requests for call in origins.neutral.calls)
    # The policy goes back to `prompt`: the key that could decrypt is deleted at once.
    key = proxy.data / "ca" / "inspection.pem"
    assert key.stat().st_mode & 0o077 == 0
    world.write_policy()
    wait_until(lambda: not key.exists(), "the key is deleted")
    issuer, _ = speak(proxy, origins.neutral, "neutral.example")
    assert "full inspection" not in issuer


def test_websockets_and_other_speech_are_relayed(full, origins):
    """An upgrade goes on as a tunnel; what is not HTTP inside TLS is passed on as it is."""
    upgrade = "GET /ws HTTP/1.1\r\nHost: neutral.example\r\nUpgrade: websocket\r\n"
    upgrade += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    client, _ = connect(full, f"neutral.example:{origins.neutral.port}")
    with trusting(full.authority).wrap_socket(client, server_hostname="neutral.example") as secure:
        secure.sendall(upgrade.encode())
        assert b"101" in secure.recv(1000)
        secure.sendall(b"ping")
        assert secure.recv(10) == b"ping"


def test_a_bound_root_decrypts_nothing_and_says_why(start_proxy, origins, tmp_path):
    """The root that a node makes by itself is bound to the catalogue's names."""
    world = places.make_world(tmp_path / "world")
    world.write_policy("inspection: prompt\n", FULL)
    proxy = start_proxy(world)
    issuer, answer = speak(proxy, origins.neutral, "neutral.example")
    assert answer.status == 200
    assert "full inspection" not in issuer
    shown = ca_show(proxy)
    assert shown.returncode == 1
    assert re.search(r"nothing that passes is decrypted: the root .* is bound", shown.stderr)


def test_a_proxy_behind_a_host_that_passes_is_not_asked(full, origins):
    """CONNECT inside the TLS that we opened: mitmproxy refuses it, and nobody is reached."""
    request = "CONNECT zoom.us:443 HTTP/1.1\r\nHost: zoom.us:443\r\n\r\n"
    _, answer = speak(full, origins.neutral, "neutral.example", request)
    assert answer.status == 400
    assert all(not call.requests for call in origins.neutral.calls)
    assert origins.zoom.hits == 0


def test_a_client_that_speaks_http_2_only_is_served_and_judged(full, origins, me):
    """As gRPC does; requests for another host on the same connection are judged one by one."""
    client = h2_to(full, "neutral.example", origins.neutral.port, full.authority, me=me)
    assert "Neutral" in client.ask("/").text
    answer = client.ask("/j/1", ("accept", "text/html"), authority="zoom.us")
    assert answer.status in {403, 451}
    assert client.ask("/again").status == 200
    asked = [request for call in origins.neutral.calls for request in call.requests]
    assert asked == [b"/", b"/again"]


@pytest.mark.parametrize(
    "first",
    [b"\r\n" + get("zoom.us").encode(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x05\x01\x00"],
    ids=["a blank line", "HTTP/2 without ALPN", "SOCKS"],
)
def test_what_would_say_later_where_it_goes_is_closed_inside_tls_too(full, origins, me, first):
    client, _ = connect(full, f"neutral.example:{origins.neutral.port}", me=me)
    with trusting(full.authority).wrap_socket(client, server_hostname="neutral.example") as secure:
        secure.sendall(first)
        assert read_all(secure) == b""
    assert all(not call.requests for call in origins.neutral.calls)
    [event] = full.wait_for_events(me, 1)
    assert (event["outcome"], event["decrypted"]) == ("closed", True)


def test_when_the_rules_change_what_may_be_decrypted_no_longer_is_closed(
    start_proxy, authority, origins, tmp_path
):
    """An open connection, too, and at once: `full.domains` gains the host."""
    proxy = start_full(start_proxy, authority, tmp_path)
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    roots = trusting(proxy.authority)
    with roots.wrap_socket(client, server_hostname="neutral.example") as secure:
        secure.sendall(get("neutral.example").replace("close", "keep-alive").encode())
        assert b"200 OK" in secure.recv(1000)
        more = FULL.replace("[neutral-alone.example]", "[neutral.example]")
        proxy.world.write_policy("inspection: prompt\n", more)
        assert b"HTTP/1.1" not in read_all(secure)
    issuer, answer = speak(proxy, origins.neutral, "neutral.example")
    assert "full inspection" not in issuer
    assert answer.status == 200
    # They were counted as what they were: the share on the console's first page is true.
    proxy.stop()
    counted = {item["decrypted"]: item["count"] for item in proxy.rollups()}
    assert counted[True] == 1
    assert counted[False] >= 1


class MailServer:
    """Speaks first, inside TLS, as for IMAP; then repeats what it hears."""

    def __init__(self, identity):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(identity)
        self._listener = socket.create_server((places.NEUTRAL, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self._listener.accept()
        with suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"* OK ready\r\n")
            while data := secure.recv(100):
                secure.sendall(data)


def test_a_gateway_decrypts_too_and_lets_servers_speak_first(tmp_path, authority):
    """Transparent mode, where mitmproxy would wait for a request before it connects."""
    identity = authority.issue("neutral.example")
    world = places.make_world(tmp_path / "world")
    world.write_policy("inspection: prompt\n", FULL)
    trusted = {"SOVPROXY_UPSTREAM_CA_FILE": str(authority.certificate)}
    proxy = Proxy(tmp_path / "data", world.settings | trusted, world=world)
    proxy.redirected_from, proxy.arguments = "127.77.250.1", ("--mode", "transparent")
    with_root(proxy)
    space = Namespace()

    def visit(port, said=b""):
        client = socket.create_connection((places.NEUTRAL, port), 20, ("127.77.0.1", 0))
        context = trusting(proxy.authority)
        with context.wrap_socket(client, server_hostname="neutral.example") as secure:
            secure.sendall(said)
            heard = secure.recv(100)
            secure.sendall(b"a NOOP\r\n")
            return heard, secure.recv(100)

    try:
        origin = space.run(lambda: Origin(places.NEUTRAL, "Neutral", identity=identity))
        mail = space.run(lambda: MailServer(identity))
        space.redirect_to(proxy.port)
        space.run(proxy.start)
        answer, _ = space.run(visit, origin.port, get("neutral.example").encode())
        assert answer.startswith(b"HTTP/1.1 200")
        assert space.run(visit, mail.port) == (b"* OK ready\r\n", b"a NOOP\r\n")
    finally:
        proxy.stop()
        space.close()
