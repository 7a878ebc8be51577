"""`inspection: full`: what passes is decrypted, but for what never is; nothing of it is kept."""

from __future__ import annotations

import re
import ssl
import subprocess
import time

import pytest
from cryptography import x509

from tests.lab import world as places
from tests.lab.clients import connect, curl, get, read_all, read_answer, trusting
from tests.lab.proxies import BIN, wait_until
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


@pytest.fixture(scope="module")
def full(start_shared_proxy, tmp_path_factory, authority):
    """A proxy under `inspection: full`; every spared name leads to the neutral origin."""
    world = places.make_world(tmp_path_factory.mktemp("full") / "world")
    world.write_policy("inspection: prompt\n", FULL)
    world.write_hosts(**dict.fromkeys(SPARED, places.NEUTRAL))
    settings = {"SOVPROXY_UPSTREAM_CA_FILE": str(authority.certificate)}

    def enrol(proxy):
        proxy.data.mkdir(parents=True)
        proxy.settings |= make_root(proxy.data)

    return start_shared_proxy(world, settings=settings, enrol=enrol)


def speak(proxy, origin, host, request="", *, me="127.0.0.1", trust=(), alpn=()):
    """The issuer's name that a client sees in a tunnel to `host`, and the answer it reads."""
    client, answer = connect(proxy, f"{host}:{origin.port}", me=me)
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


def test_what_the_catalogue_keeps_is_never_decrypted(full, origins):
    issuer, _ = speak(full, origins.visio, "visio.numerique.gouv.fr")
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

    def enrol(proxy):
        proxy.data.mkdir(parents=True)
        proxy.settings |= make_root(proxy.data)

    proxy = start_proxy(world, enrol=enrol)
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


def test_decrypted_connections_are_counted_as_such(full, origins):
    """They are in the rollups, so that the share on the console's first page is true."""
    for _ in range(3):
        speak(full, origins.neutral, "neutral.example")
    wait_until(lambda: len(full.rollups()) > 1, "a flush", patience=60)
    rollups = full.rollups()
    assert sum(item["count"] for item in rollups if item["decrypted"]) >= 3
    assert sum(item["count"] for item in rollups if not item["decrypted"]) >= len(SPARED)


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
