"""The analyst's desk in the console: views, findings, suppressions, resolutions, candidates."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.analysis.resolving_clients import answer

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
CLIENT = "2026-11.aaaabbbbccccdddd"
PAGES = (
    "/findings",
    "/findings?all=1&kind=service&tags=odd",
    "/findings/thing?kind=service&value=zoom",
    "/findings/suppressions",
    "/findings/raise?kind=service&value=zoom",
    "/views",
    "/resolutions",
    "/catalogue/candidates",
)


def cells(text):
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


@pytest.fixture
def person(site):
    """Somebody who is signed in and sends forms."""

    def _person(name, role=Role.ANALYST):
        client = site.client(None)
        token = create_token(site.services.store, role, name)
        client.post("/console/sign-in", data={"token": token})
        csrf = re.search(r'name="csrf" value="([^"]*)"', client.get("/console/resolutions").text)[1]

        def send(path, status=303, **fields):
            answer = client.post(f"/console{path}", data={"csrf": csrf} | fields)
            assert answer.status_code == status, cells(answer.text)[-300:]
            return answer

        client.send_form = send
        return client

    return _person


def shown(client, path):
    answer = client.get(f"/console{path}")
    assert answer.status_code == 200, cells(answer.text)[-300:]
    return answer.text


@pytest.mark.parametrize("path", PAGES)
def test_analysts_see_their_desk_and_others_only_the_resolutions(site, path):
    shown(site.client(Role.ANALYST), path)
    shown(site.client(Role.ADMIN), path)
    status = site.client(Role.AUDITOR).get(f"/console{path}").status_code
    assert status == (200 if path == "/resolutions" else 403)
    assert site.client(None).get(f"/console{path}").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/findings/mark",
        "/findings/1",
        "/findings/suppress",
        "/findings/suppressions/1/lift",
        "/findings/raise",
        "/views",
        "/views/1",
        "/views/1/delete",
        "/views/1/first",
        "/resolutions",
        "/resolutions/0123456789abcdef",
    ],
)
def test_a_form_of_another_session_changes_nothing(site, path):
    answer = site.client().post(f"/console{path}", data={"csrf": "0" * 64})
    assert answer.status_code == 403


def test_a_finding_is_marked_worked_on_and_shown_beside_events_and_facets(person):
    ada = person("Ada")
    page = ada.send_form(
        "/findings/mark", kind="service", value="slack", note="why\nstill?", tags="Odd, new"
    ).headers["location"]
    number = page.rsplit("/", 1)[1]
    assert "why\nstill?" in html.unescape(ada.get(page).text)
    ada.send_form(f"/findings/{number}", state="in_review", assignee="Grace", tags="odd")
    text = cells(ada.get(page).text)
    assert "In review" in text
    assert "Grace" in text
    events = shown(ada, "/events?last=7d&service=slack")
    assert events.count(f'href="/console/findings/{number}"') > 2
    assert "Finding: Service, In review" in events
    inbox = shown(ada, "/findings?tags=odd&state=in_review")
    assert "Slack" in inbox
    answer = ada.send_form(
        f"/findings/{number}", state="dismissed", next="/console/findings?tags=odd"
    )
    assert answer.headers["location"] == "/console/findings?tags=odd"
    assert "Slack" not in shown(ada, "/findings?tags=odd")


def test_a_form_that_is_older_than_somebodys_change_says_so_and_saves_nothing(person):
    ada, grace = person("Ada"), person("Grace")
    page = ada.send_form("/findings/mark", kind="service", value="webex").headers["location"]
    path = page.removeprefix("/console")
    version = html.unescape(re.search(r'name="version" value="([^"]*)"', ada.get(page).text)[1])
    grace.send_form(path, state="in_review", assignee="Grace", tags="", version=version)
    refused = ada.send_form(path, 412, state="new", assignee="", tags="odd", version=version)
    assert "Somebody changed it in the meantime" in cells(refused.text)
    ada.send_form(path, state="in_review", assignee="Grace", tags="", version=version)
    text = cells(ada.get(page).text)
    assert "Grace" in text
    assert "odd" not in text


def test_a_view_that_somebody_renamed_meanwhile_keeps_that_name(person):
    ada, root = person("Ada"), person("Root", Role.ADMIN)
    ada.send_form("/views", name="Meanwhile", query="service=zoom", shared="1")
    forms = ada.get("/console/views").text.split("<form")
    form = next(part for part in forms if 'value="Meanwhile"' in part)
    path = re.search(r'action="/console([^"]*)"', form)[1]
    version = html.unescape(re.search(r'name="version" value="([^"]*)"', form)[1])
    root.send_form(path, name="Ours", description="", shared="1", version=version)
    ada.send_form(path, 412, name="Mine", description="", version=version)
    assert "Ours" in shown(ada, "/views")
    root.send_form(f"{path}/delete")


def test_the_next_page_of_a_form_is_never_elsewhere(person):
    ada = person("Ada")
    page = ada.send_form("/findings/mark", kind="asn", value="8075").headers["location"]
    path = page.removeprefix("/console")
    answer = ada.send_form(path, state="confirmed", next="https://evil.example/")
    assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [("host", HOSTILE, ""), ("host", "x" * 253, ""), ("service", HOSTILE, ""),
     ("pair", HOSTILE, HOSTILE[:90]), ("operator", HOSTILE, "")],
)  # fmt: skip
def test_hostile_values_stand_escaped_on_every_page_of_the_desk(person, kind, value, group):
    ada = person("Ada")
    fields = {"kind": kind, "value": value, "group": group, "note": HOSTILE}
    page = ada.send_form("/findings/mark", **fields).headers["location"]
    pages = [ada.get(page).text, shown(ada, "/findings?all=1")]
    if kind in {"host", "service"}:
        ada.send_form("/findings/suppress", kind=kind, value=value, reason=HOSTILE, days="1")
        pages.append(shown(ada, "/findings/suppressions"))
        pages.append(shown(ada, "/events?last=7d"))
    ada.send_form(
        "/views", name=HOSTILE, description=HOSTILE, query="last=7d&host_contains=%3Cscript%3E"
    )
    pages += [shown(ada, "/views"), shown(ada, "/events?last=7d")]
    for text in pages:
        assert "<script>alert" not in text
        assert "<img src=x" not in text


@pytest.mark.parametrize("query", ["state=odd", "kind=client", "tags=No%20no", "cursor=x", "odd=1"])
def test_a_filter_of_the_inbox_that_cannot_be_read_is_400(site, query):
    assert site.client().get(f"/console/findings?{query}").status_code == 400


def test_suppressed_values_are_hidden_say_so_and_come_back(person, site, an_event):
    site.deliver([an_event(datetime.now(UTC) - timedelta(minutes=1), service="box", rule="quiet")])
    ada = person("Ada")
    ada.send_form("/findings/suppress", kind="service", value="box", reason="known", days="3")
    text = shown(ada, "/events?last=1h&rule=quiet")
    assert re.search(r"Suppressed values \(\d+\) hide 1 events", cells(text))
    assert "No event fits" in cells(text)
    opened = re.search(r'id="suppressed">[^<]*<a href="([^"]*)"', text)[1]
    assert "suppressed=show" in opened
    assert "No event fits" not in cells(ada.get(html.unescape(opened)).text)
    assert "No event fits" not in cells(shown(ada, "/events?last=1h&service=box"))
    exported = re.search(r'href="(/api/v1/export[^"]*jsonl[^"]*)"', text)[1]
    assert "without" not in exported
    listed = shown(ada, "/findings/suppressions")
    lift = re.search(r'action="/console(/findings/suppressions/\d+/lift)"', listed)[1]
    ada.send_form(lift)
    assert "No event fits" not in cells(shown(ada, "/events?last=1h&rule=quiet"))


def test_a_view_is_saved_opened_shared_and_begun_with(person):
    ada, grace = person("Ada"), person("Grace")
    answer = ada.send_form(
        "/views", name="Zoom and not finance", query="service=zoom&without=group%3Afinance"
    )
    assert answer.headers["location"] == "/console/events?service=zoom&without=group%3Afinance"
    assert (
        'aria-current="true"><bdi>Zoom and not finance' in ada.get(answer.headers["location"]).text
    )
    assert "Zoom and not finance" not in shown(grace, "/events?last=7d")
    number = re.search(r'action="/console/views/(\d+)/first"', shown(ada, "/views"))[1]
    ada.send_form(f"/views/{number}", name="Ours", description="", shared="1")
    assert "Ours" in shown(grace, "/events?last=7d")
    grace.send_form(f"/views/{number}", 403, name="Mine")
    grace.send_form(f"/views/{number}/delete", 403)
    ada.send_form(f"/views/{number}/first")
    first = ada.get("/console/events")
    assert first.headers["location"].endswith("?service=zoom&without=group%3Afinance")
    assert grace.get("/console/events").status_code == 200
    ada.send_form(f"/views/{number}/delete")
    assert ada.get("/console/events").status_code == 200


def test_the_search_box_becomes_an_address_and_an_error_points_at_its_word(site):
    client = site.client()
    q = "service:zoom -group:finance host:*.zoom.us since:2d"
    answer = client.get("/console/events", params={"q": q, "columns": "asn"})
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {
        "service": ["zoom"],
        "without": ["group:finance"],
        "host": [".zoom.us"],
        "last": ["2d"],
        "columns": ["asn"],
    }
    page = client.get(answer.headers["location"])
    assert "service:zoom -group:finance host:*.zoom.us last:2d" in page.text
    wrong = client.get("/console/events", params={"q": "service:zoom odd:<b>"})
    assert wrong.status_code == 400
    assert "<mark><bdi>odd:&lt;b&gt;</bdi></mark>" in wrong.text


def test_columns_stand_in_the_address(site):
    client = site.client()
    text = shown(client, "/events?last=7d&columns=asn&columns=client")
    assert re.findall(r'data-field="([a-z]+)"', text) == ["time", "asn", "client"]
    assert "AS" in text[text.index('id="rows"') :]
    assert client.get("/console/events?columns=nonsense").status_code == 400


def test_two_people_resolve_a_pseudonym_and_no_third_sees_it(person, site):
    ada, grace, linus = person("Ada"), person("Grace", Role.AUDITOR), person("Li", Role.ADMIN)
    assert f'value="{CLIENT}"' in shown(ada, f"/resolutions?client={CLIENT}")
    ada.send_form("/resolutions", 400, client=CLIENT, reason="short")
    page = ada.send_form("/resolutions", client=CLIENT, reason=f"Because of {HOSTILE}").headers[
        "location"
    ]
    path, number = page.removeprefix("/console"), page.rsplit("/", 1)[1]
    ada.send_form(path, 403, decision="approve")
    person("ADA", Role.ADMIN).send_form(path, 403, decision="approve")
    assert "for you to decide" in cells(shown(grace, "/resolutions"))
    grace.send_form(path, 400, decision="refuse", message="")
    grace.send_form(path, decision="approve", message="agreed")
    linus.send_form(path, 409, decision="approve")
    assert answer(site.services.store, number, "10.12.4.7", "proxy-1", datetime.now(UTC))
    for two in (ada, grace):
        assert "10.12.4.7" in shown(two, path)
        assert "10.12.4.7" not in shown(two, "/resolutions")
    assert "10.12.4.7" not in shown(linus, path)
    assert "<script>" not in shown(linus, path).replace('<script type="module"', "")
    assert person("Third").get(page).status_code == 404
    assert "in the audit, with names and reasons" in cells(shown(ada, path))


def test_a_rule_is_proposed_checked_and_kept_as_a_draft(person):
    ada = person("Ada")
    page = ada.send_form("/findings/mark", kind="asn", value="62041").headers["location"]
    number = page.rsplit("/", 1)[1]
    asked = f"/findings/raise?kind=asn&value=62041&finding={number}"
    text = shown(ada, asked)
    assert "network: 62041" in text
    assert "is in order" in text
    fields = {"kind": "asn", "value": "62041", "finding": number, "position": "0"}
    wrong = ada.send_form("/findings/raise", 200, **fields, do="keep", group="nobody")
    assert "would be refused" in wrong.text
    kept = ada.send_form(
        "/findings/raise", **fields, do="keep", action="block", begins="2030-01-01"
    )
    draft = ada.get(kept.headers["location"]).text
    assert "raised-62041" in draft
    assert "Raised to a rule" in cells(ada.get(page).text)


def test_a_proposal_begins_with_what_holds_today_and_tells_when_it_is_milder(person):
    ada = person("Ada")
    text = shown(ada, "/findings/raise?kind=service&value=zoom")
    assert "Today: Block Rule videoconference" in cells(text)
    assert "action: block" in text
    assert "milder than what holds today" not in text
    milder = shown(ada, "/findings/raise?kind=service&value=zoom&action=warn")
    assert "milder than what holds today (Block)" in cells(milder)
    operator = shown(ada, "/findings/raise?kind=operator&value=zoom-communications")
    assert "action: block" in operator
    network = shown(ada, "/findings/raise?kind=asn&value=30103")
    assert "action: block" in network
    unknown = shown(ada, "/findings/raise?kind=asn&value=64496")
    assert "action: warn" in unknown
    assert "is not known" in unknown


def test_a_rule_is_kept_though_its_finding_can_hold_no_more(person, monkeypatch):
    ada = person("Ada")
    page = ada.send_form("/findings/mark", kind="asn", value="62042").headers["location"]
    monkeypatch.setattr("sovproxy.usecases.analysis.findings.MAX_NOTES", 0)
    fields = {"kind": "asn", "value": "62042", "finding": page.rsplit("/", 1)[1], "position": "0"}
    kept = ada.send_form("/findings/raise", **fields, do="keep", action="block")
    assert "raised-62042" in ada.get(kept.headers["location"]).text


@pytest.mark.parametrize(
    "query", ["kind=event&value=1", "kind=client&value=x", "kind=asn&value=x", "kind=host&value="]
)
def test_what_cannot_be_raised_is_400(site, query):
    assert site.client().get(f"/console/findings/raise?{query}").status_code == 400


def test_candidates_name_hosts_without_an_entry(site, an_event):
    now = datetime.now(UTC)
    none = {"service": "", "operator": ""}
    site.deliver([an_event(now - timedelta(minutes=n), **none, host="meet.odd.example")
                  for n in range(3)])  # fmt: skip
    site.deliver([an_event(now, **none, host="zoom.us")])
    text = shown(site.client(), "/catalogue/candidates")
    rows = text[text.index("<tbody>") :]
    assert "meet.odd.example" in rows
    assert ">zoom.us<" not in cells(rows)
    assert "q=zoom.us" not in rows


def test_a_rule_is_proposed_through_the_api_as_in_the_console(site):
    headers = {"authorization": f"Bearer {site.token(Role.ANALYST)}"}
    wish = {"field": "service", "value": "zoom", "action": "block", "reason": HOSTILE}
    client = site.client(None)
    found = client.post("/api/v1/findings/rule", json=wish, headers=headers).json()
    assert found["problems"] == []
    assert "id: raised-zoom" in found["rule"]
    assert (found["today"], found["milder"]) == ("block", False)
    mild = client.post("/api/v1/findings/rule", json=wish | {"action": "observe"}, headers=headers)
    assert (mild.json()["action"], mild.json()["milder"]) == ("observe", True)
    assert HOSTILE in found["text"]
    wrong = client.post(
        "/api/v1/findings/rule", json=wish | {"value": "no-such-service"}, headers=headers
    ).json()
    assert wrong["text"] == ""
    assert "no-such-service" in wrong["problems"][0]
