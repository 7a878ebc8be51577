"""Hosts, as they stand in CONNECT, SNI, Host and what people paste: `decide/normalise.py`."""

from __future__ import annotations

import atexit
import json
import subprocess
from functools import cache
from pathlib import Path

from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.normalise import MAX_HOST, SHOWN, read_destination, read_host

from .target import Target, require, text_of

_WORDS = (
    "https://",
    "wss:",
    "//",
    "\\\\",
    "@",
    ":443",
    "[::1]",
    "::ffff:",
    "64:ff9b::",
    "2002:",
    "%25eth0",
    "%2e",
    "%C3%A9",
    "0x7f",
    "0177",
    "127.1",
    "xn--",
    "zoom.us",
    ".",
    "。",
    "ß",
    "\u00ad",
    "\u200d",
    "\u0301",
    "☃",
    "ي",
    "١",
    "\t",
    "\x00",
    "_",
    "?",
    "#",
)
_SEEDS = (
    "zoom.us",
    "https://us02web.zoom.us:8443/j/1?pwd=a#b",
    "TEAMS.microsoft.com.",
    "[::1]:443",
    "user:pass@host.example",
    "0x7f.1",
    "017700000001",
    "2130706433",
    "bücher.example",
    "xn--bcher-kva.example",
    "http:\\\\evil.example\\@zoom.us",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "a" * 64 + ".example",
    "_dmarc.example",
    "zoom。us",
    "zo\u00adom.us",
    "1.1.1.1:53",
    "ws://[2001:db8::1]:80/",
)


def check(data: bytes) -> None:
    """A host or a reason comes out, in one spelling that reads as itself."""
    text = text_of(data)
    for read in (read_host(text), read_destination(text)):
        if isinstance(read, Unreadable):
            require(len(read.text) <= SHOWN and bool(read.problem), "a refusal is short", text)
        else:
            _check_canonical(read, text)


def _check_canonical(read: Destination, text: str) -> None:
    require(bool(read.host) != bool(read.address), "a host or an address", text, read)
    fits = read.label.isascii() and len(read.label) <= MAX_HOST and read.label.isprintable()
    require(fits and read.label == read.label.lower(), "the label is plain", text, read)
    require(0 <= read.port < 65536, "a port is one", text, read)
    require(read_host(read.label, read.port) == read, "reading is idempotent", text, read)
    require(read_destination(read.label)[:2] == read[:2], "both doors agree", text, read)


class _Browser:
    """The extension's reader in node, asked one text at a time over a pipe."""

    def __init__(self) -> None:
        runner = Path(__file__).with_name("hosts.mjs")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            ["node", str(runner)], stdin=pipe, stdout=pipe, text=True, bufsize=1
        )
        atexit.register(self._process.kill)

    def read(self, text: str) -> list[object]:
        """Host, address and port; an empty list for what it refuses."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(text) + "\n")
        process.stdin.flush()
        answer: list[object] = json.loads(process.stdout.readline())
        return answer


_browser = cache(_Browser)


def check_with_browser(data: bytes) -> None:
    """ASCII is read alike by the node and the extension; so is the rest, where neither refuses.

    Releases of Unicode differ between the two, so one may refuse what the other knows. A browser
    goes nowhere by an A-label that spells nothing; curl does, so the node judges it.
    """
    text = text_of(data)
    read = read_destination(text)
    ours = [] if isinstance(read, Unreadable) else [read.host, read.address, read.port]
    theirs = _browser().read(text)
    spells_nothing = bool(ours) and not theirs and "xn--" in str(ours[0])
    if (text.isascii() and not spells_nothing) or (ours and theirs):
        require(ours == theirs, "node and extension agree", text, ours, theirs)


_PIECES = tuple(word.encode() for word in _WORDS)
_BEGINNINGS = tuple(seed.encode() for seed in _SEEDS)
TARGETS = (
    Target("hosts", check, _BEGINNINGS, 340, _PIECES),
    Target("hosts-as-browsers", check_with_browser, _BEGINNINGS, 60, _PIECES, 256),
)
