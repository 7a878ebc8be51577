"""What a worker is told of a request: it waits, it was turned down and why, by a real fleet."""

from __future__ import annotations

import re
import signal

import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab.apis import Api
from tests.lab.people import ASK, Person, join
from tests.lab.proxies import wait_until
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

HOSTILE = "Use Visio <script>alert(1)</script> \u202e"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("asking") / "world")


@pytest.fixture(scope="module")
def api(tmp_path_factory, world):
    started = Api(tmp_path_factory.mktemp("api") / "data", world.settings)
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def node(start_shared_proxy, api, world):
    return join(start_shared_proxy, api, world, "paris")


@pytest.fixture
def person(me, origins, authority):
    return Person(me, origins.zoom, "zoom.us", authority)


def prompt(person, node):
    """The prompt as an English reader sees it."""
    found = person.open(node, "-H", "Accept-Language: en;q=1, fr;q=0")
    assert found.is_prompt
    return found.text


def asked(api, client) -> list[dict]:
    """What a client has asked for, the newest first."""
    items = api.call(Role.ADMIN, "GET", "/exceptions").json()["items"]
    return [item for item in items if item["client"] == client]


def answer(api, request, step, **said):
    done = api.call(Role.ADMIN, "POST", f"/exceptions/{request['id']}/{step}", json=said)
    assert done.status_code == 200, done.text


def test_while_a_request_waits_the_prompt_says_so_and_has_no_second_form(node, api, person):
    assert person.ask(node, "They invite").status == 200
    [request] = asked(api, node.pseudonym(person.me))
    found = prompt(person, node)
    assert "Your request waits for an answer" in found
    assert f"Number {request['number']}" in found
    assert ASK not in found


def until(text) -> str:
    """What a page says after `Until`."""
    return re.search(r"<dt>Until</dt>\s*<dd>([^<]+)</dd>", text)[1]


def test_asking_again_shows_the_request_that_stands_and_its_own_end(node, api, person):
    token = person.asking_token(node)
    first = person.ask(node, "They invite", span="today")
    again = person.ask(node, "I forgot to say how long", token, span="longest")
    [request] = asked(api, node.pseudonym(person.me))
    assert "Your request is on its way" in first.text
    assert "You have asked for this already" in again.text
    assert f"Number {request['number']}" in again.text
    assert until(again.text) == until(first.text)


def test_a_form_that_is_sent_again_after_the_answer_leads_to_the_answer(node, api, person):
    token = person.asking_token(node)
    person.ask(node, "They invite", token)
    [request] = asked(api, node.pseudonym(person.me))
    answer(api, request, "refuse", message="Use Visio")
    again = person.ask(node, "They invite", token)
    assert (again.status, again.fields["location"]) == (303, "/")
    assert len(asked(api, node.pseudonym(person.me))) == 1


def test_past_the_limit_one_is_told_when_to_ask_again_but_what_waits_costs_nothing(
    node, api, person, origins, authority
):
    token = person.asking_token(node)
    assert person.ask(node, "They invite").status == 200
    teams = Person(person.me, origins.teams, "teams.microsoft.com", authority)
    for number in range(9):
        assert teams.ask(node, f"Hearing {number}").status == 200
        [request, *_] = asked(api, node.pseudonym(person.me))
        answer(api, request, "refuse")
        wait_until(lambda: ASK in prompt(teams, node), "one may ask anew", 15)
    refused = teams.ask(node, "Hearing 10")
    assert refused.status == 429
    assert 0 < int(refused.fields["retry-after"]) <= 86_400
    assert "You have asked for much today" in refused.text
    again = person.ask(node, "They still invite", token)
    assert again.status == 200
    assert "You have asked for this already" in again.text
    assert len(asked(api, node.pseudonym(person.me))) == 10


def test_a_refusal_is_told_with_its_message_and_one_may_ask_anew(node, api, person):
    person.ask(node, "They invite")
    [request] = asked(api, node.pseudonym(person.me))
    answer(api, request, "refuse", message=HOSTILE)
    wait_until(lambda: "Your request was refused" in prompt(person, node), "it is told", 15)
    found = prompt(person, node)
    assert "Use Visio &lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert "\u202e" not in found
    assert "<script>alert" not in found
    assert ASK in found


def test_who_reads_french_is_told_in_french(node, person):
    person.ask(node, "They invite")
    assert "Votre demande attend une réponse" in person.open(node).text


def test_what_was_taken_back_is_told(node, api, person):
    granted = api.grant(node.pseudonym(person.me), "zoom")
    wait_until(lambda: person.passes(node), "the exception is in force", 15)
    answer(api, granted, "revoke", message="The hearing is over")
    wait_until(lambda: person.open(node).is_prompt, "it is taken back", 15)
    wait_until(lambda: "Your exception was taken back" in prompt(person, node), "it is told", 15)
    assert "The hearing is over" in prompt(person, node)


def test_nobody_is_told_what_somebody_else_asked_or_of_another_destination(
    node, person, origins, authority
):
    person.ask(node, "They invite")
    neighbour = Person(person.me.replace("127.1.", "127.4."), origins.zoom, "zoom.us", authority)
    elsewhere = Person(person.me, origins.teams, "teams.microsoft.com", authority)
    for other in (neighbour, elsewhere):
        found = prompt(other, node)
        assert "waits for an answer" not in found
        assert ASK in found


def test_an_api_that_does_not_answer_neither_breaks_nor_holds_up_the_prompt(node, api, person):
    api.process.send_signal(signal.SIGSTOP)
    try:
        assert ASK in prompt(person, node)
    finally:
        api.process.send_signal(signal.SIGCONT)


REFERENCE = re.compile(r"<dt>Reference</dt>\s*<dd class=\"id\">([^<]+)</dd>")


def test_while_the_api_is_away_the_same_request_keeps_its_first_reference(
    start_proxy, tmp_path, world, person
):
    api = Api(tmp_path / "api", world.settings)
    api.start()
    node = join(start_proxy, api, world, "nice")
    tokens = [person.asking_token(node) for _ in range(3)]
    api.kill()
    first = REFERENCE.search(person.ask(node, "They invite", tokens[0]).text)[1]
    again = person.ask(node, "They still invite", tokens[1])
    assert REFERENCE.search(again.text)[1] == first
    assert "You have asked for this already" in again.text
    assert REFERENCE.search(prompt(person, node))[1] == first
    node.stop()
    node.start()  # what waits is known again
    last = person.ask(node, "They still invite", tokens[2])
    assert REFERENCE.search(last.text)[1] == first
    api.start()
    wait_until(lambda: asked(api, node.pseudonym(person.me)), "it is passed on", 30)
    [request] = asked(api, node.pseudonym(person.me))
    assert (request["id"], request["reason"]) == (first, "They invite")
    api.kill()
