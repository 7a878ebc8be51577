"""The console's pages as a browser without scripts gets them."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sovproxy.console
from sovproxy.console.languages import languages
from sovproxy.console.links import own_path
from sovproxy.usecases.access.tokens import Role, create_token, list_tokens, revoke_token

PAGES = (
    "/",
    "/?range=7d",
    "/?range=30d",
    "/events",
    "/events?last=all&sort=oldest",
    "/events?standing=abroad&action=block&action=warn&last=7d",
    "/explain",
    "/explain?q=zoom.us",
    "/explain?q=15.188.1.1",
    "/catalogue",
    "/catalogue?q=zoom&category=videoconference",
    "/catalogue/services/zoom",
    "/catalogue/operators?q=microsoft",
    "/catalogue/operators/zoom-communications",
    "/catalogue/powers",
    "/catalogue/report",
    "/catalogue/local",
    "/catalogue/local/services/zoom",
    "/exceptions",
    "/policy",
    "/data",
)


def cells(text: str) -> str:
    """The words of a page without its marks, with single spaces."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_behind_the_sign_in(site, path):
    answer = site.client(None).get(f"/console{path}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in?next=")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [Role.ANALYST, Role.AUDITOR, Role.ADMIN])
def test_analyst_auditor_and_admin_see_every_page(site, role, path):
    answer = site.client(role).get(f"/console{path}")
    if role is Role.AUDITOR and path.startswith("/events"):
        assert answer.status_code == 403  # events carry pseudonyms of persons
        return
    assert answer.status_code == 200, cells(answer.text)[:500]
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_script_or_style_or_another_origin(site, path):
    tags = Tags()
    tags.feed(site.client().get(f"/console{path}").text)
    for tag, attributes in tags.found:
        names = set(attributes)
        assert tag not in {"style", "iframe", "object", "embed"}
        assert not any(name == "style" or name.startswith("on") for name in names)
        if tag in {"script", "img", "link"}:
            loaded = attributes.get("src") or attributes.get("href") or ""
            assert loaded.startswith(("/console/static/", "/console/colours.css"))


@pytest.mark.parametrize("role", [Role.NODE, Role.WORKER])
def test_tokens_of_nodes_and_workers_open_nothing(site, role):
    client = site.client(None)
    answer = client.post("/console/sign-in", data={"token": site.token(role)})
    assert answer.status_code == 403
    assert not answer.cookies
    assert f"role {role}" in cells(answer.text)
    api = client.post(
        "/api/v1/session", headers={"authorization": f"Bearer {site.token(Role.WORKER)}"}
    )
    assert api.status_code == 201
    assert client.get("/console/events").status_code == 303


def test_a_wrong_token_is_refused_and_too_many_have_to_wait(empty_site):
    client = empty_site.client(None)
    answers = [client.post("/console/sign-in", data={"token": "sov_x"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    good = client.post("/console/sign-in", data={"token": empty_site.token(Role.ADMIN)})
    assert good.status_code == 429


def test_signing_in_leads_to_the_page_that_was_wanted_and_nowhere_else(site):
    client, token = site.client(None), site.token(Role.ANALYST)
    wanted = client.get("/console/events?service=zoom").headers["location"]
    page = client.get(wanted).text
    following = html.unescape(re.search(r'name="next" value="([^"]*)"', page)[1])
    answer = client.post("/console/sign-in", data={"token": token, "next": following})
    assert answer.headers["location"] == "/console/events?service=zoom"
    for bad in (
        "https://evil.example/",
        "//evil.example",
        "/console/../api",
        "/console//evil",
        "/\\evil",
    ):
        assert own_path(bad).startswith("/console/")
    answer = client.post("/console/sign-in", data={"token": token, "next": "https://evil.example/"})
    assert answer.headers["location"] == "/console/"


def test_signing_out_needs_the_form_of_this_session_and_ends_it(site):
    client = site.client()
    assert client.post("/console/sign-out", data={"csrf": "0" * 64}).status_code == 403
    assert client.get("/console/").status_code == 200
    csrf = re.search(r'name="csrf" value="([^"]*)"', client.get("/console/").text)[1]
    secret = next(item.value for item in client.cookies.jar if item.path == "/console")
    assert client.post("/console/sign-out", data={"csrf": csrf}).status_code == 303
    assert (
        client.get("/console/", headers={"cookie": f"sovproxy_session={secret}"}).status_code == 303
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ],
)
def test_a_form_from_another_site_is_refused(site, headers):
    answer = site.client(None).post(
        "/console/sign-in", data={"token": site.token(Role.ADMIN)}, headers=headers
    )
    assert answer.status_code == 403


def test_a_revoked_token_ends_its_sessions_and_the_sign_in_says_so(site):
    client = site.client(None)
    token = create_token(site.services.store, Role.ANALYST, "leaver")
    client.post("/console/sign-in", data={"token": token})
    assert client.get("/console/").status_code == 200
    (found,) = [item for item in list_tokens(site.services.store) if item.name == "leaver"]
    revoke_token(site.services.store, found.id)
    answer = client.get("/console/policy")
    assert answer.status_code == 303
    assert "session has ended" in cells(client.get(answer.headers["location"]).text)


def test_the_overview_says_which_services_outside_the_trust_zone_which_groups_used(site):
    text = cells(site.client().get("/console/").text)
    section = text[text.index("Services outside the trust zone") : text.index("Trend by verdict")]
    for name in (
        "Zoom United States",
        "Microsoft Teams Ireland, United States",
        "finance",
        "interior",
    ):
        assert name in section
    assert "Visio" not in section


def test_without_traffic_the_pages_say_so(empty_site):
    client = empty_site.client()
    assert "No connection was counted" in cells(client.get("/console/").text)
    assert "No event fits." in cells(client.get("/console/events?last=all").text)


def test_a_value_is_a_link_that_adds_its_filter_and_a_filter_one_that_removes_it(site):
    client = site.client()
    text = client.get("/console/events?last=7d").text
    link = html.unescape(re.search(r'href="([^"]*service=zoom[^"]*)"', text)[1])
    narrowed = client.get(link).text
    rows = narrowed[narrowed.index('id="rows"') : narrowed.index('class="card facets"')]
    assert "us02web.zoom.us" in rows
    assert "teams.microsoft.com" not in rows
    removal = html.unescape(re.search(r'<ul class="chips">\s*<li><a href="([^"]*)"', narrowed)[1])
    assert "service" not in removal
    assert "last=7d" in removal


def test_facets_count_what_the_filter_finds(site):
    text = cells(site.client().get("/console/events?last=30d&service=telegram").text)
    facets = text[text.index("Facets Standing") :]
    number = re.match(
        r"Facets Standing Abroad (\d+) Action Block (\d+) Service Telegram (\d+)", facets
    )
    assert number
    assert len(set(number.groups())) == 1


def test_pages_of_events_follow_each_other_without_a_gap_and_back(site):
    client = site.client()
    ids = lambda text: re.findall(r'<td class="nowrap"><a href="/console/events/([^"]+)"', text)  # noqa: E731
    first = client.get("/console/events?last=30d&action=block").text
    following = html.unescape(re.search(r'href="([^"]*)" rel="next"', first)[1])
    second = client.get(following).text
    back = html.unescape(re.search(r'href="([^"]*)" rel="prev"', second)[1])
    assert len(ids(first)) == 50
    assert not set(ids(first)) & set(ids(second))
    assert ids(client.get(back).text) == ids(first)


@pytest.mark.parametrize(
    "query",
    ["last=never", "since=tomorrow", "asn=zoom", "standing=evil", "cursor=abc", "nonsense=1", "control=usa",  # noqa: E501
     "since=2026-11-23T00:00Z&until=2026-11-22T00:00Z", "host=" + "x" * 300],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_a_clear_400(site, query):
    answer = site.client().get(f"/console/events?{query}")
    assert answer.status_code == 400
    assert "That cannot be read" in cells(answer.text)
    assert query.partition("=")[0].replace("since", "") in cells(answer.text)


@pytest.mark.parametrize("last", ["24h", "7d"])
def test_hostile_texts_stand_escaped_on_the_pages_that_show_them(site, last):
    client = site.client()
    for path in (f"/console/?range={last}", f"/console/events?last={last}"):
        text = client.get(path).text
        assert "alert(1)" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
    events = re.findall(r'href="(/console/events/[0-9a-f-]{36})"', text)
    shown = [client.get(path).text for path in events]
    assert any("alert(1)" in one for one in shown)
    assert not any("<script>alert" in one for one in shown)


def test_explaining_hostile_input_gives_a_page(site):
    for query in (
        "<script>",
        "\x00",
        "a" * 5000,
        "http://[::1",
        "xn--a",
        "’; DROP TABLE event",
        "1.2.3.4.5",
    ):
        answer = site.client().get(
            "/console/explain", params={"q": query, "ip": query, "group": query}
        )
        assert answer.status_code == 200
        assert "<script>" not in answer.text


def test_explain_gives_trace_evidence_powers_and_alternative(site):
    text = cells(site.client().get("/console/explain?q=zoom.us").text)
    for words in (
        "Block",
        "Rule sovereign",
        "CLOUD",
        "Alternative Visio",
        "support.zoom.com",
        "17 April 2026",
    ):
        assert words in text


def test_looks_at_events_leave_entries_in_the_audit(site):
    client = site.client()
    client.get("/console/events?service=zoom&last=7d")
    audit = site.client(None).get(
        "/api/v1/audit", headers={"authorization": f"Bearer {site.token(Role.AUDITOR)}"}
    )
    entries = [item for item in audit.json()["items"] if item["what"] == "events"]
    assert entries[0]["name"] == "Ada analyst"
    assert entries[0]["details"]["service"] == ["zoom"]
    assert entries[0]["rows"] > 0


def test_the_catalogue_finds_a_service_by_one_of_its_hosts(site):
    text = cells(site.client().get("/console/catalogue?q=zipow.com").text)
    assert "1 services Service" in text
    assert "Zoom Communications" in text


def test_the_report_names_recalled_facts_and_prefixes_set_aside(site):
    text = cells(site.client().get("/console/catalogue/report").text)
    assert re.search(r"Prefixes set aside \(\d\d+\)", text)
    assert "Recalled facts" in text


def test_the_policy_page_shows_a_refused_file(empty_site, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("id: [", "utf-8")
    judge = empty_site.services.judge
    judge.policy_file.source = bad
    judge.refresh()
    client = empty_site.client()
    assert "The policy file is refused" in cells(client.get("/console/policy").text)
    assert "bad.yaml:2" in cells(client.get("/console/policy").text)


def test_the_language_is_the_browsers_or_the_chosen_one(site):
    client = site.client(None, **{"accept-language": "fr"})
    assert 'lang="fr"' in client.get("/console/sign-in").text
    answer = client.get("/console/language/en?next=/console/sign-in")
    assert answer.headers["location"] == "/console/sign-in"
    assert "<h1>Sign in</h1>" in client.get("/console/sign-in").text


def test_every_text_of_the_console_is_translated():
    """Texts in templates and code, against each translation file."""
    folder = Path(sovproxy.console.__file__).parent
    sources = [*folder.glob("*.py"), *folder.glob("templates/*.html")]
    pattern = re.compile(r'\b(?:say|mark)\(\s*"((?:[^"\\]|\\.)*)"')
    texts = {text for path in sources for text in pattern.findall(path.read_text("utf-8"))}
    assert len(texts) > 250
    for language in languages()[1:]:
        assert [text for text in sorted(texts) if ("", text) not in language.messages] == []


def test_an_address_that_is_nothing_is_a_page_with_404(site):
    for path in (
        "/nothing",
        "/catalogue/services/none",
        "/events/01a206eb-4815-77ae-afdc-9487ae10dbc2",
    ):
        answer = site.client().get(f"/console{path}")
        assert answer.status_code == 404
        assert "There is nothing here" in cells(answer.text)
