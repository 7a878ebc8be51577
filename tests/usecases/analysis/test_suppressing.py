"""Which suppressions a search obeys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.analysis.suppressing import Suppression, SuppressionKind, hiding

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def suppression(kind, value):
    return Suppression(
        id=1,
        kind=SuppressionKind(kind),
        value=value,
        reason="ours",
        author="Ada",
        created=NOW,
        expires=NOW,
    )


@pytest.mark.parametrize(
    ("kind", "value", "asked"),
    [
        ("host", ".zoom.us", {"host": ["us02web.zoom.us"]}),
        ("host", ".zoom.us", {"host_contains": ["us02web.zoom"]}),
        ("asn", "8075", {"asn": [8075]}),
        ("service", "zoom", {"service": ["teams", "zoom"]}),
    ],
)
def test_what_a_search_names_is_not_hidden_from_it(kind, value, asked):
    assert hiding(FilterInput(**asked), [suppression(kind, value)]) == []


@pytest.mark.parametrize("asked", [{}, {"group": ["tax"]}, {"service": ["teams"]}])
def test_what_it_does_not_name_is(asked):
    item = suppression("service", "zoom")
    assert hiding(FilterInput(**asked), [item]) == [item]
