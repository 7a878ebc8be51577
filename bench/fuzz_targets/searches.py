"""What analysts and URLs ask: the search box, query strings, cursors."""

from __future__ import annotations

from datetime import UTC, datetime

from sovproxy.usecases.analysis.search_words import (
    FIELDS,
    InvalidSearch,
    read_query,
    read_text,
    read_words,
    to_text,
)
from sovproxy.usecases.analysis.searching import InvalidCursor, decode_cursor, encode_cursor

from .target import Target, require, text_of

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def check_box(data: bytes) -> None:
    """What the box understands is written as words that mean the same."""
    try:
        pairs = read_text(text_of(data), _NOW)
    except InvalidSearch:
        return
    try:
        wanted = read_words(pairs, _NOW).wanted
    except InvalidSearch:
        return  # each word is good, together they are too many
    spelled = to_text(pairs)
    try:
        again = read_words(read_text(spelled, _NOW), _NOW).wanted
    except InvalidSearch as error:
        raise AssertionError(f"what was understood is understood again: {spelled!r}") from error
    require(again == wanted, "words mean the same", pairs, spelled)


def check_query(data: bytes) -> None:
    """A query is read or refused; its filter becomes the store's."""
    try:
        words = read_query(text_of(data), _NOW)
    except InvalidSearch:
        return
    words.wanted.to_filter()
    require(read_words(words.pairs, _NOW).wanted == words.wanted, "its own words say it", words)


def check_cursor(data: bytes) -> None:
    """Only what we would write is read."""
    text = text_of(data)
    try:
        place = decode_cursor(text)
    except InvalidCursor:
        return
    require(encode_cursor(place) == text, "one place has one cursor", text)
    require(max(place.time, place.seq) < 2**63, "a place fits the store", place)


_BOX = (
    "service:zoom -group:finance host:*.zoom.us since:2h",
    'zoom "a b" -host:.zoom.us',
    "asn:30103,1",
    "host:*oom* until:2026-11-01 last:7d",
    "-service: group: verdict:block",
    "country:US network:1 decrypted:true",
)
_QUERIES = (
    b"service=zoom&without=host%3A.zoom.us&last=7d&columns=time,host",
    b"since=2026-11-01T00:00&asn=0&q=x",
    b"control=US&control=-&decrypted=true&suppressed=show&sort=oldest",
    b"?action=block&kind=decision",
)
_CURSORS = tuple(cursor.encode() for cursor in ("MTIzLjQ", "LTEyMy40NQ", "", "MS4x"))
_WORDS = (
    *tuple(f"{name}:".encode() for name in FIELDS),
    b"-",
    b'"',
    b"*.",
    b"since:",
    b"last:",
    b" ",
    b",",
)
_PAIRS = (*(f"&{name}=".encode() for name in FIELDS), b"without=", b"%3A", b"-", b"since=")
TARGETS = (
    Target("search-box", check_box, tuple(map(str.encode, _BOX)), 60, _WORDS, 1100),
    Target("query", check_query, _QUERIES, 50, _PAIRS, 2100),
    Target("cursor", check_cursor, _CURSORS, 50, (b"MS4x", b"LT"), 60),
)
