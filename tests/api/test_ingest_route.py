from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sovproxy.decide.words import Action
from sovproxy.events.event import MAX_COUNT, Rollup
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.fleet import save_node
from sovproxy.store.tables import NodeRow
from sovproxy.usecases.access.tokens import Principal, Role, create_token, revoke_token
from sovproxy.usecases.nodes.ingest import InvalidBatch, NameOfAnother, Sender, ingest

from .conftest import NOW


@pytest.fixture
def services_url(store_url):
    """Everything here is asked on each database."""
    return store_url


def test_a_batch_is_stored_and_can_be_found(server, make_event):
    events = [make_event(minutes=number) for number in range(3)]
    answer = server.deliver(events)
    assert answer.json() == {"accepted": 3, "duplicates": 0, "refused": []}
    items = server.get("/api/v1/events").json()["items"]
    assert items == [json.loads(event.to_json()) for event in events]


def test_delivering_twice_stores_once(server, make_event):
    events = [make_event(), make_event()]
    server.deliver(events[:1])
    assert server.deliver(events).json() == {"accepted": 1, "duplicates": 1, "refused": []}
    assert server.deliver(events).json() == {"accepted": 0, "duplicates": 2, "refused": []}
    assert len(server.get("/api/v1/events").json()["items"]) == 2


def test_a_node_cannot_write_in_the_name_of_another(server, make_event):
    """A token that bears the name, or that reported under it, is the only one to use it."""
    store = server.services.store
    owner, thief = (create_token(store, Role.NODE, name) for name in ("proxy-1", "proxy-2"))

    def deliver(token, *nodes):
        records = ",".join(make_event(node=node).to_json().decode() for node in nodes)
        headers = {"authorization": f"Bearer {token}"}
        return server.client.post(
            "/api/v1/events", content=f'{{"events":[{records}]}}', headers=headers
        )

    assert deliver(owner, "proxy-1").status_code == 200
    refused = deliver(thief, "proxy-2", "proxy-1")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith(":name-of-another-node")
    assert "proxy-1, which belongs to the token of another node" in refused.json()["detail"]
    assert deliver(thief, "proxy-2", "proxy-3").status_code == 200
    assert len(server.get("/api/v1/events").json()["items"]) == 3
    revoke_token(store, owner.split("_")[1])
    assert deliver(thief, "proxy-1").status_code == 200


def test_a_name_belongs_to_the_token_that_reported_under_it(server, make_event):
    store = server.services.store
    owner, other = (create_token(store, Role.NODE, name).split("_")[1] for name in ("a", "b"))
    row = NodeRow(token=owner, name="proxy-1", first=1, last=1, report="{}")
    assert save_node(store, row, 10)
    body = b'{"events":[%s]}' % make_event().to_json()
    with pytest.raises(NameOfAnother):
        ingest(store, body, Sender(Principal(other, "b", Role.NODE), NOW))
    assert ingest(store, body, Sender(Principal(owner, "a", Role.NODE), NOW)).accepted == 1


def test_one_batch_may_hold_an_id_twice(server, make_event):
    event = make_event()
    assert server.deliver([event, event]).json()["duplicates"] == 1


def test_a_malformed_record_is_named_and_the_others_are_stored(server, make_event):
    good = [json.loads(make_event().to_json()) for _ in range(3)]
    bad = [{**good[0], "port": 99999}, {**good[0], "path": "/private"}, "text", None]
    body = {"events": [bad[0], good[0], bad[1], good[1], bad[2], bad[3], good[2]]}
    answer = server.client.post("/api/v1/events", json=body, headers=server.as_role(Role.NODE))
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 3
    refused = answer.json()["refused"]
    assert [(item["list"], item["index"]) for item in refused] == [
        ("events", 0),
        ("events", 2),
        ("events", 4),
        ("events", 5),
    ]
    assert refused[0]["problem"].startswith("port: ")
    assert refused[1]["problem"].startswith("path: ")
    assert "/private" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{",
        '{"events": 1}',
        '{"event": []}',
        '{"events": [] , "rollups": {}}',
        "\xff",
        json.dumps({"events": [{}] * 5001}),
        "[" * 100_000,
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(server, assert_problem, body):
    headers = server.as_role(Role.NODE)
    answer = server.client.post("/api/v1/events", content=body.encode("latin-1"), headers=headers)
    assert_problem(answer, 422, "invalid-request")


def test_a_body_over_4_mib_is_refused_by_its_length(server, assert_problem):
    body = b'{"events":[' + b" " * (4 * 1024 * 1024) + b"]}"
    answer = server.client.post("/api/v1/events", content=body, headers=server.as_role(Role.NODE))
    assert_problem(answer, 413)


def test_a_body_over_4_mib_without_a_length_is_refused_too(server, assert_problem):
    chunks = (b" " * 65536 for _ in range(100))
    answer = server.client.post("/api/v1/events", content=chunks, headers=server.as_role(Role.NODE))
    assert_problem(answer, 413)


def test_other_routes_take_at_most_64_kib(server, assert_problem):
    body = {"queries": ["x" * 2000] * 50}
    answer = server.client.post("/api/v1/check", json=body, headers=server.as_role(Role.WORKER))
    assert_problem(answer, 413)


def test_what_was_accepted_survives_a_kill_of_the_process(tmp_path, make_event):
    """The store's process is killed right after it says that the batch is in."""
    url = sqlite_url(tmp_path / "s.sqlite")
    script = (
        "import sys,os,signal\n"
        "from sovproxy.store.database import open_store\n"
        "from sovproxy.usecases.nodes.ingest import ingest\n"
        "store = open_store(sys.argv[1])\n"
        "print(ingest(store, sys.stdin.buffer.read()).accepted, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    body = b'{"events":[%s]}' % b",".join(make_event().to_json() for _ in range(200))
    done = subprocess.run(
        [sys.executable, "-c", script, url], input=body, capture_output=True, check=False
    )
    assert (done.stdout, done.returncode) == (b"200\n", -9)
    store = open_store(url)
    assert ingest(store, body).duplicates == 200
    store.close()


def test_rollups_are_stored_once_too(server):
    rollup = Rollup(start=NOW, seconds=60, node="n", action=Action.ALLOW, rule="default", count=7)
    assert server.deliver([], [rollup]).json()["accepted"] == 1
    assert server.deliver([], [rollup]).json()["duplicates"] == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(events=JSON | st.lists(JSON), rollups=JSON | st.lists(JSON), raw=st.binary())
def test_any_body_is_stored_or_refused_in_our_words(services, events, rollups, raw):
    for body in (json.dumps({"events": events, "rollups": rollups}).encode(), raw):
        try:
            answer = ingest(services.store, body)
        except InvalidBatch:
            continue
        assert answer.accepted == 0
        assert len(answer.refused) == len(events) + len(rollups)


def test_a_record_from_tomorrow_is_stored_as_it_says(server, make_event):
    """A node's clock may be wrong; that is no reason to lose what it decided."""
    event = make_event(minutes=-timedelta(days=1).total_seconds() / 60)
    assert server.deliver([event]).json()["accepted"] == 1


def test_no_count_is_so_great_that_sums_of_them_could_not_be_made(server):
    """A broken node said 2^53 again and again; then every sum over its records failed."""
    fields = {"start": NOW, "seconds": 60, "node": "n", "action": Action.ALLOW, "rule": "default"}
    most = [Rollup(count=MAX_COUNT, **fields).to_json() for _ in range(1000)]
    text = most[0].replace(b":%d" % MAX_COUNT, b":%d" % 2**53)
    body = b'{"rollups":[%s]}' % b",".join([*most, text])
    headers = server.as_role(Role.NODE)
    answer = server.client.post("/api/v1/events", content=body, headers=headers).json()
    assert answer["accepted"] == 1000
    assert [item["index"] for item in answer["refused"]] == [1000]
    assert server.get("/api/v1/counts", by="rule").json()["items"][0]["total"] == 1000 * MAX_COUNT
