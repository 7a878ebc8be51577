"""The core reads no file, opens no socket, starts and loads nothing while it decides."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

PROGRAM = dedent(
    """
    import sys
    from ipaddress import IPv4Address

    from sovproxy.decide.catalogue import Catalogue
    from sovproxy.decide.decider import Decider
    from sovproxy.decide.describe import describe
    from sovproxy.decide.destination import Destination
    from sovproxy.decide.facts import Listing, Operator, Place, Service, Source
    from sovproxy.decide.normalise import read_destination
    from sovproxy.decide.policy import Condition, Phase, Policy, Rule
    from sovproxy.decide.words import Action, Verification

    loaded = frozenset(sys.modules)
    # The first international name loads Python's punycode codec: once, from the standard library.
    read_destination("é.fr")

    WATCHED = ("open", "os.", "socket.", "subprocess.", "import", "exec", "ctypes.", "_thread")
    touched = []

    def watch(event, arguments):
        if event.startswith(WATCHED) and listening:
            touched.append((event, str(arguments)[:200]))

    listening = True
    sys.addaudithook(watch)

    book = Source("book")
    level = Verification.VERIFIED
    zoom = Service("zoom", "Zoom", "video", Operator("z", "Z", "US", book, level), "replace")
    listings = [
        Listing("*.zoom.us", "host", book, level, zoom, zoom.operator),
        Listing("170.114.0.0/16", "prefix", book, level, zoom, zoom.operator),
    ]
    condition = Condition(services=frozenset({"zoom"}))
    rule = Rule("stop", condition, (Phase(0.0, Action.BLOCK),))
    policy = Policy("p", "1", frozenset({"FR"}), (rule,), internal_networks=("10.0.0.0/8",))
    decider = Decider(Catalogue.build(listings, {"zoom": zoom}, {}, ()), policy)
    blocked = 0
    for number in range(1000):
        text = (
            f"h{number}.zoom.us", f"münchen-{number}.de", f"{number * 4294967}", "[::1]:443",
            f"https://170.114.{number % 256}.1/x", f"bad host {number}", "%C3%A9.fr", "💩.la",
        )[number % 8]
        destination = read_destination(text)
        verdict = decider.decide(destination, Place("FR", asn=number))
        describe(text, destination, verdict)
        blocked += verdict.rule == "stop"
    listening = False
    assert blocked == 250, blocked
    assert not touched, touched

    forbidden = {"socket", "_socket", "ssl", "subprocess", "asyncio", "sqlite3", "urllib.request",
                 "http.client", "logging", "tempfile", "pydantic", "yaml", "maxminddb", "mitmproxy"}
    assert not forbidden & loaded, forbidden & loaded
    """
)


def test_a_thousand_decisions_touch_nothing_outside_in_a_fresh_interpreter():
    command = [sys.executable, "-I", "-c", PROGRAM]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
