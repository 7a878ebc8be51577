"""Data and health: the store, retention, forwarding, and what an admin does there."""

from __future__ import annotations

import re
import socket

import pytest
from sqlalchemy import event as sqlalchemy_event

from sovproxy.receivers import SyslogReceiver
from sovproxy.store.database import StoreUnavailable
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.upkeep.forwarding import Forwarding


@pytest.fixture
def forwarded(empty_site):
    """A site with a receiver that is there, and one that is not."""
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        gone = probe.getsockname()[1]
    receivers = [
        SyslogReceiver(kind="syslog", name=name, host="127.0.0.1", port=port, tls=False)
        for name, port in (("siem", listener.getsockname()[1]), ("gone", gone))
    ]
    forwarding = Forwarding.of(empty_site.services.store, receivers, "n")
    object.__setattr__(empty_site.services, "forwarding", forwarding)
    forwarding.start()
    yield empty_site
    forwarding.stop()
    listener.close()


def act(client, path):
    page = client.get("/console/data").text
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)[1]
    return client.post(f"/console/data{path}", data={"csrf": csrf}, follow_redirects=True)


def test_the_page_tells_of_store_retention_and_receivers(forwarded):
    text = forwarded.client(Role.AUDITOR).get("/console/data").text
    for expected in (
        "Size on disk",
        "183 days",
        "1095 days",
        "Until they are over",
        "siem",
        "tcp://127.0.0.1",
    ):
        assert expected in text
    assert "Run retention now" not in text


def test_an_admin_tries_a_receiver(forwarded):
    client = forwarded.client(Role.ADMIN)
    assert "The test message has arrived at siem." in act(client, "/forwarding/siem/test").text
    failed = act(client, "/forwarding/gone/test").text
    assert "The test message did not arrive." in failed
    assert "Connection refused" in failed
    assert act(client, "/forwarding/nobody/test").status_code == 404


def test_an_admin_runs_retention(forwarded):
    text = act(forwarded.client(Role.ADMIN), "/retention").text
    assert "Retention has run; rows deleted: 0." in text
    assert "(Ada admin)" in text


def test_others_may_look_and_not_touch(forwarded):
    client = forwarded.client(Role.ANALYST)
    assert act(client, "/retention").status_code == 403
    assert act(client, "/forwarding/siem/test").status_code == 403


def test_a_lost_store_is_a_page_that_says_so_and_it_heals(empty_site):
    client = empty_site.client(Role.ADMIN)
    engine = empty_site.services.store._engine

    def lose(*_args):
        raise StoreUnavailable("the store cannot be used now: disk I/O error")

    sqlalchemy_event.listen(engine, "before_cursor_execute", lose)
    answer = client.get("/console/data")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The store cannot be used now" in answer.text
    assert "disk I/O" not in answer.text
    sqlalchemy_event.remove(engine, "before_cursor_execute", lose)
    assert client.get("/console/data").status_code == 200
