"""A stolen issuing key is worth its own names and nothing else: four real clients refuse the rest.

The root here has no bounds of its own, so that whatever is refused is refused by the issuing CA's
constraints. A second root has bounds itself, and there its very key is stolen.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from playwright.sync_api import Error, sync_playwright

from sovproxy.ca.certificates import Signer
from tests.ca.forging import ZOOM, Server, cases, forge, forge_authority, make_ours, pem
from tests.extension.firefoxes import Firefox
from tests.lab.browsers import CHROMIUM, FLAGS, trust

GOOD = ("zoom.us", "us02web.zoom.us")
FORGED = tuple(cases(make_ours()))
ROOT_STOLEN = ("shop.example", "deep.example")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("thief")


@pytest.fixture(scope="module")
def roots(folder):
    """Both roots, as files; and everything that the server shows."""
    ours = make_ours()
    bound = make_ours(bounds=ZOOM, name="Bound root")
    root_key = Signer(bound.root, bound.root_key)
    middle = forge_authority(root_key, "Middle", path_length=0)
    shown = {
        **cases(ours),
        **{name: forge(ours.issuing, name) for name in GOOD},
        "own.zoom.us": forge(bound.issuing, "own.zoom.us"),
        "shop.example": forge(root_key, "shop.example", above=(bound.root,)),
        "deep.example": forge(middle, "deep.example"),
    }
    for name, root in (("ours", ours.root), ("bound", bound.root)):
        (folder / f"{name}.pem").write_bytes(pem(root))
    (folder / "both.pem").write_bytes(pem(ours.root, bound.root))
    return shown


@pytest.fixture(scope="module")
def server(folder, roots):
    started = Server(folder, roots)
    yield started
    started.close()


BELIEVED = (*GOOD, "own.zoom.us")
REFUSED = (*FORGED, *ROOT_STOLEN)


@pytest.mark.parametrize("name", [*BELIEVED, *REFUSED])
def test_openssl_verifies_only_the_bounds_own_names(folder, roots, name):
    leaf, above = folder / f"leaf-{name}.pem", folder / f"above-{name}.pem"
    leaf.write_bytes(pem(roots[name].chain[0]))
    above.write_bytes(pem(*roots[name].chain[1:]))
    done = subprocess.run(
        [
            *("openssl", "verify", "-purpose", "sslserver", "-CAfile", folder / "both.pem"),
            *("-untrusted", above, *_expecting(name), leaf),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (name in BELIEVED), done.stdout + done.stderr


def _expecting(name: str) -> list[str]:
    return ["-verify_ip" if name == "127.0.0.1" else "-verify_hostname", name]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bank.example", "permitted subtree violation"),
        ("127.0.0.1", "excluded subtree violation"),
        ("static.zoom.us", "excluded subtree violation"),
        ("sub.zoom.us", "path length constraint exceeded"),
        ("deep.example", "permitted subtree violation"),
    ],
)
def test_openssl_says_which_bound_was_broken(folder, server, name, why):
    done = _s_client(folder, server, name)
    assert why in done.stdout + done.stderr
    assert "Verification error" in done.stdout


def test_a_live_handshake_for_a_permitted_name_is_verified_by_openssl(folder, server):
    done = _s_client(folder, server, "us02web.zoom.us")
    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stdout
    assert "Verified peername: us02web.zoom.us" in done.stdout


def _s_client(folder, server, name):
    named = [] if name == "127.0.0.1" else ["-servername", name]
    return subprocess.run(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *named),
            *("-CAfile", folder / "both.pem", "-verify_return_error", *_expecting(name)),
        ],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize("name", [*BELIEVED, *REFUSED])
def test_curl_gets_a_page_for_the_bounds_own_names_only(folder, server, name):
    done = subprocess.run(
        [
            *("curl", "-sS", "--noproxy", "*", "--max-time", "20", "--cacert", folder / "both.pem"),
            *("--resolve", f"{name}:{server.port}:127.0.0.1", f"https://{name}:{server.port}/"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if name in BELIEVED:
        assert "reached" in done.stdout, done.stderr
    else:
        assert done.returncode == 60, done.stderr
        assert "reached" not in done.stdout


@pytest.mark.browser
@pytest.mark.xdist_group("ca-browser")
def test_chromium_opens_the_bounds_own_names_only(folder, server, tmp_path):
    trust(tmp_path, folder / "ours.pem", folder / "bound.pem")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=CHROMIUM,
            args=[*FLAGS, "--host-resolver-rules=MAP * 127.0.0.1", "--no-proxy-server"],
            env={**os.environ, "HOME": str(tmp_path)},
        )
        got = {name: _open_in_chromium(context.pages[0], server, name) for name in _all()}
        context.close()
    assert {name: got[name] for name in BELIEVED} == dict.fromkeys(BELIEVED, "reached")
    assert {name: got[name] for name in REFUSED if "net::ERR_CERT_" not in got[name]} == {}


def _all() -> tuple[str, ...]:
    return (*BELIEVED, *REFUSED)


def _open_in_chromium(page, server, name: str) -> str:
    try:
        page.goto(f"https://{name}:{server.port}/", timeout=20_000)
    except Error as error:
        return error.message
    return page.title()


@pytest.mark.browser
@pytest.mark.xdist_group("ca-browser")
def test_firefox_opens_the_bounds_own_names_only(folder, server, tmp_path):
    names = ",".join(name for name in _all() if name != "127.0.0.1")
    roots = (folder / "ours.pem", folder / "bound.pem")
    preferences = {"network.dns.localDomains": names, "network.proxy.type": 0}
    with Firefox(None, tmp_path / "profile", "en", roots=roots, **preferences) as firefox:
        got = {name: _open_in_firefox(firefox, server, name) for name in _all()}
    assert {name: got[name] for name in BELIEVED} == dict.fromkeys(BELIEVED, "reached")
    refusals = ("SEC_ERROR", "MOZILLA_PKIX_ERROR", "SSL_ERROR_BAD_CERT_DOMAIN")
    assert {name: got[name] for name in REFUSED if not any(r in got[name] for r in refusals)} == {}


def _open_in_firefox(firefox, server, name: str) -> str:
    """A tab for each: from a page of its own that tells of an error, Firefox is slow to leave."""
    page = firefox.page()
    got = page.arrive(f"https://{name}:{server.port}/", "document.title")
    page.close()
    return got
