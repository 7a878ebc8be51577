"""A search in words: the URL's and the search box's, read into the same filter."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sovproxy.usecases.analysis.search_words import (
    InvalidSearch,
    read_query,
    read_text,
    read_words,
    span_of,
    to_text,
)

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("service:zoom", [("service", "zoom")]),
        ("service:zoom,teams", [("service", "zoom"), ("service", "teams")]),
        ("-group:finance", [("without", "group:finance")]),
        ("host:*.zoom.us", [("host", ".zoom.us")]),
        ("-host:*.zoom.us", [("without", "host:.zoom.us")]),
        ("host:*zoom*", [("host_contains", "zoom")]),
        ("host:zoom.us", [("host", "zoom.us")]),
        ("zoom", [("host_contains", "zoom")]),
        ('rule:"press office"', [("rule", "press office")]),
        ("since:2h", [("last", "2h")]),
        ("last:7d", [("last", "7d")]),
        ("until:30m", [("until", "2026-11-23T08:00:00Z")]),
        ("since:2026-11-22", [("since", "2026-11-22")]),
        ("network:30103 country:US verdict:block",
         [("asn", "30103"), ("control", "US"), ("action", "block")]),
        ("network:AS30103 country:us verdict:Block host:*.Zoom.US",
         [("asn", "30103"), ("control", "US"), ("action", "block"), ("host", ".Zoom.US")]),
        ("group:", [("group", "-")]),
        ("-service:-", [("without", "service:")]),
        ("decrypted:true transport:http outcome:closed kind:error",
         [("decrypted", "true"), ("transport", "http"), ("outcome", "closed"), ("kind", "error")]),
        ("service:zoom service:zoom", [("service", "zoom")]),
        ("", []),
        ("service:zoom -group:finance host:*.zoom.us since:2h",
         [("service", "zoom"), ("without", "group:finance"), ("host", ".zoom.us"), ("last", "2h")]),
    ],
)  # fmt: skip
def test_the_box_reads_short_words(text, pairs):
    assert list(read_text(text, NOW)) == pairs


@pytest.mark.parametrize(
    ("text", "token", "message"),
    [
        ("service:zoom nonsense:1", "nonsense:1", "no field `nonsense`"),
        ("-zoom", "-zoom", "needs its field"),
        ("-client:2026-11.aaaabbbbccccdddd", "-client:", "cannot be left out"),
        ("host:a*b", "host:a*b", "no other place"),
        ("host:*", "host:*", "no other place"),
        ('rule:"open', 'rule:"open', "closing"),
        ("asn:zoom", "asn:zoom", "asn"),
        ("control:usa", "control:usa", "control"),
        ("last:never", "last:never", "90m"),
        ("since:yesterday", "since:yesterday", "since"),
        ("-asn:x", "-asn:x", "asn"),
        ("without:service:zoom", "without:service:zoom", "no field"),
        ("q:x", "q:x", "no field"),
        ("standing:evil", "standing:evil", "standing"),
    ],
)
def test_an_error_points_at_its_word(text, token, message):
    with pytest.raises(InvalidSearch) as caught:
        read_text(text, NOW)
    assert caught.value.token.startswith(token)
    assert message in str(caught.value)


VALUES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=20)


@given(st.sampled_from(["host", "host_contains", "group", "rule", "without"]), VALUES)
@example("host", 'a"b.example')
@example("host", "*mid*.example")
@example("host", "-")
@example("group", 'a,b "c"')
@example("group", "règle\u00a0: stricte")
@example("host_contains", "-")
def test_the_box_says_what_the_url_says(name, value):
    """Hosts and groups come from others: whatever stands in them, the search stays the same."""
    pair = (name, f"host:{value}" if name == "without" else value)
    try:
        words = read_words([pair], NOW)
    except InvalidSearch:
        return
    if words.pairs == (pair,):  # spaces around a value are not kept
        assert read_text(to_text(words.pairs), NOW) == words.pairs


WORDS = st.sampled_from(["service:zoom", "-group:", "host:*", '"', "since:2h", "-", ":", "asn:1"])


@given(st.one_of(st.text(max_size=60), st.lists(WORDS).map(" ".join)))
def test_whatever_is_typed_is_read_or_refused(text):
    with suppress(InvalidSearch):
        read_words(read_text(text, NOW), NOW)


@pytest.mark.parametrize(
    "text",
    [
        "service:zoom -group:finance host:*.zoom.us last:2h",
        'rule:"press office" zoom',
        "-service:- decrypted:true",
    ],
)
def test_what_is_read_is_written_in_the_same_words(text):
    assert to_text(read_text(text, NOW)) == text


def test_the_time_counts_back_from_now_and_any_length_will_do():
    assert read_query("last=90m", NOW).wanted.since == NOW - timedelta(minutes=90)
    assert read_query("", NOW).wanted.since == NOW - timedelta(hours=24)
    assert read_query("last=all", NOW).wanted.since is None
    assert span_of("13d") == timedelta(days=13)


@pytest.mark.parametrize("last", ["0h", "h", "1", "-1h", "1w", "999999d", "1h2m", "١h"])
def test_a_length_that_is_none_is_refused(last):
    with pytest.raises(InvalidSearch, match="last"):
        read_query(f"last={last}", NOW)
