"""A node obeys a revocation whatever fails; one client cannot fill what waits for the API."""

from __future__ import annotations

import base64
import os
import time

import pytest

from sovproxy.events.event import new_id
from sovproxy.events.pseudonym import UnusableKeys
from sovproxy.fleet.kept import Known
from sovproxy.fleet.messages import Common, InForce
from sovproxy.fleet.outbox import OutboxFull
from sovproxy.settings import Settings
from sovproxy.usecases.nodes.node import Node
from tests.baseline import furnished

ME, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"
HEAD = "9f86d081884c7d65"


@pytest.fixture
def node(tmp_path):
    opened = Node(Settings(data_dir=furnished(tmp_path), policy="eu", node="paris"))
    yield opened
    opened.recorder.close()


def test_a_revoked_exception_ends_even_if_no_key_can_be_written(node, monkeypatch):
    now = time.time()
    granted = InForce(
        id="1", number=1, start=0, until=now + 3600, host="zoom.us", scope="client", client=ME
    )
    node.member._obey(Known(f"{HEAD}.1", Common(exceptions=[granted])))
    assert len(node.judge.exceptions) == 1

    def full_disk(_keys):
        raise UnusableKeys("the pseudonym keys cannot be written: No space left on device")

    monkeypatch.setattr(node.member._pseudonyms, "adopt", full_disk)
    key = base64.b64encode(os.urandom(32)).decode()
    with pytest.raises(UnusableKeys):
        node.member._obey(Known(f"{HEAD}.2", Common(pseudonym_keys={"2026-12": key})))
    assert len(node.judge.exceptions) == 0


def ask(node, client, request_id=None):
    request_id = request_id or str(new_id())
    wish = {"host": f"{request_id}.example", "until": "2090-01-01T00:00:00Z"}
    return node.member.placing.place(request_id, {"client": client, "reason": "They invite"} | wish)


def test_one_client_cannot_fill_what_waits_for_the_api(node):
    for _ in range(10):
        ask(node, ME)
    with pytest.raises(OutboxFull, match="this client"):
        ask(node, ME)
    assert len(node.member.outbox) == 10
    assert node.counters.requests == 10
    ask(node, OTHER)
    node.member.tell_acknowledged(ME, "slack", time.time() + 60)
    assert len(node.member.outbox) == 12


def test_the_same_request_again_is_no_further_one(node):
    same = str(new_id())
    for _ in range(30):
        ask(node, ME, same)
    assert len(node.member.outbox) == 1
