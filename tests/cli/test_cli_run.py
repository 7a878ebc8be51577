"""`sovproxy run`: proxy and API on embedded defaults, kept alive, ended together."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.lab.proxies import BIN, free_port, listens, wait_until
from tests.lab.world import POLICY

LINK = r"http://127\.0\.0\.1:{}/console/first\?code=[A-Za-z0-9_-]{{43}}"

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("run")]


class Installation:
    """One `sovproxy run` with a data directory of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data = folder / "data dir"
        self.output = folder / "output.txt"
        self.proxy_port, self.api_port = free_port(), free_port()
        self.environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "SOVPROXY_DATA_DIR": str(self.data),
            "SOVPROXY_PROXY_PORT": str(self.proxy_port),
            "SOVPROXY_API_PORT": str(self.api_port),
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""

    @property
    def said(self) -> str:
        return self.output.read_text()

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(BIN / "sovproxy"), "run"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        wait_until(lambda: "See a prompt" in self.said or self.has_ended(), "it is ready", 90)
        assert not self.has_ended(), self.said

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def stop(self) -> float:
        """End it; the seconds it took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(60)
        return time.monotonic() - started

    def children(self) -> dict[str, int]:
        """The processes it runs, by the module they run."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = {}
        for pid in path.read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"-m" in words:  # one that has just ended has no command line any more
                found[words[words.index(b"-m") + 1].decode()] = int(pid)
        return found

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def line_after(self, heading: str) -> str:
        return self.said.partition(f"{heading}\n")[2].splitlines()[0].strip()

    def get(self, path: str) -> bytes:
        if not self.token:
            self.token = self.shell("sovproxy tokens create --role admin --name t").stdout.strip()
        fields = {"Authorization": f"Bearer {self.token}"}
        url = f"http://127.0.0.1:{self.api_port}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=fields), timeout=20) as answer:
            return answer.read()


@contextmanager
def running(folder: Path, **settings: str):
    installation = Installation(folder, **settings)
    installation.start()
    try:
        installation.wait_until_ready()
        yield installation
    finally:
        installation.stop()


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with running(tmp_path_factory.mktemp("run")) as started:
        yield started


def test_it_says_where_everything_is(installation):
    said = installation.said
    assert f"http://127.0.0.1:{installation.proxy_port}" in said
    assert f"http://127.0.0.1:{installation.api_port}/proxy.pac" in said
    assert f"http://127.0.0.1:{installation.api_port}/ca.pem" in said
    assert str(installation.data) in said
    assert "policy fr-etat" in said
    assert re.search(LINK.format(installation.api_port), said)
    assert "sov_" not in said
    assert "fleet:" not in said  # that the API was not there yet is no news


def test_the_curl_line_it_prints_shows_the_prompt_in_french(installation):
    done = installation.shell(installation.line_after("See a prompt:"))
    assert done.returncode == 0, done.stderr
    assert '<html lang="fr"' in done.stdout
    assert "https://visio.numerique.gouv.fr" in done.stdout


def test_the_events_line_it_prints_shows_the_event(installation):
    installation.shell(installation.line_after("See a prompt:"))

    def listed() -> list[dict]:
        return json.loads(installation.get("/api/v1/events"))["items"]

    wait_until(listed, "the event is delivered")
    event = listed()[0]
    assert (event["host"], event["service"], event["action"]) == ("zoom.us", "zoom", "block")
    line = installation.line_after("See the events:")
    done = installation.shell(f"timeout 10 {line} --json")
    assert event["id"] in done.stdout, done


def test_the_pac_and_the_ca_are_served_and_the_key_is_not(installation):
    assert f"PROXY 127.0.0.1:{installation.proxy_port}".encode() in installation.get("/proxy.pac")
    certificate = installation.get("/ca.pem")
    assert certificate.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in certificate
    assert certificate in (installation.data / "ca" / "root.pem").read_bytes()


def test_what_it_writes_is_for_its_owner_alone(installation):
    assert installation.data.stat().st_mode & 0o077 == 0
    assert (installation.data / "node" / "token").stat().st_mode & 0o077 == 0


def test_it_listens_on_loopback_only(installation):
    for port in (installation.proxy_port, installation.api_port):
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), 5)


def test_a_proxy_that_is_killed_starts_again(installation):
    killed = installation.children()["sovproxy_addons"]
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: (
            installation.children().get("sovproxy_addons", killed) != killed
            and listens(installation.proxy_port)
        ),
        "another proxy",
    )
    line = installation.line_after("See a prompt:")
    wait_until(lambda: "visio.numerique" in installation.shell(line).stdout, "it answers again")
    assert "it starts again" in installation.said


def become_admin(installation: Installation) -> str:
    """Open the link that was printed, fill in the form; where it leads to."""
    link = re.search(LINK.format(installation.api_port), installation.said)[0]
    fields = {"code": link.partition("=")[2], "login": "ada", "name": "Ada"}
    fields |= {"password": "quatre mots sans rapport", "again": "quatre mots sans rapport"}
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(link).status_code == 200
        answer = browser.post(link.partition("?")[0], data=fields)
        assert browser.get(httpx.URL(link).join("/console/accounts")).status_code == 200
    return answer.headers["location"]


def test_the_link_makes_the_first_admin_and_sigterm_ends_everything(tmp_path):
    first = Installation(tmp_path)
    first.start()
    first.wait_until_ready()
    pids = list(first.children().values())
    assert first.stop() < 15
    assert first.process.returncode == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not listens(first.proxy_port)
    unused = re.search(LINK.format(first.api_port), first.said)[0]
    first.start()
    first.wait_until_ready()
    assert unused not in first.said  # nobody used it: another one is printed
    assert httpx.get(unused, trust_env=False).status_code == 404
    assert become_admin(first) == "/console/"
    first.stop()
    first.start()
    first.wait_until_ready()
    assert "code=" not in first.said
    pids = list(first.children().values())
    assert len(pids) == 2
    first.process.kill()
    first.process.wait(60)
    wait_until(lambda: not any(map(lives, pids)), "what it ran ends too")


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    path = Path(f"/proc/{pid}/stat")
    try:
        return path.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("taken", ["PROXY", "API"])
def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path, taken):
    installation = Installation(tmp_path)
    port = installation.proxy_port if taken == "PROXY" else installation.api_port
    with socket.create_server(("127.0.0.1", port)):
        installation.start()
        assert installation.process.wait(60) == 3
    assert f"127.0.0.1:{port}" in installation.said
    assert f"SOVPROXY_{taken}_PORT" in installation.said
    assert "Traceback" not in installation.said
    assert not listens(installation.proxy_port)
    assert not listens(installation.api_port)


def test_a_bad_policy_is_refused_before_anything_listens(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.replace("action: warn", "action: wran"))
    installation = Installation(tmp_path, SOVPROXY_POLICY=str(bad))
    installation.start()
    assert installation.process.wait(60) == 3
    assert re.search(r"bad\.yaml:\d+:\d+: rules\[2\]\.action", installation.said), installation.said
    assert "Traceback" not in installation.said


@pytest.mark.parametrize(
    ("name", "value"), [("PROXY_PORT", "eighty"), ("API_PORT", "70000"), ("POLICY", "fr-etta")]
)
def test_a_bad_setting_is_named(tmp_path, name, value):
    installation = Installation(tmp_path, **{f"SOVPROXY_{name}": value})
    installation.start()
    assert installation.process.wait(60) in {2, 3}
    assert value in installation.said
    assert "Traceback" not in installation.said


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data dir").write_text("a file is in the way")
    installation = Installation(tmp_path)
    installation.start()
    assert installation.process.wait(60) == 3
    assert "data dir" in installation.said
    assert "Traceback" not in installation.said
