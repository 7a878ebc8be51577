"""Reads whatever names a destination (host, URL, IP literal in any spelling) into one spelling.

Hosts follow the WHATWG URL standard where browsers do: percent-decoding, UTS 46 mapping, and a
last label that looks like a number makes the whole an IPv4 address. Nothing here raises: what
cannot be read comes back as `Unreadable` with the reason.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from sovproxy.decide.destination import ChosenBy, Destination, Unreadable

MAX_INPUT = 2048
MAX_HOST = 253
MAX_LABEL = 63
SHOWN = 256

_LABEL = r"[a-z0-9_-]{1,63}+"
_fits_canonical = re.compile(rf"(?:{_LABEL}\.)*+[a-z_-][a-z0-9_-]{{0,62}}+").fullmatch
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_fits_canonical_ipv4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}").fullmatch
_AUTHORITY = re.compile(
    r"(?:(?P<web>https?|wss?|ftp):[/\\]*|(?:(?P<other>[a-z][a-z0-9+.-]*):)?[/\\]{2})(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_LINE_BREAKS = str.maketrans("", "", "\t\n\r")
_EDGES = "".join(map(chr, range(0x21))) + "\N{NO-BREAK SPACE}"
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_new = tuple.__new__
_NOBODY, _CLIENT = ChosenBy.NOBODY, ChosenBy.CLIENT
_JOINERS = "\u200c\u200d"
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "ftp": 21}
_6TO4 = 0x2002
"""The first 16 bits of a 6to4 address (RFC 3056); the IPv4 address follows them."""

_BEFORE_IPV4 = frozenset({0xFFFF, 0x0064FF9B << 64})
"""The 96 bits before an IPv4 address: `::ffff:0:0/96` (RFC 4291), `64:ff9b::/96` (RFC 6052)."""


def read_destination(text: str) -> Destination | Unreadable:
    """Read what a person typed or pasted: `zoom.us`, a URL, `[::1]:443`, `0x7f.1`, `1.1.1.1`.

    As in browsers, line breaks and tabs vanish, a backslash is a slash, the last `@` of the
    authority ends the user's name, and a web address may have any number of slashes.
    """
    if len(text) > MAX_INPUT:
        return _unreadable(text, f"is longer than {MAX_INPUT} characters")
    stripped = text.translate(_LINE_BREAKS).strip(_EDGES)
    match = _AUTHORITY.match(stripped)
    scheme = (match["web"] or "").lower() if match else ""
    authority = re.split(r"[/\\?#]", match["rest"] if match else stripped, maxsplit=1)[0]
    host, port = _split_port(authority.rpartition("@")[2])
    if port is None:
        return _unreadable(text, "has a port that is not a number from 1 to 65535")
    destination = read_host(host, port or _DEFAULT_PORTS.get(scheme, 0))
    if isinstance(destination, Unreadable):
        return _unreadable(text, destination.problem)
    return destination


def read_host(text: str, port: int = 0) -> Destination | Unreadable:
    """Read a host as it stands in CONNECT, SNI or Host, without scheme, path or port."""
    if _fits_canonical(text) and len(text) <= MAX_HOST:
        # What nearly every host is; this takes half the time of Destination(…).
        return _new(Destination, (text, "", port, _NOBODY))
    if _fits_canonical_ipv4(text):
        return _new(Destination, ("", text, port, _CLIENT))
    if len(text) > MAX_INPUT:
        return _unreadable(text, f"is longer than {MAX_INPUT} characters")
    if text.startswith("[") or ":" in text:
        return _read_ipv6(text, port)
    return _read_name(text, port)


def read_address(text: str) -> str:
    """The canonical text of an IP address in its usual spelling, or empty if it is none."""
    destination = read_host(text)
    return destination.address if isinstance(destination, Destination) else ""


def _unreadable(text: str, problem: str) -> Unreadable:
    return Unreadable(text[:SHOWN], problem)


def _split_port(authority: str) -> tuple[str, int | None]:
    """Split `host:port`; the port is 0 when there is none and None when it is not one."""
    head, colon, tail = authority.rpartition(":")
    if not colon or authority.endswith("]") or ":" in head.partition("[")[0]:
        return authority, 0
    if not tail:
        return head, 0
    if not (tail.isascii() and tail.isdigit() and 0 < int(tail) < 65536):
        return authority, None
    return head, int(tail)


def _read_name(text: str, port: int) -> Destination | Unreadable:
    try:
        decoded = _percent_decode(text)
    except UnicodeDecodeError:
        return _unreadable(text, "has percent signs that do not spell UTF-8")
    ascii_name = _to_ascii(decoded)
    if ascii_name is None:
        return _unreadable(text, "is not a valid internationalised name (IDNA, UTS 46)")
    name = ascii_name.removesuffix(".")
    if not name:
        return _unreadable(text, "is empty")
    if _FORBIDDEN.search(name):
        return _unreadable(text, "has characters that no host name can have")
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        return _read_ipv4(text, name, port)
    return _check_name(text, name, port)


def _check_name(text: str, name: str, port: int) -> Destination | Unreadable:
    if len(name) > MAX_HOST:
        return _unreadable(text, f"is longer than {MAX_HOST} characters")
    labels = name.split(".")
    if not all(labels):
        return _unreadable(text, "has an empty label (two dots in a row)")
    if any(len(label) > MAX_LABEL for label in labels):
        return _unreadable(text, f"has a label longer than {MAX_LABEL} characters")
    return Destination(host=name, port=port)


def _percent_decode(text: str) -> str:
    """Undo percent-encoding. Raises UnicodeDecodeError if the result is not UTF-8."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    return _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), raw).decode("utf-8")


def _to_ascii(name: str) -> str | None:
    """Map a name by UTS 46 (not transitional) and spell each label as an A-label."""
    if name.isascii():
        return name.lower()
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(map(_label_to_ascii, mapped.split(".")))
    except ValueError:  # IDNAError, UnicodeError, and what unicodedata says of a lone joiner
        return None


def _label_to_ascii(label: str) -> str:
    """Spell one mapped label as browsers do; they take more than IDNA 2008, emoji for one.

    Raises IDNAError, or UnicodeError if it has a half of a surrogate pair.
    """
    if label.isascii():
        return label
    if len(label) > MAX_LABEL or label.startswith("xn--"):
        raise idna.IDNAError("is too long, or mixes an A-label with other letters")
    idna.check_initial_combiner(label)
    idna.check_bidi(label)
    joiners = [at for at, letter in enumerate(label) if letter in _JOINERS]
    if not all(idna.valid_contextj(label, at) for at in joiners):
        raise idna.IDNAError("has a joiner where nothing is joined")
    return "xn--" + label.encode("punycode").decode("ascii")


def _read_ipv4(text: str, name: str, port: int) -> Destination | Unreadable:
    """Read the spellings of an IPv4 address that browsers and inet_aton accept."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return _unreadable(text, "ends in a number but is not an IPv4 address")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return _unreadable(text, "has a number that is neither decimal, octal nor hexadecimal")
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return _unreadable(text, "has a number too large for an IPv4 address")
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (8 * (3 - index))
    return Destination(address=str(IPv4Address(value)), port=port, chosen_by=ChosenBy.CLIENT)


def _number(text: str) -> int:
    """Read decimal, 0-octal or 0x-hexadecimal; a lone `0x` is 0, as in browsers."""
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text[:12])


def _read_ipv6(text: str, port: int) -> Destination | Unreadable:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    inner = inner.partition("%")[0]
    try:
        address = IPv6Address(inner)
    except (AddressValueError, ValueError):
        return _unreadable(text, "is not an IPv6 address")
    canonical = str(_embedded_ipv4(address) or address)
    return Destination(address=canonical, port=port, chosen_by=ChosenBy.CLIENT)


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this IPv6 spelling stands for: mapped, NAT64, 6to4 or compatible."""
    value = int(address)
    if value >> 112 == _6TO4:
        return IPv4Address(value >> 80 & 0xFFFFFFFF)
    if value >> 32 in _BEFORE_IPV4 or 0xFFFF < value < 1 << 32:
        return IPv4Address(value & 0xFFFFFFFF)
    return None
