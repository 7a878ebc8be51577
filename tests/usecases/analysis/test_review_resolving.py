"""The hosts file may be away or unreadable for a moment."""

from __future__ import annotations

import asyncio

from sovproxy.usecases.nodes.resolving import Resolver


def test_a_hosts_file_that_cannot_be_read_leaves_what_was_read_last(tmp_path):
    """It may vanish between the look at its time and the reading."""
    file = tmp_path / "hosts"
    file.write_text("127.20.0.10 neutral.example\n")
    resolver = Resolver(file)
    assert asyncio.run(resolver.resolve("neutral.example")) == ("127.20.0.10",)
    file.unlink()
    file.mkdir()
    assert asyncio.run(resolver.resolve("neutral.example")) == ("127.20.0.10",)
