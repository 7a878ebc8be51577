"""A request that waits at the node is known again when it is made once more."""

from __future__ import annotations

import pytest

from sovproxy.events.event import new_id
from sovproxy.fleet.outbox import Message
from sovproxy.settings import Settings
from sovproxy.usecases.nodes.node import Node
from sovproxy.usecases.nodes.own_requests import Wish
from sovproxy.usecases.nodes.placing import AskedTooOften
from tests.baseline import furnished

ME, FORMER = "2026-11.aaaabbbbccccdddd", "2026-10.eeeeffffgggghhhh"
LATER, OVER = "2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


@pytest.fixture
def open_node(tmp_path):
    """A node whose API is away; opened again, it is the same one."""
    opened = []

    def start() -> Node:
        if opened:
            opened[-1].recorder.close()
        settings = Settings(data_dir=furnished(tmp_path), policy="eu", node="paris")
        opened.append(Node(settings))
        return opened[-1]

    yield start
    opened[-1].recorder.close()


def place(node, clients=(), client=ME, until=LATER, **wish):
    body = {"client": client, "reason": "They invite", "until": until} | wish
    return node.member.placing.place(str(new_id()), body, clients)


def test_the_same_wish_is_kept_once_and_keeps_its_id(open_node):
    node = open_node()
    first = place(node, service="zoom")
    again = place(node, service="zoom", until="2091-01-01T00:00:00Z")
    assert (first.before, again.before) == (False, True)
    assert again.request == first.request
    assert again.answer is first.answer
    assert len(node.member.outbox) == 1


def test_other_wishes_and_other_clients_are_requests_of_their_own(open_node):
    node = open_node()
    place(node, service="zoom")
    others = [place(node, host="zoom"), place(node, client=FORMER, service="zoom")]
    assert [one.before for one in others] == [False, False]
    assert len(node.member.outbox) == 3


def test_a_new_pseudonym_of_the_same_client_makes_no_new_request(open_node):
    node = open_node()
    first = place(node, client=FORMER, service="zoom")
    assert place(node, (FORMER, ME), service="zoom").request == first.request


def test_what_waits_is_known_after_a_restart(open_node):
    first = place(open_node(), service="zoom")
    node = open_node()
    assert node.member.placing.waiting((ME,), Wish("zoom")).id == first.request.id
    assert place(node, service="zoom").before


@pytest.mark.parametrize("taken", [True, False], ids=["the API has it", "its time is over"])
def test_what_waits_no_longer_here_stands_in_nobodys_way(open_node, taken):
    node = open_node()
    first = place(node, service="zoom", until=LATER if taken else OVER)
    if taken:
        node.member.outbox.done(Message("exception", str(first.request.id), {}))
    assert node.member.placing.waiting((ME,), Wish("zoom")) is None
    assert not place(node, service="zoom").before


def test_past_the_limit_what_waits_is_still_given_and_the_rest_is_told_how_long(open_node):
    node = open_node()
    first = place(node, service="zoom")
    for number in range(9):
        place(node, host=f"h{number}.example")
    with pytest.raises(AskedTooOften) as refused:
        place(node, service="webex")
    assert 0 < refused.value.seconds <= 86_400
    assert place(node, service="zoom").request == first.request
