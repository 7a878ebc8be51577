"""The geometry of the charts; templates draw it as SVG.

Drawn by hand, because no library fits: pygal and leather write colours, styles and scripts into
their SVG, which our Content-Security-Policy forbids and which knows neither dark mode nor links.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovproxy.decide.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sovproxy.usecases.analytics import Flow, Histogram

WIDTH: Final = 1000.0
"""All charts are this wide inside, whatever their size on the page."""

COLUMN_HEIGHT: Final = 160.0
ORDER: Final = (Action.BLOCK, Action.WARN, Action.OBSERVE, Action.ALLOW)
"""From the foot of a column upwards: what was stopped stands on the axis, where it compares."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a column that one action has."""

    action: str
    y: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Column:
    """One bucket of time."""

    x: float
    width: float
    parts: tuple[Part, ...]
    start: datetime
    total: int


@dataclass(frozen=True, slots=True)
class Columns:
    """A stacked column chart. `highest` is the number that the full height stands for."""

    columns: tuple[Column, ...]
    highest: int
    since: datetime
    until: datetime
    height: float = COLUMN_HEIGHT


def columns(histogram: Histogram, height: float = COLUMN_HEIGHT) -> Columns:
    """Lay out a histogram."""
    buckets = histogram.buckets
    highest = max((sum(bucket.counts.values()) for bucket in buckets), default=0)
    step = WIDTH / max(len(buckets), 1)
    gap = min(step * 0.2, 3.0)
    laid = tuple(
        Column(
            x=round(index * step + gap / 2, 2),
            width=round(step - gap, 2),
            parts=_parts(bucket.counts, highest, height),
            start=bucket.start,
            total=sum(bucket.counts.values()),
        )
        for index, bucket in enumerate(buckets)
    )
    return Columns(laid, highest, histogram.since, histogram.until, height)


def _parts(counts: Mapping[Action, int], highest: int, height: float) -> tuple[Part, ...]:
    parts, foot = [], height
    for action in ORDER:
        count = counts[action]
        if not count:
            continue
        tall = max(height * count / highest, 1.0)
        foot -= tall
        parts.append(Part(action, round(foot, 2), round(tall, 2), count))
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Node:
    """A block of the flow chart: a group, a service or a country. `key` is its id."""

    level: int
    key: str
    y: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Ribbon:
    """What flows from one block to another, as an SVG path."""

    source: str
    target: str
    level: int
    path: str
    count: int


@dataclass(frozen=True, slots=True)
class FlowChart:
    """Groups, services and countries of control, left to right, and what flows between them."""

    nodes: tuple[Node, ...]
    ribbons: tuple[Ribbon, ...]
    height: float


LEVELS: Final = (230.0, 560.0, 770.0)
"""Where the three rows of blocks stand (their left edges)."""

BLOCK_WIDTH: Final = 14.0
_LEAST: Final = 15.0
"""So high at least is a block: a line of text stands beside it."""

_GAP: Final = 5.0


def flow_chart(flows: Sequence[Flow]) -> FlowChart:
    """Lay out the flows. A connection controlled from several countries ends at their pair."""
    triples = Counter[tuple[str, str, str]]()
    for flow in flows:
        triples[flow.group, flow.service, ",".join(flow.control)] += flow.count
    totals = [_totals(triples, level) for level in range(3)]
    rows = max((len(total) for total in totals), default=0)
    height = max(rows * (_LEAST + _GAP) + 150.0, 200.0)
    nodes = tuple(
        node for level, total in enumerate(totals) for node in _stack(level, total, height)
    )
    return FlowChart(nodes, tuple(_ribbons(triples, nodes)), height)


def _totals(triples: Counter[tuple[str, str, str]], level: int) -> Counter[str]:
    totals = Counter[str]()
    for triple, count in triples.items():
        totals[triple[level]] += count
    return totals


def _stack(level: int, totals: Counter[str], height: float) -> Iterable[Node]:
    """Heights follow the counts, over a least height that every block has."""
    free = height - len(totals) * (_LEAST + _GAP)
    everything, y = max(totals.total(), 1), 0.0
    for key, count in totals.most_common():
        tall = _LEAST + free * count / everything
        yield Node(level, key, round(y, 2), round(tall, 2), count)
        y += tall + _GAP


def _ribbons(triples: Counter[tuple[str, str, str]], nodes: Sequence[Node]) -> Iterable[Ribbon]:
    place = {(node.level, node.key): node for node in nodes}
    for level in (0, 1):
        links = Counter[tuple[str, str]]()
        for triple, count in triples.items():
            links[triple[level], triple[level + 1]] += count
        order = sorted(links, key=lambda pair: _order(pair, place, level))
        used = Counter[tuple[int, str]]()
        for pair in order:
            yield _ribbon(pair, links[pair], level, place, used)


def _order(
    pair: tuple[str, str], place: Mapping[tuple[int, str], Node], level: int
) -> tuple[float, float]:
    return place[level, pair[0]].y, place[level + 1, pair[1]].y


def _ribbon(
    pair: tuple[str, str],
    count: int,
    level: int,
    place: Mapping[tuple[int, str], Node],
    used: Counter[tuple[int, str]],
) -> Ribbon:
    ends = []
    for at, key in ((level, pair[0]), (level + 1, pair[1])):
        node = place[at, key]
        top = node.y + node.height * used[at, key] / node.count
        used[at, key] += count
        ends.append((top, top + node.height * count / node.count))
    (a, b), (c, d) = ends
    left, right = LEVELS[level] + BLOCK_WIDTH, LEVELS[level + 1]
    middle = (left + right) / 2
    path = (
        f"M{left:g} {a:.1f}C{middle:g} {a:.1f} {middle:g} {c:.1f} {right:g} {c:.1f}"
        f"V{d:.1f}C{middle:g} {d:.1f} {middle:g} {b:.1f} {left:g} {b:.1f}Z"
    )
    return Ribbon(pair[0], pair[1], level, path, count)
