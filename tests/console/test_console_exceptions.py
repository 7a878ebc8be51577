"""The console's pages about exceptions, as a browser without scripts gets them."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from sovproxy.settings import Settings
from sovproxy.store.tables import EXCEPTION_STEPS, EXCEPTIONS
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.worker import exceptions as usecase
from sovproxy.usecases.worker.exception_desk import Desk
from sovproxy.usecases.worker.exception_models import ExceptionInput, GrantInput
from tests.console.conftest import Site

ME = "2026-11.aaaabbbbccccdddd"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e'
NODE = Principal("0" * 16, "proxy-1", Role.NODE)
BOB = Principal("1" * 16, "Bob", Role.ADMIN)


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory):
    found = Site(Settings(data_dir=tmp_path_factory.mktemp("site"), policy="eu", node="proxy-1"))
    yield found
    found.stop()


@pytest.fixture(name="site")
def site_without_requests(whole_site):
    """One site for all tests. Steps are kept, of no request: their number tells of changes."""
    with whole_site.services.store.writing() as connection:
        connection.execute(delete(EXCEPTIONS))
        connection.execute(update(EXCEPTION_STEPS).values(number=0))
    return whole_site


@pytest.fixture
def ask(site):
    """Put a request into the queue, as a node does; gives its facts."""

    def _ask(until=timedelta(hours=2), **fields):
        desk = Desk(site.services.store, NODE, datetime.now(UTC), 30)
        given = {"service": "zoom", "reason": "They invite us", "client": ME, "group": "legal"}
        wanted = given | {"role": "guest", "until": desk.now + until, "language": "fr"} | fields
        if "host" in fields:
            wanted["service"] = ""
        return desk.ask(ExceptionInput(**wanted))[0]

    return _ask


def words(text: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


def answer(site, client, facts, step, **fields):
    """Send the form of the request's page, as a browser would."""
    page = client.get(f"/console/exceptions/{facts.id}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    values = {name: html.unescape(value) for name, value in hidden.items()} | fields
    return client.post(f"/console/exceptions/{facts.id}/{step}", data=values)


def state(site, facts):
    return usecase.detail(site.services.store, facts.id, datetime.now(UTC))


def test_an_empty_queue_says_how_it_fills(site):
    text = words(site.client(Role.ADMIN).get("/console/exceptions").text)
    assert "Nothing waits A worker who is stopped asks on the prompt" in text


def test_the_queue_shows_who_what_why_until_when_and_todays_verdict(site, ask):
    facts = ask()
    page = site.client(Role.ADMIN).get("/console/exceptions").text
    text = words(page)
    for part in ("No. 1: Zoom", ME, "legal", "They invite us", "is a guest", "Answer No. 1"):
        assert part in text
    assert f'datetime="{facts.wanted.isoformat()}"' in page
    assert re.search(r"Verdict today (Block|Warn|Observe) ", text)


def test_the_number_that_waits_stands_in_the_menu_of_every_page(site, ask):
    ask()
    ask(host="a.example")
    text = words(site.client(Role.ANALYST).get("/console/policy").text)
    assert "Exceptions 2 waiting" in text


def test_the_longest_waiting_comes_first_and_filters_stand_in_the_url(site, ask):
    ask()
    ask(host="a.example", group="finance")
    client = site.client(Role.ADMIN)
    found = re.findall(r"Answer No\. (\d)", client.get("/console/exceptions").text)
    assert found == ["1", "2"]
    found = re.findall(r"Answer No\. (\d)", client.get("/console/exceptions?group=finance").text)
    assert found == ["2"]
    assert "Nothing waits" in client.get("/console/exceptions?service=webex").text


@pytest.mark.parametrize("query", ["show=x", "cursor=x", "cursor=0", "service=%00"])
def test_a_bad_address_is_a_page_with_400(site, query):
    assert site.client().get(f"/console/exceptions?{query}").status_code == 400


def test_an_admin_grants_with_another_end_for_the_whole_group(site, ask):
    facts, client = ask(), site.client(Role.ADMIN)
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    done = answer(site, client, facts, "grant", until=until, scope="group", message="Fine")
    assert done.status_code == 303
    assert "Exception 1 is granted." in words(client.get(done.headers["location"]).text)
    found = state(site, facts)
    assert (found.state, found.scope, found.message) == ("granted", "group", "Fine")
    assert found.until.strftime("%Y-%m-%dT%H:%M") == until
    text = words(client.get("/console/exceptions?show=granted").text)
    assert "the whole group" in text


def test_todays_verdict_shows_the_exception_once_it_is_in_force(site, ask):
    facts = ask()
    Desk(site.services.store, BOB, datetime.now(UTC)).grant(facts.id, GrantInput())
    judge = site.services.judge
    judge.exceptions = usecase.ExceptionsInForce(site.services.store).read(datetime.now(UTC))
    text = words(site.client().get(f"/console/exceptions/{facts.id}").text)
    assert re.search(r"Verdict today Observe exception without the exception: ", text)


def test_a_ready_text_is_sent_in_the_workers_language(site, ask):
    facts = ask(language="fr")
    client = site.client(Role.ADMIN)
    page = client.get(f"/console/exceptions/{facts.id}").text
    assert "Merci d’utiliser la solution que la page propose." in page
    assert answer(site, client, facts, "refuse", ready="alternative").status_code == 303
    found = state(site, facts)
    assert found.state == "refused"
    assert found.message == "Merci d’utiliser la solution que la page propose."


def test_what_is_granted_can_be_revoked_and_the_history_tells_all(site, ask):
    facts, client = ask(), site.client(Role.ADMIN)
    answer(site, client, facts, "grant")
    assert answer(site, client, facts, "revoke", message="Moved").status_code == 303
    text = words(client.get(f"/console/exceptions/{facts.id}").text)
    assert re.search(
        r"History Waiting .* proxy-1 \(node\) Granted .* Ada admin .*Revoked .*Moved", text
    )
    assert "Revoked" in words(client.get("/console/exceptions?show=ended").text)


def test_the_second_of_two_admins_is_told_who_was_first(site, ask):
    facts, client = ask(), site.client(Role.ADMIN)
    page = client.get(f"/console/exceptions/{facts.id}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    Desk(site.services.store, BOB, datetime.now(UTC)).grant(facts.id, GrantInput())
    late = client.post(f"/console/exceptions/{facts.id}/refuse", data=hidden)
    assert late.status_code == 409
    assert "request 1 is granted by Bob" in words(late.text)
    assert state(site, facts).state == "granted"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"until": "2020-01-01T00:00"}, "is over already"),
        ({"until": "2096-01-01T00:00"}, "exceptions last 30 days at most"),
        ({"until": "soon"}, "until: "),
        ({"scope": "planet"}, "scope: "),
    ],
)
def test_a_form_that_cannot_be_carried_out_says_why_and_keeps_what_was_typed(
    site, ask, fields, said
):
    facts, client = ask(), site.client(Role.ADMIN)
    done = answer(site, client, facts, "grant", message="typed before", **fields)
    assert done.status_code == 422
    assert said in words(done.text)
    assert "typed before" in done.text
    assert state(site, facts).state == "waiting"


@pytest.mark.parametrize("role", [Role.ANALYST, Role.AUDITOR])
def test_who_is_no_admin_reads_and_answers_nothing(site, ask, role):
    facts, client = ask(), site.client(role)
    page = client.get(f"/console/exceptions/{facts.id}")
    assert page.status_code == 200
    assert 'id="answer"' not in page.text
    csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
    done = client.post(f"/console/exceptions/{facts.id}/grant", data={"csrf": csrf})
    assert done.status_code == 403
    assert state(site, facts).state == "waiting"


def test_a_form_without_the_sessions_proof_changes_nothing(site, ask):
    facts, client = ask(), site.client(Role.ADMIN)
    done = client.post(f"/console/exceptions/{facts.id}/grant", data={"csrf": "x"})
    assert done.status_code == 403
    assert state(site, facts).state == "waiting"


def test_hostile_reasons_names_and_messages_stay_text(site, ask):
    facts = ask(reason=HOSTILE)
    client = site.client(Role.ADMIN)
    answer(site, client, facts, "refuse", message=HOSTILE)
    for path in ("/console/exceptions?show=all", f"/console/exceptions/{facts.id}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_looking_leaves_an_entry_in_the_audit(site, ask):
    facts = ask()
    client = site.client(Role.ADMIN)
    client.get("/console/exceptions?group=legal")
    client.get(f"/console/exceptions/{facts.id}")
    headers = {"authorization": f"Bearer {site.token(Role.AUDITOR)}"}
    audit = client.get("/api/v1/audit?what=exceptions", headers=headers).json()
    found = audit["items"][:2]
    assert [(item["details"], item["rows"]) for item in found] == [
        ({"number": 1}, 1),
        (
            {"state": ["waiting"], "group": ["legal"], "order": "oldest"},
            1,
        ),
    ]


def test_an_unknown_request_is_a_page_with_404(site):
    path = "/console/exceptions/01a206eb-4815-77ae-afdc-9487ae10dbc2"
    assert site.client(Role.ADMIN).get(path).status_code == 404
