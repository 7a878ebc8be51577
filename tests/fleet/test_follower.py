"""An API that answers oddly, late or not at all: nothing is lost, nothing bad is adopted."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sovproxy.atlas.entries import Entries, digest_of
from sovproxy.fleet import follower as followers
from sovproxy.fleet.counters import Counters
from sovproxy.fleet.follower import ACKNOWLEDGEMENT, EXCEPTION, REFUSED, Follower, NodeSide
from sovproxy.fleet.kept import load_known
from sovproxy.fleet.link import Link
from sovproxy.fleet.messages import Common, Heartbeat, PolicyReport, SpoolReport, State
from sovproxy.fleet.outbox import Message, Outbox

ME = "2026-11.aaaabbbbccccdddd"
HEAD = "9f86d081884c7d65"
STATE = "/api/v1/fleet/state"
CATALOGUE = "/api/v1/fleet/catalogue"
ASK = "/api/v1/exceptions"
BEAT = "/api/v1/fleet/heartbeat"
TOGETHER = "/api/v1/fleet/acknowledgements"


class FakeApi:
    """Answers as it is told: `answers` maps paths to a status and a JSON value (or bytes)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {STATE: (304, b"")}
        self.got: list[tuple[str, dict]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                time.sleep(0.02)
                answer = api.answers.get(path, (404, {}))
                self.answer(*(answer(query) if callable(answer) else answer))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                api.got.append((self.path, json.loads(body)))
                self.answer(*api.answers.get(self.path, (204, b"")))

            def answer(self, status: int, value: object) -> None:
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def posted(self, path: str) -> list[dict]:
        return [body for at, body in self.got if at == path]


@pytest.fixture
def api():
    started = FakeApi()
    yield started
    started.server.shutdown()


class Fellow:
    """A node's side that remembers what it was told."""

    def __init__(self, folder, url) -> None:
        self.folder, self.obeyed, self.adopted, self.entries = folder, [], [], Entries()
        self.outbox = Outbox(folder / "outbox")
        side = NodeSide(
            link=lambda: Link(url, lambda: "sov_token"),
            outbox=self.outbox,
            state_file=folder / "state.json",
            lacks=lambda known: known.common.catalogue not in {None, "", self.entries.digest},
            obey=self.obeyed.append,
            carry=self.carry,
            adopt=self.adopted.append,
            report=self.report,
            tidy=lambda: None,
        )
        self.follower = Follower(side, load_known(folder / "state.json"))

    def carry(self, entries: Entries) -> None:
        self.entries = entries

    def report(self) -> Heartbeat:
        return Heartbeat(
            node="paris",
            version="0",
            mode="regular",
            started=datetime.now(UTC),
            policy=PolicyReport(id="lab", version="1"),
            inspection="prompt",
            spool=SpoolReport(records=0, bytes=0),
            counters=Counters(passed=7),
        )


@pytest.fixture
def join(api, tmp_path, monkeypatch):
    monkeypatch.setattr(followers, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(followers, "LONGEST_PAUSE", 0.05)
    started: list[Fellow] = []

    def start(url=api.url) -> Fellow:
        fellow = Fellow(tmp_path / "node", url)
        started.append(fellow)
        fellow.follower.start()
        return fellow

    yield start
    for fellow in started:
        fellow.follower.stop()


def eventually(condition) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(number=1, since=0, common: Common | None = None) -> dict:
    made = State(version=f"{HEAD}.{number}", common=common, since=since, acknowledgements=[])
    return made.model_dump(mode="json")


def message(number: int, kind=EXCEPTION) -> Message:
    return Message(kind, f"0000-{number:04}", {"n": number})


def test_what_is_told_is_adopted_and_kept(api, join):
    api.answers[STATE] = (200, state(common=Common()))
    fellow = join()
    eventually(lambda: fellow.adopted)
    eventually(lambda: load_known(fellow.folder / "state.json").version == f"{HEAD}.1")


@pytest.mark.parametrize(
    "bad",
    [
        (200, b""),
        (200, b"<html>"),
        (200, {}),
        (200, []),
        (200, state(common=Common()) | {"unheard_of": 1}),
        (200, state(number=9, since=8)),
        (401, {"detail": "the token is unknown"}),
        (500, b"oops"),
        (302, b""),
    ],
    ids=str,
)
def test_an_odd_answer_changes_nothing_and_is_asked_again(api, join, bad):
    api.answers[STATE] = bad
    fellow = join()
    eventually(lambda: fellow.follower.failures >= 2)
    assert fellow.adopted == []
    assert not (fellow.folder / "state.json").exists()
    api.answers[STATE] = (200, state(common=Common()))
    eventually(lambda: fellow.adopted)


def test_entries_of_the_catalogue_come_with_the_state_that_names_them(api, join):
    told = {"services/meet.yaml": "id: meet\n"}
    digest = digest_of(told)
    api.answers[STATE] = (200, state(common=Common(catalogue=digest)))
    api.answers[CATALOGUE] = (200, {"digest": digest, "files": told})
    fellow = join()
    eventually(lambda: fellow.adopted)
    assert fellow.entries == Entries(digest, told)


def test_entries_that_are_lost_here_are_asked_for_again(api, join):
    told = {"services/meet.yaml": "id: meet\n"}
    digest = digest_of(told)
    api.answers[STATE] = (200, state(common=Common(catalogue=digest)))
    api.answers[CATALOGUE] = (200, {"digest": digest, "files": told})
    fellow = join()
    eventually(lambda: fellow.adopted)
    known = []
    api.answers[STATE] = lambda query: known.append(query) or (304, b"")
    eventually(lambda: any("known=" + HEAD in query for query in known))
    fellow.entries = Entries()
    eventually(lambda: any("known=&" in query for query in known))
    api.answers[STATE] = (200, state(common=Common(catalogue=digest)))
    eventually(lambda: fellow.entries.digest == digest)


@pytest.mark.parametrize(
    "bad",
    [
        (503, {"detail": "the store cannot be used now"}),
        (200, b""),
        (200, {"digest": "", "files": {}}),
        (200, {"digest": "0" * 64, "files": {"services/meet.yaml": "id: meet\n"}}),
        (200, {"digest": "0" * 64, "files": {"../../etc/x.yaml": ""}}),
        (200, {"digest": "0" * 64, "files": {"services/../x.yaml": ""}}),
        (200, {"digest": "0" * 64, "files": {"/services/x.yaml": ""}}),
    ],
    ids=str,
)
def test_a_state_is_not_adopted_without_the_entries_that_it_names(api, join, bad):
    told = {"services/meet.yaml": "id: meet\n"}
    digest = digest_of(told)
    api.answers[STATE] = (200, state(common=Common(catalogue=digest)))
    api.answers[CATALOGUE] = bad
    fellow = join()
    eventually(lambda: fellow.follower.failures >= 2)
    assert fellow.adopted == []
    assert fellow.obeyed  # what is revoked is so at once
    api.answers[CATALOGUE] = (200, {"digest": digest, "files": told})
    eventually(lambda: fellow.adopted)


def test_a_node_reports_at_once(api, join):
    join()
    eventually(lambda: api.posted(BEAT))
    assert api.posted(BEAT)[0]["counters"]["passed"] == 7


def test_a_message_gets_the_apis_answer(api, join):
    api.answers[ASK] = (201, {"number": 12})
    fellow = join()
    assert fellow.follower.send(message(1)).result(15) == {"number": 12}
    eventually(lambda: len(fellow.outbox) == 0)


def test_acknowledgements_go_together(api, join):
    fellow = Fellow(join().folder.parent / "other", api.url)
    for number in range(5):
        fellow.outbox.put(message(number, ACKNOWLEDGEMENT))
    fellow.follower.start()
    eventually(lambda: len(fellow.outbox) == 0)
    fellow.follower.stop()
    assert len(api.posted(TOGETHER)) == 1
    assert len(api.posted(TOGETHER)[0]["acknowledgements"]) == 5


def test_what_the_api_cannot_take_now_waits_and_is_not_lost(api, join):
    api.answers[ASK] = (503, {"detail": "the store cannot be used now"})
    fellow = join()
    answer = fellow.follower.send(message(1))
    eventually(lambda: len(api.posted(ASK)) >= 3)
    assert len(fellow.outbox) == 1
    api.answers[ASK] = (200, {"number": 3})
    assert answer.result(15) == {"number": 3}


def test_what_the_api_will_never_take_holds_up_nothing(api, join):
    api.answers[ASK] = (422, {"detail": "until: it is over"})
    fellow = join()
    assert fellow.follower.send(message(1)).result(15).keys() == {REFUSED}
    eventually(lambda: len(fellow.outbox) == 0)


def test_one_that_must_wait_does_not_hold_up_others(api, join):
    api.answers[ASK] = (429, {"detail": "too many"})
    fellow = join()
    fellow.follower.send(message(1))
    fellow.follower.send(message(2, ACKNOWLEDGEMENT))
    eventually(lambda: api.posted(TOGETHER))
    eventually(lambda: len(fellow.outbox) == 1)
    assert fellow.outbox.oldest(9) == [message(1)]


def test_a_message_of_a_later_version_is_dropped(api, join):
    fellow = join()
    fellow.outbox.put(message(1, "unheard-of"))
    fellow.follower.send(message(2, ACKNOWLEDGEMENT))
    eventually(lambda: len(fellow.outbox) == 0)


def test_an_api_that_is_older_is_waited_for(api, join):
    problem = {"type": "urn:sovproxy:problem:not-found"}
    api.answers[ASK] = (404, problem)
    fellow = join()
    fellow.follower.send(message(1))
    eventually(lambda: len(api.posted(ASK)) >= 2)
    assert len(fellow.outbox) == 1


def test_without_an_api_the_node_starts_and_stops(join):
    fellow = join("http://127.0.0.1:9")
    eventually(lambda: fellow.follower.failures >= 2)
    began = time.monotonic()
    fellow.follower.stop()
    assert time.monotonic() - began < 10


def test_what_waited_when_the_node_ended_is_posted_by_the_next(api, join):
    api.answers[ASK] = (503, b"")
    first = join()
    first.follower.send(message(1))
    first.follower.stop()
    api.answers[ASK] = (201, {"number": 1})
    join()
    eventually(lambda: api.posted(ASK)[-1:] == [{"n": 1}])
    eventually(lambda: len(Outbox(first.folder / "outbox")) == 0)
