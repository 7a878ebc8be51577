"""Properties of reading: whatever arrives, nothing raises, and one spelling stays one spelling."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import example, given
from hypothesis import strategies as st

from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.normalise import MAX_HOST, SHOWN, read_address, read_destination, read_host

WORDS = """zoom . us 。 ö ß ☃ \u0301 % %2e %C3%A9 @ : 443 / \\ ? # [ ] ::1 0x7f 0177 256 xn-- - _
ي ١ https: // | ` ' {"""
PARTS = st.sampled_from(
    [*WORDS.split(), "\u00ad", "\u200d", " ", "\t", "\x00", chr(0xD800), "\u202e"]
)
ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=())), st.lists(PARTS, max_size=12).map("".join)
)
LABELS = st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True)
ENDS = st.from_regex(r"[a-z_-][a-z0-9_-]{0,20}", fullmatch=True)
HOSTS = st.tuples(st.lists(LABELS, max_size=5), ENDS).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)
NUMBERS = st.integers(0, 2**32 - 1)


@given(ANYTHING)
@example("\u200d.example")
@example("a" * 100_000)
@example("%" * 2048)
@example("[" * 2048)
@example("1." * 1024)
@example("0" * 2048)
@example("9" * 2048)
@example("٠" * 2048)
@example("\u0301" * 2048)
def test_no_text_raises_and_what_is_shown_of_it_is_bounded(text):
    for read in (read_host(text), read_destination(text)):
        if isinstance(read, Unreadable):
            assert len(read.text) <= SHOWN
            assert read.problem
        else:
            assert bool(read.host) != bool(read.address)
            assert read.label.isascii()
            assert len(read.label) <= MAX_HOST


@given(ANYTHING)
@example("::ffff:1.2.3.4")
@example("zo\u00adom.us")
def test_reading_what_was_read_changes_nothing(text):
    for read in (read_host(text), read_destination(text)):
        if isinstance(read, Destination):
            assert read_host(read.label, read.port) == read
            assert read_destination(read.label)[:2] == read[:2]


@given(HOSTS)
def test_a_canonical_host_reads_as_itself(host):
    if len(host) <= MAX_HOST:
        assert read_host(host) == Destination(host=host)
        assert read_host(host.upper() + ".") == Destination(host=host)
        assert read_destination(f"https://u:p@{host}:8443/a:b@c") == Destination(host, port=8443)


def _number(value, base):
    return {10: f"{value}", 8: f"0{value:o}", 16: f"0x{value:X}"}[base]


@st.composite
def spellings_of(draw, value):
    """An IPv4 address with 1 to 4 parts, each in any base, with leading zeros and a last dot."""
    count = draw(st.integers(1, 4))
    heads = [value >> shift & 255 for shift in (24, 16, 8)][: count - 1]
    tail = value & ((1 << 8 * (5 - count)) - 1)
    parts = [_number(part, draw(st.sampled_from([8, 10, 16]))) for part in (*heads, tail)]
    return ".".join(parts) + draw(st.sampled_from(["", "."]))


@given(st.data(), NUMBERS)
def test_every_spelling_of_an_ipv4_address_gives_that_address(data, value):
    spelling = data.draw(spellings_of(value))
    assert read_address(spelling) == str(IPv4Address(value))


@given(st.data(), st.integers(2**32, 2**64))
def test_a_number_beyond_ipv4_is_no_address(data, value):
    assert read_address(_number(value, data.draw(st.sampled_from([8, 10, 16])))) == ""


@given(NUMBERS)
def test_ipv6_spellings_of_an_ipv4_address_give_that_address(value):
    plain = IPv4Address(value)
    mapped, translated = f"::ffff:{plain}", f"64:ff9b::{plain}"
    relayed = str(IPv6Address(0x2002 << 112 | value << 80 | 1))
    assert {read_address(text) for text in (mapped, translated, relayed)} == {str(plain)}


@given(st.integers(0, 2**128 - 1))
def test_every_spelling_of_an_ipv6_address_gives_one_address(value):
    address = IPv6Address(value)
    short, long = str(address), address.exploded
    spellings = (short, long, long.upper(), f"[{short}]", f"[{long.upper()}]", f"{short}%eth0")
    (read,) = {read_host(text) for text in spellings}
    assert read.address == read_address(short)
    assert read_destination(f"https://[{long}]:8443/") == read._replace(port=8443)
