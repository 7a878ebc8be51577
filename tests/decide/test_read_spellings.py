"""Tables of spellings: what names the same destination, and what names none.

Expectations follow the WHATWG URL standard (host parsing, IPv4 and IPv6 parsers, UTS 46 without
transitional processing), which is what browsers send; deliberate differences say so.
"""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from sovproxy.decide.destination import ChosenBy, Destination, Unreadable
from sovproxy.decide.normalise import MAX_INPUT, SHOWN, read_address, read_destination, read_host

HOSTS = {
    "zoom.us": ["zoom.us", "ZOOM.US", "Zoom.Us", "zoom.us."],
    "münchen by either label": ["münchen.de", "MÜNCHEN.de", "XN--MNCHEN-3ya.de"],
    "composed and decomposed letters": ["é.fr", "e\u0301.fr", "xn--9ca.fr"],
    "sharp s, not transitional": ["faß.de", "FAẞ.de", "xn--fa-hia.de"],
    "full-width letters": ["ｚｏｏｍ.ｕｓ", "zoom.us"],
    "every full stop of UTS 46": ["zoom。us", "zoom．us", "zoom｡us", "zoom.us。", "zoom.us"],
    "ignored code points": ["zo\u00adom.us", "zo\u200bom.us", "\ufeffzoom.us", "zo\ufe0fom.us"],
    "percent signs": ["%7Aoom.us", "zoom%2Eus", "%5a%4F%4f%4d.us", "zoom%2eus."],
    "percent signs that spell UTF-8": ["%C3%A9.fr", "é.fr", "xn--9ca.fr"],
    "letters beside percent signs": ["é%C3%A9.fr", "éé.fr", "%C3%A9é.fr"],
    "letters beyond Latin-1 beside percent signs": ["ｚ%C3%A9.fr", "zé.fr"],
    "percent-encoded full-width dot": ["zoom%EF%BC%8Eus", "zoom.us"],
    "emoji, which IDNA 2008 forbids and browsers take": ["💩.la", "xn--ls8h.la"],
    "snowman": ["☃.net", "xn--n3h.net"],
    "underscores beside other letters": ["_sip.münchen.de", "_sip.xn--mnchen-3ya.de"],
    "hyphens beside other letters": ["r3---sn.münchen.de", "r3---sn.xn--mnchen-3ya.de"],
    "compatibility ligature": ["ﬁ.example", "fi.example"],
    "Kelvin sign": ["\u212aakao.com", "kakao.com"],
}  # fmt: skip


@pytest.mark.parametrize("spellings", HOSTS.values(), ids=HOSTS.keys())
def test_all_spellings_of_a_name_are_one_host(spellings):
    read = {read_host(spelling) for spelling in spellings}
    assert len(read) == 1
    (destination,) = read
    assert isinstance(destination, Destination)
    assert destination.host.isascii()
    assert destination.host == destination.host.lower().rstrip(".")


UNUSUAL = [
    "1.2.3.-4",
    "localhost",
    "_dmarc.example",
    "a-.example",
    "-x.example",
    "1a",
    "1.2.3.4a",
    "1.2.3.com",
    "0xzz.example",
    "example.0xg",
    "xn--zoom-.us",
    "a!$&'()*+,;=`{}~.example",
    "a" * 63 + ".fr",
    ".".join(["a" * 49] * 5) + ".fr",
]


@pytest.mark.parametrize("text", UNUSUAL)
def test_an_unusual_name_is_still_a_name(text):
    assert read_host(text) == Destination(host=text)


V4 = "127.0.0.1"
ZERO = str(IPv4Address(0))
ZERO = str(IPv4Address(0))
IPV4 = [
    (V4, "127.0.0.1"),
    ("127.0.0.1.", V4),
    ("127.1", V4),
    ("127.0.1", V4),
    ("0177.0.0.1", V4),
    ("0x7f.0.0.1", V4),
    ("0X7F.0x0.0.01", V4),
    ("0x7f.1", V4),
    ("2130706433", V4),
    ("017700000001", V4),
    ("0x7f000001", V4),
    ("0x7F000001.", V4),
    ("000000000000000000000000000000000000177.1", V4),
    ("0x000000000000000000000000000007f000001", V4),
    ("１２７.0.0.1", V4),
    ("127。0．0｡1", V4),
    ("%31%32%37.0.0.1", V4),
    ("1\u00ad27.0.0.1", V4),
    ("①27.0.0.1", V4),
    ("0", ZERO),
    ("0x", ZERO),
    ("0x.0x.0x.0x", ZERO),
    ("4294967295", "255.255.255.255"),
    ("1.2.3.0x", "1.2.3.0"),
    ("1.256", "1.0.1.0"),
    ("1.2.65535", "1.2.255.255"),
    ("1.16777215", "1.255.255.255"),
    ("01.02.03.04", "1.2.3.4"),
]
NO_IPV4 = [
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.256",
    "1.2.65536",
    "1.16777216",
    "4294967296",
    "9" * 400,
    "0x" + "f" * 400,
    "0" + "7" * 400,
    "09.1.1.1",
    "1.2.3.08",
    "1.2..4",
    "1..2",
    ".1.2.3.4",
    "foo.1",
    "foo.0x4",
    "example.09",
    "1.2.3.4..",
    "⑴.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\n",
]


@pytest.mark.parametrize(("text", "address"), IPV4)
def test_every_spelling_of_an_ipv4_address_is_that_address(text, address):
    assert read_host(text, 443) == Destination("", address, 443, ChosenBy.CLIENT)
    assert read_address(text) == address


@pytest.mark.parametrize("text", NO_IPV4)
def test_what_only_looks_like_an_ipv4_address_is_unreadable(text):
    assert isinstance(read_host(text), Unreadable)
    assert read_address(text) == ""


IPV6 = [
    ("::1", "::1"),
    ("[::1]", "::1"),
    ("[0:0:0:0:0:0:0:1]", "::1"),
    ("2001:DB8::A", "2001:db8::a"),
    ("[2001:0db8:0000::000A]", "2001:db8::a"),
    ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("::", "::"),
    ("fe80::1%eth0", "fe80::1"),
    ("[fe80::1%25eth0]", "fe80::1"),
    ("::ffff:15.188.1.1", "15.188.1.1"),
    ("[::FFFF:0fbc:0101]", "15.188.1.1"),
    ("64:ff9b::15.188.1.1", "15.188.1.1"),
    ("64:ff9b::fbc:101", "15.188.1.1"),
    ("2002:0fbc:0101::1", "15.188.1.1"),
    ("::15.188.1.1", "15.188.1.1"),
    ("64:ff9b:1::fbc:101", "64:ff9b:1::fbc:101"),
]
NO_IPV6 = [
    "[]",
    "[",
    "]",
    "[::1",
    "::1]",
    "[[::1]]",
    "[::1]x",
    "[1.2.3.4]",
    "[zoom.us]",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::12345",
    "::g",
    "1::2::3",
    "::ffff:256.1.1.1",
    "::ffff:1.2.3",
    "::ffff:01.2.3.4",
    "[：：1]",
    "::１",
    "%eth0::1",
    "zoom.us:443",
]


@pytest.mark.parametrize(("text", "address"), IPV6)
def test_every_spelling_of_an_ipv6_address_is_that_address(text, address):
    assert read_host(text) == Destination("", address, 0, ChosenBy.CLIENT)


@pytest.mark.parametrize("text", NO_IPV6)
def test_what_only_looks_like_an_ipv6_address_is_unreadable(text):
    assert isinstance(read_host(text), Unreadable)


HALF = chr(0xD800)  # of a surrogate pair
HALF = chr(0xD800)  # of a surrogate pair
BAD_HOSTS = {
    "": "is empty",
    ".": "is empty",
    "\u00ad": "is empty",
    "\u200b.": "is empty",
    "..": "empty label",
    "zoom..us": "empty label",
    ".zoom.us": "empty label",
    "zoom.us..": "empty label",
    "zöom.us..": "empty label",
    " ": "characters that no host name can have",
    "zoom.us ": "characters that no host name can have",
    "zoom us": "characters that no host name can have",
    "zoom\x00.us": "characters that no host name can have",
    "zoom.us\n": "characters that no host name can have",
    "zoom%00.us": "characters that no host name can have",
    "zoom%2f.us": "characters that no host name can have",
    "zoom／.us": "characters that no host name can have",
    "zoom%20.us": "characters that no host name can have",
    "zoom%25.us": "characters that no host name can have",
    "zoom%zz.us": "characters that no host name can have",
    "100%.us": "characters that no host name can have",
    "zoom.us%40evil.example": "characters that no host name can have",
    "a@b": "characters that no host name can have",
    "<script>": "characters that no host name can have",
    "zoom\x7f.us": "characters that no host name can have",
    "zoom%ff.us": "do not spell UTF-8",
    "é%FF.us": "do not spell UTF-8",
    f"{HALF}%41.us": "do not spell UTF-8",
    f"{HALF}.us": "internationalised",
    "\ufffd.us": "internationalised",
    "\u202ezoom.us": "internationalised",
    "\u200d.example": "internationalised",
    "a\u200c.example": "internationalised",
    "\u0301a.example": "internationalised",
    "١٢٧.٠.٠.١": "internationalised",
    "يa.example": "internationalised",
    "xn--tešla.example": "internationalised",
    "é" * 64 + ".fr": "internationalised",
    "a" * 64 + ".fr": "label longer than 63",
    "é" * 60 + ".fr": "label longer than 63",
    ".".join(["a" * 50] * 6): "longer than 253",
    "a" * (MAX_INPUT + 1): f"longer than {MAX_INPUT}",
}


@pytest.mark.parametrize(("text", "problem"), BAD_HOSTS.items(), ids=map(ascii, BAD_HOSTS))
def test_a_bad_host_is_refused_with_its_reason(text, problem):
    read = read_host(text)
    assert isinstance(read, Unreadable)
    assert problem in read.problem
    assert read.text == text[:SHOWN] == read.label


URLS = [
    ("https://zoom.us/j/123?pwd=a#b", "zoom.us", 443),
    ("HTTP://ZOOM.US", "zoom.us", 80),
    ("wss://zoom.us", "zoom.us", 443),
    ("ws://zoom.us", "zoom.us", 80),
    ("ftp://zoom.us", "zoom.us", 21),
    ("zoommtg://zoom.us/join?confno=1", "zoom.us", 0),
    ("//zoom.us/j/1", "zoom.us", 0),
    ("zoom.us/j/1", "zoom.us", 0),
    ("zoom.us?x", "zoom.us", 0),
    ("zoom.us#x", "zoom.us", 0),
    ("https:zoom.us", "zoom.us", 443),
    ("https:/zoom.us/j", "zoom.us", 443),
    ("https:////zoom.us/j", "zoom.us", 443),
    (r"https:\\zoom.us\j", "zoom.us", 443),
    (r"\\zoom.us\j", "zoom.us", 0),
    ("  https://zoom.us/ \n", "zoom.us", 443),
    ("\x00\x1fhttps://zoom.us\x00", "zoom.us", 443),
    ("ht\ntps://zo\tom.\r\nus/j", "zoom.us", 443),
    ("\u00a0zoom.us\u00a0", "zoom.us", 0),
    ("https://zoom.us@evil.example", "evil.example", 443),
    ("https://zoom.us:443@evil.example:8443/", "evil.example", 8443),
    ("https://a@b@zoom.us/", "zoom.us", 443),
    ("https://evil.example/@zoom.us", "evil.example", 443),
    ("https://evil.example?@zoom.us", "evil.example", 443),
    ("https://evil.example#@zoom.us", "evil.example", 443),
    (r"https://evil.example\@zoom.us", "evil.example", 443),
    ("https://evil.example%2F@zoom.us", "zoom.us", 443),
    ("https://:pw@zoom.us", "zoom.us", 443),
    ("zoom.us:443", "zoom.us", 443),
    ("zoom.us:", "zoom.us", 0),
    ("https://zoom.us:/x", "zoom.us", 443),
    ("zoom.us:1", "zoom.us", 1),
    ("zoom.us:65535", "zoom.us", 65535),
    ("zoom.us:0000000443", "zoom.us", 443),
    ("[::1]:443", "::1", 443),
    ("https://[2001:DB8::1]:8443/x", "2001:db8::1", 8443),
    ("https://[::ffff:1.2.3.4]/", "1.2.3.4", 443),
    ("::1", "::1", 0),
    ("2001:db8::1:443", "2001:db8::1:443", 0),
    ("http://0x7f.1:8080", "127.0.0.1", 8080),
    ("https://2130706433/", "127.0.0.1", 443),
]


@pytest.mark.parametrize(("text", "label", "port"), URLS, ids=[ascii(row[0]) for row in URLS])
def test_a_pasted_address_is_read_as_a_browser_would(text, label, port):
    read = read_destination(text)
    assert isinstance(read, Destination)
    assert (read.label, read.port) == (label, port)


BAD_URLS = {
    "": "is empty",
    " \t\n ": "is empty",
    "https://": "is empty",
    "https:///": "is empty",
    "//": "is empty",
    "https://@/": "is empty",
    "https://user@": "is empty",
    ":443": "is empty",
    "https://:443": "is empty",
    "zoom.us:0": "port",
    "zoom.us:65536": "port",
    "zoom.us:-1": "port",
    "zoom.us:+1": "port",
    "zoom.us: 443": "port",
    "zoom.us:443 x": "port",
    "zoom.us:4_4": "port",
    "zoom.us:0x1bb": "port",
    "zoom.us:٤٤٣": "port",
    "zoom.us:４４３": "port",
    "zoom.us:²": "port",
    "zoom.us:" + "9" * 1000: "port",
    "[::1]:x": "port",
    "[::1]443": "port",
    "a:b:443": "IPv6",
    "https://zoom us/": "characters that no host name can have",
    "https://zoom.us%40evil.example": "characters that no host name can have",
    "\u2028zoom.us": "internationalised",
    "a" * (MAX_INPUT + 1): "longer than",
}


@pytest.mark.parametrize(("text", "problem"), BAD_URLS.items(), ids=map(ascii, BAD_URLS))
def test_a_bad_address_is_refused_with_its_reason(text, problem):
    read = read_destination(text)
    assert isinstance(read, Unreadable)
    assert problem in read.problem
    assert read.text == text[:SHOWN]


def test_read_host_keeps_the_port_it_is_given():
    assert read_host("Zoom.us", 8443) == Destination("zoom.us", "", 8443)


def test_a_name_alone_was_resolved_by_nobody():
    assert read_host("zoom.us").chosen_by is ChosenBy.NOBODY
