"""The systemd units: what systemd's own tools say of them, and sovproxy under their restrictions.

No systemd runs here as init: `confined.py` applies what the kernel enforces for it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sovproxy.limits import Limits
from sovproxy.usecases.upkeep.running import END_SECONDS, HUNG_SECONDS, READY_SECONDS
from tests.deploy.confined import read_unit
from tests.lab.proxies import BIN, ROOT, free_port, listens, wait_until

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"), key=lambda path: path.stem)
CONFINED = Path(__file__).with_name("confined.py")
PROGRAM = "/opt/sovproxy/.venv/bin/sovproxy"
WORST = 1.5
"""The exposure that systemd gives a unit goes from 0 to 10; below 2 it calls it OK."""

pytestmark = pytest.mark.xdist_group("units")
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)


def test_there_is_one_for_everything_and_one_for_each_part():
    assert [path.stem for path in UNITS] == ["sovproxy", "sovproxy-api", "sovproxy-node"]


@each_unit
def test_systemd_finds_nothing_wrong_with_it(unit, tmp_path):
    text = unit.read_text()
    assert PROGRAM in text
    (tmp_path / unit.name).write_text(
        text.replace(PROGRAM, "/bin/true")
    )  # it is not installed here
    drop_ins = unit.with_name(f"{unit.name}.d")
    if drop_ins.exists():
        shutil.copytree(drop_ins, tmp_path / drop_ins.name)
    done = analyze("verify", "--man=no", str(tmp_path / unit.name))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@each_unit
def test_its_exposure_is_low_and_as_the_docs_say(unit):
    told = analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
    exposure = re.search(rf"exposure level for {re.escape(unit.name)}: (\d+\.\d)", told)[1]
    assert float(exposure) <= WORST
    assert f"| `{unit.name}` | {exposure} |" in (ROOT / "docs" / "running.md").read_text()


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@each_unit
def test_its_times_are_longer_than_ours(unit):
    wanted = read_unit(unit)
    drain = 0.0 if unit.stem == "sovproxy-api" else Limits().drain_seconds
    both = 2 if unit.stem == "sovproxy" else 1
    assert float(wanted["TimeoutStopSec"][0]) >= drain + both * END_SECONDS
    assert float(wanted["TimeoutStartSec"][0]) > READY_SECONDS
    assert float(wanted["WatchdogSec"][0]) <= HUNG_SECONDS
    assert wanted["KillMode"] == ["mixed"]  # else its processes would get a second SIGTERM
    assert wanted["Type"] == ["notify"]


@contextmanager
def confined(unit: str, folder: Path, *command: str, **environment: str):
    """A command under the restrictions of a unit."""
    folder.mkdir()
    if _everybody_can_run(Path(sys.executable)):
        os.chown(folder, 65_534, 65_534)
    words = [sys.executable, str(CONFINED), str(FOLDER / f"{unit}.service"), str(folder), *command]
    own = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), **environment}
    with subprocess.Popen(
        words, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _everybody_can_run(path: Path) -> bool:
    """Whether somebody without rights can reach this file: not if root keeps Python at home."""
    real = path.resolve()
    return all(place.stat().st_mode & 0o001 for place in (real, *real.parents))


ATTEMPTS = """
import ctypes, mmap, os, socket, sys
def tried(name, what):
    try:
        what()
    except (OSError, PermissionError):
        return
    print(name, "is possible")
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
tried("writing elsewhere", lambda: open("/etc/x", "w"))
tried("writing to /tmp", lambda: open("/tmp/x-confined", "w"))
tried("a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
tried("a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
if sys.argv[1] == "sovproxy-api":
    tried("memory to write and run", lambda: mmap.mmap(-1, 4096, prot=7))
tried("a mount", lambda: call(libc.mount(b"/etc", b"/mnt", None, 4096, None)))
tried("a namespace", lambda: call(libc.unshare(0x10000000)))
tried("a trace", lambda: call(libc.ptrace(0, 0, 0, 0)))
tried("another user", lambda: os.setuid(1))
tried("another owner", lambda: (open("mine", "w"), os.chown("mine", 1, 1)))
open("mine", "w").write("its own folder may be written")
print("tried")
"""


@each_unit
def test_the_restrictions_hold(unit, tmp_path):
    command = [sys.executable, "-c", ATTEMPTS, unit.stem]
    with confined(unit.stem, tmp_path / "own", *command) as process:
        assert process.communicate(timeout=60)[0] == "tried\n"


def test_it_runs_answers_and_ends_under_the_restrictions(tmp_path):
    own, proxy_port, api_port = tmp_path / "own", free_port(), free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0sovproxy-units-{proxy_port}")
        systemd.settimeout(100)
        environment = {
            "SOVPROXY_DATA_DIR": str(own / "data"),
            "SOVPROXY_PROXY_PORT": str(proxy_port),
            "SOVPROXY_API_PORT": str(api_port),
            "NOTIFY_SOCKET": f"@sovproxy-units-{proxy_port}",
            "WATCHDOG_USEC": "3000000",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, str(BIN / "sovproxy"), "run"]
        with confined("sovproxy", own, *command, **environment) as process:
            assert systemd.recv(100) == b"READY=1"
            prompt = curl(own, proxy_port)
            assert "https://visio.numerique.gouv.fr" in prompt.stdout, prompt.stderr
            assert systemd.recv(100) == b"WATCHDOG=1"
            events = own / "data" / "node" / "spool"
            wait_until(
                lambda: any(b"zoom" in path.read_bytes() for path in events.glob("*.seg")), ""
            )
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[0]
            assert process.returncode == 0, said
            told = systemd.recv(100)
            while told == b"WATCHDOG=1":
                told = systemd.recv(100)
            assert told == b"STOPPING=1"
    assert "Traceback" not in said
    assert "Permission" not in said


HASHING = "from argon2 import PasswordHasher as P; print(P().verify(P().hash('word'), 'word'))"


def test_the_api_runs_though_no_memory_is_both_written_and_run(tmp_path):
    with confined("sovproxy-api", tmp_path / "a", sys.executable, "-c", HASHING) as process:
        assert process.communicate(timeout=60)[0] == "True\n"
    own, port = tmp_path / "b", free_port()
    environment = {"SOVPROXY_DATA_DIR": str(own / "data"), "SOVPROXY_API_PORT": str(port)}
    command = [sys.executable, str(BIN / "sovproxy"), "api"]
    with confined("sovproxy-api", own, *command, **environment) as process:
        wait_until(lambda: process.poll() is not None or listens(port), "the API listens", 90)
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/health", trust_env=False, timeout=20)
        assert answer.status_code == 200
        process.terminate()
        assert process.communicate(timeout=30)[0] == ""
        assert process.returncode in {0, -signal.SIGTERM}


def curl(own: Path, port: int) -> subprocess.CompletedProcess[str]:
    """The prompt, over TLS that ends at the node, by a client that trusts its root."""
    command = ["curl", "-sS", "-x", f"http://127.0.0.1:{port}", "--max-time", "20"]
    command += ["--cacert", str(own / "data" / "ca" / "root.pem"), "https://zoom.us/j/1"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
