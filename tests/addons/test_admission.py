"""Who may come in: counted by client and altogether, within files and memory."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest
from sovproxy_addons.admission import REASONS, Admission, refusal
from sovproxy_addons.limits import Limits as LimitsAddon
from sovproxy_addons.stages import Held, Stage

from sovproxy.fleet.counters import Counters
from sovproxy.limits import NODE_LIMITS, Limits, limits_table, network
from sovproxy.usecases.upkeep.resources import MIB, memory_ceiling, resident_bytes

PLENTY = 100_000


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admission(files: int = PLENTY, full: bool = False, clock=None, **limits: int) -> Admission:
    return Admission(Limits(**limits), files, lambda: full, clock or Clock())


def test_a_client_has_its_number_and_gets_it_back():
    door = admission(client_connections=2)
    assert [door.take("a"), door.take("a"), door.take("a"), door.take("b")] == [
        "",
        "",
        "client_connections",
        "",
    ]
    door.leave("a")
    assert (door.take("a"), door.held) == ("", 3)


def test_all_have_a_number_together():
    door = admission(connections=2)
    assert [door.take(key) for key in "abc"] == ["", "", "connections"]


@pytest.mark.parametrize(("files", "most"), [(1024, 384), (300, 22), (100, 1), (PLENTY, 4096)])
def test_files_leave_room_for_so_many(files, most):
    assert admission(files=files).most == most


def test_without_memory_nobody_comes_in():
    assert admission(full=True).take("a") == "memory_mib"


def test_a_client_opens_so_many_within_ten_seconds():
    clock = Clock()
    door = admission(client_openings=3, clock=clock)
    for _ in range(3):
        assert door.take("a") == ""
        door.leave("a")
    assert (door.take("a"), door.take("b")) == ("client_openings", "")
    clock.now += 10
    assert door.take("a") == ""


def test_nothing_is_remembered_of_clients_that_left():
    door = admission()
    for number in range(1000):
        door.take(str(number))
        door.leave(str(number))
    assert not door._of_client
    assert door.held == 0


@pytest.mark.parametrize("limit", REASONS)
def test_each_refusal_is_a_whole_answer_that_names_the_limit(limit):
    head, _, body = refusal(limit).message.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {REASONS[limit][0]} ".encode())
    assert f"Content-Length: {len(body)}".encode() in head
    assert f'"limit": "{limit}"'.encode() in body
    assert (b"Retry-After" in head) == (REASONS[limit][0] in {429, 503})


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("a name", "a name"),
    ],
)
def test_what_counts_as_one_client(address, counts_as):
    assert network(address) == counts_as


def test_every_limit_of_a_node_is_a_number_of_its_heartbeat():
    counters = Counters(limits=dict.fromkeys(NODE_LIMITS, 7))
    found = counters.snapshot()
    assert all(found[f"limit_{name}"] == 7 for name in NODE_LIMITS)
    assert all(f"limit_{name}" in limits_table() for name in NODE_LIMITS)


def test_memory_is_known_and_has_a_ceiling():
    assert 10 * MIB < resident_bytes() < memory_ceiling()
    assert memory_ceiling(50) == 50 * MIB


def test_the_soft_limit_on_files_is_raised_to_the_hard_one():
    program = "from sovproxy.usecases.upkeep.resources import raise_file_limit as r; print(r())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 333)),
    )
    assert done.stdout == "333\n"


def test_names_of_one_client_are_resolved_so_many_at_a_time():
    async def scenario() -> tuple[list[bool], int]:
        counters = Counters()
        limits = LimitsAddon(Limits(client_deciding=2), counters)
        clients = [SimpleNamespace(id=str(number)) for number in range(3)]
        for client in clients:
            limits.held[client.id] = Held(client, None, "a", Stage.HEAD)
        tasks = [asyncio.create_task(limits._wait_for_turn(client)) for client in clients]
        await asyncio.sleep(0.01)
        before = [task.done() for task in tasks]
        limits.enter(limits.held["0"], Stage.CONNECTING)
        await asyncio.wait_for(tasks[2], 5)
        return before, counters.limits["client_deciding"]

    assert asyncio.run(scenario()) == ([True, True, False], 1)
