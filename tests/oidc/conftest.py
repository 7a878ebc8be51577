"""A real sovproxy that signs people in at a real OpenID provider, or at a hostile one."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sovproxy.api.start import app_of
from sovproxy.settings import Settings
from tests.baseline import furnished
from tests.serving import Serving, client_of, listening, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

HERE = Path(__file__).parent
CACHE = Path.home() / ".cache" / "sovproxy-tests"
SECRET = "a-secret-of-the-tests"
ROLES = {"analyst": ["siret=11002001300097"], "admin": ["email=marie@finances.example"]}


class Portal:
    """A running sovproxy with its console, which knows a provider."""

    def __init__(self, folder: Path, issuer: str, **settings: Any) -> None:
        self._listener = listening()
        self.url = url_of(self._listener)
        secret = folder / "client-secret"
        secret.write_text(SECRET + "\n")
        self.folder, self.issuer, self.settings = folder, issuer, settings
        self._serving: Serving | None = None

    def start(self) -> Portal:
        values: dict[str, Any] = {
            "data_dir": furnished(self.folder / "data"),
            "policy": "eu",
            "node": "n",
            "public_url": self.url,
            "oidc_issuer": self.issuer,
            "oidc_client_id": "sovproxy",
            "oidc_client_secret_file": self.folder / "client-secret",
            "oidc_label": "ProConnect",
            "oidc_scopes": "openid given_name usual_name email siret uid",
            "oidc_roles": ROLES,
        }
        self.app = app_of(Settings(**values | self.settings))
        self.store = self.app.state.services.store
        self._serving = Serving(self.app, self._listener)
        return self

    def stop(self) -> None:
        if self._serving:
            self._serving.stop()
            self.store.close()

    def browser(self) -> httpx.Client:
        return client_of("", timeout=30, headers={"accept-language": "en"})


def installed_provider() -> Path:
    """The folder with the provider's package, installed once for all tests and runs."""
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["oidc-provider"]
    folder = CACHE / f"oidc-provider-{wanted}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "oidc-provider.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules" / "oidc-provider" / "package.json").exists():
            folder.mkdir(exist_ok=True)
            shutil.copy(HERE / "package.json", folder)
            command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit"]
            subprocess.run([*command, "--no-fund", "--silent"], cwd=folder, check=True)
    return folder


@contextmanager
def provider_process(portal: Portal, port: int) -> Iterator[subprocess.Popen[str]]:
    command = ["node", str(HERE / "provider.mjs"), str(port)]
    command += [f"{portal.url}/console/oidc/callback", f"{portal.url}/console/sign-in"]
    process = subprocess.Popen(
        [*command, str(installed_provider())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("ready"):
                break
        else:
            raise AssertionError("".join(said))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """sovproxy and panva's oidc-provider, which knows it."""
    port = free_port()
    found = Portal(tmp_path_factory.mktemp("portal"), f"http://127.0.0.1:{port}")
    with provider_process(found, port):
        yield found.start()
        found.stop()


def form_of(page: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the form of a page goes, and its hidden fields."""
    found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert found, page.text
    fields = re.findall(r'<input[^>]*type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return unescape(found[1]), {name: unescape(value) for name, value in fields}


def come_back(portal: Portal, browser: httpx.Client, login: str, going: str = "") -> str:
    """Sign in at the provider; the address by which it sends the browser back."""
    answer = browser.get(f"{portal.url}/console/oidc/start", params={"next": going})
    assert answer.status_code == 303, answer.text
    answer = browser.get(answer.headers["location"])
    for _ in range(8):
        if answer.is_redirect:
            address = str(answer.url.join(answer.headers["location"]))
            if address.startswith(portal.url):
                return address
            answer = browser.get(address)
        else:  # the provider asks who it is, unless it knows this browser already
            action, fields = form_of(answer)
            answer = browser.post(action, data=fields | {"login": login, "password": "x"})
    raise AssertionError(answer.text)
