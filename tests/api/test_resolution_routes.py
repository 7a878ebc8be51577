"""Who is this client? Two people, a reason, an answer for a day, and no answer in the audit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.analysis.resolving_clients import MAX_WAITING, answer, approved, lapse

CLIENT = "2026-11.aaaabbbbccccdddd"
ASKED = {"client": CLIENT, "reason": "Malware was downloaded", "reference": "INC-7"}
FOUND = "10.12.4.7"


@pytest.fixture
def clock():
    moment = SimpleNamespace(now=datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
    moment.later = lambda **values: setattr(moment, "now", moment.now + timedelta(**values))
    return moment


@pytest.fixture
def desk(serve, clock):
    """A server whose clock can be moved, and people who speak to it."""
    server = serve(clock=lambda: clock.now)

    class Desk:
        store = server.services.store

        def person(self, name, role=Role.ANALYST):
            token = create_token(self.store, role, name, now=clock.now)
            return {"authorization": f"Bearer {token}"}

        def ask(self, who, **fields):
            return server.client.post("/api/v1/resolutions", json=ASKED | fields, headers=who)

        def get(self, who, number):
            return server.client.get(f"/api/v1/resolutions/{number}", headers=who)

        def list(self, who):
            return server.client.get("/api/v1/resolutions", headers=who).json()["items"]

        def decide(self, who, number, verb="approve", message="as agreed"):
            url = f"/api/v1/resolutions/{number}/{verb}"
            return server.client.post(url, json={"message": message}, headers=who)

        def tell(self, who, number, found, node):
            url = f"/api/v1/fleet/resolutions/{number}"
            told = {"found": found, "node": node}
            return server.client.post(url, json=told, headers=who)

        def audit(self):
            items = server.client.get(
                "/api/v1/audit", headers=self.person("Olga", Role.AUDITOR)
            ).json()["items"]
            return [item for item in items if item["what"].startswith("resolution")]

    return Desk()


def test_no_node_answers_in_the_name_of_another(desk, assert_problem):
    ada, grace = desk.person("Ada"), desk.person("Grace", Role.ADMIN)
    number = desk.ask(ada).json()["id"]
    desk.decide(grace, number)
    lyon, paris = desk.person("lyon", Role.NODE), desk.person("paris", Role.NODE)
    foreign = desk.tell(lyon, number, "victim@example.eu", "paris")
    assert_problem(foreign, 409, "name-of-another-node")
    assert desk.tell(paris, number, FOUND, "paris").status_code == 204
    assert desk.get(ada, number).json()["found"] == FOUND


def test_one_asks_another_approves_a_node_answers_and_these_two_see_it(desk, clock):
    ada, grace = desk.person("Ada"), desk.person("Grace", Role.ADMIN)
    number = desk.ask(ada).json()["id"]
    assert [item.id for item in approved(desk.store, clock.now)] == []
    assert desk.decide(grace, number).json()["state"] == "approved"
    assert [item.model_dump() for item in approved(desk.store, clock.now)] == [
        {"id": number, "client": CLIENT}
    ]
    assert answer(desk.store, number, FOUND, "proxy-1", clock.now)
    assert desk.get(ada, number).json()["found"] == FOUND
    assert desk.get(grace, number).json()["found"] == FOUND
    other = desk.get(desk.person("Linus", Role.ADMIN), number).json()
    assert (other["state"], other["found"]) == ("answered", None)
    assert all(item["found"] is None for item in desk.list(ada))


def test_a_third_analyst_does_not_even_see_the_question(desk, assert_problem):
    number = desk.ask(desk.person("Ada")).json()["id"]
    other = desk.person("Linus")
    assert desk.list(other) == []
    assert_problem(desk.get(other, number), 404, "no-such-resolution")


@pytest.mark.parametrize("name", ["Ada", " ada", "ＡＤＡ", "ADA "])
@pytest.mark.parametrize("verb", ["approve", "refuse"])
def test_a_second_token_of_the_same_name_is_the_same_person(desk, assert_problem, name, verb):
    number = desk.ask(desk.person("Ada")).json()["id"]
    again = desk.person(name, Role.ADMIN)
    assert not desk.get(again, number).json()["may_decide"]
    assert_problem(desk.decide(again, number, verb), 403, "same-person")


def test_an_admin_cannot_approve_what_the_same_token_asked(desk, assert_problem):
    root = desk.person("Root", Role.ADMIN)
    number = desk.ask(root).json()["id"]
    assert_problem(desk.decide(root, number), 403, "same-person")


def test_an_analyst_approves_nothing(desk, assert_problem):
    number = desk.ask(desk.person("Ada")).json()["id"]
    assert_problem(desk.decide(desk.person("Linus"), number), 403, "forbidden")


def test_a_refusal_says_why_and_no_node_is_asked(desk, clock, assert_problem):
    ada, grace = desk.person("Ada"), desk.person("Grace", Role.AUDITOR)
    number = desk.ask(ada).json()["id"]
    assert_problem(desk.decide(grace, number, "refuse", ""), 422, "invalid-request")
    desk.decide(grace, number, "refuse", "no case is open")
    shown = desk.get(ada, number).json()
    assert (shown["state"], shown["message"], shown["decider"]) == (
        "refused",
        "no case is open",
        "Grace",
    )
    assert approved(desk.store, clock.now) == []
    assert not answer(desk.store, number, FOUND, "proxy-1", clock.now)


def test_what_is_decided_cannot_be_decided_again(desk, assert_problem):
    grace = desk.person("Grace", Role.ADMIN)
    number = desk.ask(desk.person("Ada")).json()["id"]
    desk.decide(grace, number, "refuse")
    assert_problem(desk.decide(grace, number), 409, "not-waiting")


def test_of_many_who_decide_at_once_one_does(desk):
    people = [desk.person(f"Person {number}", Role.ADMIN) for number in range(8)]
    number = desk.ask(desk.person("Ada")).json()["id"]
    verbs = ["approve", "refuse"] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda pair: desk.decide(pair[0], number, pair[1]),
                                zip(people, verbs, strict=True)))  # fmt: skip
    assert sorted(item.status_code for item in answers) == [200] + [409] * 7
    decided = [item for item in desk.audit() if item["what"] != "resolution_request"]
    assert len(decided) == 1


def test_of_many_answers_one_is_kept(desk, clock):
    number = desk.ask(desk.person("Ada")).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    with ThreadPoolExecutor(8) as pool:
        kept = list(
            pool.map(
                lambda one: answer(desk.store, number, f"10.0.0.{one}", "proxy-1", clock.now),
                range(8),
            )
        )
    assert kept.count(True) == 1
    assert not answer(desk.store, number, "10.9.9.9", "proxy-2", clock.now)


def test_a_node_that_does_not_know_is_named_and_others_may_still_answer(desk, clock):
    ada = desk.person("Ada")
    number = desk.ask(ada).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    assert answer(desk.store, number, "", "proxy-1", clock.now)
    assert answer(desk.store, number, "", "proxy-1", clock.now)
    assert desk.get(ada, number).json()["unknown_to"] == ["proxy-1"]
    assert answer(desk.store, number, FOUND, "proxy-2", clock.now)
    assert desk.get(ada, number).json()["node"] == "proxy-2"


def test_the_answer_is_erased_after_a_day(desk, clock):
    ada = desk.person("Ada")
    number = desk.ask(ada).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    answer(desk.store, number, FOUND, "proxy-1", clock.now)
    clock.later(hours=23, minutes=59)
    assert desk.get(ada, number).json()["found"] == FOUND
    clock.later(minutes=1)
    lapse(desk.store, clock.now)
    shown = desk.get(ada, number).json()
    assert (shown["state"], shown["found"]) == ("erased", None)
    with desk.store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM resolution").all()
    assert FOUND not in repr(rows)


def test_without_approval_it_lapses_after_a_week(desk, clock, assert_problem):
    ada, grace = desk.person("Ada"), desk.person("Grace", Role.ADMIN)
    number = desk.ask(ada).json()["id"]
    clock.later(days=7)
    assert_problem(desk.decide(grace, number), 409, "not-waiting")
    assert desk.get(ada, number).json()["state"] == "lapsed"
    assert [item["what"] for item in desk.audit()] == ["resolution_lapse", "resolution_request"]


def test_without_an_answer_it_lapses_after_a_week_and_an_answer_comes_too_late(desk, clock):
    number = desk.ask(desk.person("Ada")).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    clock.later(days=7)
    assert not answer(desk.store, number, FOUND, "proxy-1", clock.now)
    assert approved(desk.store, clock.now) == []


def test_the_audit_tells_everything_but_the_answer(desk, clock):
    ada, grace = desk.person("Ada"), desk.person("Grace", Role.ADMIN)
    number = desk.ask(ada).json()["id"]
    desk.decide(grace, number)
    answer(desk.store, number, FOUND, "proxy-1", clock.now)
    desk.get(ada, number)
    entries = desk.audit()
    assert [(item["what"], item["name"]) for item in entries] == [
        ("resolution_shown", "Ada"),
        ("resolution_answer", "proxy-1"),
        ("resolution_approve", "Grace"),
        ("resolution_request", "Ada"),
    ]
    assert entries[3]["details"] == {"id": number} | ASKED
    assert FOUND not in repr(entries)


@pytest.mark.parametrize(
    "fields",
    [
        {"client": "10.1.2.3"},
        {"client": ""},
        {"client": f"{CLIENT}\n"},
        {"reason": "because"},
        {"reason": "x" * 1001},
        {"reason": "a reason \u202e turned round"},
        {"reference": "x" * 101},
        {"nonsense": 1},
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(desk, assert_problem, fields):
    assert_problem(desk.ask(desk.person("Ada"), **fields), 422, "invalid-request")


def test_one_person_has_so_many_questions_waiting(desk, assert_problem):
    ada = desk.person("Ada")
    for _ in range(MAX_WAITING):
        assert desk.ask(ada).status_code == 201
    assert_problem(desk.ask(ada), 409, "too-many")


def test_hostile_texts_of_a_node_are_bounded_and_visible(desk, clock):
    ada = desk.person("Ada")
    number = desk.ask(ada).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    answer(desk.store, number, "\x1b[2J\u202e<b>" + "x" * 5000, "n\x00de," * 50, clock.now)
    shown = desk.get(ada, number).json()
    assert shown["found"].isprintable()
    assert len(shown["found"]) == 200
    assert shown["node"].isprintable()


def test_the_audit_names_the_token_that_answered_and_not_what_it_calls_itself(desk):
    ada, node = desk.person("Ada"), desk.person("proxy-7", Role.NODE)
    number = desk.ask(ada).json()["id"]
    desk.decide(desk.person("Grace", Role.ADMIN), number)
    assert desk.tell(node, number, FOUND, "proxy-1").status_code == 204
    [entry] = [item for item in desk.audit() if item["what"] == "resolution_answer"]
    assert entry["token"] == node["authorization"].split("_")[1]
    assert (entry["name"], entry["details"]["node"]) == ("proxy-7", "proxy-1")
    assert FOUND not in str(entry)
