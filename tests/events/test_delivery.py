from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from sovproxy.decide.words import Action, Standing
from sovproxy.events.delivery import Delivery, NotTaken
from sovproxy.events.reader import SpoolReader
from sovproxy.events.recorder import open_recorder
from sovproxy.events.rollup import RollupKey
from sovproxy.events.segments import Limits, Stream
from sovproxy.events.spool import Spool
from sovproxy.store.counting import count_by
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.filters import Facet, Filter
from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.analysis.searching import FilterInput, search_all

API = """
import sys
from pathlib import Path
import uvicorn
from sovproxy.api.app import create_app
from sovproxy.api.services import Services
from sovproxy.store.database import open_store
store = open_store(sys.argv[1])
services = Services(store, None, "", Path("none"), tuple, lambda: 10**5, tuple, str)
uvicorn.run(create_app(services), host="127.0.0.1", port=int(sys.argv[2]), log_level="critical")
"""

KEY = RollupKey("g", "visio", ("FR",), Standing.SOVEREIGN, "FR", 16276, Action.ALLOW, "default")


class Api:
    """The real API in a process of its own, which tests kill and start again."""

    def __init__(self, folder) -> None:
        self.store_url = sqlite_url(folder / "api.sqlite")
        store = open_store(self.store_url)
        self.token = create_token(store, Role.NODE, "n")
        store.close()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", API, self.store_url, str(self.port)]
        self.process = subprocess.Popen(command)
        while True:
            try:
                httpx.get(f"{self.url}/api/v1/health", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def api(tmp_path):
    running = Api(tmp_path)
    yield running
    running.kill()


def stored_ids(api):
    store = open_store(api.store_url)
    try:
        return [event.id for event in search_all(store, FilterInput())]
    finally:
        store.close()


def wait_until(condition) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "nothing happened for a minute"
        time.sleep(0.02)


def test_the_api_dies_and_comes_back_and_nothing_is_lost_or_doubled(tmp_path, api, make_event):
    """Events are recorded all the time; the API is killed three times while it takes them in."""
    recorder = open_recorder(tmp_path / "spool", "n")
    reader = SpoolReader(tmp_path / "spool")
    delivery = Delivery(reader, api.url, lambda: api.token, Limits(records=20), poll_seconds=0.01)
    recorded, stop = [], threading.Event()

    def record() -> None:
        while not stop.is_set():
            event = make_event()
            recorder.record_now(event)
            recorder.count(KEY)
            recorded.append(event.id)
            time.sleep(0.001)

    delivery.start()
    writer = threading.Thread(target=record)
    writer.start()
    for _ in range(3):
        api.start()
        before = delivery.counters.delivered
        wait_until(lambda before=before: delivery.counters.delivered > before + 100)
        api.kill()
    stop.set()
    writer.join()
    recorder.close()
    api.start()
    wait_until(lambda: len(reader.next_batch()) == 0)
    delivery.stop()
    assert sorted(stored_ids(api)) == sorted(recorded)
    store = open_store(api.store_url)
    [count] = count_by(store, Facet.SERVICE, Filter(service=["visio"]))
    store.close()
    assert count.rollups == len(recorded)


def test_an_answer_that_was_lost_is_made_good_without_doubles(tmp_path, api, make_event):
    """The node dies after the API stored a batch and before it noted that."""
    spool = Spool(tmp_path / "spool")
    events = [make_event() for _ in range(5)]
    for event in events:
        spool.append(Stream.EVENTS, event.to_json())
    spool.close()
    api.start()
    first = Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: api.token)
    first.deliver_once()
    (tmp_path / "spool" / "positions.json").unlink()
    second = Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: api.token)
    assert second.deliver_once()
    assert (second.counters.delivered, second.counters.duplicates) == (0, 5)
    assert sorted(stored_ids(api)) == sorted(event.id for event in events)
    assert not second.deliver_once()


def test_a_refused_record_is_set_aside_and_holds_nothing_up(tmp_path, api, make_event):
    spool = Spool(tmp_path / "spool")
    event = make_event()
    spool.append(Stream.EVENTS, b'{"not": "an event"}')
    spool.append(Stream.EVENTS, event.to_json())
    spool.close()
    api.start()
    delivery = Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: api.token)
    assert delivery.deliver_once()
    assert stored_ids(api) == [event.id]
    assert (delivery.counters.delivered, delivery.counters.refused) == (1, 1)
    kept = json.loads((tmp_path / "spool" / "refused.jsonl").read_text())
    assert kept["record"] == {"not": "an event"}
    assert kept["refused"]["list"] == "events"


def test_a_renewed_token_lets_delivery_go_on(tmp_path, api, make_event):
    spool = Spool(tmp_path / "spool")
    spool.append(Stream.EVENTS, make_event().to_json())
    spool.close()
    api.start()
    tokens = iter(["", "sov_wrong", api.token])
    delivery = Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: next(tokens))
    for _ in range(2):
        with pytest.raises(NotTaken, match=r"can|401"):
            delivery.deliver_once()
    assert delivery.deliver_once()
    assert len(stored_ids(api)) == 1


def test_a_proxy_of_the_environment_is_not_used(tmp_path, api, make_event, monkeypatch):
    """HTTP_PROXY may name the very node that delivers."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    spool = Spool(tmp_path / "spool")
    spool.append(Stream.EVENTS, make_event().to_json())
    spool.close()
    api.start()
    assert Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: api.token).deliver_once()
    assert os.environ["HTTP_PROXY"]


class Scripted(ThreadingHTTPServer):
    """A server that gives prepared answers and notes how many records came each time."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers, self.sizes = list(answers), []
        super().__init__(("127.0.0.1", 0), _ScriptedHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _ScriptedHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.sizes.append(len(body["events"]))
        status, text = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args) -> None:
        pass


ACCEPTED = (200, '{"accepted": 0, "duplicates": 0, "refused": []}')


@pytest.mark.parametrize(
    "answer",
    [
        (500, ""),
        (503, "[]"),
        (404, "<html>"),
        (302, ""),
        (200, "welcome to the hotel wifi"),
        (200, "{}"),
        (422, '{"detail": "evil \\u001b[2J"}'),
    ],
)
def test_whatever_else_answers_nothing_is_marked_as_delivered(tmp_path, answer):
    spool = Spool(tmp_path)
    spool.append(Stream.EVENTS, b"{}")
    spool.close()
    server = Scripted(answer, ACCEPTED)
    delivery = Delivery(SpoolReader(tmp_path), server.url, lambda: "t")
    with pytest.raises(NotTaken, match=str(answer[0])) as caught:
        delivery.deliver_once()
    assert "\x1b" not in str(caught.value)
    assert delivery.deliver_once()
    assert server.sizes == [1, 1]
    server.shutdown()
    server.server_close()


def test_a_batch_that_is_too_large_is_halved_and_later_batches_are_whole_again(tmp_path):
    spool = Spool(tmp_path)
    for number in range(20):
        spool.append(Stream.EVENTS, b"%d" % number)
    spool.close()
    server = Scripted((413, ""), (413, ""), ACCEPTED, ACCEPTED, ACCEPTED)
    delivery = Delivery(SpoolReader(tmp_path), server.url, lambda: "t", Limits(records=8))
    for _ in range(2):
        with pytest.raises(NotTaken):
            delivery.deliver_once()
    for _ in range(3):
        delivery.deliver_once()
    assert server.sizes == [8, 4, 2, 8, 8]
    server.shutdown()
    server.server_close()


def test_delivery_stops_promptly_while_it_waits_for_a_dead_api(tmp_path):
    spool = Spool(tmp_path)
    spool.append(Stream.EVENTS, b"{}")
    spool.close()
    delivery = Delivery(SpoolReader(tmp_path), "http://127.0.0.1:9", lambda: "t")
    delivery.start()
    wait_until(lambda: delivery.counters.failures > 1)
    delivery.stop()
    assert not delivery._thread.is_alive()


def test_delivery_survives_a_token_that_cannot_be_read(tmp_path, api):
    spool = Spool(tmp_path / "spool")
    spool.append(Stream.EVENTS, b"{}")
    spool.close()

    def broken() -> str:
        raise PermissionError("no")

    delivery = Delivery(SpoolReader(tmp_path / "spool"), api.url, broken)
    delivery.start()
    wait_until(lambda: delivery.counters.failures > 1)
    assert delivery._thread.is_alive()
    delivery.stop()
