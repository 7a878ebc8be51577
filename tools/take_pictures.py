"""Take the pictures of docs/console.md: each page of the console, of a console with some traffic.

`python tools/take_pictures.py` writes docs/images/console-*.webp. The server, the store and the
browser are real; traffic comes in by the API, as from a node. Takes a minute.
With arguments, `OUT LOCALE WIDTH SCHEME [ROLE]`, it takes whole pages into another folder, to be
looked at: `python tools/take_pictures.py /tmp/look fr-FR 360 dark`.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sovproxy.settings import Settings  # noqa: E402  # the checkout's own, and its tests
from sovproxy.usecases.access.tokens import Principal, Role  # noqa: E402
from sovproxy.usecases.analysis import findings  # noqa: E402
from sovproxy.usecases.analysis.findings import FindingInput  # noqa: E402
from sovproxy.usecases.worker.exception_desk import Desk  # noqa: E402
from sovproxy.usecases.worker.exception_models import ExceptionInput  # noqa: E402
from tests.console.conftest import Site, traffic  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

IMAGES = ROOT / "docs" / "images"
HEIGHT = 900
QUALITY = 80
PAGES = {
    "overview": "/?range=7d",
    "events": "/events?last=7d&standing=abroad",
    "findings": "/findings",
    "candidates": "/catalogue/candidates",
    "resolutions": "/resolutions?client=2026-11.aaaabbbbccccdddd",
    "explain": "/explain?q=zoom.us",
    "policy": "/policy",
    "policy-edit": "/policy/edit",
    "policy-history": "/policy/history",
    "exceptions": "/exceptions",
    "catalogue": "/catalogue?category=videoconference",
    "service": "/catalogue/services/zoom",
    "operators": "/catalogue/operators?q=microsoft",
    "powers": "/catalogue/powers",
    "report": "/catalogue/report",
    "local": "/catalogue/local",
    "nodes": "/nodes",
    "data": "/data",
    "audit": "/audit",
    "papers": "/papers",
    "accounts": "/accounts",
    "tokens": "/tokens",
    "account": "/account",
    "views": "/views",
    "suppressions": "/findings/suppressions",
}
"""Pages by the names of their pictures; some more are reached by a click, see `_by_clicks`."""


def main() -> None:
    """Fill a console, and take its pictures."""
    whole = len(sys.argv) > 1
    given = [*sys.argv[1:], *(str(IMAGES), "en-GB", "1280", "light", "admin")[len(sys.argv) - 1 :]]
    folder, (locale, width, scheme, role) = Path(given[0]), given[1:5]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        site = Site(Settings(data_dir=Path(data), policy="fr-etat", node="proxy-1"))
        _fill(site)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        context = browser.new_context(
            viewport={"width": int(width), "height": HEIGHT},
            locale=locale,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        tab = context.new_page()
        tab.goto(f"{site.url}/console/sign-in")
        _take(tab, folder / "console-sign-in.webp", whole)
        jar = site.client(Role(role)).cookies.jar
        context.add_cookies(
            [
                {"name": one.name, "value": one.value or "", "url": f"{site.url}{one.path}/"}
                for one in jar
            ]
        )
        for name in _visited(site, tab):
            _take(tab, folder / f"console-{name}.webp", whole)
        browser.close()
        site.stop()


def _fill(site: Site) -> None:
    """Traffic of nine days, two requests, three findings, two nodes."""
    now = datetime.now(UTC)
    site.deliver(*traffic(now))
    store = site.services.store
    desk = Desk(store, Principal("tok-node", "proxy-1", Role.NODE), now, 30)
    asked = {"role": "guest", "language": "fr", "client": "2026-11.aaaabbbbccccdddd"}
    for service, group, reason in (
        ("zoom", "legal", "Audience de la Commission : leur lien est sur Zoom"),
        ("ms-teams", "finance", "Réunion budgétaire avec la région, invitation Teams"),
    ):
        until = now + timedelta(hours=5)
        desk.ask(ExceptionInput(service=service, group=group, reason=reason, until=until, **asked))
    ada = Principal("tok-ada", "Ada analyst", Role.ANALYST)
    for kind, value, note in (
        ("service", "telegram", "First seen today, in finance and interior."),
        ("asn", "62041", "Telegram's own network."),
        ("host", "chatgpt.com", "Ask research which licence they use."),
    ):
        findings.mark(store, ada, FindingInput(kind=kind, value=value, note=note), now)
    headers = {"authorization": f"Bearer {site.token(Role.NODE)}"}
    for node, blocked in (("proxy-paris-1", 417), ("proxy-lyon-1", 95)):
        answer = httpx.post(
            f"{site.url}/api/v1/fleet/heartbeat",
            headers=headers,
            json=_beat(node, blocked, now),
            trust_env=False,
        )
        answer.raise_for_status()


def _beat(node: str, blocked: int, now: datetime) -> dict[str, Any]:
    return {
        "node": node,
        "version": "0.1.0",
        "mode": "regular",
        "started": f"{now - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}",
        "policy": {"id": "fr-etat", "version": "b64904ea1908", "problem": ""},
        "inspection": "prompt",
        "data": [{"name": "location", "as_of": "2026-06-17", "stale": True}],
        "spool": {"records": 0, "bytes": 0},
        "counters": {"passed": 40_321, "blocked": blocked},
        "memory": 123_000_000,
    }


def _visited(site: Site, tab: Page) -> Iterator[str]:
    """Go from page to page, and give the name of each."""
    for name, path in PAGES.items():
        answer = tab.goto(f"{site.url}/console{path}")
        if answer and answer.status == 200:
            yield name
        else:
            print(f"{path}: {answer.status if answer else 'no answer'}")
    yield from _by_clicks(site, tab)


def _by_clicks(site: Site, tab: Page) -> Iterator[str]:
    def go(path: str) -> None:
        tab.goto(f"{site.url}/console{path}")

    for name, path, link in (
        ("event", "/events?last=7d&service=zoom", "#rows a"),
        ("exception", "/exceptions", "article h2 a"),
        ("node", "/nodes", "main a[href*='/nodes/']"),
        ("finding", "/findings", "main tbody a[href*='/findings/']"),
    ):
        go(path)
        if tab.locator(link).count():
            tab.locator(link).first.click()
            tab.wait_for_load_state()
            yield name
        else:
            print(f"{path}: no {link}")
    go("/policy/edit")
    if not tab.locator("select[name=rule]").count():
        return
    tab.locator("select[name=rule]").select_option("collaboration")
    tab.locator("select[name=action]").select_option("block")
    with tab.expect_navigation():  # a form asks for the session before it is sent
        tab.locator("button[value=quick]").click()
    tab.locator("button[value=review]").click()
    tab.wait_for_url("**/policy/diff**")
    yield "policy-diff"
    draft = tab.url.partition("draft=")[2]
    go(f"/policy/simulate?draft={draft}&last=7d")
    yield "policy-simulate"


def _take(tab: Page, file: Path, whole: bool) -> None:
    """Write a picture of what is in the window, or of the whole page."""
    tab.wait_for_load_state("networkidle")
    if tab.locator("[data-chart] tbody tr").count():
        tab.wait_for_selector(".js-plotly-plot .main-svg", state="attached")
    if whole:
        tab.screenshot(path=file.with_suffix(".png"), full_page=True)
        return
    asked = {"format": "webp", "quality": QUALITY, "optimizeForSpeed": False}
    answer = tab.context.new_cdp_session(tab).send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    main()
