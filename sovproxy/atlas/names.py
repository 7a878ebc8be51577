"""The spellings that the catalogue accepts: host patterns, prefixes, countries, links.

One spelling per thing, so that a reviewer can search for it and a thing listed twice is found.
Each function gives its text back, or raises ValueError saying what was wanted.
"""

from __future__ import annotations

import ipaddress
import re

from sovproxy.atlas.countries import EUROPEAN_UNION, ISO_3166

MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PORTS = re.compile(r"(tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?")
_LINK = re.compile(r"https://([^/?#@:]+)(/[!-~]*)?")


def host_pattern(text: str) -> str:
    """Accept `zoom.us` (that name alone) or `*.zoom.us` (every depth below it, not itself)."""
    name = text.removeprefix("*.")
    if "*" in name:
        raise ValueError("a star may only stand alone in front: `*.example.org`")
    if name != name.lower():
        raise ValueError("must be written in lower case")
    if not name.isascii():
        raise ValueError("must be written in its ASCII form (xn--…)")
    labels = name.split(".")
    if len(name) > MAX_NAME or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("is not a host name such as `zoom.us` or `*.zoom.us`")
    if labels[-1].isdigit():
        raise ValueError("is an address; write it under `prefixes`")
    return text


def base_name(text: str) -> str:
    """Accept `zoom.us`, for that name and every depth below it."""
    if text.startswith("*"):
        raise ValueError("stands for everything below it already: write it without `*.`")
    return host_pattern(text)


def prefix(text: str) -> str:
    """Accept a network in CIDR notation, in its canonical spelling and with no host bits set."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"is not a prefix such as `203.0.113.0/24`: {error}") from None
    if str(network) != text:
        raise ValueError(f"must be written `{network}`")
    return text


def identifier(text: str) -> str:
    """Accept an id: lower-case words of a-z and 0-9, joined by single hyphens."""
    if not _ID.fullmatch(text):
        raise ValueError("is not an id such as `ms-teams` (a-z, 0-9, single hyphens)")
    return text


def country(text: str) -> str:
    """Accept an ISO 3166-1 alpha-2 code in capitals."""
    if text not in ISO_3166:
        raise ValueError("is not an ISO 3166-1 country code such as `FR`")
    return text


def lawmaker(text: str) -> str:
    """Accept a country code, or `EU`."""
    return text if text == EUROPEAN_UNION else country(text)


def link(text: str) -> str:
    """Accept an https link without user, password and port."""
    found = _LINK.fullmatch(text)
    if not found:
        raise ValueError("is not a link such as `https://visio.numerique.gouv.fr`")
    host_pattern(found[1])
    return text


def port_range(text: str) -> str:
    """Accept `tcp/5222` or `udp/3478-3481`."""
    found = _PORTS.fullmatch(text)
    if not found or not 0 < int(found[2]) <= int(found[3] or found[2]) < 65536:
        raise ValueError("is not a range of ports such as `tcp/5222` or `udp/3478-3481`")
    return text


def port_numbers(text: str) -> tuple[str, int, int]:
    """Take a `port_range` apart: protocol, first and last port."""
    protocol, _, numbers = text.partition("/")
    first, _, last = numbers.partition("-")
    return protocol, int(first), int(last or first)
