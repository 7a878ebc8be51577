"""A real rsyslog receives, the API is killed in between, and nothing is left out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role, create_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sovproxy.events.event import Event

BATCH = 200


class Api:
    """`sovproxy api` as a process of its own, which can be killed."""

    def __init__(self, folder: Path, receiver: str, eventually: Callable[..., Any]) -> None:
        self.folder = folder
        self.eventually = eventually
        self.file = folder / "sovproxy.toml"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.file.write_text(
            f'data_dir = "{folder}"\napi_port = {self.port}\nnode = "proxy-1"\n{receiver}'
        )
        store = open_store(sqlite_url(folder / "sovproxy.sqlite"))
        self.headers = {
            role: {"authorization": f"Bearer {create_token(store, role, role.value)}"}
            for role in (Role.NODE, Role.ADMIN)
        }
        store.close()
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20
        )

    def start(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("SOVPROXY_")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from sovproxy.cli.serve import api; api()"],
            env=environment | {"SOVPROXY_CONFIG": str(self.file)},
        )
        self.eventually(self.is_well, 60)

    def is_well(self) -> bool:
        assert self.process
        assert self.process.poll() is None, "the API has ended"
        try:
            return self.client.get("/api/v1/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def deliver(self, events: list[Event]) -> list[str]:
        """Deliver, and give the ids of what was acknowledged."""
        body = b'{"events":[%s]}' % b",".join(event.to_json() for event in events)
        answer = self.client.post("/api/v1/events", content=body, headers=self.headers[Role.NODE])
        assert answer.json()["accepted"] == len(events)
        return [str(event.id) for event in events]

    def state(self) -> dict[str, Any]:
        answer = self.client.get("/api/v1/forwarding", headers=self.headers[Role.ADMIN])
        state: dict[str, Any] = answer.json()["items"][0]
        return state


@pytest.fixture
def api(tmp_path, eventually) -> Iterator[Callable[[str], Api]]:
    made: list[Api] = []

    def start(receiver: str) -> Api:
        folder = tmp_path / "api"
        folder.mkdir()
        made.append(Api(folder, receiver, eventually))
        made[-1].start()
        return made[-1]

    yield start
    for item in made:
        item.kill()
        item.client.close()


def batch(make_event, number):
    return [make_event(number * BATCH + index) for index in range(BATCH)]


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_rsyslog_has_everything_though_the_api_and_it_were_killed(
    api, rsyslog, certificates, eventually, make_event, tls
):
    server = rsyslog(certificates=certificates if tls else None)
    receiver = (
        '[[forward]]\nname = "siem"\nkind = "syslog"\nbegin = "first"\nbody = "ocsf"\n'
        f'host = "{"localhost" if tls else "127.0.0.1"}"\nport = {server.port}\n'
    )
    if tls:
        certificate, key = certificates.make("proxy-1")
        receiver += f'ca_file = "{certificates.ca}"\ncertificate = "{certificate}"\nkey = "{key}"\n'
    else:
        receiver += "tls = false\n"
    running = api(receiver)
    acknowledged: list[str] = []
    for number in range(6):
        acknowledged += running.deliver(batch(make_event, number))
        if number in {1, 3}:
            running.kill()  # in the middle of forwarding
            running.start()
    eventually(lambda: set(server.ids()) >= set(acknowledged), 60)
    eventually(lambda: running.state()["behind"] == 0)

    server.kill()
    acknowledged += running.deliver(batch(make_event, 6))
    assert eventually(lambda: running.state()["problem"], 30)
    server.start()
    eventually(lambda: set(server.ids()) >= set(acknowledged), 60)
    assert list(dict.fromkeys(server.ids())) == acknowledged  # in order, repeats aside

    url = "/api/v1/forwarding/siem/test"
    answer = running.client.post(url, headers=running.headers[Role.ADMIN])
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    eventually(lambda: b'kind="test" receiver="siem"' in server.file.read_bytes())
