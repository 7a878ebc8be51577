"""Two real nodes on machines of their own and one real API: what one of them learns, both know."""

from __future__ import annotations

import json

import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab.apis import Api
from tests.lab.clients import connect, read_all
from tests.lab.people import ASK, GO_ON, Person, join
from tests.lab.proxies import wait_until
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("fleet") / "world")


@pytest.fixture(scope="module")
def api(tmp_path_factory, world):
    started = Api(tmp_path_factory.mktemp("api") / "data", world.settings)
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def nodes(start_shared_proxy, api, world):
    return [join(start_shared_proxy, api, world, name) for name in ("paris", "lyon")]


@pytest.fixture
def person(me, origins, authority):
    return Person(me, origins.zoom, "zoom.us", authority)


def test_nodes_of_one_fleet_give_a_client_one_pseudonym(nodes, me):
    assert len({node.pseudonym(me) for node in nodes}) == 1


def test_what_is_acknowledged_at_one_node_holds_at_the_other(nodes, me, origins, authority):
    worker = Person(me, origins.slack, "slack.com", authority)
    paris, lyon = nodes
    assert worker.open(lyon).is_prompt
    answer = worker.post(paris, GO_ON, token=worker.open(paris).token, reason="partner")
    assert answer.status == 303
    wait_until(lambda: worker.passes(lyon), "the other node knows it too", 15)
    [event] = lyon.wait_for_events(me, action="warn", outcome="tunnelled")
    assert event["service"] == "slack"


def test_an_exception_is_obeyed_by_both_nodes_and_so_is_its_end(nodes, api, person):
    granted = api.grant(nodes[0].pseudonym(person.me), "zoom")
    for node in nodes:
        wait_until(lambda node=node: person.passes(node), "the exception is in force", 15)
        [event] = node.wait_for_events(person.me, rule="exception")
        assert (event["action"], event["outcome"]) == ("observe", "tunnelled")
        assert f"Exception {granted['number']}" in event["reason"]
    api.revoke(granted)
    for node in nodes:
        wait_until(lambda node=node: person.open(node).is_prompt, "it is taken back", 15)


def test_an_open_tunnel_ends_with_its_exception(nodes, api, person, origins):
    paris = nodes[0]
    granted = api.grant(paris.pseudonym(person.me), "zoom")
    wait_until(lambda: person.passes(paris), "the exception is in force", 15)
    client, answer = connect(paris, f"zoom.us:{origins.zoom.port}", me=person.me)
    assert answer.status == 200
    client.sendall(b"\x05still here")
    assert client.recv(100) == b"\x05still here"
    api.revoke(granted)
    assert read_all(client) == b""
    # Before the exception was in force, curl may have left our TLS: that was closed as well.
    [closed] = paris.wait_for_events(person.me, outcome="closed", transport="tcp")
    assert (closed["host"], closed["action"]) == ("zoom.us", "block")


def test_an_exception_of_one_client_is_nobody_elses(nodes, api, person, origins, authority):
    api.grant(nodes[0].pseudonym(person.me), "zoom")
    wait_until(lambda: person.passes(nodes[0]), "the exception is in force", 15)
    other = Person(person.me.replace("127.1.", "127.4."), origins.zoom, "zoom.us", authority)
    assert other.open(nodes[0]).is_prompt


def test_an_exception_ends_by_itself(nodes, api, person):
    api.grant(nodes[0].pseudonym(person.me), "zoom", seconds=6)
    wait_until(lambda: person.passes(nodes[1]), "the exception is in force", 5)
    wait_until(lambda: person.open(nodes[1]).is_prompt, "its time is over", 15)


def test_a_worker_asks_on_the_prompt_and_is_let_through_everywhere(nodes, api, person):
    paris, lyon = nodes
    asked = person.ask(paris, "Hearing with the Commission: <b>they</b> invite")
    assert asked.status == 200, asked.text
    waiting = api.call(Role.ADMIN, "GET", "/exceptions", params={"state": "waiting"}).json()
    [request] = [item for item in waiting["items"] if item["reason"].startswith("Hearing with")]
    assert request["client"] == paris.pseudonym(person.me)
    assert (request["service"], request["role"], request["language"]) == ("zoom", "guest", "en")
    assert (request["node"], request["rule"], request["action"]) == ("paris", "video", "block")
    assert f"Number {request['number']}" in asked.text
    granted = api.call(Role.ADMIN, "POST", f"/exceptions/{request['id']}/grant", json={})
    assert granted.status_code == 200, granted.text
    for node in (paris, lyon):
        wait_until(lambda node=node: person.passes(node), "the exception is in force", 15)


def test_a_form_that_is_sent_twice_asks_once(nodes, api, person):
    token = person.asking_token(nodes[0])
    for _ in range(2):
        assert person.ask(nodes[0], "sent twice by a nervous hand", token).status == 200
    found = api.call(Role.ADMIN, "GET", "/exceptions").json()["items"]
    assert len([one for one in found if one["reason"].startswith("sent twice")]) == 1


@pytest.mark.parametrize(
    ("spoil", "why", "status"),
    [
        (lambda token: token, "", 400),
        (lambda token: token, "x" * 501, 400),
        (lambda _token: "", "a good reason", 403),
        (lambda token: token[:-3] + "AAA", "a good reason", 403),
    ],
    ids=["no words", "too many words", "no token", "forged token"],
)
def test_a_bad_form_asks_nothing(nodes, person, spoil, why, status):
    before = nodes[0].data / "node" / "outbox"
    assert person.ask(nodes[0], why, spoil(person.asking_token(nodes[0]))).status == status
    assert not list(before.glob("*.json"))


def test_the_token_of_one_form_is_of_no_use_for_the_other(nodes, me, origins, authority):
    worker = Person(me, origins.slack, "slack.com", authority)
    token = worker.asking_token(nodes[0])
    assert worker.post(nodes[0], GO_ON, token=token, reason="partner").status == 403
    other = worker.open(nodes[0]).token
    assert worker.ask(nodes[0], "a good reason", other).status == 403


def test_a_machine_answer_says_nothing_of_asking(nodes, person):
    answer = person.open(nodes[0], "-H", "x-requested-with: me")
    assert answer.problem["action"] == "block"
    assert ASK not in answer.text


def test_a_question_of_two_people_is_answered_by_the_node_that_knows(nodes, api, person):
    paris, _ = nodes
    assert person.open(paris).is_prompt  # now this node, and only this one, has seen the client
    wish = {"client": paris.pseudonym(person.me), "reason": "the lab has to find this machine"}
    asked = api.call(Role.ANALYST, "POST", "/resolutions", json=wish)
    assert asked.status_code == 201, asked.text
    path = f"/resolutions/{asked.json()['id']}"
    assert api.call(Role.ADMIN, "POST", f"{path}/approve", json={}).status_code == 200

    def shown() -> dict:
        return api.call(Role.ANALYST, "GET", path).json()

    wait_until(lambda: shown()["state"] == "answered", "the node that knows answers", 15)
    assert (shown()["found"], shown()["node"]) == (person.me, "paris")
    folder = paris.data / "node" / "directory"
    wait_until(folder.exists, "it is noted", 15)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_nodes_report_themselves(nodes, api):
    known = api.nodes()
    assert {"paris", "lyon"} <= known.keys()
    report = known["paris"]["report"]
    assert known["paris"]["state"] == "ok"
    assert report["mode"] == "regular"
    assert report["policy"]["id"] == "lab"
    assert report["memory"] > 10_000_000
    assert {item["name"] for item in report["data"]} == {"location", "network"}


def test_an_applied_policy_reaches_every_node(nodes, api, world, person):
    """It is applied at the API; nobody touches a file on the nodes' machines."""
    text = world.policy.read_text().replace("  - id: video\n", "  - id: video-of-the-fleet\n")
    answer = api.call(
        Role.ADMIN, "POST", "/policy/apply", json={"text": text, "comment": "lab", "based_on": 0}
    )
    assert answer.status_code in {200, 201}, answer.text
    for node in nodes:
        wait_until(lambda node=node: person.rule(node) == "video-of-the-fleet", "it is obeyed", 15)
    wait_until(lambda: all(api.nodes()[name]["follows"] for name in ("paris", "lyon")), "reported")


MEET = """\
id: neutral-meet
name: Neutral Meet
category: videoconference
operator: zoom-communications
stance: replace
hosts:
  - names: [neutral.example]
    source: the lab
    as_of: 2026-11-23
    verification: verified
"""


def test_local_entries_of_the_catalogue_reach_nodes_on_other_machines(
    start_proxy, tmp_path, me, origins, authority, request
):
    world = make_world(tmp_path / "world")
    api = Api(tmp_path / "api", world.settings)
    request.addfinalizer(api.kill)
    api.start()
    entry = "/catalogue/local/services/neutral-meet"
    # Two machines: one without a folder of its own, one that has its own.
    own = make_world(tmp_path / "own")
    bare = {"SOVPROXY_CATALOGUE_DIR": "", "SOVPROXY_NODE": "nice", "SOVPROXY_TUNNEL_GRACE": "1"}
    node = start_proxy(world, settings=bare, enrol=api.enrol)
    stubborn = start_proxy(own, settings={"SOVPROXY_NODE": "metz"}, enrol=api.enrol)
    person = Person(me, origins.neutral, "neutral.example", authority)
    assert person.passes(node)

    added = api.call(Role.ADMIN, "PUT", entry, json={"text": MEET})
    assert added.status_code < 300, added.text
    wait_until(lambda: person.open(node).status == 451, "it is stopped at the other machine", 15)
    assert person.passes(stubborn)

    # A policy may name what only the local entries know.
    named = "  - id: named\n    when: {service: neutral-meet}\n    action: allow\n  - id: video\n"
    text = world.policy.read_text().replace("  - id: video\n", named)
    wish = {"text": text, "comment": "lab", "based_on": 0}
    applied = api.call(Role.ADMIN, "POST", "/policy/apply", json=wish)
    assert applied.status_code in {200, 201}, applied.text
    wait_until(lambda: person.passes(node), "the policy that names it is obeyed", 15)

    def told(name):
        found = api.nodes()[name]
        report = found["report"]["catalogue"]
        return found["state"], found["other_entries"], report["own"], report["problem"]

    wait_until(lambda: told("nice") == ("ok", False, False, ""), "it is reported", 15)
    assert told("metz")[1:] == (True, True, "")

    back = {"text": world.policy.read_text(), "comment": "lab", "based_on": 2}
    again = api.call(Role.ADMIN, "POST", "/policy/apply", json=back)
    assert again.status_code in {200, 201}, again.text
    wait_until(lambda: person.open(node).status == 451, "the rule is gone", 15)

    # What the node knows holds without the API, also when it starts anew.
    api.kill()
    node.stop()
    node.start()
    assert person.open(node).status == 451
    api.start()
    gone = api.call(Role.ADMIN, "DELETE", entry)
    assert gone.status_code < 300, gone.text
    wait_until(lambda: person.passes(node), "it passes again", 15)


def test_without_the_api_a_node_that_starts_anew_still_obeys(
    start_proxy, tmp_path, world, person, me, origins, authority
):
    api = Api(tmp_path / "api", world.settings)
    api.start()
    node = join(start_proxy, api, world, "nice")
    slack = Person(me, origins.slack, "slack.com", authority)
    api.grant(node.pseudonym(me), "zoom")
    api.call(Role.NODE, "POST", "/fleet/acknowledgements", json=an_acknowledgement(node, me))
    wait_until(lambda: person.passes(node) and slack.passes(node), "both are in force", 15)
    wait_until(lambda: len(kept(node)["acknowledgements"]) == 1, "the state is on disk", 15)
    api.kill()
    node.kill()
    node.start()
    assert person.passes(node)
    assert slack.passes(node)
    assert (node.data / "node" / "state.json").stat().st_mode & 0o777 == 0o600


def kept(node) -> dict:
    return json.loads((node.data / "node" / "state.json").read_text())


def an_acknowledgement(node, me) -> dict:
    item = {
        "id": "01a20692-8621-70d7-a99f-dbc898c77802",
        "client": node.pseudonym(me),
        "subject": "slack",
        "until": 4_000_000_000 - 1,
        "time": "2026-11-23T08:00:00Z",
    }
    return {"acknowledgements": [item]}
