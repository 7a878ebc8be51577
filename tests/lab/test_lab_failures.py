"""What fails stays closed, is on record, and harms nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from tests.lab.clients import connect, curl, open_socket, read_all
from tests.lab.proxies import BIN, ROOT, listens, wait_until
from tests.lab.world import write_database

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-failures")]

ZOOMS_ADDRESS = "127.30.0.10"


@pytest.fixture(scope="module")
def strict(start_shared_proxy):
    """A proxy that fails to judge some hosts, and blocks what it cannot judge."""
    settings = {"LAB_FAULTS": "judge", "LAB_FAULTY": f"slack.com,neutral.example,{ZOOMS_ADDRESS}"}
    return start_shared_proxy(scripts=("fault.py",), settings=settings)


@pytest.fixture(scope="module")
def lenient(start_shared_proxy):
    """The same, with `on_error: allow`."""
    settings = {"LAB_FAULTS": "judge", "LAB_FAULTY": f"slack.com,neutral.example,{ZOOMS_ADDRESS}"}
    proxy = start_shared_proxy(scripts=("fault.py",), settings=settings)
    proxy.world.write_policy("on_error: block", "on_error: allow")
    time.sleep(3)
    return proxy


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_failing_hook_blocks_everything_by_default(strict, origins, scheme, me):
    for host, origin in (("slack.com", origins.slack), ("neutral.example", origins.neutral)):
        answer = curl(strict, f"{scheme}://{host}:{origin.port}/", me=me)
        assert answer.status == 503 or answer.exit_code in {35, 56}
        assert origin.hits == 0
    events = strict.wait_for_events(me, number=2)
    assert {event["kind"] for event in events} == {"error"}
    assert {event["rule"] for event in events} == {"on-error"}
    assert {event["action"] for event in events} == {"block"}
    assert [event["host"] for event in events] == ["slack.com", "neutral.example"]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_failing_hook_lets_pass_what_is_not_listed_where_the_policy_says_so(
    lenient, origins, authority, scheme, me
):
    url = f"{scheme}://neutral.example:{origins.neutral.port}/"
    assert curl(lenient, url, trust=authority.certificate, me=me).status == 200
    for event in lenient.wait_for_events(me):  # CONNECT and ClientHello fail one by one
        assert (event["kind"], event["action"], event["outcome"]) == ("error", "allow", "tunnelled")


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("host", ["slack.com", ZOOMS_ADDRESS, "0x7f1e000a"])
def test_a_failing_hook_never_lets_a_listed_service_pass(lenient, origins, scheme, host, me):
    origin = origins.slack if host == "slack.com" else origins.zoom
    answer = curl(lenient, f"{scheme}://{host}:{origin.port}/", me=me)
    assert answer.status in {403, 451, 503} or answer.exit_code in {35, 56, 60}
    assert origin.hits == 0
    events = lenient.wait_for_events(me)
    assert {event["action"] for event in events} == {"block"}


def test_a_name_that_leads_to_a_listed_address_does_not_pass_either(start_proxy, origins, me):
    settings = {"LAB_FAULTS": "seek", "LAB_FAULTY": "front.example"}
    proxy = start_proxy(scripts=("fault.py",), settings=settings)
    proxy.world.write_policy("on_error: block", "on_error: allow")
    time.sleep(3)
    curl(proxy, f"https://front.example:{origins.zoom.port}/", me=me)
    curl(proxy, f"http://front.example:{origins.zoom.port}/", me=me)
    assert origins.zoom.hits == 0


def test_a_hook_that_fails_inside_a_tunnel_is_closed_and_on_record(start_proxy, origins, me):
    settings = {"LAB_FAULTS": "look", "LAB_FAULTY": "inner.faulty"}
    proxy = start_proxy(scripts=("fault.py",), settings=settings)
    url = f"https://inner.faulty:{origins.neutral.port}/"
    connected = ["--connect-to", f"inner.faulty::neutral.example:{origins.neutral.port}"]
    assert curl(proxy, url, *connected, me=me).exit_code == 35
    (event,) = proxy.wait_for_events(me)
    assert (event["kind"], event["action"]) == ("error", "block")
    assert not any(call.first_bytes for call in origins.neutral.calls)


def test_others_are_served_while_hooks_fail(strict, origins, authority):
    url = f"https://visio.numerique.gouv.fr:{origins.visio.port}/"
    assert curl(strict, url, trust=authority.certificate).status == 200
    assert curl(strict, f"https://zoom.us:{origins.zoom.port}/").is_prompt


def test_a_new_policy_takes_force_without_dropping_a_tunnel(start_proxy, origins, me):
    proxy = start_proxy()
    tunnel, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    tunnel.sendall(b"\x05before")
    assert tunnel.recv(100) == b"\x05before"
    target = f"slack.com:{origins.slack.port}"
    assert curl(proxy, f"http://{target}/", me=me).status != 200
    proxy.world.write_policy("    action: warn", "    action: observe")
    wait_until(lambda: curl(proxy, f"http://{target}/", me=me).status == 200, "the new policy")
    tunnel.sendall(b"after")
    assert tunnel.recv(100) == b"after"
    tunnel.close()


def test_a_broken_policy_leaves_the_last_good_one_in_force(start_proxy, origins):
    proxy = start_proxy()
    for text in ("rules: [", "id: lab\n", "", "\x00"):
        proxy.world.policy.write_text(text)
        time.sleep(1.2)
        assert curl(proxy, f"https://zoom.us:{origins.zoom.port}/").is_prompt
    proxy.world.policy.unlink()
    time.sleep(1.2)
    assert curl(proxy, f"https://zoom.us:{origins.zoom.port}/").is_prompt
    proxy.world.write_policy("category: videoconference", "category: ai-research")
    wait_until(lambda: connect_passes(proxy, "zoom.us", origins.zoom.port), "the good policy")


def connect_passes(proxy, host, port) -> bool:
    """Whether something else than our answer is at the end of a tunnel."""
    client, _ = connect(proxy, f"{host}:{port}")
    client.sendall(b"\x05hello")
    client.settimeout(5)
    try:
        return client.recv(100) == b"\x05hello"
    except OSError:
        return False
    finally:
        client.close()


def test_new_databases_are_taken_up_while_it_runs(start_proxy, origins, me):
    proxy = start_proxy()
    url = f"https://zoom.us:{origins.zoom.port}/"
    curl(proxy, f"https://{ZOOMS_ADDRESS}:{origins.zoom.port}/", me=me)
    write_database(proxy.world.database, AS30103="BR")

    def location() -> str:
        curl(proxy, f"https://{ZOOMS_ADDRESS}:{origins.zoom.port}/", me=me)
        return proxy.events(me)[-1]["location"]

    assert proxy.events(me)[0]["location"] == "US"
    wait_until(lambda: location() == "BR", "the new database")
    part = proxy.world.database.with_suffix(".part")
    part.write_bytes(b"not a database")
    part.replace(proxy.world.database)
    time.sleep(1.5)
    assert location() == "BR"
    assert curl(proxy, url).is_prompt


def test_names_are_followed_when_the_hosts_file_changes(start_proxy, origins, authority):
    proxy = start_proxy()
    url = f"https://moved.example:{origins.neutral.port}/"
    proxy.world.write_hosts(moved_example="127.30.0.10")
    assert curl(proxy, url).status == 451
    proxy.world.write_hosts(moved_example="127.20.0.10")
    assert curl(proxy, url, "-k", trust=authority.certificate).status == 200


def test_a_proxy_that_cannot_start_lets_nobody_through(start_proxy, tmp_path, origins):
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules: 7\n")
    with pytest.raises(AssertionError, match=r"bad\.yaml"):
        start_proxy(settings={"SOVPROXY_POLICY": str(bad)})
    assert origins.zoom.hits == 0


class Api:
    """The real API on the ports and files of a proxy of the lab."""

    def __init__(self, proxy) -> None:
        self.proxy = proxy
        self.url = f"http://127.0.0.1:{proxy.api_port}"
        self.token = ""
        self.process = None

    def start(self) -> None:
        command = [sys.executable, "-c", _TOKENS]
        made = subprocess.run(
            command, env=self.proxy.environment, check=True, capture_output=True, text=True
        )
        self.token = made.stdout.strip() or self.token
        self.process = subprocess.Popen(
            [str(BIN / "sovproxy"), "api"], env=self.proxy.environment, cwd=ROOT
        )
        wait_until(lambda: listens(self.proxy.api_port), "the API listens")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def get(self, path):
        request = urllib.request.Request(  # noqa: S310 - our own API on loopback
            self.url + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return json.load(answer)


_TOKENS = """
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.tokens import Role, create_token, ensure_node_token
settings = Settings()
store = open_store(settings.effective_store_url)
ensure_node_token(store, settings.node_token_file, settings.node)
print(create_token(store, Role.ADMIN, "admin"))
"""


@pytest.fixture
def with_api(start_proxy):
    """A proxy and the API it delivers to; the API is not started yet."""
    proxy = start_proxy()
    api = Api(proxy)
    yield proxy, api
    if api.process:
        api.stop()


def test_an_event_that_was_answered_survives_kill_9_and_is_delivered_once(with_api, origins, me):
    proxy, api = with_api
    assert curl(proxy, f"https://zoom.us:{origins.zoom.port}/", me=me).is_prompt
    proxy.kill()
    (event,) = proxy.events(me)
    api.start()
    assert api.get("/api/v1/events")["items"] == []
    proxy.start()
    wait_until(lambda: api.get("/api/v1/events")["items"], "the event is delivered")
    (delivered,) = api.get("/api/v1/events")["items"]
    assert delivered == event


def test_the_api_may_be_away_and_nothing_is_lost_or_doubled(with_api, origins, me):
    proxy, api = with_api
    url = f"https://zoom.us:{origins.zoom.port}/"
    api.start()
    assert curl(proxy, url, me=me).is_prompt
    wait_until(lambda: api.get("/api/v1/events")["items"], "the first event is delivered")
    api.stop()
    for _ in range(5):
        assert curl(proxy, url, me=me).is_prompt
    api.start()
    wait_until(lambda: len(api.get("/api/v1/events")["items"]) >= 6, "all events are delivered")
    items = api.get("/api/v1/events")["items"]
    assert len({item["id"] for item in items}) == len(items) == 6


def test_the_api_says_when_the_policy_file_is_refused(with_api):
    proxy, api = with_api
    api.start()
    assert api.get("/api/v1/health")["policy"] == {"ok": True, "problem": ""}
    proxy.world.policy.write_text("id: lab\nrules: 7\n")
    wait_until(lambda: not api.get("/api/v1/health")["policy"]["ok"], "the API notices")
    health = api.get("/api/v1/health")
    assert health["status"] == "degraded"
    assert "policy.yaml:2" in health["policy"]["problem"]


def test_a_hundred_clients_that_break_off_leave_nothing_behind(start_proxy, origins):
    proxy = start_proxy()
    target = f"zoom.us:{origins.zoom.port}"

    def break_off(number: int) -> None:
        client = open_socket(proxy, f"127.4.0.{number + 1}")
        client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        if number % 2:
            client.recv(100)
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        client.close()

    threads = [threading.Thread(target=break_off, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(proxy.events()) == 100, "an event for each")
    assert {event["outcome"] for event in proxy.events()} == {"closed"}
    assert curl(proxy, f"https://{target}/").is_prompt


def test_a_refused_client_never_sees_an_answer_before_its_event(start_proxy, origins, me):
    """A spool that cannot be written still stops the client: closed, not open."""
    proxy = start_proxy()
    spool = proxy.data / "node" / "spool"
    for segment in spool.glob("*.seg"):
        segment.unlink()
    target = f"zoom.us:{origins.zoom.port}"
    client = open_socket(proxy, me)
    client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert b" 451 " in read_all(client)
    assert origins.zoom.hits == 0
