"""The datagrams to systemd, to a socket that a test listens on."""

from __future__ import annotations

import os
import socket

import pytest

from sovproxy.usecases.upkeep.notifying import ALIVE_SECONDS, notifier_of


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = str(tmp_path / "notify") if request.param == "path" else f"@sovproxy-{os.getpid()}"
    listening.bind("\0" + name[1:] if name.startswith("@") else name)
    listening.settimeout(5)
    with listening:
        yield name, listening


def test_systemd_is_told(systemd):
    name, listening = systemd
    notifier = notifier_of({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.alive()
    notifier.stopping()
    assert [listening.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_children_do_not_speak_in_its_place(systemd):
    environment = {"NOTIFY_SOCKET": systemd[0], "WATCHDOG_USEC": "3000000", "PATH": "/bin"}
    notifier_of(environment)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, ALIVE_SECONDS),
        ({"WATCHDOG_USEC": "3000000"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, ALIVE_SECONDS),
        ({"WATCHDOG_USEC": "900000000"}, ALIVE_SECONDS),
        ({"WATCHDOG_USEC": "soon"}, ALIVE_SECONDS),
    ],
    ids=["none", "given", "for us", "for another", "long", "no number"],
)
def test_it_is_alive_often_enough(environment, seconds):
    assert notifier_of(environment).every == pytest.approx(seconds)


@pytest.mark.parametrize("name", ["", "nowhere", "/no/such/socket", "@nobody-listens"])
def test_without_a_listener_nothing_happens(name):
    notifier = notifier_of({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.alive()
    notifier.stopping()


def test_a_listener_that_goes_away_harms_nobody(systemd):
    name, listening = systemd
    notifier = notifier_of({"NOTIFY_SOCKET": name})
    listening.close()
    notifier.ready()
