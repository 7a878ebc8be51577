"""The node's own CA in real connections: small answers, bounds that are kept, renewal, failure."""

from __future__ import annotations

import re
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.requests import read_requests
from sovproxy.settings import Settings
from sovproxy.usecases.ca import life
from sovproxy.usecases.ca.folder import CaFolder
from sovproxy.usecases.ca.state import look, wanted_by
from sovproxy.usecases.policy.judging import Judge
from tests.extension.firefoxes import Firefox
from tests.lab.clients import connect, curl
from tests.lab.proxies import wait_until
from tests.lab.test_lab_disguises import tls_to

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

ANSWER_BYTES = 3 * 1024
"""What leaf and issuing CA may take together."""

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
SPEECH = "  - id: own\n    when: {host: neutral.example}\n    action: block\n  - id: social\n"


def settings_of(proxy) -> Settings:
    values = {name.removeprefix("SOVPROXY_").lower(): v for name, v in proxy.settings.items()}
    return Settings(data_dir=proxy.data, **values)


def sign_elsewhere(proxy, root: CaFolder, travelling) -> None:
    """The way of an offline root: ask at the node, sign where the root is, bring it back."""
    settings, now = settings_of(proxy), datetime.now(UTC)
    node = CaFolder(settings.ca_folder)
    life.take_root(node, root.root_file)
    asked = read_requests(life.ask(node, wanted_by(Judge(settings), now).scopes), travelling)
    travelling.write_bytes(life.sign_requests(root, asked, 30, now, "a long passphrase"))
    life.install(node, travelling)


@pytest.fixture
def offline(tmp_path):
    """A root that lives elsewhere, under a passphrase."""
    folder = CaFolder(tmp_path / "elsewhere")
    life.make_root_in(
        folder, life.RootTerms("Offline", passphrase="a long passphrase"), datetime.now(UTC)
    )
    return folder


def shown(proxy, name: str, port: int) -> tuple[str, list[x509.Certificate]]:
    """What openssl says of the node's answer, and the certificates in it."""
    done = subprocess.run(
        [
            *("openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-showcerts"),
            *("-connect", f"{name}:{port}", "-servername", name, "-verify_hostname", name),
            *("-CAfile", proxy.authority, "-verify_return_error"),
        ],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    found = [x509.load_pem_x509_certificate(pem.encode()) for pem in PEM.findall(done.stdout)]
    return done.stdout + done.stderr, found[: done.stdout.count(" s:")]


def test_openssl_believes_a_prompt_and_the_answer_is_small(proxy, origins):
    said, chain = shown(proxy, "us02web.zoom.us", origins.zoom.port)
    assert "Verification: OK" in said
    leaf, issuing = chain
    assert sum(len(item.public_bytes(Encoding.DER)) for item in chain) < ANSWER_BYTES
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("us02web.zoom.us")]
    assert leaf.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=3)
    assert leaf.public_key() != issuing.public_key()
    bounds = issuing.extensions.get_extension_for_class(x509.NameConstraints)
    assert bounds.critical
    assert x509.DNSName("zoom.us") in bounds.value.permitted_subtrees
    assert x509.DNSName("slack.com") not in bounds.value.permitted_subtrees


def test_no_unconstrained_ca_comes_into_being(start_proxy, tmp_path):
    proxy = start_proxy(settings={"HOME": str(tmp_path)})
    made = [*proxy.data.rglob("*.pem"), *tmp_path.rglob("*.pem")]
    authorities = [
        certificate
        for file in made
        for certificate in map(_read, PEM.findall(file.read_text()))
        if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    ]
    assert len(authorities) > 2
    for one in authorities:
        assert one.extensions.get_extension_for_class(x509.NameConstraints).critical, one.subject


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_keys_are_the_owners_alone_and_never_logged(proxy):
    folder = proxy.data / "ca"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f068868")
    files = [file for file in folder.rglob("*.pem") if b"PRIVATE KEY" in file.read_bytes()]
    assert {file.name for file in files} == {"root-key.pem", "issuing.pem", "mitmproxy-ca.pem"}
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600, file
        key = file.read_text().split("\n")[1]
        assert key not in proxy.log
    assert "PRIVATE KEY" not in proxy.log


def test_a_name_in_tls_that_the_ca_may_not_speak_for_gets_no_certificate(proxy, origins):
    client, answer = connect(proxy, f"zoom.us:{origins.zoom.port}")
    assert answer.status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls_to(client, "bank.example", proxy.authority)
    assert origins.zoom.hits == 0


def test_a_node_renews_its_ca_when_the_policy_gains_hosts_within_the_bounds_of_its_root(
    start_proxy, origins, authority
):
    proxy = start_proxy()
    own, root = f"neutral.example:{origins.neutral.port}", proxy.authority.read_bytes()
    assert curl(proxy, f"https://{own}/", trust=authority.certificate).status == 200
    proxy.world.write_policy("  - id: social\n", SPEECH)
    wait_until(lambda: _status(proxy, own) == 451, "a host outside the bounds is refused")
    social = "when: {category: social-network}\n    action: "
    proxy.world.write_policy(f"{social}observe", f"{social}block")
    wait_until(lambda: _is_prompted(proxy, origins.facebook, "www.facebook.com"), "the prompt")
    assert proxy.authority.read_bytes() == root
    assert not any(call.requests for call in origins.facebook.calls)


def _is_prompted(proxy, origin, name: str) -> bool:
    return curl(proxy, f"https://{name}:{origin.port}/").is_prompt


@pytest.fixture
def signed(start_proxy, offline, tmp_path):
    """A node whose issuing CAs were signed by an offline root."""

    def enrol(proxy):
        sign_elsewhere(proxy, offline, tmp_path / "answer.pem")

    return start_proxy(enrol=enrol)


def test_with_the_root_offline_a_new_host_is_refused_until_it_is_signed(
    signed, offline, origins, tmp_path
):
    assert _is_prompted(signed, origins.zoom, "zoom.us")
    signed.world.write_policy("  - id: social\n", SPEECH)
    target = f"neutral.example:{origins.neutral.port}"
    wait_until(lambda: _status(signed, target) == 451, "the new host is stopped")
    settings = settings_of(signed)
    wanted = wanted_by(Judge(settings), datetime.now(UTC))
    state = look(CaFolder(settings.ca_folder), wanted, datetime.now(UTC))
    assert state.missing == ("neutral.example",)
    reached = len(origins.neutral.calls)
    answer = curl(signed, f"https://{target}/", "-k")
    assert (answer.status, len(origins.neutral.calls)) == (451, reached)
    assert answer.fields["content-type"] == "application/problem+json"
    assert _is_prompted(signed, origins.zoom, "zoom.us")  # what was permitted still is

    sign_elsewhere(signed, offline, tmp_path / "next.pem")
    wait_until(lambda: _is_prompted(signed, origins.neutral, "neutral.example"), "the prompt")
    assert not (signed.data / "ca" / "root-key.pem").exists()


def _status(proxy, target: str) -> int:
    client, answer = connect(proxy, target)
    client.close()
    return answer.status


@pytest.mark.browser
def test_firefox_shows_the_prompt_under_the_nodes_own_root(proxy, origins, tmp_path):
    preferences = {
        "network.proxy.type": 1,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": proxy.port,
    }
    roots = (proxy.authority,)
    with Firefox(None, tmp_path / "profile", "fr", roots=roots, **preferences) as firefox:
        page = firefox.page()
        url = f"https://zoom.us:{origins.zoom.port}/j/123"
        assert "Visio" in page.arrive(url, "document.body.innerText")
    assert origins.zoom.hits == 0
