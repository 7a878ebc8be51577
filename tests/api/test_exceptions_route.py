"""Exceptions through the API: asked, answered once, bounded, on record."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from sovproxy.events.event import new_id
from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.worker import exception_desk
from sovproxy.usecases.worker.exceptions import forget_ended
from tests.api.conftest import NOW

ME, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"
PATH = "/api/v1/exceptions"


def wish(**fields):
    """What a node sends for a client."""
    return {
        "service": "zoom",
        "reason": "They invite us",
        "role": "guest",
        "until": (NOW + timedelta(hours=4)).isoformat(),
        "client": ME,
        "group": "legal",
        "language": "fr",
        "node": "proxy-1",
        "rule": "video-abroad",
        "action": "block",
    } | fields


class Desk:
    """A server at a clock of ours, and people who speak to it, each with one token."""

    def __init__(self, serve) -> None:
        self.now = NOW
        self.server = serve(clock=lambda: self.now)
        self.tokens = {}

    def call(self, role, method, path="", who="", headers=(), **more):
        key = (role, who)
        if key not in self.tokens:
            token = create_token(self.server.services.store, role, who or role.value)
            self.tokens[key] = {"authorization": f"Bearer {token}"}
        headers = {**self.tokens[key], **dict(headers)}
        return self.server.client.request(method, PATH + path, headers=headers, **more)

    def ask(self, caller=Role.NODE, **fields):
        return self.call(caller, "POST", json=wish(**fields))

    def step(self, found, step, role=Role.ADMIN, who="", headers=(), **body):
        path = f"/{found['id']}/{step}"
        return self.call(role, "POST", path, who=who, headers=headers, json=body)


@pytest.fixture
def desk(serve):
    return Desk(serve)


def test_a_request_waits_is_granted_and_shows_its_history(desk):
    asked = desk.ask()
    assert asked.status_code == 201
    found = asked.json()
    assert (found["number"], found["state"], found["reason"]) == (1, "waiting", "They invite us")
    granted = desk.step(found, "grant", message="Until noon").json()
    assert (granted["state"], granted["scope"], granted["message"]) == (
        "granted",
        "client",
        "Until noon",
    )
    assert granted["until"] == granted["wanted"]
    history = desk.call(Role.ANALYST, "GET", f"/{found['id']}").json()["history"]
    assert [(item["before"], item["after"], item["name"]) for item in history] == [
        ("", "waiting", "node"),
        ("waiting", "granted", "admin"),
    ]


def test_asking_twice_asks_once(desk):
    key = str(new_id())
    first = desk.ask(id=key)
    again = desk.ask(id=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    anew = desk.ask(reason="the same wish on another page")
    assert (anew.status_code, anew.json()["number"]) == (200, 1)
    assert desk.ask(service="webex").json()["number"] == 2


def test_an_id_of_somebody_elses_request_is_a_conflict_that_tells_nothing(desk, assert_problem):
    key = str(new_id())
    desk.ask(id=key)
    problem = assert_problem(desk.ask(id=key, client=OTHER), 409, "conflict")
    assert "invite" not in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"service": "", "host": ""}, "either a `service` or a `host`"),
        ({"host": "a.example"}, "either a `service` or a `host`"),
        ({"service": "", "host": "a b"}, "this is no host"),
        ({"service": "", "host": "com", "below": True}, "not a whole top level"),
        ({"service": "Zoom!"}, "service"),
        ({"reason": "  x "}, "reason"),
        ({"reason": "x" * 501, "until": "2026-11-23T08:00:00Z"}, "over already"),
        ({"until": "2026-12-24T08:30:00Z"}, "30 days at most"),
        ({"until": "2026-11-23T18:00:00"}, "until"),
        ({"client": "me"}, "client"),
        ({"client": ""}, "a node asks on behalf of a client"),
        ({"id": "0e3a1c9c-6a9f-4b6e-8f0a-0d5c4b3a2f10"}, "version 7"),
        ({"surprise": 1}, "surprise"),
        ({"role": "king"}, "role"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_the_reason(desk, assert_problem, fields, said):
    assert said in assert_problem(desk.ask(**fields), 422, "invalid-request")["detail"]


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("https://Meet.Example.ORG./j/1?pwd=x", "meet.example.org"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_is_kept_in_its_canonical_spelling(desk, given, host):
    assert desk.ask(service="", host=given).json()["host"] == host


def test_a_worker_asks_for_themselves_and_sees_their_own(desk, assert_problem):
    assert_problem(desk.call(Role.WORKER, "POST", json=wish()), 403, "not-for-you")
    mine = wish(client="", group="", node="")
    first = desk.call(Role.WORKER, "POST", who="ada", json=mine).json()
    desk.call(Role.WORKER, "POST", who="bob", json=mine)
    found = desk.call(Role.WORKER, "GET", "/mine", who="ada").json()["items"]
    assert [item["id"] for item in found] == [first["id"]]
    assert_problem(desk.call(Role.WORKER, "GET", f"/mine?client={ME}"), 422)


def test_a_node_sees_what_its_client_asked_for(desk, assert_problem):
    desk.ask()
    desk.ask(client=OTHER)
    found = desk.call(Role.NODE, "GET", f"/mine?client={ME}&client=2026-10.zzzzzzzzzzzzzzzz")
    assert [item["client"] for item in found.json()["items"]] == [ME]
    assert_problem(desk.call(Role.NODE, "GET", "/mine"), 422)


def test_nobody_grants_their_own_request(desk, assert_problem):
    found = desk.ask(Role.ADMIN).json()
    assert_problem(desk.step(found, "grant"), 403, "not-for-you")
    assert desk.step(found, "grant", who="another").status_code == 200


@pytest.mark.parametrize("role", [Role.ADMIN, Role.WORKER])
def test_a_second_token_of_the_same_person_does_not_grant_it_either(desk, assert_problem, role):
    own = {"client": "", "group": "", "node": ""}
    asked = desk.call(role, "POST", who="Ada Lovelace", json=wish(**own)).json()
    for same in ("Ada Lovelace ", "ada  lovelace", "ＡＤＡ Lovelace"):
        assert_problem(desk.step(asked, "grant", who=same, scope="everybody"), 403, "not-for-you")
    answer = desk.step(asked, "grant", who="Grace Hopper", scope="everybody")
    assert answer.status_code == 200


def test_a_token_that_one_made_for_oneself_does_not_grant_it(desk, assert_problem):
    found = desk.ask(Role.ADMIN, client="", group="", node="").json()
    asker = desk.tokens[Role.ADMIN, ""]
    made = {"name": "somebody else", "role": "admin", "days": 1}
    token = desk.server.client.post("/api/v1/tokens", json=made, headers=asker).json()["secret"]
    desk.tokens[Role.ADMIN, "somebody else"] = {"authorization": f"Bearer {token}"}
    answer = desk.step(found, "grant", who="somebody else", scope="everybody")
    assert_problem(answer, 403, "not-for-you")


def test_the_second_answer_is_a_conflict_that_names_the_first(desk, assert_problem):
    found = desk.ask().json()
    desk.step(found, "grant")
    problem = assert_problem(desk.step(found, "refuse", who="another"), 409, "conflict")
    assert "request 1 is granted by admin; it would have to be waiting" in problem["detail"]


def test_of_many_who_answer_at_once_one_wins(desk):
    found = desk.ask().json()
    desk.step(found, "revoke")  # makes the token, changes nothing
    answers = []

    def take(step):
        answers.append(desk.step(found, step).status_code)

    threads = [threading.Thread(target=take, args=(step,)) for step in ("grant", "refuse") * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, *[409] * 15]
    history = desk.call(Role.ADMIN, "GET", f"/{found['id']}").json()["history"]
    assert len(history) == 2


@pytest.mark.parametrize(
    ("first", "then", "allowed"),
    [
        (None, "revoke", False),
        (None, "withdraw", True),
        ("grant", "revoke", True),
        ("grant", "withdraw", True),
        ("grant", "refuse", False),
        ("refuse", "grant", False),
        ("refuse", "withdraw", False),
        ("withdraw", "grant", False),
    ],
)
def test_only_some_steps_lead_on_from_a_state(desk, first, then, allowed):
    found = desk.ask().json()
    if first:
        assert desk.step(found, first).status_code == 200
    assert desk.step(found, then).status_code == (200 if allowed else 409)


def test_time_alone_ends_what_waits_and_what_is_granted(desk):
    waiting, granted = desk.ask().json(), desk.ask(service="webex").json()
    desk.step(granted, "grant", until=(NOW + timedelta(hours=1)).isoformat())
    desk.now = NOW + timedelta(hours=1)
    states = {
        item["service"]: item["state"] for item in desk.call(Role.ADMIN, "GET").json()["items"]
    }
    assert states == {"zoom": "waiting", "webex": "expired"}
    desk.now = NOW + timedelta(hours=4)
    found = desk.call(Role.ADMIN, "GET", "?state=expired").json()["items"]
    assert {item["number"] for item in found} == {1, 2}
    assert desk.step(waiting, "grant").status_code == 409


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"until": "2026-11-23T08:30:00Z"}, "over already"),
        ({"until": "2026-12-24T08:30:00Z"}, "30 days at most"),
        ({"scope": "group"}, "names no group"),
        ({"scope": "planet"}, "scope"),
        ({"match": "x"}, "match"),
    ],
)
def test_what_cannot_be_granted_is_refused_with_the_reason(desk, assert_problem, body, said):
    found = desk.ask(group="").json()
    assert said in assert_problem(desk.step(found, "grant", **body), 422)["detail"]
    state = desk.call(Role.ADMIN, "GET", f"/{found['id']}").json()["state"]
    assert state == "waiting"


def test_the_policy_sets_how_long_an_exception_lasts(serve, assert_problem):
    short = Desk(lambda **more: serve(exception_days=lambda: 2, **more))
    assert_problem(short.ask(until=(NOW + timedelta(days=3)).isoformat()), 422)
    assert short.ask(until=(NOW + timedelta(days=2)).isoformat()).status_code == 201


def test_a_node_gives_up_for_its_own_client_only(desk, assert_problem):
    found = desk.ask().json()
    assert_problem(desk.step(found, "withdraw", Role.NODE, client=OTHER), 404)
    assert_problem(desk.step(found, "withdraw", Role.NODE), 404)
    assert_problem(desk.step(found, "withdraw", Role.WORKER), 404)
    assert desk.step(found, "withdraw", Role.NODE, client=ME).json()["state"] == "withdrawn"


def test_a_client_that_asks_too_often_has_to_wait(desk, assert_problem):
    for number in range(exception_desk.MAX_PER_CLIENT):
        assert desk.ask(service=f"service-{number}").status_code == 201
    answer = desk.ask(service="one-more")
    assert_problem(answer, 429, "too-many-requests")
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    assert desk.ask(client=OTHER).status_code == 201
    desk.now += timedelta(seconds=int(answer.headers["retry-after"]))
    late = (desk.now + timedelta(hours=1)).isoformat()
    assert desk.ask(service="one-more", until=late).status_code == 201


def test_a_node_and_the_whole_queue_have_their_limits(desk, assert_problem, monkeypatch):
    monkeypatch.setattr(exception_desk, "MAX_PER_NODE", 2)
    for number in range(2):
        assert desk.ask(client=f"2026-11.aaaabbbbccccddd{'ab'[number]}").status_code == 201
    answer = desk.ask(client=OTHER)
    assert_problem(answer, 429)
    assert int(answer.headers["retry-after"]) <= 3600
    monkeypatch.setattr(exception_desk, "MAX_WAITING", 2)
    problem = assert_problem(desk.call(Role.ADMIN, "POST", json=wish(service="webex")), 429)
    assert "2 requests are waiting" in problem["detail"]


def test_the_queue_is_filtered_and_paged(desk):
    for number in range(5):
        desk.ask(service=f"s-{number}", group="legal" if number % 2 else "finance")
    first = desk.call(Role.AUDITOR, "GET", "?limit=2&group=finance").json()
    assert [item["service"] for item in first["items"]] == ["s-4", "s-2"]
    rest = desk.call(Role.AUDITOR, "GET", f"?limit=2&group=finance&cursor={first['next']}").json()
    assert ([item["service"] for item in rest["items"]], rest["next"]) == (["s-0"], None)
    oldest = desk.call(Role.AUDITOR, "GET", "?order=oldest&service=s-3&service=s-1").json()
    assert [item["service"] for item in oldest["items"]] == ["s-1", "s-3"]


@pytest.mark.parametrize(
    "query", ["cursor=0", "cursor=x", "limit=201", "state=gone", "x=1", f"service={'x' * 101}"]
)
def test_a_bad_query_is_422(desk, assert_problem, query):
    assert_problem(desk.call(Role.ADMIN, "GET", f"?{query}"), 422)


def test_etags_save_reading_and_guard_answers(desk, assert_problem):
    found = desk.ask()
    tag = found.headers["etag"]
    path = f"/{found.json()['id']}"
    assert desk.call(Role.ADMIN, "GET", path).headers["etag"] == tag
    unread = desk.call(Role.ADMIN, "GET", path, headers={"if-none-match": tag})
    assert (unread.status_code, unread.content) == (304, b"")
    stale = desk.step(found.json(), "grant", headers={"if-match": '"1-9-waiting"'})
    assert_problem(stale, 412, "changed")
    assert desk.step(found.json(), "grant", headers={"if-match": tag}).status_code == 200
    assert desk.call(Role.ADMIN, "GET", path).headers["etag"] != tag


def test_every_step_and_look_is_in_the_audit_without_client_or_reason(desk):
    found = desk.ask().json()
    desk.call(Role.ANALYST, "GET", "?group=legal")
    desk.step(found, "grant", scope="group", message="Secret words")
    desk.step(found, "revoke")
    answer = desk.server.get("/api/v1/audit", Role.AUDITOR)
    entries = [item for item in answer.json()["items"] if item["what"].startswith("exception")]
    assert [item["what"] for item in entries] == [
        "exception_revoke",
        "exception_grant",
        "exceptions",
        "exception_ask",
    ]
    assert entries[1]["details"] == {
        "number": 1,
        "id": found["id"],
        "service": "zoom",
        "host": "",
        "scope": "group",
        "until": "2026-11-23T12:30:00+00:00",
    }
    for secret in (ME, "They invite", "Secret words"):
        assert secret not in answer.text


def test_after_its_retention_a_closed_request_names_nobody(desk):
    kept, ended = desk.ask(service="kept").json(), desk.ask().json()
    desk.step(ended, "refuse", message="A word to you")
    store, later = desk.server.services.store, NOW + timedelta(days=183, hours=3)
    assert forget_ended(store, NOW + timedelta(days=182), 183) == 0
    assert forget_ended(store, later, 183) == 1
    assert forget_ended(store, later, 183) == 0
    found = desk.call(Role.ADMIN, "GET", f"/{ended['id']}")
    assert found.json()["forgotten"] is True
    assert found.json()["state"] == "refused"
    for gone in (ME, "They invite", "A word"):
        assert gone not in found.text
    assert desk.call(Role.ADMIN, "GET", f"/{kept['id']}").json()["client"] == ME


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE event; --", "<script>", "\u202e\x00\x1b[2J", "🜚" * 200]
)
def test_hostile_reasons_are_kept_harmless(desk, text):
    found = desk.ask(reason=f"why {text}").json()
    assert found["reason"].isprintable()
    assert len(found["reason"]) <= 500
    assert desk.call(Role.ADMIN, "GET").json()["items"][0]["reason"] == found["reason"]


def test_an_unknown_request_is_404(desk, assert_problem):
    assert_problem(desk.call(Role.ADMIN, "GET", f"/{new_id()}"), 404, "not-found")
    assert_problem(desk.call(Role.ADMIN, "POST", f"/{new_id()}/grant", json={}), 404)
    assert_problem(desk.call(Role.ADMIN, "GET", "/no-id"), 422)
