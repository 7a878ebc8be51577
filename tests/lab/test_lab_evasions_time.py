"""What was let through does not stay open for ever: policies change, and permissions end."""

from __future__ import annotations

import html
import re

import pytest

from tests.lab.clients import NAVIGATION, ask, connect, curl, get, open_socket, read_all, read_until
from tests.lab.proxies import wait_until
from tests.lab.test_lab_disguises import tls_to
from tests.lab.test_lab_tunnels import UPGRADE
from tests.lab.test_lab_warnings import GO_ON, HOUR, Clock

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-evasions-time")]

OPEN = "    when: {category: social-network}\n    action: observe"
CSP = "content-security-policy"
STOPPED = OPEN.replace("observe", "block")


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock") / "offset")


@pytest.fixture(scope="module")
def node(start_shared_proxy, clock):
    """A proxy whose clock and policy the test changes; what may not go on ends after a second."""
    settings = {"LAB_CLOCK": str(clock.path), "SOVPROXY_TUNNEL_GRACE": "1"}
    return start_shared_proxy(scripts=("clock.py",), settings=settings)


@pytest.fixture(autouse=True)
def _as_it_was(node, clock, origins):
    clock.move(0)
    node.world.write_policy()
    url = f"http://www.facebook.com:{origins.facebook.port}/"
    wait_until(lambda: curl(node, url).status == 200, "the first policy is in force again")


def tunnel(node, host, port, me):
    """An open tunnel through which something has been said already."""
    client, answer = connect(node, f"{host}:{port}", me=me)
    assert answer.status == 200
    client.sendall(b"\x00hello")
    assert client.recv(100) == b"\x00hello"
    return client


def acknowledge(node, origin, me):
    base = f"http://slack.com:{origin.port}"
    form = ["-d", f"token={curl(node, base, me=me).token}", "-d", "reason=partner", *NAVIGATION]
    assert curl(node, base + GO_ON, *form, me=me).status == 303


def test_an_open_tunnel_ends_when_the_newest_policy_stops_it(node, origins, me):
    client = tunnel(node, "www.facebook.com", origins.facebook.port, me)
    other = tunnel(node, "neutral.example", origins.neutral.port, me)
    node.world.write_policy(OPEN, STOPPED)
    assert read_all(client) == b""
    (event,) = node.wait_for_events(me)
    assert (event["host"], event["rule"]) == ("www.facebook.com", "social")
    assert (event["action"], event["outcome"]) == ("warn", "closed")  # recalled facts only warn
    other.sendall(b"still here")
    assert other.recv(100) == b"still here"


def test_it_ends_too_when_only_the_server_name_is_stopped(node, origins, me):
    """A tunnel to a host that stays allowed, which carries TLS for one that does not."""
    client, _ = connect(node, f"neutral.example:{origins.neutral.port}", me=me)
    secure = tls_to(client, "www.facebook.com")
    secure.sendall(get("www.facebook.com").replace("Connection: close\r\n", "").encode())
    assert b"Neutral" in read_until(secure, b"</h1>")
    node.world.write_policy(OPEN, STOPPED)
    assert read_all(secure) == b""
    assert node.wait_for_events(me)[0]["host"] == "www.facebook.com"


def test_a_websocket_without_tls_ends_as_well(node, origins, me):
    target = f"www.facebook.com:{origins.facebook.port}"
    client = open_socket(node, me)
    lines = [f"GET http://{target}/chat HTTP/1.1", f"Host: {target}", *UPGRADE, "", ""]
    client.sendall("\r\n".join(lines).encode())
    assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    node.world.write_policy(OPEN, STOPPED)
    assert read_all(client) == b""
    assert node.wait_for_events(me)[0]["outcome"] == "closed"


def test_an_open_tunnel_ends_with_the_acknowledgement(node, origins, clock, me):
    acknowledge(node, origins.slack, me)
    client = tunnel(node, "slack.com", origins.slack.port, me)
    clock.move(8 * HOUR - 60)
    client.sendall(b"still here")
    assert client.recv(100) == b"still here"
    clock.move(8 * HOUR + 60)
    assert read_all(client) == b""
    closed = node.wait_for_events(me, outcome="closed")
    assert [(event["host"], event["action"]) for event in closed] == [("slack.com", "warn")]


def test_plain_http_in_a_tunnel_ends_with_the_tunnels_verdict(node, origins, me):
    """A request without a Host field names nobody but the CONNECT before it."""
    client, _ = connect(node, f"www.facebook.com:{origins.facebook.port}", me=me)
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert b"Facebook /" in read_until(client, b"</h1>")
    node.world.write_policy(OPEN, STOPPED)
    assert read_all(client) == b""
    assert node.wait_for_events(me)[0]["outcome"] == "closed"


def test_a_connection_that_waits_between_requests_is_judged_at_the_next_one(node, origins, me):
    """Nothing runs, so nothing is closed; the next request meets the newest policy."""
    target = f"www.facebook.com:{origins.facebook.port}"
    client = open_socket(node, me)
    client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert b"200 OK" in read_until(client, b"</h1>")
    node.world.write_policy(OPEN, STOPPED)
    wait_until(lambda: curl(node, f"http://{target}/").is_prompt, "the new policy")
    request = f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nAccept: text/html\r\n\r\n"
    assert ask(client, request).is_prompt


FORM = re.compile(r'class="card go-on".*?<form method="post" action="([^"]+)"', re.DOTALL)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_second_tab_on_the_same_warning_tells_the_service_nothing(node, origins, me, scheme):
    """The first tab goes on; the second tab's form still comes to the node, with its reason."""
    url = f"{scheme}://slack.com:{origins.slack.port}/archives"
    pages = [curl(node, url, *NAVIGATION, me=me) for _ in range(2)]
    for page in pages:
        action = html.unescape(FORM.search(page.text)[1])
        assert f"form-action 'self' {scheme}://slack.com:451;" in page.fields[CSP]
        form = ["-d", f"token={page.token}", "-d", "reason=partner", *NAVIGATION]
        answer = curl(node, action, *form, me=me)
        assert (answer.status, answer.fields["location"]) == (303, url)
    assert origins.slack.hits == 0
    told = node.wait_for_events(me, 2, kind="acknowledgement")
    assert all("partner" in event["reason"] for event in told)


def test_at_the_desk_nothing_passes_by_leave(node, origins, me):
    acknowledge(node, origins.slack, me)
    assert curl(node, f"http://slack.com:{origins.slack.port}/", me=me).status == 200
    answer = curl(node, "https://slack.com:451/archives", *NAVIGATION, me=me)
    assert (answer.status, answer.fields["location"]) == (307, "https://slack.com/archives")
    answer = curl(node, "https://slack.com:451/archives", "-H", "Accept: text/x", me=me)
    assert answer.status == 421


@pytest.mark.parametrize("back", ["0", "99999", "x", "1%0d%0aSet-Cookie:a", "451", "@evil.example"])
def test_the_way_back_from_the_desk_stays_on_the_host(node, me, back):
    desk = "https://slack.com:451/.well-known/sovproxy/go-on"
    token = curl(node, "https://slack.com:451/a", *NAVIGATION, me=me).token
    form = ["-d", f"token={token}", "-d", "reason=partner", *NAVIGATION]
    answer = curl(node, f"{desk}?back={back}", *form, me=me)
    assert (answer.status, answer.fields["location"]) == (303, "https://slack.com/a")
