"""A line break that somebody sends begins no new line: of headers, of the log, of an event."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest

from sovproxy.usecases.access.tokens import Role
from tests.console.conftest import an_event
from tests.oidc.conftest import Portal
from tests.oidc.hostile import HostileProvider

BREAKS = ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\x1b[2J")
FORGED = "x: forged"


def raw(site, path: str, *headers: str) -> bytes:
    """What the server sends, byte by byte."""
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        client.sendall("\r\n".join([*lines, "", ""]).encode("utf-8"))
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("kind", BREAKS, ids=ascii)
def test_no_header_of_an_answer_can_be_added(attacked, kind):
    value = quote(f"/console/{kind}{FORGED}", safe="")
    for path in (
        f"/console/language/fr?next={value}",
        f"/console/sign-in?next={value}",
        f"/console/{value}",
        f"/api/v1/check?q={value}",
        f"/proxy.pac?{value}",
        f"/api/v1/bundle/{value}",
    ):
        head = raw(attacked, path).partition(b"\r\n\r\n")[0].decode("latin-1").lower()
        names = {line.partition(":")[0] for line in head.splitlines()[1:]}
        assert "x" not in names, path
        assert FORGED not in head.replace("%3a", ":").replace("%20", " "), path


@pytest.fixture
def portal(tmp_path):
    """A console whose identity provider says what it likes; its words reach the log."""
    hostile = HostileProvider()
    found = Portal(tmp_path, hostile.issuer).start()
    found.hostile = hostile
    yield found
    found.stop()
    hostile.stop()


def test_no_line_of_the_log_can_be_added(portal, caplog):
    """What a provider, or whoever writes the way back, makes the server say is one line each."""
    caplog.set_level(logging.DEBUG, "sovproxy")
    for kind in BREAKS:
        text = f"{kind}2026-11-23 CRITICAL forged"
        browser = portal.browser()
        location = browser.get(f"{portal.url}/console/oidc/start").headers["location"]
        for changes in ({"error": text}, {"iss": text}, {"state": text}):
            given = portal.hostile.back(location) | changes
            browser.get(f"{portal.url}/console/oidc/callback", params=given)
        portal.hostile.header = {"alg": text}
        portal.hostile.key = None
        location = browser.get(f"{portal.url}/console/oidc/start").headers["location"]
        given = portal.hostile.back(location)
        browser.get(f"{portal.url}/console/oidc/callback", params=given)
        portal.hostile.reset()
    said = [one.getMessage() for one in caplog.records if one.name.startswith("sovproxy")]
    assert sum("forged" in one for one in said) > len(BREAKS)
    assert [one for one in said if len(one.splitlines()) > 1 or "\x1b" in one] == []


@pytest.mark.parametrize("kind", BREAKS, ids=ascii)
def test_an_event_stays_one_line_in_every_form(attacked, kind):
    """In the spool, in exports and for the collectors behind them."""
    text = f"a{kind}{FORGED}"
    event = an_event(datetime.now(UTC), host=text, reason=text, group=text, rule="one-line")
    assert len(event.to_json().decode().splitlines()) == 1
    assert all(str(value).isprintable() for value in (event.host, event.reason, event.group))
    attacked.deliver([event])
    headers = {"authorization": f"Bearer {attacked.token(Role.ANALYST)}"}
    with httpx.Client(base_url=attacked.url, trust_env=False, headers=headers) as client:
        for form in ("csv", "jsonl", "ecs", "ocsf"):
            answer = client.get("/api/v1/export", params={"format": form, "host": event.host})
            if answer.status_code == 200:
                lines = [line for line in answer.text.splitlines() if "forged" in line]
                assert lines, form
                assert not [line for line in lines if line.startswith(FORGED)], form
