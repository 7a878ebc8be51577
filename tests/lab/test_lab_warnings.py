"""A warning lets the worker go on: once asked, for one service, for a limited time."""

from __future__ import annotations

import re

import pytest

from tests.lab.clients import (
    NAVIGATION,
    ask,
    connect,
    curl,
    get,
    trusting,
)

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

GO_ON = "/.well-known/sovproxy/go-on"
HOUR = 3600


class Worker:
    """A person at an address of their own, in front of one warned service."""

    def __init__(self, proxy, me, origin, host, authority) -> None:
        self.proxy, self.me, self.authority = proxy, me, authority
        self.base = f"https://{host}:{origin.port}"

    def open(self, path="/", *fields, trust=None):
        return curl(self.proxy, self.base + path, *fields, me=self.me, trust=trust)

    def go_on(self, token, reason="meeting_now", **more):
        form = {"token": token, "reason": reason, **more}
        fields = [f"{name}={value}" for name, value in form.items()]
        curled = [part for field in fields for part in ("--data-urlencode", field)]
        answer = self.open(GO_ON, *curled, *NAVIGATION)
        assert answer.status, answer
        return answer

    def acknowledge(self, path="/"):
        answer = self.go_on(self.open(path).token)
        assert answer.status == 303, answer
        return answer

    def is_through(self) -> bool:
        """Whether the origin itself answers, under its own certificate."""
        return self.open(trust=self.authority.certificate).status == 200

    def is_warned(self) -> bool:
        return self.open().is_prompt


class Clock:
    """The file from which a proxy takes how far its clock is moved."""

    def __init__(self, path) -> None:
        self.path = path
        self.move(0)

    def move(self, seconds) -> None:
        part = self.path.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.path)


@pytest.fixture
def worker(proxy, me, origins, authority):
    return Worker(proxy, me, origins.slack, "slack.com", authority)


@pytest.fixture
def other_service(proxy, me, origins, authority):
    return Worker(proxy, me, origins.whatsapp, "web.whatsapp.com", authority)


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock") / "offset")


@pytest.fixture(scope="module")
def moving(start_shared_proxy, clock):
    """A proxy whose clock the test moves."""
    return start_shared_proxy(scripts=("clock.py",), settings={"LAB_CLOCK": str(clock.path)})


def test_a_warned_service_shows_a_prompt_with_a_way_on(worker, origins):
    answer = worker.open("/archives")
    assert answer.is_prompt
    assert f'action="https://slack.com:451{GO_ON}?back={origins.slack.port}"' in answer.text
    assert answer.token
    assert origins.slack.hits == 0


def test_going_on_leads_back_to_the_page_over_an_undecrypted_connection(worker, origins):
    token = worker.open("/archives?channel=1").token
    answer = worker.go_on(token)
    assert (answer.status, answer.fields["location"]) == (303, "/archives?channel=1")
    assert answer.fields["cache-control"] == "no-store"
    assert origins.slack.hits == 0
    page = worker.open("/archives?channel=1", trust=worker.authority.certificate)
    assert page.text.endswith("<h1>Slack /archives?channel=1</h1>")
    assert worker.open().exit_code == 60  # it is not our certificate any more


def test_going_on_is_on_record_with_its_reason_and_each_connection_after_it(worker):
    worker.go_on(worker.open().token, "partner", detail="the prefecture\x1b[31m insists")
    worker.is_through()
    prompted, went_on, passed = worker.proxy.wait_for_events(worker.me, number=3)
    assert (prompted["kind"], prompted["outcome"]) == ("decision", "prompted")
    assert went_on["kind"] == "acknowledgement"
    assert "partner: the prefecture" in went_on["reason"]
    assert (went_on["port"], went_on["decrypted"]) == (prompted["port"], False)
    assert "\x1b" not in went_on["reason"]
    assert (passed["kind"], passed["outcome"]) == ("decision", "tunnelled")
    assert (passed["action"], passed["service"], passed["decrypted"]) == ("warn", "slack", False)


def test_a_token_works_once(worker):
    token = worker.open().token
    lingering = [_our_tls(worker) for _ in range(3)]
    body = f"token={token}&reason=partner"
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"
    request = f"POST {GO_ON} HTTP/1.1\r\nHost: slack.com\r\n{form}\r\n\r\n{body}"
    statuses = [ask(client, request).status for client in lingering]
    assert statuses[0] == 303
    assert 303 not in statuses[1:]
    assert len(worker.proxy.events(worker.me, kind="acknowledgement")) == 1


def test_a_used_token_grants_nothing_after_the_time_is_over(moving, clock, origins, authority, me):
    worker = Worker(moving, me, origins.slack, "slack.com", authority)
    clock.move(0)
    token = worker.open().token
    assert worker.go_on(token).status == 303
    clock.move(9 * HOUR)
    assert worker.go_on(token).status in {403, 410}
    assert worker.is_warned()
    clock.move(0)


def test_an_acknowledgement_ends_on_time(moving, clock, origins, authority, me):
    worker = Worker(moving, me, origins.slack, "slack.com", authority)
    clock.move(0)
    worker.acknowledge()
    clock.move(8 * HOUR - 60)
    assert worker.is_through()
    clock.move(8 * HOUR + 60)
    assert worker.is_warned()
    clock.move(0)


def test_a_prompt_that_stood_open_too_long_grants_nothing(moving, clock, origins, authority, me):
    worker = Worker(moving, me, origins.slack, "slack.com", authority)
    clock.move(0)
    token = worker.open().token
    clock.move(HOUR + 60)
    answer = worker.go_on(token)
    assert answer.status != 303
    assert worker.is_warned()
    clock.move(0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _token: "",
        lambda _token: "forged",
        lambda token: token[:-4] + "AAAA",
        lambda token: "A" + token[1:],
        lambda token: token.replace(".", "", 1),
        lambda token: token * 200,
        lambda _token: "W10.aaaa.bbbb",
    ],
    ids=["none", "word", "signature", "content", "shape", "length", "empty list"],
)
def test_a_token_that_is_not_ours_grants_nothing(worker, spoil):
    answer = worker.go_on(spoil(worker.open().token))
    assert answer.status != 303
    assert worker.is_warned()


def test_a_token_is_for_one_client_only(worker, proxy, origins, authority):
    thief = Worker(
        proxy, worker.me.replace("127.1.", "127.2."), origins.slack, "slack.com", authority
    )
    assert thief.go_on(worker.open().token).status != 303
    assert thief.is_warned()


def test_a_token_is_for_one_service_only(worker, other_service):
    assert other_service.go_on(worker.open().token).status != 303
    assert other_service.is_warned()


def test_another_service_and_another_client_are_still_warned(worker, other_service, proxy):
    worker.acknowledge()
    assert worker.is_through()
    assert other_service.is_warned()
    assert curl(proxy, worker.base, me=worker.me.replace("127.1.", "127.3.")).is_prompt


def test_an_acknowledgement_holds_for_every_host_of_the_service(worker, proxy, origins, authority):
    worker.acknowledge()
    assert Worker(proxy, worker.me, origins.slack, "app.slack.com", authority).is_through()


def test_a_blocked_service_offers_no_way_on_and_takes_no_token(worker, proxy, origins, authority):
    zoom = Worker(proxy, worker.me, origins.zoom, "zoom.us", authority)
    assert GO_ON not in zoom.open().text
    assert zoom.go_on(worker.open().token).status == 451
    assert zoom.is_warned()
    assert origins.zoom.hits == 0


def test_a_reason_must_be_given_and_be_one_of_ours(worker):
    for reason in ("", "because", "meeting_now\r\nX: y"):
        answer = worker.go_on(worker.open().token, reason)
        assert answer.status != 303, reason
    assert worker.is_warned()


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/\\evil.example", "///evil.example", "//evil.example\\@slack.com"]
)
def test_no_path_leads_to_another_origin(worker, path):
    lines = get("slack.com", path, "Sec-Fetch-Mode: navigate")
    prompt = _over_our_tls(worker, lines)
    assert worker.go_on(prompt.token).fields["location"] == "/"


def test_a_lingering_connection_redirects_to_the_same_origin_only(worker):
    """The connection that showed the prompt is asked again after the worker went on elsewhere."""
    lingering = [_our_tls(worker) for _ in range(2)]
    worker.acknowledge()
    for client, path in zip(lingering, ("/next?a=b", "//evil.example/x"), strict=True):
        answer = ask(client, get("slack.com", path, "Sec-Fetch-Mode: navigate"))
        assert answer.status in {307, 421}
        assert not answer.fields.get("location", "/").startswith(("//", "/\\")), path


def test_a_header_cannot_be_smuggled_through_the_way_back(worker):
    prompt = _over_our_tls(
        worker, get("slack.com", "/a%0d%0aSet-Cookie:x=1", "Sec-Fetch-Mode: navigate")
    )
    answer = worker.go_on(prompt.token)
    assert "set-cookie" not in answer.fields


def test_a_form_is_not_returned_to(worker):
    prompt = worker.open("/login", "-d", "password=x", *NAVIGATION)
    assert worker.go_on(prompt.token).fields["location"] == "/"


def test_an_acknowledged_service_works_for_everything_that_is_no_navigation(worker):
    assert worker.open("/api", "-H", "Accept: application/json").status == 451
    worker.acknowledge()
    trust = worker.authority.certificate
    assert worker.open("/api", "-H", "Accept: application/json", trust=trust).status == 200
    assert worker.open("/api", "-X", "PUT", "-d", "{}", trust=trust).status == 200


def test_plain_http_can_be_acknowledged_too(proxy, origins, me):
    base = f"http://slack.com:{origins.slack.port}"
    token = curl(proxy, f"{base}/x", me=me).token
    form = ["--data-urlencode", f"token={token}", "-d", "reason=look_up", *NAVIGATION]
    assert curl(proxy, base + GO_ON, *form, me=me).status == 303
    assert curl(proxy, f"{base}/x", me=me).text.endswith("<h1>Slack /x</h1>")


def test_an_acknowledgement_and_an_open_prompt_survive_a_kill(start_proxy, origins, authority, me):
    proxy = start_proxy()
    worker = Worker(proxy, me, origins.slack, "slack.com", authority)
    other = Worker(proxy, me.replace("127.1.", "127.2."), origins.slack, "slack.com", authority)
    worker.acknowledge()
    token = other.open().token
    proxy.kill()
    proxy.start()
    assert worker.is_through()
    assert other.is_warned()
    assert other.go_on(token).status == 303


def test_the_secret_and_the_acknowledgements_are_for_the_node_alone(proxy, worker):
    worker.acknowledge()
    for name in ("secret", "acknowledgements.json", "pseudonym-keys.json"):
        assert (proxy.data / "node" / name).stat().st_mode & 0o077 == 0, name


def test_a_worker_is_known_by_pseudonym_only(worker):
    worker.acknowledge()
    kept = (worker.proxy.data / "node" / "acknowledgements.json").read_text()
    assert re.search(r"\d{4}-\d{2}\.[a-z2-7]{16} slack", kept)
    assert worker.me not in kept


def _our_tls(worker):
    host = "slack.com"
    client, _ = connect(worker.proxy, worker.base.removeprefix("https://"), me=worker.me)
    return trusting(worker.proxy.authority).wrap_socket(client, server_hostname=host)


def _over_our_tls(worker, request):
    return ask(_our_tls(worker), request)
