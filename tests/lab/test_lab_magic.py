"""The magic host: the node tells an extension who its worker is, and tells nobody else anything."""

from __future__ import annotations

import json
import time

import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab.apis import Api
from tests.lab.clients import ask, connect, curl, get, trusting
from tests.lab.proxies import wait_until
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

ADDRESS = "http://sovproxy.internal/worker"
OURS = ("-H", "X-Sovproxy-Extension: 1")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("magic") / "world")


@pytest.fixture(scope="module")
def api(tmp_path_factory, world):
    started = Api(tmp_path_factory.mktemp("api") / "data", world.settings)
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def node(start_shared_proxy, api, world):
    proxy = start_shared_proxy(world, settings={"SOVPROXY_NODE": "paris"}, enrol=api.enrol)
    api.wait_for_node("paris", current=True)
    return proxy


def told(node, me, *arguments, url=ADDRESS):
    answer = curl(node, url, *OURS, *arguments, me=me)
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def test_the_extension_is_told_who_its_worker_is(node, api, me):
    found = told(node, me)
    assert set(found) == {"token", "client", "group", "until", "api"}
    assert found["client"] == node.pseudonym(me)
    assert found["api"] == api.url
    assert 3500 < found["until"] - time.time() <= 3600


def test_the_api_knows_the_worker_by_that_token(node, api, me):
    api.tokens[Role.WORKER] = told(node, me)["token"]
    found = api.call(Role.WORKER, "GET", "/my").json()
    assert found["client"] == node.pseudonym(me)


@pytest.mark.parametrize(
    "url",
    [
        "http://SOVPROXY.Internal/worker",
        "http://sovproxy.internal./worker",
        "http://sovproxy.internal:8080/worker?x=y",
    ],
)
def test_the_host_is_known_in_every_spelling(node, me, url):
    assert told(node, me, url=url)["client"] == node.pseudonym(me)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 403),
        (("-H", "X-Sovproxy-Extension: 0"), 403),
        ((*OURS, "-H", "Origin: https://evil.example"), 403),
        (("-X", "OPTIONS", "-H", "Access-Control-Request-Headers: x-sovproxy-extension"), 405),
        ((*OURS, "-X", "POST"), 405),
        ((*OURS, "-d", "a=b"), 405),
    ],
    ids=["a page", "zero", "a page that lies", "its preflight", "post", "body"],
)
def test_nobody_else_is_told_anything(node, me, arguments, status):
    answer = curl(node, ADDRESS, *arguments, me=me)
    assert answer.status == status
    assert answer.problem["host"] == "sovproxy.internal"
    assert not [name for name in answer.fields if name.startswith("access-control")]
    assert "token" not in answer.text


def test_no_answer_may_be_kept_or_shared(node, me):
    answer = curl(node, ADDRESS, *OURS, me=me)
    assert answer.fields["cache-control"] == "no-store"
    assert "sandbox" in answer.fields["content-security-policy"]
    assert not [name for name in answer.fields if name.startswith("access-control")]


def test_the_extension_may_ask_whether_a_host_passes_now(node, me):
    passes = "http://sovproxy.internal/passes?host="
    hosts = {
        "neutral.example": True,
        "zoom.us": False,
        "ZOOM.us.": False,
        "": False,
        "a%20b": False,
    }
    found = {host: told(node, me, url=passes + host) for host in hosts}
    assert found == {host: {"passes": it} for host, it in hosts.items()}
    assert curl(node, f"{passes}zoom.us", me=me).status == 403


def test_other_paths_are_not_there(node, me):
    assert curl(node, "http://sovproxy.internal/", *OURS, me=me).status == 404


@pytest.mark.parametrize("port", [80, 443])
def test_a_connect_is_refused_with_the_reason(node, me, port):
    client, answer = connect(node, f"sovproxy.internal:{port}", me=me)
    with client:
        assert answer.status == 403
        assert b"Ask by http://sovproxy.internal/worker" in answer.body + client.recv(4096)


def test_in_a_tunnel_to_elsewhere_the_name_leads_nowhere(node, me, origins, authority):
    client, answer = connect(node, f"neutral.example:{origins.neutral.port}", me=me)
    assert answer.status == 200
    with client, pytest.raises(OSError):  # noqa: PT011  # closed, in one of several ways
        trusting(authority.certificate).wrap_socket(client, server_hostname="sovproxy.internal")
    client, answer = connect(node, f"neutral.example:{origins.neutral.port}", me=me)
    with client:
        assert ask(client, get("sovproxy.internal", "/worker")).status == 403
    assert [call.first_bytes for call in origins.neutral.calls if call.first_bytes] == []


def test_it_is_no_event_and_no_host_that_is_counted(node, me):
    told(node, me)
    curl(node, ADDRESS, me=me)
    connect(node, "sovproxy.internal:443", me=me)[0].close()
    curl(node, "http://closed.example:1/", me=me)
    assert node.events(me) == []
    assert "sovproxy.internal" not in json.dumps(node.rollups() + node.events())


def test_two_nodes_of_a_fleet_name_one_worker(node, api, world, start_proxy, me):
    lyon = start_proxy(world, settings={"SOVPROXY_NODE": "lyon"}, enrol=api.enrol)
    api.wait_for_node("lyon", current=True)
    assert told(node, me)["client"] == told(lyon, me)["client"]


def test_without_the_api_the_node_goes_on_telling(start_proxy, tmp_path, world, me):
    api = Api(tmp_path / "api", world.settings)
    api.start()
    nice = start_proxy(world, settings={"SOVPROXY_NODE": "nice"}, enrol=api.enrol)
    api.wait_for_node("nice", current=True)
    api.kill()
    assert told(nice, me)["client"] == nice.pseudonym(me)


def test_a_node_that_never_heard_of_the_api_says_so(proxy, me):
    answer = curl(proxy, ADDRESS, *OURS, me=me)
    assert answer.status == 503
    assert "no key from the API yet" in answer.problem["title"]


def test_what_is_gone_on_to_in_the_browser_holds_at_the_proxy(node, api, me, origins, authority):
    page = f"https://slack.com:{origins.slack.port}/"
    assert curl(node, page, "-H", "x-requested-with: me", me=me).status == 451
    api.tokens[Role.WORKER] = told(node, me)["token"]
    body = {"subject": "slack", "host": "slack.com", "reason": "partner"}
    answer = api.call(Role.WORKER, "POST", "/my/acknowledgements", json=body)
    assert answer.status_code == 201, answer.text

    def passes() -> bool:
        return curl(node, page, me=me, trust=authority.certificate).status == 200

    wait_until(passes, "the proxy knows it", 15)


def test_a_connection_opened_ahead_is_sent_to_a_new_one_after_the_grant(node, api, me, origins):
    """Browsers do that: they would show the prompt once more, though the exception is there."""
    client, answer = connect(node, f"zoom.us:{origins.zoom.port}", me=me)
    assert answer.status == 200
    with trusting(node.authority).wrap_socket(client, server_hostname="zoom.us") as secure:
        api.grant(node.pseudonym(me), "zoom")
        page = f"https://zoom.us:{origins.zoom.port}/"
        wait_until(lambda: curl(node, page, me=me).exit_code == 60, "new ones are tunnelled", 15)
        again = ask(secure, get("zoom.us", "/j/1"))
    assert (again.status, again.fields["location"]) == (307, "/j/1")
