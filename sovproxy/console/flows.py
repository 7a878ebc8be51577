"""The rows behind the picture of who controls the traffic: groups, services, countries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sovproxy.usecases.analysis.analytics import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sovproxy.console.names import Names
    from sovproxy.usecases.analysis.analytics import Flow

STRONGEST = 3
"""So many flows are told in the sentence that stands for the picture."""


class Cell(NamedTuple):
    """One place that a flow passes: its key, its name, its events, and on which side it lies.

    The side is `outside`, `inside` or `unknown` for the countries of control, else empty.
    """

    key: str
    text: str
    address: str
    side: str = ""


@dataclass(frozen=True, slots=True)
class FlowRows:
    """Turns flows into rows. `to_events` gives the address of the events with some values."""

    names: Names
    trust_zone: frozenset[str]
    to_events: Callable[..., str]

    def rows(self, flows: Iterable[Flow]) -> list[tuple[tuple[Cell, Cell, Cell], int]]:
        """Group, service and control of each flow, and how many connections it has."""
        return [(self._cells(flow), flow.count) for flow in flows]

    def summary(self, flows: Sequence[Flow]) -> str:
        """The strongest flows in words."""
        cells = [self._cells(flow) for flow in flows[:STRONGEST]]
        return "; ".join(" → ".join(cell.text for cell in row) for row in cells)

    def _cells(self, flow: Flow) -> tuple[Cell, Cell, Cell]:
        return self._one("group", flow.group), self._one("service", flow.service), self._end(flow)

    def _one(self, field: str, value: str) -> Cell:
        if value == OTHER:
            return Cell(value, self.names.language.say("Others"), "")
        return Cell(value, self.names.of(field, value), self.to_events(**{field: value or "-"}))

    def _end(self, flow: Flow) -> Cell:
        say, key = self.names.language.say, ",".join(flow.control)
        if key == OTHER:
            return Cell(key, say("Others"), "", "unknown")
        if not key:
            return Cell(key, say("Unknown control"), self.to_events(control="-"), "unknown")
        text = ", ".join(self.names.of("control", code) for code in flow.control)
        outside = any(code not in self.trust_zone for code in flow.control)
        side = "outside" if outside else "inside"
        return Cell(key, text, self.to_events(control=flow.control), side)
