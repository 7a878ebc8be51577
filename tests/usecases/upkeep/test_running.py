"""What `sovproxy run` does with its processes: real ones, and small."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import pytest

from sovproxy.usecases.upkeep import running
from sovproxy.usecases.upkeep.running import CannotRun, Process, Supervisor
from tests.lab.proxies import free_port, wait_until

CHILD = """
import os, pathlib, signal, sys, time
from sovproxy.usecases.upkeep.notifying import notifier_of
name, says, ends = sys.argv[1:4]
folder = pathlib.Path(sys.argv[4])
told = []
def end(*_):
    told.append(time.monotonic())
    with (folder / "ends").open("a") as file:
        file.write(name + "\\n")
    if ends == "at once" or len(told) > 1:
        os._exit(0)
signal.signal(signal.SIGTERM, end)
with (folder / f"{name}.pids").open("a") as file:
    file.write(f"{os.getpid()}\\n")
notifier = notifier_of()
if says != "nothing":
    notifier.ready()
while True:
    if says == "alive":
        notifier.alive()
    time.sleep(0.05)
"""


def process(folder, name: str, says: str = "alive", ends: str = "at once", drain: float = 0.0):
    command = [sys.executable, "-c", CHILD, name, says, ends, str(folder)]
    return Process(name, command, "127.0.0.1", free_port(), drain=drain)


def pids(folder, name: str) -> list[int]:
    path = folder / f"{name}.pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def supervised(*processes: Process):
    """A supervisor in a thread of its own, once everything is ready."""
    supervisor, ready = Supervisor(list(processes)), threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(60)
        yield supervisor
    finally:
        supervisor.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_what_dies_starts_again_later_each_time(tmp_path):
    with supervised(process(tmp_path, "a"), process(tmp_path, "b")) as supervisor:
        for number in (1, 2):
            wait_until(lambda: len(pids(tmp_path, "a")) == number, "it runs")  # noqa: B023
            os.kill(pids(tmp_path, "a")[-1], signal.SIGKILL)
            wait_until(lambda: len(pids(tmp_path, "a")) == number + 1, "another one")  # noqa: B023
            assert supervisor.processes[0].pause == running.FIRST_PAUSE * 2**number
        assert len(pids(tmp_path, "b")) == 1
    assert not any(map(lives, pids(tmp_path, "a") + pids(tmp_path, "b")))


def test_what_hangs_is_killed_and_starts_again(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "HUNG_SECONDS", 2.0)
    with supervised(process(tmp_path, "a"), process(tmp_path, "b")):
        stopped = pids(tmp_path, "a")[0]
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: len(pids(tmp_path, "a")) == 2, "another one")
        assert not lives(stopped)
        assert len(pids(tmp_path, "b")) == 1


def test_it_is_not_ready_before_its_processes_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "READY_SECONDS", 2.0)
    supervisor = Supervisor([process(tmp_path, "a"), process(tmp_path, "b", says="nothing")])
    with pytest.raises(CannotRun, match="the b is not ready after 2 seconds"):
        supervisor.run(lambda: pytest.fail("it is not ready"))
    assert not any(map(lives, pids(tmp_path, "a") + pids(tmp_path, "b")))


def test_the_proxy_ends_first_and_the_api_only_then(tmp_path):
    with supervised(process(tmp_path, "api"), process(tmp_path, "proxy")):
        pass
    assert (tmp_path / "ends").read_text().split() == ["proxy", "api"]


def test_a_second_signal_does_not_wait(tmp_path):
    with supervised(process(tmp_path, "proxy", ends="late", drain=3600.0)) as supervisor:
        supervisor.stop()
        wait_until((tmp_path / "ends").exists, "it was told")
        time.sleep(0.3)
        assert lives(pids(tmp_path, "proxy")[0])
    assert not lives(pids(tmp_path, "proxy")[0])


def test_a_supervisor_that_is_killed_leaves_nothing_behind(tmp_path):
    script = """
    import json, sys
    from sovproxy.usecases.upkeep.running import Process, Supervisor
    made = [Process(n, c, "127.0.0.1", p) for n, c, p in json.loads(sys.argv[1])]
    Supervisor(made).run(lambda: print("ready", flush=True))
    """
    made = [process(tmp_path, name) for name in ("a", "b")]
    told = __import__("json").dumps([(one.name, one.command, one.port) for one in made])
    command = [sys.executable, "-c", textwrap.dedent(script), told]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout.readline() == b"ready\n"
        left = pids(tmp_path, "a") + pids(tmp_path, "b")
        assert len(left) == 2
        supervisor.kill()
    wait_until(lambda: not any(map(lives, left)), "they end too")
