"""What a passed connection costs over bare mitmproxy, side by side in one run.

Two mitmdumps run on loopback: a bare one that tunnels everything (`--ignore-hosts '.*'`), and one
with our addon and the policy `eu`. A client opens the same tunnels through each in turn (CONNECT by
name, a real ClientHello, an answer from the origin); what is compared is the processor time of the
two proxies, as the kernel counts it. Print: milliseconds per connection, and the ratio.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CONNECTIONS = 400
ROUNDS = 7
HOST = "localhost"

POLICY = """
id: bench
title: {en: Bench}
language: en
trust_zone: [EU]
internal: {domains: [], networks: []}
refused: {networks: []}
rules:
  - {id: videoconference, when: {category: videoconference, control: foreign}, action: block}
  - {id: sovereign, when: {standing: sovereign}, action: allow}
default: allow
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_origin() -> int:
    """An origin that answers whatever it is sent with two bytes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                if connection.recv(65536):
                    connection.sendall(b"ok")

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def client_hello() -> bytes:
    """The ClientHello that Python's TLS would send to the origin."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake cannot end without an answer")


def start(port: int, folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a mitmdump and wait until it listens."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    environment = os.environ | {
        "SOVPROXY_DATA_DIR": str(folder / "data"),
        "SOVPROXY_POLICY": str(policy),
        "SOVPROXY_API_PORT": "9",
        "SOVPROXY_LIMITS__CLIENT_OPENINGS": "1000000",  # one client opens them all
    }
    mitmdump = Path(sys.executable).with_name("mitmdump")
    common = ["-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command = [str(mitmdump), *common, "--set", f"confdir={folder / 'ca'}", *arguments]
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return process
    raise SystemExit(f"mitmdump is not ready: {' '.join(command)}")


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """User and system time that the process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pass_connections(proxy: int, origin: int, hello: bytes) -> None:
    """Open one tunnel after the other, and see that each works."""
    connect = f"CONNECT {HOST}:{origin} HTTP/1.1\r\nHost: {HOST}:{origin}\r\n\r\n".encode()
    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", proxy), timeout=10) as connection:
            connection.sendall(connect)
            answer = connection.recv(4096)
            assert b" 200 " in answer.split(b"\r\n")[0], answer
            connection.sendall(hello)
            assert connection.recv(16) == b"ok"


def main() -> None:
    """Run the rounds and print the medians."""
    origin, hello = serve_origin(), client_hello()
    addon = str(Path(__file__).resolve().parent.parent / "addons" / "sovproxy_addon.py")
    kinds = {"bare": ["--ignore-hosts", ".*"], "sovproxy": ["-s", addon]}
    with tempfile.TemporaryDirectory() as folder:
        proxies = {}
        for name, arguments in kinds.items():
            port = free_port()
            place = Path(folder) / name
            place.mkdir()
            proxies[name] = (port, start(port, place, arguments))
        try:
            report(measure(proxies, origin, hello))
        finally:
            for _, process in proxies.values():
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def measure(
    proxies: dict[str, tuple[int, subprocess.Popen[bytes]]], origin: int, hello: bytes
) -> dict[str, list[float]]:
    """Milliseconds of processor time per connection: one figure per proxy and round."""
    found: dict[str, list[float]] = {name: [] for name in proxies}
    for turn in range(ROUNDS + 1):
        names = list(proxies) if turn % 2 else list(reversed(proxies))
        for name in names:
            port, process = proxies[name]
            before = cpu_seconds(process)
            pass_connections(port, origin, hello)
            spent = (cpu_seconds(process) - before) * 1000 / CONNECTIONS
            if turn:  # the first round warms up
                found[name].append(spent)
    return found


def report(found: dict[str, list[float]]) -> None:
    """Print medians, and the median of the ratios round by round."""
    for name, figures in found.items():
        low, high = min(figures), max(figures)
        print(
            f"{name:<10} {statistics.median(figures):.3f} ms CPU per passed connection "
            f"(median of {len(figures)} rounds of {CONNECTIONS}; {low:.3f} to {high:.3f})"
        )
    ratios = [ours / bare for ours, bare in zip(found["sovproxy"], found["bare"], strict=True)]
    print(f"ratio      {statistics.median(ratios):.3f} (median of ratios; target at most 1.05)")


if __name__ == "__main__":
    main()
