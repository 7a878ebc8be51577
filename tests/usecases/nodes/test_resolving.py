"""Names become addresses: from the hosts file first, and those that work come first."""

from __future__ import annotations

import asyncio
import os

import pytest

from sovproxy.usecases.nodes.resolving import AVOID_SECONDS, MAX_AVOIDED, Resolver, read_hosts


def resolve(resolver: Resolver, host: str) -> tuple[str, ...]:
    return asyncio.run(resolver.resolve(host))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hosts(tmp_path):
    return tmp_path / "hosts"


def test_a_name_keeps_the_order_of_its_addresses(hosts):
    hosts.write_text("127.9.0.2 two.example\n127.9.0.1 two.example other.example\n")
    resolver = Resolver(hosts)
    assert resolve(resolver, "two.example") == ("127.9.0.2", "127.9.0.1")
    assert resolve(resolver, "other.example") == ("127.9.0.1",)


def test_a_changed_file_is_read_again(hosts):
    hosts.write_text("127.9.0.1 moved.example\n")
    resolver = Resolver(hosts)
    assert resolve(resolver, "moved.example") == ("127.9.0.1",)
    hosts.write_text("127.9.0.2 moved.example\n")
    os.utime(hosts, ns=(1, 1))  # even to an older time, as when a copy is put in place
    assert resolve(resolver, "moved.example") == ("127.9.0.2",)


def test_a_file_that_vanishes_leaves_what_it_said(hosts):
    hosts.write_text("127.9.0.1 kept.example\n")
    resolver = Resolver(hosts)
    assert resolve(resolver, "kept.example") == ("127.9.0.1",)
    hosts.unlink()
    assert resolve(resolver, "kept.example") == ("127.9.0.1",)


def test_the_system_is_asked_for_what_is_not_in_the_file(hosts):
    hosts.write_text("127.9.0.1 known.example\n")
    assert "127.0.0.1" in resolve(Resolver(hosts), "localhost")
    assert "127.0.0.1" in resolve(Resolver(), "localhost")


@pytest.mark.parametrize("host", ["", "a" * 300, "a..b", "\0"])
def test_a_name_that_the_system_cannot_even_ask_for_has_no_address(host):
    found = resolve(Resolver(), host)
    assert found == () or host == ""


def test_an_address_that_refused_is_tried_last_for_a_while(hosts):
    hosts.write_text("127.9.0.1 two.example\n127.9.0.2 two.example\n")
    clock = Clock()
    resolver = Resolver(hosts, clock)
    resolver.avoid("127.9.0.1")
    assert resolve(resolver, "two.example") == ("127.9.0.2", "127.9.0.1")
    resolver.avoid("127.9.0.2")
    assert resolve(resolver, "two.example") == ("127.9.0.1", "127.9.0.2")
    clock.now += AVOID_SECONDS + 1
    resolver.avoid("127.9.0.1")
    assert resolve(resolver, "two.example") == ("127.9.0.2", "127.9.0.1")


def test_a_lone_address_is_tried_even_if_it_refused(hosts):
    hosts.write_text("127.9.0.1 one.example\n")
    resolver = Resolver(hosts)
    resolver.avoid("127.9.0.1")
    assert resolve(resolver, "one.example") == ("127.9.0.1",)


def test_addresses_to_avoid_are_kept_within_bounds(hosts):
    hosts.write_text("127.9.0.1 two.example\n127.9.0.2 two.example\n")
    resolver = Resolver(hosts)
    for number in range(MAX_AVOIDED + 10):
        resolver.avoid(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    resolver.avoid("127.9.0.1")
    assert resolve(resolver, "two.example") == ("127.9.0.2", "127.9.0.1")


LINES = {
    "a comment": ("# 127.0.0.1 x\n127.0.0.2 y # z\n", {"y": ("127.0.0.2",)}),
    "no name": ("127.0.0.1\n", {}),
    "no address": ("x.example y.example\n", {}),
    "blank lines and tabs": ("\n\t127.0.0.1\t a.example\r\n", {"a.example": ("127.0.0.1",)}),
    "capitals and dots": ("127.0.0.1 A.Example.\n", {"a.example": ("127.0.0.1",)}),
    "letters beyond ASCII": (
        "127.0.0.1 bücher.example\n",
        {"xn--bcher-kva.example": ("127.0.0.1",)},
    ),
    "IPv6": ("::1 six.example\n", {"six.example": ("::1",)}),
    "several spellings": ("0x7f.1 hex.example\n", {"hex.example": ("127.0.0.1",)}),
    "nothing": ("", {}),
    "rubbish": ("\x00\x01\udcff 1.2.3\n", {}),
}


@pytest.mark.parametrize(("text", "wanted"), LINES.values(), ids=LINES.keys())
def test_lines_are_read_as_in_hosts_5(text, wanted):
    assert read_hosts(text) == wanted
