"""Real mitmdump processes with the addon, and what they leave on disk."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from sovproxy.events.pseudonym import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.world import World

ROOT = Path(__file__).parents[2]
ADDON = ROOT / "addons" / "sovproxy_addon.py"
SCRIPTS = Path(__file__).parent / "scripts"
BIN = Path(sys.executable).parent
PATIENCE = 40.0
FIRST_PORT, PORTS_EACH = 20_000, 500
_given = 0


def free_port() -> int:
    """A free port below the range that the system gives out, apart for each test worker."""
    global _given  # noqa: PLW0603 - ports are numbered through within one process
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = FIRST_PORT + worker * PORTS_EACH + (_given + os.getpid()) % PORTS_EACH
        _given += 1
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))  # noqa: S104 - only to see that nobody has it
            return port


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Return once `condition` holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.03)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


@dataclass
class Proxy:
    """A mitmdump of the lab. `data` is its data directory, `port` where it listens."""

    data: Path
    settings: dict[str, str]
    scripts: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    world: World | None = None
    redirected_from: str = ""
    """In transparent mode: an address whose connections are redirected to it."""
    probe: str = "127.20.0.98"
    """Where `closed.example` leads to; nobody listens there."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate of the root that the node's CA stands under."""
        return self.data / "ca" / "root.pem"

    @property
    def environment(self) -> dict[str, str]:
        own = {"SOVPROXY_DATA_DIR": str(self.data), "SOVPROXY_API_PORT": str(self.api_port)}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", **self.settings, **own}

    @property
    def log(self) -> str:
        return (self.data / "log.txt").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [str(BIN / "mitmdump"), "-q", "--listen-host", "127.0.0.1"]
        command += ["--listen-port", str(self.port)]
        for script in self.scripts:
            command += ["-s", str(SCRIPTS / script)]
        command += ["-s", str(ADDON), *self.arguments]
        with (self.data / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT
            )
        wait_until(lambda: self.has_ended() or self.answers(), "mitmdump answers")
        assert not self.has_ended(), self.log

    def answers(self) -> bool:
        """Whether the addon judges; mitmdump listens even before its scripts are ready."""
        request, place, source = b"CONNECT closed.example:1", ("127.0.0.1", self.port), None
        if self.redirected_from:
            request, place = b"GET /", (self.probe, 1)
            source = (self.redirected_from, 0)
        with suppress(OSError), socket.create_connection(place, 5, source) as client:
            client.sendall(request + b" HTTP/1.1\r\nHost: closed.example:1\r\n\r\n")
            return client.recv(12) == b"HTTP/1.1 502"
        return False

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """End it as an admin would."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it at once, without a chance to tidy up."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def memory(self) -> int:
        """Bytes of memory that it has in use."""
        assert self.process
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def events(self, me: str = "", **wanted: object) -> list[dict]:
        """The events in the spool, oldest first: of client `me`, with fields as wanted."""
        found = read_spool(self.data, "events")
        if me:
            wanted = {**wanted, "client": self.pseudonym(me)}
        return [item for item in found if all(item[key] == value for key, value in wanted.items())]

    def pseudonym(self, address: str) -> str:
        """What a client is called in events."""
        return Pseudonyms(self.data / "node" / "pseudonym-keys.json", 183).of(address)

    def rollups(self) -> list[dict]:
        return read_spool(self.data, "rollups")

    def wait_for_events(self, me: str = "", number: int = 1, **wanted: object) -> list[dict]:
        """The events that `events` gives, once there are as many."""
        what = f"{number} events like {wanted}"
        wait_until(lambda: len(self.events(me, **wanted)) >= number, what, patience=15)
        return self.events(me, **wanted)


def read_spool(data: Path, stream: str) -> list[dict]:
    """The records in a node's spool, read from the bytes on disk."""
    records = []
    for segment in sorted((data / "node" / "spool").glob(f"{stream}-*.seg")):
        for line in segment.read_bytes().splitlines():
            checksum, _, record = line.partition(b" ")
            if record and int(checksum, 16) == crc32(record):
                records.append(json.loads(record))
    return records
