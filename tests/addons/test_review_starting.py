"""What starts says what it cannot do; what ends leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket

import pytest

from tests.cli.test_cli_run import Installation, running
from tests.lab.proxies import Proxy, listens, wait_until
from tests.lab.world import POLICY, make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("run")]


def has_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_terminal_that_closes_ends_everything_and_a_refused_policy_is_said(tmp_path):
    """mitmproxy's `--quiet` must not silence what the admin has to know."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with running(tmp_path, SOVPROXY_POLICY=str(policy)) as found:
        with socket.create_connection(("127.0.0.1", found.proxy_port), 30) as client:
            client.sendall(b"CONNECT zoom.us:443 HTTP/1.1\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"  # the port is there before the gate is
        policy.write_text(POLICY + "nonsense: [\n")
        line = r"(?m)WARNING policy \S+ stays in force; the new one is refused:\n.*policy.yaml:\d+"
        wait_until(lambda: re.search(line, found.said), "the node says that it is refused", 30)
        children = found.children().values()
        found.process.send_signal(signal.SIGHUP)
        found.process.wait(60)
        assert len(children) == 2
        assert all(has_gone(pid) for pid in children)


@pytest.mark.parametrize("mode", ["socks5", "reverse:http://127.20.0.10:1", "regular,socks5@0"])
def test_another_mode_of_mitmproxy_is_refused_by_name(tmp_path, mode):
    found = Proxy(tmp_path / "data", make_world(tmp_path / "world").settings)
    for part in mode.split(","):
        found.arguments += ("--mode", part)
    with pytest.raises(AssertionError, match="sovproxy works as regular or transparent only"):
        found.start()
    assert not listens(found.port)


@pytest.mark.parametrize("content", [None, b"policy = ", b"\xff"])
def test_a_config_file_that_cannot_be_used_is_no_reason_to_run_without(tmp_path, content):
    config = tmp_path / "sovproxy.toml"
    if content is not None:
        config.write_bytes(content)
    found = Installation(tmp_path, SOVPROXY_CONFIG=str(config))
    found.start()
    assert found.process.wait(60) == 3
    assert "SOVPROXY_CONFIG" in found.said
    assert "Traceback" not in found.said
