"""What `bench/kills.py` runs: node, API, database, clients; how each is killed and revived."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.nodes.backlog import backlog_of
from tests.conftest import Postgres
from tests.lab.apis import Api
from tests.lab.proxies import Proxy
from tests.lab.world import make_world

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.lab.world import World

CLIENT_SECONDS = 10.0
REVIVE_SECONDS = 300.0
IN_START = 0.1
FIRST_PORT, SLOTS = 26_000, 1000
"""Ports that only harnesses use: what is killed leaves its port, and nobody else may take it."""

DOMAINS = ("zoom.us", "slack.com")
"""The first is blocked, the second warned about; both are answered before anything is resolved."""

WRITER = """
import random, sqlite3, sys, time
chance = random.Random(int(sys.argv[2]))
base = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
base.execute("PRAGMA cache_size=2")  # what is changed goes to the log before it is committed
base.execute("PRAGMA cache_spill=1")
while True:
    base.execute("BEGIN IMMEDIATE")
    base.execute("CREATE TABLE half_done AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                 " FROM n WHERE i < 2000) SELECT i, randomblob(400) AS filling FROM n")
    time.sleep(chance.uniform(0.0, 0.6))
    base.execute("ROLLBACK")
    time.sleep(chance.uniform(0.2, 1.0))
"""
"""Somebody else who writes to an SQLite file: a backup tool, a colleague. It never commits."""


def wait_for(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Return once `condition` holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.02)


class Mortal(Protocol):
    """Something that can be started and killed."""

    def start(self) -> None:
        """Start it, and return when it is ready. Raises AssertionError when it ended instead."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        ...


@dataclass
class Victim:
    """Keeps something alive in a thread of its own, and kills it when it is told to."""

    name: str
    mortal: Mortal
    chance: random.Random
    is_up: bool = False
    gave_up: int = 0
    """How often it ended though nobody had killed it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it for the first time. Raises TimeoutError."""
        wait_for(self._is_started, f"the {self.name} starts", REVIVE_SECONDS)
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """Kill it once it is up; one time in ten already in its start. Raises TimeoutError."""
        if self.chance.random() > IN_START:
            wait_for(lambda: self.is_up, f"the {self.name} is up", REVIVE_SECONDS)
        with self._lock:
            self.mortal.kill()
            self.is_up = False

    def end(self) -> None:
        """Kill it for the last time."""
        self._stop.set()
        if self._thread:
            self._thread.join(REVIVE_SECONDS)
            self.mortal.kill()

    def _keep_alive(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                if self.is_up and not self.mortal.has_ended():
                    continue
                self.gave_up += self.is_up
                self.is_up = False
            time.sleep(self.chance.uniform(0.0, 0.5))
            self._is_started()

    def _is_started(self) -> bool:
        """Start it; False if it was killed in its start, or was too slow."""
        try:
            self.mortal.start()
        except (AssertionError, OSError):
            self.mortal.kill()
            return False
        with self._lock:
            self.is_up = not self.mortal.has_ended()
        return self.is_up


class Node(Proxy):
    """A node that may be killed at any moment, even while it starts."""

    def kill(self) -> None:
        kill_hard(self.process)


class AnyApi(Api):
    """An API on any database."""

    store_url: str = ""

    def kill(self) -> None:
        kill_hard(self.process)

    def token(self, role: Role) -> str:
        store = open_store(self.store_url)
        try:
            return create_token(store, role, f"kills {role}")
        finally:
            store.close()


@dataclass
class SqliteWriter:
    """A second process that writes to the SQLite file, and never finishes what it begins."""

    path: Path
    chance: random.Random
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        seed = str(self.chance.randrange(10**6))
        command = [sys.executable, "-c", WRITER, str(self.path), seed]
        self.process = subprocess.Popen(command)

    def kill(self) -> None:
        kill_hard(self.process)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


@dataclass
class Cluster:
    """PostgreSQL. Killed is the postmaster, or one of the processes that it serves clients with."""

    server: Postgres
    chance: random.Random

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        process = self.server._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        with suppress(OSError):
            pids = [int(pid) for pid in children.read_text().split()]
            if pids and self.chance.random() < 0.5:
                os.kill(self.chance.choice(pids), signal.SIGKILL)
                return
        kill_hard(process)

    def has_ended(self) -> bool:
        process = self.server._process
        return process is None or process.poll() is not None


def kill_hard(process: subprocess.Popen[bytes] | None) -> None:
    """SIGKILL, and wait until it is gone."""
    if process:
        process.kill()
        process.wait(CLIENT_SECONDS)


def take_slot() -> tuple[int, int]:
    """An open lock, and a number that no other harness on this machine has. Raises OSError."""
    for number in range(SLOTS):
        path = Path(tempfile.gettempdir()) / f"sovproxy-kills-{number}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return handle, number
    raise OSError("too many harnesses run on this machine")


class Lab:
    """Everything that runs. `folder` is thrown away afterwards."""

    def __init__(self, folder: Path, chance: random.Random, *, postgres: bool) -> None:
        self.database = "PostgreSQL" if postgres else "SQLite"
        world = make_world(folder / "world")
        self.cluster = Postgres() if postgres else None
        path = folder / "api" / "sovproxy.sqlite"
        self.store_url = self.cluster.store_database() if self.cluster else sqlite_url(path)
        self._lock, slot = take_slot()
        api_port, port = FIRST_PORT + 2 * slot, FIRST_PORT + 2 * slot + 1
        self.api = AnyApi(folder / "api", self._api_settings(world), port=api_port)
        self.api.store_url = self.store_url
        self.proxy = Node(folder / "node", dict(world.settings), world=world, port=port)
        database: Mortal = SqliteWriter(path, chance)
        if self.cluster:
            database = Cluster(self.cluster, chance)
        parts = {"node": self.proxy, "API": self.api, "database": database}
        self.victims = [Victim(name, one, chance) for name, one in parts.items()]

    def _api_settings(self, world: World) -> dict[str, str]:
        return dict(world.settings) | {"SOVPROXY_STORE_URL": self.store_url}

    def start(self) -> None:
        """Start API, database and node, which gets a token."""
        node, api, database = self.victims
        if self.cluster is None:
            (self.api.data).mkdir(parents=True, exist_ok=True)
            open_store(self.store_url).close()
        database.start()
        self.api.enrol(self.proxy)
        api.start()
        node.start()

    def revive(self) -> None:
        """Return once everything is up."""
        wait_for(lambda: all(one.is_up for one in self.victims), "all is up", REVIVE_SECONDS)

    def is_drained(self) -> bool:
        """Whether the node has delivered all it has on disk."""
        return backlog_of(self.proxy.data / "node" / "spool").bytes == 0

    def quiet(self) -> None:
        """End node and API; the database can be read."""
        for victim in self.victims[:2]:
            victim.end()

    def stop(self) -> None:
        """End everything. Safe to call twice."""
        for victim in self.victims:
            victim.end()
        if self.cluster:
            self.cluster.stop()


class Client:
    """Asks for one host after the other, never twice for the same, and notes what it saw."""

    def __init__(self, proxy: Proxy, number: int, chance: random.Random) -> None:
        self._proxy = proxy
        self._number = number
        self._chance = chance
        self.asked = 0
        self.seen: list[str] = []
        self.others: Counter[int] = Counter()
        """Answers that are no verdict, by status."""

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        while not stop.is_set():
            if not self.ask():
                stop.wait(0.05)
            stop.wait(self._chance.uniform(0.0, 0.04))

    def ask(self) -> bool:
        """Ask once; whether there was an answer."""
        self.asked += 1
        host = f"c{self._number}-{self.asked}.{self._chance.choice(DOMAINS)}"
        within_tls = self._chance.random() < 0.1
        try:
            status = self._ask_within_tls(host) if within_tls else self._ask_plainly(host)
        except OSError:
            return False
        if status in {403, 451}:
            self.seen.append(host)
        else:
            self.others[status] += 1
        return True

    def _ask_plainly(self, host: str) -> int:
        with self._open() as client:
            client.sendall(self._request(f"http://{host}/", host))
            return read_status(client)

    def _ask_within_tls(self, host: str) -> int:
        trusting = ssl.create_default_context(cafile=str(self._proxy.authority))
        with self._open() as client:
            client.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            head = client.recv(4096)
            if b" 200 " not in head:
                return status_of(head)
            with trusting.wrap_socket(client, server_hostname=host) as inner:
                inner.sendall(self._request("/", host))
                return read_status(inner)

    def _request(self, target: str, host: str) -> bytes:
        """A page is wanted, or something else: a machine's answer is another path to the disk."""
        mode = self._chance.choice(("navigate", "cors"))
        lines = (f"GET {target} HTTP/1.1", f"Host: {host}", f"Sec-Fetch-Mode: {mode}", "", "")
        return "\r\n".join(lines).encode()

    def _open(self) -> socket.socket:
        me = f"127.8.{self._number}.{self.asked % 50 + 1}"
        return socket.create_connection(("127.0.0.1", self._proxy.port), CLIENT_SECONDS, (me, 0))


def read_status(client: socket.socket) -> int:
    """The status of the answer of which at least that much came. Raises OSError otherwise."""
    data = b""
    while len(data) < len("HTTP/1.1 451"):
        more = client.recv(4096)
        if not more:
            raise ConnectionResetError("the connection ended before the answer")
        data += more
    return status_of(data)


def status_of(head: bytes) -> int:
    """The status that a first line has. Raises ConnectionResetError if it has none."""
    parts = head.split(b" ", 2)
    if len(parts) < 2 or not parts[1][:3].isdigit():
        raise ConnectionResetError("no answer")
    return int(parts[1][:3])
