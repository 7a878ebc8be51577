"""A failing hook and a body that is still to come."""

from __future__ import annotations

import pytest

from tests.lab.clients import open_socket, read_all, read_answer
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


@pytest.fixture(params=["block", "allow"])
def failing(start_proxy, request, tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("failing") / "world")
    world.write_policy("on_error: block", f"on_error: {request.param}")
    settings = {"LAB_FAULTS": "seek", "LAB_FAULTY": "neutral.example"}
    found = start_proxy(world, settings=settings, scripts=("fault.py",))
    found.lets_pass = request.param == "allow"
    return found


def test_an_upload_whose_hook_fails_is_ended_or_passed_whole(failing, origins, me):
    """mitmproxy cannot stream a body that it has an answer to: it crashes, and the client hangs."""
    target, size = f"neutral.example:{origins.neutral.port}", 300_000
    client = open_socket(failing, me)
    head = f"POST http://{target}/ HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n"
    client.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
    if failing.lets_pass:
        client.sendall(b"x" * size)
        assert read_answer(read_all(client)).status == 200
        assert origins.neutral.calls[0].body_bytes == size
    else:
        assert read_all(client) == b""
    assert "crashed" not in failing.log
