"""What the API tells nodes, as it changes, and what it takes from them."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from sovproxy.api import feed
from sovproxy.atlas import follow
from sovproxy.atlas.entries import digest_of
from sovproxy.atlas.follow import OwnEntries
from sovproxy.atlas.load import SHIPPED
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.store.fleet import (
    acknowledgements_after,
    delete_old_acknowledgements,
    insert_acknowledgements,
)
from sovproxy.store.tables import AcknowledgementRow
from sovproxy.usecases.access.tokens import Role, list_tokens, revoke_token
from sovproxy.usecases.nodes.fleet import MAX_NODES, Fleet, fleet_keys

ME = "2026-11.aaaabbbbccccdddd"
STATE = "/api/v1/fleet/state"
LATER = 4_000_000_000


def beat(**changes):
    return {
        "node": "paris",
        "version": "0.1.0",
        "mode": "regular",
        "started": "2026-11-23T08:00:00Z",
        "policy": {"id": "lab", "version": "0123456789ab", "problem": ""},
        "inspection": "prompt",
        "spool": {"records": 0, "bytes": 0, "oldest": None},
        "counters": {"passed": 3},
        "memory": 1,
    } | changes


def went_on(subject="slack", until=LATER, **changes):
    made = {"id": str(uuid7()), "client": ME, "subject": subject, "until": until}
    return made | {"time": "2026-11-23T08:00:00Z"} | changes


class Node:
    """A node as the API sees one."""

    def __init__(self, server) -> None:
        self.server = server
        self.headers = server.as_role(Role.NODE)

    def state(self, known="", wait=0, **headers):
        query = {"known": known, "wait": wait}
        sent = self.headers | headers
        return self.server.client.get(STATE, params=query, headers=sent, timeout=30)

    def post(self, path, body):
        return self.server.client.post(f"/api/v1/fleet/{path}", json=body, headers=self.headers)

    def acknowledge(self, *items):
        answer = self.post("acknowledgements", {"acknowledgements": list(items)})
        assert answer.status_code == 200, answer.text
        return answer.json()["accepted"]


@pytest.fixture
def node(server):
    return Node(server)


@pytest.fixture
def now():
    return datetime.now(UTC)


def test_a_node_that_knows_nothing_is_told_everything_and_then_nothing(node):
    told = node.state()
    state = told.json()
    assert told.headers["etag"] == f'"{state["version"]}"'
    assert state["common"] == {
        "policy": None,
        "exceptions": [],
        "pseudonym_keys": {},
        "worker_keys": {},
        "resolutions": [],
        "api_url": "",
        "catalogue": None,
    }
    again = node.state(state["version"])
    assert (again.status_code, again.content) == (304, b"")
    by_header = node.state(**{"if-none-match": told.headers["etag"]})
    assert by_header.status_code == 304


def test_a_waiting_node_is_told_of_what_is_new_as_it_happens(node, server):
    version, told = node.state().json()["version"], {}

    def wait():
        began = time.monotonic()
        told.update(node.state(version, wait=20).json(), took=time.monotonic() - began)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    Node(server).acknowledge(went_on("slack"))
    waiting.join(20)
    assert told["took"] < 15
    assert told["common"] is None
    assert [item["subject"] for item in told["acknowledgements"]] == ["slack"]


def test_only_what_is_new_is_told_to_a_node_that_knows_the_rest(node):
    node.acknowledge(went_on("one"))
    first = node.state().json()
    node.acknowledge(went_on("two"))
    second = node.state(first["version"]).json()
    assert [item["subject"] for item in first["acknowledgements"]] == ["one"]
    assert [item["subject"] for item in second["acknowledgements"]] == ["two"]
    assert second["since"] == int(first["version"].partition(".")[2])


def test_a_version_of_another_store_counts_as_unknown(node):
    head = node.state().json()["version"].partition(".")[0]
    state = node.state(f"{head}.999999").json()
    assert state["since"] == 0
    assert node.state("0123456789abcdef.0").json()["common"] is not None


def test_each_acknowledgement_is_stored_once_and_none_that_is_over(node):
    item = went_on()
    assert node.acknowledge(item) == 1
    assert node.acknowledge(item) == 0
    assert node.acknowledge(went_on(until=1_000_000_000)) == 0
    [kept] = node.state().json()["acknowledgements"]
    assert kept["until"] < LATER - 1_000_000  # nobody passes for ever


@pytest.mark.parametrize(
    "item",
    [
        went_on(until=-1),
        went_on(until="Infinity"),
        went_on(until=1e300),
        went_on(client="10.0.0.7"),
        went_on(client=""),
        went_on(subject=""),
        went_on(subject="x" * 20_000),
        went_on(id="1"),
        went_on(time="yesterday"),
        went_on(more=1),
    ],
    ids=range(10),
)
def test_a_malformed_acknowledgement_is_refused(node, item):
    answer = node.post("acknowledgements", {"acknowledgements": [item]})
    assert (answer.status_code, answer.headers["content-type"]) in {
        (422, "application/problem+json"),
        (200, "application/json"),
    }
    if answer.status_code == 200:  # texts are cut, and say so
        assert item["subject"].startswith("xxx")


def test_more_acknowledgements_than_fit_come_in_parts(node, services, now):
    rows = [
        AcknowledgementRow(
            id=uuid7(), client=ME, subject=f"s{number}", until=LATER * 1_000_000, time=1, token="t"
        )
        for number in range(5003)
    ]
    insert_acknowledgements(services.store, rows)
    first = node.state().json()
    rest = node.state(first["version"]).json()
    assert [len(part["acknowledgements"]) for part in (first, rest)] == [5000, 3]
    assert node.state(rest["version"]).status_code == 304


def test_the_number_of_a_deleted_acknowledgement_is_never_given_again(node, services):
    node.acknowledge(went_on("one"))
    version = node.state().json()["version"]
    delete_old_acknowledgements(services.store, (LATER + 1) * 1_000_000)
    node.acknowledge(went_on("two"))
    state = node.state(version).json()
    assert [item["subject"] for item in state["acknowledgements"]] == ["two"]


def test_acknowledgements_that_are_over_are_deleted(node, services, now):
    node.acknowledge(went_on("one"), went_on("two"), went_on("three"))
    assert delete_old_acknowledgements(services.store, LATER * 1_000_000) == 2
    assert acknowledgements_after(services.store, 0, LATER * 1_000_000, 10) == []


def test_the_state_holds_what_is_granted_and_for_whom(node, server, now):
    wish = {"reason": "for the lab", "until": (now + timedelta(hours=1)).isoformat()}
    wish |= {"client": ME, "group": "legal"}
    admin = server.as_role(Role.ADMIN)
    for service, scope in (("zoom", "client"), ("slack", "group")):
        asked = node.server.client.post(
            "/api/v1/exceptions", json=wish | {"service": service}, headers=node.headers
        )
        path = f"/api/v1/exceptions/{asked.json()['id']}/grant"
        assert server.client.post(path, json={"scope": scope}, headers=admin).status_code == 200
    zoom, slack = node.state().json()["common"]["exceptions"]
    assert (zoom["service"], zoom["scope"], zoom["client"], zoom["group"]) == (
        "zoom",
        "client",
        ME,
        "",
    )
    assert (slack["service"], slack["scope"], slack["client"], slack["group"]) == (
        "slack",
        "group",
        "",
        "legal",
    )
    assert node.state().content.find(b"for the lab") < 0


def test_what_is_over_leaves_the_state(node, server, services, now):
    clock = {"now": now}
    wish = {"reason": "for the lab", "until": (now + timedelta(hours=1)).isoformat()}
    asked = server.client.post(
        "/api/v1/exceptions", json=wish | {"service": "zoom", "client": ME}, headers=node.headers
    )
    path = f"/api/v1/exceptions/{asked.json()['id']}/grant"
    server.client.post(path, json={}, headers=server.as_role(Role.ADMIN))
    fleet = Fleet(services.store, lambda: clock["now"])
    before = fleet.look()
    assert len(before.common.exceptions) == 1
    clock["now"] = now + timedelta(hours=2)
    after = fleet.look()
    assert after.common.exceptions == []
    assert after.version != before.version


def test_a_nodes_token_that_one_admin_made_gets_no_keys(serve, tmp_path):
    """With them, that admin alone could tell whom any pseudonym stands for."""
    server = serve(pseudonyms=Pseudonyms(tmp_path / "fleet" / "keys.json"))
    wanted = {"name": "probe", "role": "node", "days": 1}
    admin = server.as_role(Role.ADMIN)
    made = server.client.post("/api/v1/tokens", json=wanted, headers=admin).json()
    node = {"authorization": f"Bearer {made['secret']}"}
    common = server.client.get(STATE, headers=node).json()["common"]
    assert (common["pseudonym_keys"], common["worker_keys"]) == ({}, {})
    assert server.get(STATE, Role.NODE).json()["common"]["pseudonym_keys"]


def test_the_fleets_keys_are_told_and_are_not_in_the_store(services, serve, tmp_path):
    keys = Pseudonyms(tmp_path / "fleet" / "keys.json")
    node = Node(serve(pseudonyms=keys))
    told = node.state().json()["common"]["pseudonym_keys"]
    assert len(told) == 2  # of this month, and of the next: it will be known when it begins
    for file in (tmp_path / "data").iterdir():
        content = file.read_bytes()
        assert not [key for key in told.values() if key.encode() in content]
        assert not [key for key in told.values() if base64.b64decode(key) in content]


def test_the_first_keys_are_those_of_the_node_on_the_same_machine(tmp_path):
    own = Pseudonyms(tmp_path / "node" / "pseudonym-keys.json")
    known = own.of("10.0.0.7")
    assert fleet_keys(tmp_path, 183).of("10.0.0.7") == known


def test_own_entries_of_the_catalogue_are_named_in_the_state_and_told_to_nodes(
    services, serve, tmp_path, monkeypatch
):
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0)
    folder = tmp_path / "catalogue"
    without = serve()
    unread = without.client.get("/api/v1/fleet/catalogue", headers=without.as_role(Role.NODE))
    assert unread.status_code == 503
    server = serve(own_entries=OwnEntries(folder))
    node = Node(server)
    before = node.state().json()
    assert before["common"]["catalogue"] == ""
    operator = SHIPPED / "operators" / "adobe.yaml"
    (folder / "operators").mkdir(parents=True)
    (folder / "operators" / "adobe.yaml").write_bytes(operator.read_bytes())
    state = node.state(before["version"]).json()
    told = server.client.get("/api/v1/fleet/catalogue", headers=node.headers).json()
    assert told["files"] == {"operators/adobe.yaml": operator.read_text("utf-8")}
    assert told["digest"] == state["common"]["catalogue"] == digest_of(told["files"])

    def listed(**report):
        assert node.post("heartbeat", beat(catalogue=report)).status_code == 204
        [found] = server.get("/api/v1/nodes", Role.ADMIN).json()["items"]
        return found["state"], found["other_entries"]

    assert listed(digest=told["digest"]) == ("ok", False)
    assert listed() == ("problem", True)
    assert listed(digest="0" * 64, own=True) == ("ok", True)
    assert listed(digest=told["digest"], problem="services/x.yaml:1: no") == ("problem", False)


def test_a_token_that_is_revoked_meanwhile_is_told_nothing(node, server, assert_problem):
    version, answers = node.state().json()["version"], []
    waiting = threading.Thread(target=lambda: answers.append(node.state(version, wait=20)))
    waiting.start()
    time.sleep(0.5)
    [token] = [one for one in list_tokens(server.services.store) if one.role == "node"]
    revoke_token(server.services.store, token.id)
    Node(server).acknowledge(went_on())
    waiting.join(20)
    assert_problem(answers[0], 401, "unauthorized")


def test_too_many_that_wait_are_sent_away(node, monkeypatch, assert_problem):
    monkeypatch.setattr(feed, "MAX_PER_TOKEN", 0)
    answer = node.state()
    assert_problem(answer, 503, "too-many-waiting")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "query", [{"wait": 26}, {"wait": -1}, {"wait": "nan"}, {"known": "x"}, {"more": 1}], ids=str
)
def test_a_bad_question_is_refused(node, query, assert_problem):
    answer = node.server.client.get(STATE, params=query, headers=node.headers)
    assert_problem(answer, 422, "invalid-request")


def nodes(server):
    return server.get("/api/v1/nodes", Role.AUDITOR).json()


def test_a_node_that_reports_is_listed_with_what_it_says(node, server):
    assert node.post("heartbeat", beat()).status_code == 204
    [found] = nodes(server)["items"]
    assert (found["state"], found["conflict"], found["follows"]) == ("ok", False, None)
    assert found["report"]["counters"]["passed"] == 3
    assert found["behind"] is True
    known = node.state().json()["version"]
    node.post("heartbeat", beat(state=known))
    [found] = nodes(server)["items"]
    assert found["behind"] is False


def test_a_list_of_nodes_that_is_known_is_not_sent_again(node, server):
    node.post("heartbeat", beat())
    answer = server.get("/api/v1/nodes", Role.ADMIN)
    headers = server.as_role(Role.ADMIN) | {"if-none-match": answer.headers["etag"]}
    assert server.client.get("/api/v1/nodes", headers=headers).status_code == 304


def test_a_node_is_silent_after_a_minute(services, serve, now):
    clock = {"now": now}
    server = serve(clock=lambda: clock["now"])
    Node(server).post("heartbeat", beat())
    clock["now"] = now + timedelta(seconds=59)
    assert nodes(server)["items"][0]["state"] == "ok"
    clock["now"] = now + timedelta(seconds=61)
    assert nodes(server)["items"][0]["state"] == "silent"


def test_two_tokens_under_one_name_are_a_conflict(server):
    for node in (Node(server), Node(server)):
        node.post("heartbeat", beat())
    assert [item["conflict"] for item in nodes(server)["items"]] == [True, True]


def test_a_node_that_refuses_a_policy_has_a_problem(node, server):
    policy = {"id": "lab", "version": "0123456789ab", "problem": "line 3: no such service"}
    node.post("heartbeat", beat(policy=policy))
    assert nodes(server)["items"][0]["state"] == "problem"


def test_a_retired_node_is_forgotten_and_that_is_on_record(node, server):
    node.post("heartbeat", beat())
    [found] = nodes(server)["items"]
    admin = server.as_role(Role.ADMIN)
    path = f"/api/v1/nodes/{found['id']}"
    assert server.client.delete(path, headers=admin).status_code == 204
    assert nodes(server)["items"] == []
    assert server.client.delete(path, headers=admin).status_code == 404
    [entry] = server.get("/api/v1/audit", Role.AUDITOR, what="node_forget").json()["items"]
    assert entry["details"]["name"] == "paris"


@pytest.mark.parametrize(
    "changes",
    [
        {"more": 1},
        {"node": ""},
        {"counters": {"passed": -1}},
        {"counters": {"passed": 1.5}},
        {"counters": {"passed": 2**70}},
        {"counters": {"unheard_of": 1}},
        {"inspection": "everything"},
        {"memory": True},
        {"started": "now"},
        {"state": "x"},
        {"data": [{"name": "x", "as_of": "", "stale": False}] * 17},
    ],
    ids=str,
)
def test_a_heartbeat_that_does_not_fit_is_refused(node, changes, assert_problem):
    assert_problem(node.post("heartbeat", beat(**changes)), 422, "invalid-request")


def test_hostile_texts_of_a_node_are_bounded_and_visible(node, server):
    hostile = "\u202e<script>alert(1)</script>\x00" + "x" * 5000
    policy = {"id": hostile, "version": hostile, "problem": hostile}
    assert node.post("heartbeat", beat(node=hostile, version=hostile, policy=policy)).is_success
    [found] = nodes(server)["items"]
    assert found["report"]["node"].isprintable()
    assert len(found["report"]["node"]) <= 64
    assert len(found["report"]["policy"]["problem"]) <= 1000


def test_there_is_a_limit_to_nodes(node, server, monkeypatch, assert_problem):
    monkeypatch.setattr("sovproxy.usecases.nodes.fleet.MAX_NODES", 1)
    assert MAX_NODES > 1
    assert node.post("heartbeat", beat(node="one")).status_code == 204
    assert_problem(node.post("heartbeat", beat(node="two")), 409, "too-many-nodes")
    assert node.post("heartbeat", beat(node="one")).status_code == 204


def test_an_answer_nobody_waits_for_is_not_kept(node, assert_problem):
    answer = node.post("resolutions/0011223344556677", {"found": "10.0.0.7", "node": "paris"})
    assert_problem(answer, 410, "not-waiting")


def test_two_api_processes_on_one_store_tell_the_same(services, serve):
    """What one takes in, a node that waits at the other is told within a second or so."""
    one, two = Node(serve()), Node(serve())
    version, told = two.state().json()["version"], []
    waiting = threading.Thread(target=lambda: told.append(two.state(version, wait=20)))
    waiting.start()
    time.sleep(0.5)
    one.acknowledge(went_on("at the other"))
    waiting.join(20)
    assert told[0].status_code == 200
    assert replace(services)  # both servers work on this very store
