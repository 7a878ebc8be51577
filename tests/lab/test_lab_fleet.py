"""Two real nodes on machines of their own and one real API: what one of them learns, both know."""

from __future__ import annotations

import json

import pytest

from sovproxy.usecases.tokens import Role
from tests.lab.apis import Api
from tests.lab.clients import NAVIGATION, curl
from tests.lab.proxies import wait_until
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

GO_ON = "/.well-known/sovproxy/go-on"


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


def join(start, api, world, name, **more):
    """Start a node that belongs to the API's fleet, and wait until it knows what is in force."""
    proxy = start(world, settings={"SOVPROXY_NODE": name}, enrol=api.enrol, **more)
    api.wait_for_node(name, current=True)
    return proxy


class Person:
    """Somebody at one address, who can come in through any node."""

    def __init__(self, me, origin, host, authority) -> None:
        self.me, self.host, self.authority = me, host, authority
        self.base = f"https://{host}:{origin.port}"

    def open(self, proxy, *arguments, path="/", trust=None):
        return curl(proxy, self.base + path, *arguments, me=self.me, trust=trust)

    def passes(self, proxy) -> bool:
        return self.open(proxy, trust=self.authority.certificate).status == 200

    def post(self, proxy, path, **form):
        fields = [("--data-urlencode", f"{name}={value}") for name, value in form.items()]
        flat = [part for field in fields for part in field]
        return self.open(proxy, *flat, *NAVIGATION, path=path)


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


def test_an_exception_of_one_client_is_nobody_elses(nodes, api, person, origins, authority):
    api.grant(nodes[0].pseudonym(person.me), "zoom")
    wait_until(lambda: person.passes(nodes[0]), "the exception is in force", 15)
    other = Person(person.me.replace("127.1.", "127.4."), origins.zoom, "zoom.us", authority)
    assert other.open(nodes[0]).is_prompt


def test_an_exception_ends_by_itself(nodes, api, person):
    api.grant(nodes[0].pseudonym(person.me), "zoom", seconds=6)
    wait_until(lambda: person.passes(nodes[1]), "the exception is in force", 5)
    wait_until(lambda: person.open(nodes[1]).is_prompt, "its time is over", 15)


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
    answer = api.call(Role.ADMIN, "POST", "/policy/apply", json={"text": text, "comment": "lab"})
    assert answer.status_code in {200, 201}, answer.text
    for node in nodes:
        told = "x-requested-with: me"
        wait_until(
            lambda node=node: (
                person.open(node, "-H", told).problem["rule"] == "video-of-the-fleet"
            ),
            "the applied policy is in force",
            15,
        )
    wait_until(lambda: all(api.nodes()[name]["follows"] for name in ("paris", "lyon")), "reported")


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
