"""Charts: drawn by Plotly in the browser, each from the table that stands behind it on the page.

Why Plotly: it draws flows (Sankey), patterns that survive black and white, and takes a range by
dragging, under our Content-Security-Policy and with no trusted type, tried in a real Chromium. Its
one file comes with the Python package; we serve it ourselves, to pages with a chart only. What
was tried or read beside it: Bokeh has no flows and puts style sheets into the page; Vega through
vl-convert draws on the server (70 ms a chart, 84 MB installed), where flows need a layout of our
own again; ECharts has no well-kept Python package that carries it; pygal and leather write styles
and scripts into their SVG. Plotly's maps bring a style sheet that our policy refuses, with a line
in the browser's console: we draw no maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sovproxy.decide.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sovproxy.usecases.analysis.analytics import Bucket

LIBRARY: Final = "plotly.min.js"
"""The name under which pages load Plotly."""

ORDER: Final = (Action.BLOCK, Action.WARN, Action.OBSERVE, Action.ALLOW)
"""From the foot of a column upwards: what was stopped stands on the axis, where it compares."""


@cache
def library() -> bytes:
    """Plotly's JavaScript, from the installed package (which need not be imported for it).

    Raises FileNotFoundError when the package is not installed.
    """
    spec = find_spec("plotly")
    folders = (spec and spec.submodule_search_locations) or ()
    files = (Path(folder) / "package_data" / LIBRARY for folder in folders)
    if found := next((file for file in files if file.is_file()), None):
        return found.read_bytes()
    raise FileNotFoundError(f"{LIBRARY}: the package plotly is not installed, or without it")


def total(bucket: Bucket) -> int:
    """All connections of a bucket."""
    return sum(bucket.counts.values())


@dataclass(frozen=True, slots=True)
class Columns:
    """A column chart: the buckets that are not empty, and the highest of them."""

    buckets: tuple[Bucket, ...]
    highest: Bucket | None
    number: int
    """Connections of all buckets together."""


def columns(buckets: Iterable[Bucket]) -> Columns:
    """What a column chart shows."""
    filled = tuple(bucket for bucket in buckets if total(bucket))
    highest = max(filled, key=total, default=None)
    return Columns(filled, highest, sum(total(bucket) for bucket in filled))
