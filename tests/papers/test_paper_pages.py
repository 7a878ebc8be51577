"""Papers as Markdown and HTML: nothing of others becomes markup, and the pages are fit to print."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sovproxy.papers.compose import compose
from sovproxy.papers.markdown import escaped, to_json, to_markdown
from sovproxy.papers.page import page_headers, to_html
from sovproxy.papers.texts import PaperKind, PaperLanguage
from tests.barriers import barriers

HOSTILE = (
    '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e`x` [a](javascript:b) {{7*7}}'
)
WIDE, NARROW = (1280, 800), (320, 640)


@pytest.fixture
def hostile(whole):
    """Facts in which everything that others may choose is an attack."""
    facts = whole
    for fact in list(whole):
        if isinstance(fact.value, dict):
            facts = facts.with_value(fact.key, dict.fromkeys(fact.value, HOSTILE))
    for key in ("papers.controller.address", "papers.dpo.name", "settings.forward.siem.where"):
        facts = facts.with_value(key, HOSTILE)
    return facts.with_value("policy.block", (HOSTILE, "Zoom"))


class Elements(HTMLParser):
    """Names of all elements and attributes of a page."""

    def __init__(self, html):
        super().__init__()
        self.names, self.attributes, self.ids, self.targets = set(), set(), [], set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.targets.add(found["href"].removeprefix("#"))


@pytest.mark.parametrize("kind", PaperKind)
def test_nothing_of_others_becomes_markup_in_html(kind, hostile):
    page = Elements(to_html(compose(kind, hostile, "fr")))
    assert not page.names & {"script", "img", "iframe", "form", "link", "object"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert "javascript:b" not in page.targets
    assert "\u202e" not in to_html(compose(kind, hostile, "en"))


@pytest.mark.parametrize("kind", PaperKind)
def test_every_mark_leads_to_its_source_and_back_matter_is_complete(kind, whole):
    page = Elements(to_html(compose(kind, whole, "en")))
    assert len(page.ids) == len(set(page.ids))
    assert page.targets <= set(page.ids)
    assert page.targets == {name for name in page.ids if name.startswith("source-")}


@pytest.mark.parametrize("kind", PaperKind)
def test_nothing_of_others_becomes_markup_in_markdown(kind, hostile):
    text = to_markdown(compose(kind, hostile, "fr"))
    for odd in ("<script", "<img", "](javascript", "`x`", "\u202e"):
        assert odd not in text.replace("\\" + odd[0], "\0"), odd
    assert "\\<script\\>" in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\n# b", "a \\# b"),
        ("1. no list", "1\\. no list"),
        ("- no list", "\\- no list"),
        ("*a* _b_ ~c~ |d| ^e^ $f$", "\\*a\\* \\_b\\_ \\~c\\~ \\|d\\| \\^e\\^ \\$f\\$"),
        ("https://evil.example", "https&#58;//evil.example"),
        ("dpd@exemple.fr", "dpd&#64;exemple.fr"),
        ("[^1]: x", "\\[\\^1\\]: x"),
        ("a\\b", "a\\\\b"),
        ("&lt;b&gt;", "\\&lt;b\\&gt;"),
    ],
)
def test_markdown_is_escaped(text, wanted):
    assert escaped(text) == wanted


@pytest.mark.parametrize("kind", PaperKind)
def test_every_footnote_of_the_markdown_is_there_once(kind, whole):
    import re  # noqa: PLC0415  # only here

    text = to_markdown(compose(kind, whole, "fr"))
    cited = set(re.findall(r"\[\^(\d+)\](?!:)", text))
    explained = re.findall(r"^\[\^(\d+)\]:", text, re.MULTILINE)
    assert cited == set(explained)
    assert len(explained) == len(set(explained))


def test_gaps_stand_at_the_top_and_are_counted(bare):
    paper = compose(PaperKind.NOTICE, bare, "fr")
    assert f"À compléter ({len(paper.gaps)})" in to_markdown(paper)
    assert to_html(paper).count("<mark>") == sum(len(item.gaps) for item in paper.sentences)


def test_json_holds_each_sentence_with_its_facts(whole):
    paper = to_json(compose(PaperKind.RECORD, whole, "en"))
    sentences = [item for section in paper["sections"] for item in section["sentences"]]
    assert all(item["sources"] for item in sentences)
    retention = next(item for item in sentences if item["id"] == "keys")
    assert retention["sources"] == [
        {"key": "policy.retention.events", "place": "policy retention.events", "value": 183}
    ]


# -- in a real browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only browser tests need it

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    arguments += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def served():
    """Serve a paper with its real header fields; gives the address."""
    servers = []

    def serve(paper):
        body, headers = to_html(paper).encode(), page_headers(paper.language.code)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/paper"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


browser_test = pytest.mark.xdist_group("papers-browser")


@browser_test
@pytest.mark.browser
@pytest.mark.parametrize("lang", PaperLanguage)
def test_papers_are_readable_by_everybody_and_load_nothing(
    lang, bare, hostile, chromium, served, tmp_path
):
    """Each paper, with gaps and with attacks, wide and narrow: axe, overflow, CSP, requests."""
    pictures = os.environ.get("SOVPROXY_PICTURES")
    context = chromium.new_context()
    tab = context.new_page()
    tab.set_default_timeout(10_000)
    said, requests = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("dialog", lambda dialog: said.append(dialog.message))
    tab.on("request", lambda request: requests.append(request.url))
    for kind, facts in ((PaperKind.NOTICE, bare), (PaperKind.RECORD, hostile),
                        (PaperKind.ASSESSMENT, bare)):  # fmt: skip
        address = served(compose(kind, facts, lang))
        for width, height in (WIDE, NARROW):
            tab.set_viewport_size({"width": width, "height": height})
            tab.goto(address)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, (kind, width)
            if pictures:
                name = f"paper-{kind}-{lang}-{width}.png"
                tab.screenshot(path=str(Path(pictures) / name), full_page=True)
        colour = tab.evaluate("getComputedStyle(document.querySelector('h1')).borderBottomWidth")
        assert colour == "3px", "the style is refused by the page's own policy"
        assert barriers(tab) == []
        assert requests == [address, address]
        requests.clear()
        pdf = tab.pdf(prefer_css_page_size=True)
        assert pdf.startswith(b"%PDF")
        assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf, "A4"
    context.close()
    assert not said
