"""The built extension, a real API with a real policy, and a real Chromium that has it loaded."""

from __future__ import annotations

import importlib.util
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from sovproxy.api.start import app_of
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.tokens import Role, create_token
from tests.baseline import furnished
from tests.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Playwright

ROOT = Path(__file__).parents[2]
ARGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-features=DisableLoadExtensionCommandLineSwitch",
    # Whatever is not stopped before a byte leaves ends here: no name is looked up outside.
    "--host-resolver-rules=MAP mail.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def _load_builder():
    spec = importlib.util.spec_from_file_location("build", ROOT / "tools" / "build_extension.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build():
    """What makes the packages."""
    return _load_builder().build


@pytest.fixture(scope="session")
def built(build, tmp_path_factory) -> Path:
    """The folder with both packages."""
    folder = tmp_path_factory.mktemp("extension")
    build(folder)
    return folder


class Api:
    """A running API whose policy is a file that tests may change."""

    def __init__(self, folder: Path, profile: str, **settings: Any) -> None:
        source = ROOT / "sovproxy" / "policy" / "profiles" / f"{profile}.yaml"
        self.policy = folder / "policy.yaml"
        self.policy.write_bytes(source.read_bytes())
        self.settings = Settings(data_dir=folder / "data", policy=str(self.policy), **settings)
        furnished(self.settings.data_dir)
        self._serving = Serving(app_of(self.settings))
        self.url = self._serving.url

    def stop(self) -> None:
        """Stop it; its address refuses from then on."""
        self._serving.stop()


@pytest.fixture
def api(tmp_path) -> Iterator[Api]:
    """An API with the profile of the French State."""
    made = Api(tmp_path, "fr-etat")
    yield made
    made.stop()


class Mail(BaseHTTPRequestHandler):
    """A web mail with two invitations, that loads things from elsewhere."""

    PAGE = b"""<!doctype html><html lang="en"><title>Mail</title><h1>Inbox</h1>
    <p><a href="https://us02web.zoom.us/j/1">Join</a> <a href="https://visio.numerique.gouv.fr/a">Join</a></p>
    <img alt="" src="http://www.facebook.com/a.gif"><img alt="" src="http://connect.facebook.net/b.gif">"""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(self.PAGE)))
        self.end_headers()
        self.wfile.write(self.PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mail() -> Iterator[str]:
    """The address of a web mail."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://mail.example:{server.server_port}/"
        server.shutdown()


class Browser:
    """A Chromium with the extension."""

    def __init__(self, context) -> None:
        self.context = context
        workers = context.service_workers
        self.worker = workers[0] if workers else context.wait_for_event("serviceworker")
        self.address = self.worker.url.removesuffix("/shell/background.js")

    def set_api(self, url: str) -> None:
        """Say where the API is, and take over its bundle."""
        self.worker.evaluate("api => chrome.storage.local.set({ api })", url)
        self.refresh()

    def refresh(self) -> None:
        """Ask for a newer bundle now."""
        page = self.context.new_page()
        page.goto(f"{self.address}/pages/prompt.html")
        page.evaluate("chrome.runtime.sendMessage({ kind: 'refresh' })")
        page.close()

    def be_known(self, api: Api) -> str:
        """Be somebody whom a proxy vouches for; gives the token, which the API knows."""
        with closing(open_store(api.settings.effective_store_url)) as store:
            token = create_token(store, Role.WORKER, "a-worker", days=1)
        me = {"token": token, "client": "", "group": "", "until": 4102444800, "api": api.url}
        script = """async (identity) => {
          // Nobody answers at the magic host; what is in flight there must not overwrite us.
          for (let tries = 0; tries < 200; tries += 1) {
            if ((await chrome.storage.session.get("nobody")).nobody) break;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          await chrome.storage.session.set({ identity });
        }"""
        page = self.context.new_page()
        page.goto(f"{self.address}/pages/prompt.html")
        page.evaluate("chrome.runtime.sendMessage({ kind: 'share' })")
        page.evaluate(script, me)
        page.close()
        return token

    def stored(self, name: str):
        """What stands in the extension's storage."""
        return self.worker.evaluate(
            "name => chrome.storage.local.get(name).then((found) => found[name])", name
        )


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Closed with its module: its event loop would disturb tests that start their own."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture
def chromium(playwright, built, tmp_path):
    """Start Chromium with the extension, in a language; a new profile each time."""

    @contextmanager
    def start(language: str = "fr-FR", size: tuple[int, int] = (1280, 900), *more: str):
        folder = built / "chromium"
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path="/usr/bin/chromium",
            headless=True,
            locale=language,
            viewport={"width": size[0], "height": size[1]},
            ignore_default_args=["--disable-extensions"],
            args=[
                *ARGS,
                f"--lang={language}",
                f"--load-extension={folder}",
                f"--disable-extensions-except={folder}",
                *more,
            ],
        )
        try:
            yield Browser(context)
        finally:
            context.close()

    return start
