"""A worker through the API: their own data, nobody else's; going on, contesting, permissions."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from sovproxy.api.routes import own
from sovproxy.events.event import new_id
from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import WorkerKeys, mint
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.policies import PolicyDesk
from tests.api.conftest import NOW
from tests.baseline import furnished

ME, OTHER, FORMER = (
    "2026-11.aaaabbbbccccdddd",
    "2026-11.eeeeffffgggghhhh",
    "2026-10.iiiijjjjkkkkllll",
)
POLICY = """\
id: ours
title: {en: Ours}
trust_zone: [EEA]
acknowledgement: {lasts: 8h}
rules:
  - id: video
    when: {category: videoconference, control: foreign}
    action: block
  - id: messaging
    when: {category: messaging, control: foreign}
    action: warn
default: allow
"""


class People:
    """A server at a clock of ours, and workers that a node vouches for."""

    def __init__(self, serve, services, judge, folder) -> None:
        self.now = NOW
        self.judge = judge
        self.keys = WorkerKeys(folder / "worker-key", lambda: self.now)
        self.server = serve(
            clock=lambda: self.now,
            judge=self.judge,
            policies=PolicyDesk(services.store, judge, folder / "own"),
            workers=self.keys,
        )

    def token(self, client=ME, group="legal", former=()) -> str:
        made = mint(self.keys.hand_out(self.now), client, group, former, self.now)
        assert made
        return made[0]

    def call(self, method, path="", client=ME, former=(), **more):
        headers = {"authorization": f"Bearer {self.token(client, former=former)}"}
        headers |= more.pop("headers", {})
        url = path if path.startswith("/api") else f"/api/v1/my{path}"
        return self.server.client.request(method, url, headers=headers, **more)

    def go_on(self, client=ME, **fields):
        body = {"subject": "slack", "host": "app.slack.com", "reason": "partner"} | fields
        return self.call("POST", "/acknowledgements", client, json=body)

    def ask(self, client=ME, **fields):
        until = (self.now + timedelta(hours=4)).isoformat()
        body = {"service": "zoom", "reason": "They invite us", "until": until} | fields
        return self.call("POST", "/api/v1/exceptions", client, json=body)

    def answer(self, found, step="grant", **body):
        headers = self.server.as_role(Role.ADMIN)
        path = f"/api/v1/exceptions/{found['id']}/{step}"
        return self.server.client.post(path, headers=headers, json=body)

    def state(self):
        """What nodes are told."""
        return self.server.get("/api/v1/fleet/state", Role.NODE).json()

    def permissions(self, client=ME, **params):
        return self.call("GET", "/permissions", client, params=params)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    (folder / "ours.yaml").write_text(POLICY)
    return Judge(
        Settings(data_dir=furnished(folder), policy=str(folder / "ours.yaml")), NOW.timestamp
    )


@pytest.fixture
def people(serve, services, judge, tmp_path):
    return People(serve, services, judge, tmp_path)


# -- who it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["a.b.c", "sov_x", "eyJhbGciOiJub25lIn0.e30."])
def test_a_foreign_token_is_401(people, assert_problem, token):
    headers = {"authorization": f"Bearer {token}"}
    assert_problem(people.server.client.get("/api/v1/my", headers=headers), 401, "unauthorized")


def test_an_hour_later_the_token_is_401(people, assert_problem):
    headers = {"authorization": f"Bearer {people.token()}"}
    assert people.server.client.get("/api/v1/my", headers=headers).status_code == 200
    people.now += timedelta(hours=1)
    assert_problem(people.server.client.get("/api/v1/my", headers=headers), 401, "unauthorized")


def test_without_keys_no_workers_token_is_known(people, serve, assert_problem):
    other = serve(clock=lambda: people.now)
    headers = {"authorization": f"Bearer {people.token()}"}
    assert_problem(other.client.get("/api/v1/my", headers=headers), 401, "unauthorized")


def test_a_worker_may_not_do_what_others_may(people, assert_problem):
    for path in ("events", "findings", "exceptions", "audit", "fleet/state", "tokens"):
        assert_problem(people.call("GET", f"/api/v1/{path}"), 403, "forbidden")


def test_a_workers_hour_is_not_made_into_a_session(people, assert_problem):
    assert_problem(people.call("POST", "/api/v1/session"), 401, "unauthorized")


def test_a_token_of_the_store_that_names_no_client_is_told_where_to_get_one(people, assert_problem):
    answer = people.server.get("/api/v1/my", Role.WORKER)
    assert "sovproxy.internal" in assert_problem(answer, 409, "no-client")["detail"]


# -- what is held ---------------------------------------------------------------------------------


def test_my_data_is_mine_with_rule_reason_and_end(people, make_event):
    mine = make_event(client=ME, host="us02web.zoom.us", reason="It is abroad.")
    people.server.deliver([mine, make_event(client=OTHER), make_event(client="")])
    found = people.call("GET").json()
    [event] = found["events"]
    assert (event["id"], event["rule"], event["reason"]) == (
        str(mine.id),
        "video-abroad",
        "It is abroad.",
    )
    kept = datetime.fromisoformat(event["kept_until"]) - datetime.fromisoformat(event["time"])
    assert kept == timedelta(days=183)
    assert found["seen_by"]["events"] == ["admin", "analyst"]
    assert (found["client"], found["group"], found["next"]) == (ME, "legal", None)


def test_months_before_are_mine_too(people, make_event):
    people.server.deliver([make_event(client=FORMER), make_event(client=ME)])
    assert len(people.call("GET", former=(FORMER,)).json()["events"]) == 2
    assert len(people.call("GET").json()["events"]) == 1


def test_nothing_of_anybody_else_appears_anywhere(people, make_event, assert_problem):
    """All that another person has done, and not a word of it."""
    people.server.deliver([make_event(client=OTHER, host="secret.example")])
    theirs = people.server.get("/api/v1/events", Role.ANALYST).json()["items"][0]["id"]
    people.go_on(OTHER)
    asked = people.ask(OTHER, reason="their secret").json()
    people.answer(asked)
    shown = people.call("GET").text + people.permissions().text
    shown += people.call("GET", "/api/v1/exceptions/mine").text
    for word in (OTHER, "secret", "slack", "zoom"):
        assert word not in shown
    withdraw = people.call("POST", f"/api/v1/exceptions/{asked['id']}/withdraw", json={})
    assert_problem(withdraw, 404)
    contest = people.call("POST", "/contests", json={"event": theirs, "text": "not mine"})
    assert_problem(contest, 404, "not-found")
    assert people.permissions(OTHER).json()["exceptions"]


def test_events_come_in_pages(people, make_event):
    people.server.deliver([make_event(minutes, client=ME) for minutes in range(5)])
    first = people.call("GET", params={"limit": 3}).json()
    rest = people.call("GET", params={"limit": 3, "cursor": first["next"]}).json()
    ids = [item["id"] for item in first["events"] + rest["events"]]
    assert (len(set(ids)), rest["next"]) == (5, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=nonsense", "client=x"])
def test_a_bad_question_about_me_is_422(people, assert_problem, query):
    assert_problem(people.call("GET", f"?{query}"), 422)


# -- going on -------------------------------------------------------------------------------------


def test_going_on_in_the_browser_is_told_to_every_node_and_is_an_event(people):
    answer = people.go_on(detail="The  partner\u202e invites")
    assert answer.status_code == 201, answer.text
    assert answer.json()["subject"] == "slack"
    [told] = people.state()["acknowledgements"]
    assert (told["client"], told["subject"]) == (ME, "slack")
    assert told["until"] == (NOW + timedelta(hours=8)).timestamp()
    [event] = people.call("GET").json()["events"]
    assert (event["kind"], event["rule"], event["host"]) == (
        "acknowledgement",
        "messaging",
        "app.slack.com",
    )
    assert event["reason"].startswith("The worker went on: partner: The")
    assert event["reason"].isprintable()
    [shown] = people.call("GET").json()["acknowledgements"]
    assert shown["subject"] == "slack"


def test_going_on_twice_with_one_id_is_going_on_once(people):
    key = str(new_id())
    assert {people.go_on(id=key).status_code for _ in range(3)} == {201}
    assert len(people.state()["acknowledgements"]) == 1
    assert len(people.call("GET").json()["events"]) == 1


@pytest.mark.parametrize(
    ("fields", "slug"),
    [
        ({"subject": "zoom", "host": "zoom.us"}, "blocked"),
        ({"subject": "slack", "host": "zoom.us"}, "blocked"),
        ({"subject": "visio", "host": "visio.numerique.gouv.fr"}, "not-warned"),
        ({"subject": "example.org", "host": "example.org"}, "not-warned"),
        ({"subject": "zoom", "host": "app.slack.com"}, "another-subject"),
        ({"subject": "app.slack.com", "host": "app.slack.com"}, "another-subject"),
    ],
)
def test_only_what_is_warned_of_here_can_be_gone_on_to(people, assert_problem, fields, slug):
    assert_problem(people.go_on(**fields), 409, slug)
    assert people.state()["acknowledgements"] == []
    assert people.call("GET").json()["events"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "because"},
        {"reason": ""},
        {"host": ""},
        {"host": "a b"},
        {"subject": ""},
        {"subject": "x" * 301},
        {"id": "0e3a1c9c-6a9f-4b6e-8f0a-0d5c4b3a2f10"},
        {"role": "admin"},
        {"time": "2026-11-23T08:30:00"},
    ],
    ids=str,
)
def test_a_malformed_going_on_is_422(people, assert_problem, fields):
    assert_problem(people.go_on(**fields), 422)


def test_what_was_clicked_earlier_counts_from_then(people):
    earlier = NOW - timedelta(hours=7)
    answer = people.go_on(time=earlier.isoformat())
    assert datetime.fromisoformat(answer.json()["until"]) == NOW + timedelta(hours=1)
    long_ago = people.go_on(client=OTHER, time=(NOW - timedelta(days=2)).isoformat())
    assert long_ago.status_code == 201
    assert len(people.state()["acknowledgements"]) == 1
    ahead = people.go_on(time=(NOW + timedelta(days=30)).isoformat())
    assert datetime.fromisoformat(ahead.json()["until"]) == NOW + timedelta(hours=8)


def test_who_clicks_without_end_has_to_wait(people, assert_problem):
    answers = [people.go_on() for _ in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {201}
    assert int(assert_problem(answers[60], 429) and answers[60].headers["retry-after"]) > 0
    assert people.go_on(OTHER).status_code == 201


# -- exceptions -----------------------------------------------------------------------------------


def test_a_worker_asks_and_the_answer_is_theirs_to_read(people):
    asked = people.ask()
    assert asked.status_code == 201, asked.text
    assert (asked.json()["client"], asked.json()["group"]) == (ME, "legal")
    people.answer(asked.json(), message="Until noon")
    [shown] = people.call("GET").json()["exceptions"]
    assert (shown["state"], shown["message"], shown["number"]) == ("granted", "Until noon", 1)
    [lift] = people.permissions().json()["exceptions"]
    assert (lift["service"], lift["number"]) == ("zoom", 1)
    [told] = people.state()["common"]["exceptions"]
    assert told["client"] == ME


def test_a_worker_names_no_other_client(people, assert_problem):
    answer = people.call(
        "POST",
        "/api/v1/exceptions",
        json={
            "service": "zoom",
            "reason": "for them",
            "client": OTHER,
            "until": "2026-11-23T18:00:00Z",
        },
    )
    assert_problem(answer, 403, "not-for-you")


def test_a_worker_gives_up_their_own(people):
    asked = people.ask().json()
    found = people.call("POST", f"/api/v1/exceptions/{asked['id']}/withdraw", json={})
    assert found.json()["state"] == "withdrawn"


def test_one_worker_who_asks_too_often_takes_nothing_from_others(people, assert_problem):
    for number in range(10):
        assert people.ask(service=f"service-{number}").status_code == 201
    assert_problem(people.ask(service="one-more"), 429)
    assert people.ask(OTHER).status_code == 201


# -- permissions ----------------------------------------------------------------------------------


def test_permissions_have_a_version_that_saves_reading(people):
    first = people.permissions()
    version = first.json()["version"]
    assert first.headers["etag"] == f'"{version}"'
    assert people.permissions(known=version).status_code == 304
    tagged = people.call("GET", "/permissions", headers={"if-none-match": f'"{version}"'})
    assert (tagged.status_code, tagged.content) == (304, b"")
    people.go_on()
    assert people.permissions(known=version).json()["version"] != version


def test_permissions_end_by_time(people):
    people.go_on()
    people.answer(people.ask().json())
    people.now += timedelta(hours=9)
    found = people.permissions().json()
    assert (found["acknowledgements"], found["exceptions"]) == ([], [])


def test_exceptions_of_my_group_and_of_everybody_are_mine(people):
    people.answer(people.ask(OTHER, service="zoom").json(), scope="group")
    people.answer(people.ask(OTHER, service="webex").json(), scope="everybody")
    people.answer(people.ask(OTHER, service="teams").json(), scope="client")
    found = people.permissions().json()["exceptions"]
    assert {item["service"] for item in found} == {"zoom", "webex"}


def test_who_waits_is_told_as_soon_as_it_changes(people):
    version = people.permissions().json()["version"]
    found = []
    waiting = threading.Thread(
        target=lambda: found.append(people.permissions(known=version, wait=20))
    )
    waiting.start()
    people.go_on()
    waiting.join(15)
    assert found[0].json()["acknowledgements"]


def test_more_than_may_wait_are_answered_at_once(people, monkeypatch):
    monkeypatch.setattr(own, "MAX_WAITING", 0)
    version = people.permissions().json()["version"]
    assert people.permissions(known=version, wait=25).status_code == 304


@pytest.mark.parametrize("query", ["known=x", "wait=26", "wait=-1", "wait=nan", "client=me"])
def test_a_bad_question_for_permissions_is_422(people, assert_problem, query):
    assert_problem(people.call("GET", f"/permissions?{query}"), 422)


# -- contests -------------------------------------------------------------------------------------


def findings(people):
    found = people.server.get("/api/v1/findings", Role.ANALYST).json()["items"]
    headers = people.server.as_role(Role.ANALYST)
    return [
        people.server.client.get(f"/api/v1/findings/{item['id']}", headers=headers).json()
        for item in found
    ]


def test_a_contested_event_is_a_new_finding_with_the_workers_words(people, make_event):
    event = make_event(client=ME)
    people.server.deliver([event])
    body = {"event": str(event.id), "text": "  This is <b>our</b> own server\u202e "}
    answer = people.call("POST", "/contests", json=body)
    assert answer.status_code == 201, answer.text
    [found] = findings(people)
    assert (found["kind"], found["value"], found["state"]) == ("event", str(event.id), "new")
    assert found["tags"] == ["contested"]
    [note] = found["history"]
    assert (note["author"], "<b>our</b> own server" in note["text"]) == ("worker", True)
    assert found["id"] == answer.json()["number"]


def test_my_data_tells_where_a_contest_stands_and_nothing_of_other_findings(people, make_event):
    contested, other = make_event(1, client=ME), make_event(2, client=ME)
    people.server.deliver([contested, other])
    headers = people.server.as_role(Role.ANALYST)
    body = {"kind": "event", "value": str(other.id), "note": "odd", "tags": ["watch"]}
    done = people.server.client.post("/api/v1/findings", json=body, headers=headers)
    assert done.status_code == 201, done.text
    body = {"event": str(contested.id), "text": "It is our own"}
    number = people.call("POST", "/contests", json=body).json()["number"]
    events = {it["id"]: it["contest"] for it in people.call("GET").json()["events"]}
    assert events[str(contested.id)] == {"number": number, "state": "new"}
    assert events[str(other.id)] is None


def test_a_host_can_be_contested_that_no_event_tells_of(people):
    body = {"host": "https://Partner.Example/x?y", "text": "It is a French company"}
    assert people.call("POST", "/contests", json=body).status_code == 201
    [found] = findings(people)
    assert (found["kind"], found["value"]) == ("host", "partner.example")


def test_words_about_what_was_dismissed_make_it_new_again(people):
    body = {"host": "partner.example", "text": "It is a French company"}
    number = people.call("POST", "/contests", json=body).json()["number"]
    path, headers = f"/api/v1/findings/{number}", people.server.as_role(Role.ANALYST)
    people.server.client.patch(path, headers=headers, json={"state": "dismissed"})
    again = people.call("POST", "/contests", OTHER, json=body | {"text": "It still is"}).json()
    assert again == {"number": number, "state": "new"}
    [found] = findings(people)
    assert [line["text"] for line in found["history"] if line["kind"] == "note"] == [
        "It is a French company",
        "It still is",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"text": "nothing named"},
        {"host": "a.example", "event": str(new_id()), "text": "both"},
        {"host": "a.example", "text": "  x "},
        {"host": "a.example", "text": 7},
        {"host": "a b", "text": "no host"},
        {"event": "7", "text": "no id"},
        {"host": "a.example", "text": "why", "state": "confirmed"},
    ],
    ids=["nothing", "both", "short", "number", "no host", "no id", "more"],
)
def test_a_malformed_contest_is_422(people, assert_problem, body):
    assert_problem(people.call("POST", "/contests", json=body), 422)


def test_the_words_of_one_worker_have_an_end(people, assert_problem):
    body = {"host": "partner.example", "text": "It is a French company"}
    answers = [people.call("POST", "/contests", json=body).status_code for _ in range(21)]
    assert answers == [201] * 20 + [429]
    assert people.call("POST", "/contests", OTHER, json=body).status_code == 201
