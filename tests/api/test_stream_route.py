"""Live tail: what arrives is sent, nothing twice, nothing lost, and it ends when it should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from sovproxy.api.routes import stream as route
from sovproxy.usecases.access.tokens import Principal, Role, create_token, list_tokens, revoke_token
from sovproxy.usecases.analysis.suppressing import SuppressionInput, lift, suppress

URL = "/api/v1/events/stream"


@contextmanager
def tail(server, headers=None, **params):
    """An open stream, as an iterator of its lines."""
    headers = server.as_role(Role.ANALYST) | (headers or {})
    with server.client.stream("GET", URL, params=params, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = answer.iter_lines()
        assert next(found).startswith("retry:")
        yield found


def messages(found, number):
    """The next messages but those about the stream itself: their ids and events."""
    result, seq, name = [], None, ""
    for line in found:
        if line.startswith("id: "):
            seq = int(line[4:])
        elif line.startswith("event: "):
            name = line[7:]
        elif line == "":
            name = ""
        elif line.startswith("data: ") and name != "state":
            result.append((seq, json.loads(line[6:])))
            if len(result) == number:
                return result
    return result


def test_events_are_sent_as_they_arrive_in_order_of_arrival(server, make_event):
    server.deliver([make_event()])
    with tail(server) as found:
        late = make_event(minutes=60 * 24)
        server.deliver([late])
        new = make_event()
        server.deliver([new])
        got = messages(found, 2)
    assert [event["id"] for _, event in got] == [str(late.id), str(new.id)]
    assert got[0][0] < got[1][0]


def test_only_what_fits_the_filter_is_sent(server, make_event):
    with tail(server, service="teams") as found:
        wanted = make_event(service="teams")
        server.deliver([make_event(), wanted])
        [(_, event)] = messages(found, 1)
    assert event["id"] == str(wanted.id)


def test_a_stream_resumes_after_the_last_event_id(server, make_event):
    events = [make_event(minutes=-number) for number in range(3)]
    server.deliver(events)
    with tail(server, {"last-event-id": "1"}) as found:
        got = messages(found, 2)
    assert [(seq, event["id"]) for seq, event in got] == [
        (2, str(events[1].id)),
        (3, str(events[2].id)),
    ]


def test_a_gap_that_is_too_long_is_told(server, make_event, monkeypatch):
    monkeypatch.setattr(route, "MAX_MISSED", 2)
    server.deliver([make_event() for _ in range(5)])
    with tail(server, {"last-event-id": "1"}) as found:
        (_, gap), *rest = messages(found, 3)
    assert gap == {"missed": 2}
    assert [seq for seq, _ in rest] == [4, 5]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "99999999999999999999", "9223372036854775808"])
def test_a_last_event_id_that_is_none_is_refused(server, assert_problem, last):
    headers = server.as_role(Role.ANALYST) | {"last-event-id": last}
    assert_problem(server.client.get(URL, headers=headers), 422, "invalid-request")


def test_a_bad_filter_is_refused_before_anything_is_sent(server, assert_problem):
    assert_problem(server.get(URL, action="explode"), 422, "invalid-request")


def test_a_heartbeat_shows_that_the_stream_lives(server, monkeypatch):
    monkeypatch.setattr(route, "HEARTBEAT_SECONDS", 0.1)
    with tail(server) as found:
        assert any(line == ": alive" for line in found)


def test_a_stream_ends_with_its_token(server, monkeypatch):
    monkeypatch.setattr(route, "HEARTBEAT_SECONDS", 0.1)
    with tail(server) as found:
        [token] = list_tokens(server.services.store)
        revoke_token(server.services.store, token.id)
        assert not messages(found, 1)


def test_hostile_texts_do_not_break_out_of_a_message(server, make_event):
    with tail(server) as found:
        event = make_event(host="x\n\nid: 99\ndata: {}\n\n", reason="\r\ndata: evil")
        server.deliver([event])
        [(seq, got)] = messages(found, 1)
    assert seq == 1
    assert got["host"] == event.host


def test_the_audit_holds_the_opening_and_the_end_with_its_rows(server, make_event):
    with tail(server, service="zoom") as found:
        server.deliver([make_event()])
        messages(found, 1)
    deadline = time.monotonic() + 10
    items = []
    while len(items) < 2 and time.monotonic() < deadline:
        items = server.get("/api/v1/audit", Role.AUDITOR).json()["items"]
        time.sleep(0.05)
    assert [(item["what"], item["rows"]) for item in items] == [("stream_end", 1), ("stream", 0)]
    assert items[0]["details"] == {"service": ["zoom"]}


SERVER = """
import socket, sys, uvicorn
from sovproxy.api.app import create_app
from sovproxy.api.services import Services
from sovproxy.store.database import open_store
from sovproxy.usecases.access.tokens import Role, create_token
store = open_store(sys.argv[1])
services = Services(store, None, "", None, tuple, lambda: 183, list, str)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], create_token(store, Role.ANALYST, "a"), flush=True)
uvicorn.Server(uvicorn.Config(create_app(services), log_level="error")).run([listener])
"""


def test_open_streams_end_when_the_server_is_told_to_stop(tmp_path):
    """Without this, a server with one open console could not be stopped."""
    command = [sys.executable, "-c", SERVER, f"sqlite:///{tmp_path}/s.sqlite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port, token = process.stdout.readline().split()
        headers = {"authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}{URL}"
        with httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False) as answer:
            found = answer.iter_lines()
            next(found)
            os.kill(process.pid, signal.SIGTERM)
            assert list(found)[-1:] in ([], [""])
        process.wait(timeout=20)
    assert process.returncode in {0, -signal.SIGTERM}


def long_token(server, now):
    return create_token(server.services.store, Role.ANALYST, "Ada", now=now)


def test_the_stream_tells_how_far_behind_it_is(serve, make_event):
    event = make_event(minutes=2)
    server = serve(clock=lambda: event.time + timedelta(seconds=120))
    headers = {"authorization": f"Bearer {long_token(server, event.time)}"}
    with server.client.stream("GET", URL, headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        server.deliver([event])
        while next(lines) != "event: state":
            pass
        assert json.loads(next(lines)[6:]) == {"seconds": 120.0, "waiting": 0}


def test_what_is_suppressed_now_is_left_out_if_that_is_asked_for(server, make_event):
    hidden, shown = make_event(service="zoom"), make_event(service="teams")
    wanted = SuppressionInput(kind="service", value="zoom", reason="known")
    store, now = server.services.store, server.services.clock()
    made = suppress(store, Principal("a", "Ada", Role.ANALYST), wanted, now)
    with tail(server, suppressed="hide") as found, tail(server) as everything:
        server.deliver([hidden, shown])
        assert [event["id"] for _, event in messages(found, 1)] == [str(shown.id)]
        assert len(messages(everything, 2)) == 2
        lift(store, Principal("a", "Ada", Role.ANALYST), made.id, now)
        again = make_event(service="zoom")
        server.deliver([again])
        assert [event["id"] for _, event in messages(found, 1)] == [str(again.id)]


def test_a_stream_that_hides_resumes_after_the_last_event_id(server, make_event):
    events = [make_event(service=name) for name in ("teams", "zoom", "teams")]
    server.deliver(events)
    wanted = SuppressionInput(kind="service", value="zoom", reason="known")
    principal = Principal("a", "Ada", Role.ANALYST)
    suppress(server.services.store, principal, wanted, server.services.clock())
    with tail(server, {"last-event-id": "1"}, suppressed="hide") as found:
        assert [seq for seq, _ in messages(found, 1)] == [3]
