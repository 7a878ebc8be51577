"""Facts as the decider would hand them over, and a browser that sees the page as a worker does."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from sovproxy.decide.facts import Listing, Operator, Place, Power, Service, Source
from sovproxy.decide.policy import Condition, Organisation, Phase, Policy, Rule
from sovproxy.decide.verdict import Jurisdiction, Verdict
from sovproxy.decide.words import Action, Effect, PowerStatus, Standing, Verification
from sovproxy.prompt import GoOn, PromptFacts, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VENDOR = Source("Zoom KB0060561, ipranges/*.txt", "2026-04-17")
REGISTER = Source("SEC EDGAR, company profile", "2026-11-02")
DATABASE = Source("ip-location-db asn 2.3.2026061719 (CC BY 4.0)", "2026-06-17")
EU = frozenset({"AT", "BE", "DE", "DK", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "SE"})
NOW = datetime(2026, 11, 23, 9, 59, tzinfo=ZoneInfo("Europe/Paris"))


def operator(name: str, country: str, *parents: Operator) -> Operator:
    slug = name.split(maxsplit=1)[0].lower().strip(",.")
    return Operator(slug, name, country, REGISTER, Verification.VERIFIED, parents)


def power(name: str, effect: Effect, status: PowerStatus = PowerStatus.IN_FORCE) -> Power:
    return Power(
        id=name.lower().replace(" ", "-"),
        country="US",
        name=name,
        citation="18 U.S.C. § 2713",
        year=2018,
        effect=effect,
        status=status,
        status_text="in force (23 March 2018)"
        if status is PowerStatus.IN_FORCE
        else "statute lapsed 12 June 2026; certifications run to about March 2027",
        source=Source("Department of Justice, white paper", "2019-04-10"),
        verification=Verification.VERIFIED,
    )


CLOUD_ACT = power("CLOUD Act", Effect.DISCLOSE)
FISA_702 = power("FISA section 702", Effect.DISCLOSE, PowerStatus.LAPSED)
IEEPA = power("IEEPA sanctions orders", Effect.CUT_OFF)

ZOOM_INC = operator("Zoom Communications, Inc.", "US")
DINUM = operator("DINUM", "FR")
CISCO = operator("Cisco Systems, Inc.", "US")
WEBEX_BV = operator("Webex Worldwide B.V.", "NL", CISCO)
AMAZON = operator("Amazon.com, Inc.", "US")
AMAZON_IE = operator("Amazon Data Services Ireland Ltd", "IE", AMAZON)
META = operator("Meta Platforms, Inc.", "US")
WHATSAPP_LLC = operator("WhatsApp LLC", "US", META)
OVH = operator("OVH SAS", "FR")

ZOOM = Service("zoom", "Zoom", "videoconference", ZOOM_INC, "replace", alternatives=("visio",))
WEBEX = Service("webex", "Webex", "videoconference", WEBEX_BV, "replace")
WHATSAPP = Service("whatsapp", "WhatsApp", "messaging", WHATSAPP_LLC, "replace")
OVH_CLOUD = Service("ovh", "OVHcloud", "cloud", OVH, "keep")
VISIO = Service(
    "visio", "Visio", "videoconference", DINUM, "keep", "https://visio.numerique.gouv.fr"
)
TCHAP = Service("tchap", "Tchap", "messaging", DINUM, "keep", "https://www.tchap.gouv.fr")

PLACE = Place("US", DATABASE, 30103, "Zoom Communications, Inc.", "US", DATABASE, ZOOM_INC)
ABROAD = Jurisdiction(Standing.ABROAD, ZOOM_INC, PLACE, ("US",), (CLOUD_ACT, FISA_702, IEEPA))

ORGANISATION = Organisation(
    name={
        "fr": "Ministère de la Transition numérique",
        "en": "Ministry for the Digital Transition",
        "de": "Ministerium für den digitalen Wandel",
        "da": "Ministeriet for den digitale omstilling",
    },
    contact_name={
        "fr": "Centre de services numériques",
        "en": "Digital service desk",
        "de": "Servicestelle Digitales",
        "da": "Digital servicedesk",
    },
    contact_email="assistance@numerique.example",
    contact_phone="+33 1 40 00 00 00",
    contact_url="https://intranet.numerique.example/souverainete",
    primary_colour="#000091",
    accent_colour="#e1000f",
)

POLICY = Policy(
    id="fr-etat",
    version="sha256:4f1d2c9a",
    trust_zone=EU,
    rules=(Rule("visio-2027", Condition(), (Phase(0, Action.BLOCK),), "Visio à la place de Zoom"),),
    language="fr",
    title={
        "fr": "Politique de souveraineté numérique de l’État",
        "en": "Digital sovereignty policy of the State",
        "de": "Richtlinie des Staates zur digitalen Souveränität",
        "da": "Statens politik for digital suverænitet",
    },
    organisation=ORGANISATION,
)


def make_verdict(action: Action = Action.BLOCK, **changes) -> Verdict:
    verdict = Verdict(
        action=action,
        rule="visio-2027",
        policy=POLICY.id,
        policy_version=POLICY.version,
        service=ZOOM,
        listing=Listing("*.zoom.us", "domain", VENDOR, Verification.VERIFIED, ZOOM),
        jurisdiction=ABROAD,
        alternative=VISIO,
    )
    return verdict._replace(**changes)


_OF_VERDICT = set(Verdict._fields) - {"policy"}


def make_facts(action: Action = Action.BLOCK, host: str = "zoom.us", **changes) -> PromptFacts:
    """Facts about Zoom; a keyword that is a verdict's field changes the verdict."""
    fields = {key: changes.pop(key) for key in list(changes) if key in _OF_VERDICT}
    offer = GoOn("/.well-known/sovproxy/go-on", "c2lnbmVk.dG9rZW4", NOW + timedelta(hours=8))
    facts = PromptFacts(
        host=host,
        verdict=make_verdict(action, **fields),
        policy=POLICY,
        now=NOW,
        node="proxy-paris-2",
        recorded=Recorded("019a3f1c-7d2e-7c11-9a55-6f0e4b1d2c3a", "2026-11.k7qm2xvtn4za9dpw", 183),
        go_on=offer if action is Action.WARN else None,
    )
    return replace(facts, **changes)


def site(place: Place, jurisdiction_operator: Operator | None = None, **changes) -> dict:
    """The fields of a verdict on a site that the catalogue does not list."""
    jurisdiction = Jurisdiction(
        changes.pop("standing", Standing.ABROAD),
        jurisdiction_operator,
        place,
        jurisdiction_operator.control if jurisdiction_operator else (),
        changes.pop("powers", ()),
    )
    return {"service": None, "listing": None, "jurisdiction": jurisdiction, **changes}


@pytest.fixture(scope="session")
def world() -> SimpleNamespace:
    """The sample facts, by name."""
    return SimpleNamespace(**{k: v for k, v in globals().items() if k.isupper()}, site=site)


@pytest.fixture(scope="session")
def facts() -> Callable[..., PromptFacts]:
    """The factory of sample facts."""
    return make_facts


@dataclass
class Element:
    """An element of a page: its tag, attributes and all the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag, attrs) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag in {"dd", "li", "p"}:
            self.handle_data(" ")
        if tag not in {"meta", "link", "input", "br"}:
            self.open.append(element)

    def handle_endtag(self, tag) -> None:
        while self.open and self.open.pop().tag != tag:
            pass

    def handle_data(self, data) -> None:
        for element in self.open:
            element.text += data


def read_elements(html: bytes) -> list[Element]:
    reader = _Reader()
    reader.feed(html.decode())
    for element in reader.elements:
        if element.tag != "textarea":
            element.text = re.sub("[ \n]+", " ", element.text).strip(" ")
    return reader.elements


@pytest.fixture(scope="session")
def elements() -> Callable[[bytes], list[Element]]:
    """The elements of a page, as a parser sees them."""
    return read_elements


@contextmanager
def _served(page) -> Iterator[SimpleNamespace]:
    """Serve one page with its own header fields on loopback; every other path is a 404.

    Gives its `url` and the `hits` that reached the server, as "GET /path".
    """
    hits = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(f"{self.command} {self.path}")
            found = self.path == "/j/123"
            body = page.html if found else b"not found"
            self.send_response(page.status if found else 404)
            for name, value in page.headers if found else ():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/j/123", hits=hits)
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def served() -> Callable:
    """Serve a page on loopback: `with served(page) as site`."""
    return _served


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """Debian's Chromium, quiet: it makes no request of its own.

    Closed with its module: Playwright keeps an event loop running meanwhile, which would disturb
    tests that start their own.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only browser tests need it

    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        browser.close()
