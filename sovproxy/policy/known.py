"""The names that a policy may use, as the atlas knows them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.facts import Operator, Power, Service


@dataclass(frozen=True, slots=True)
class Known:
    """What policies can refer to: services by id, ids of operators, powers, and undecrypted."""

    services: Mapping[str, Service] = field(default_factory=dict)
    operators: frozenset[str] = frozenset()
    powers: frozenset[str] = frozenset()
    undecrypted: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        services: Iterable[Service],
        operators: Iterable[Operator] = (),
        powers: Iterable[Power] = (),
        undecrypted: Iterable[str] = (),
    ) -> Known:
        """Collect the names; operators of the services and their parents are added."""
        by_id = {service.id: service for service in services}
        chains = {name for service in by_id.values() for name in service.operator.chain}
        return cls(
            by_id,
            frozenset(chains | {operator.id for operator in operators}),
            frozenset(power.id for power in powers),
            tuple(undecrypted),
        )

    @classmethod
    def of_atlas(cls, atlas: Atlas) -> Known:
        """Everything that a catalogue knows."""
        everybody = atlas.operators.values()
        return cls.of(atlas.services.values(), everybody, atlas.powers, atlas.undecrypted)

    @property
    def categories(self) -> frozenset[str]:
        """The categories that have at least one service."""
        return frozenset(service.category for service in self.services.values())


def near_miss(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for the closest known name, or empty when none is close."""
    names = {name.casefold(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.casefold()[:64], names, n=1, cutoff=0.6)
    return f"; did you mean `{names[close[0]]}`?" if close else ""
