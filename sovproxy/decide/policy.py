"""The frozen policy that the ladder reads: plain values, compiled by `sovproxy.policy`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sovproxy.decide.words import Action

type Texts = Mapping[str, str]
"""The same text by language code, such as {"fr": "…", "en": "…"}."""

NO_TEXTS: Texts = MappingProxyType({})

NO_ALTERNATIVE = "none"
"""As a rule's alternative: nothing is offered. No service can have this id."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule looks at. An empty set means that the rule does not care.

    Within one set any value fits; all sets that are not empty must fit.
    """

    services: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    stances: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    control: frozenset[str] = frozenset()
    location: frozenset[str] = frozenset()
    networks: frozenset[int] = frozenset()
    powers: frozenset[str] = frozenset()
    standing: frozenset[str] = frozenset()
    verification: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Phase:
    """From `start` (Unix seconds, UTC) the rule takes `action`, until a later phase begins."""

    start: float
    action: Action


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Before its first phase begins a rule does not apply at all.

    `alternative` is a service id, `NO_ALTERNATIVE`, or empty to offer the first of the service's
    own that the trust zone controls.
    `trust_recalled` lets the rule block on a recalled fact; otherwise such a block becomes a
    warning.
    """

    id: str
    condition: Condition
    phases: tuple[Phase, ...]
    about: str = ""
    alternative: str = ""
    message: Texts = NO_TEXTS
    trust_recalled: bool = False

    def action_at(self, now: float) -> Action | None:
        """The action in force at `now` (Unix seconds), or None before the first phase."""
        index = bisect_right([phase.start for phase in self.phases], now)
        return self.phases[index - 1].action if index else None


@dataclass(frozen=True, slots=True)
class Group:
    """Workers or machines that rules can name: by network (CIDR text) or by name."""

    id: str
    networks: tuple[str, ...] = ()
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who speaks on the prompt. Colours are `#rrggbb`; empty texts are not shown."""

    name: Texts = NO_TEXTS
    contact_name: Texts = NO_TEXTS
    contact_email: str = ""
    contact_phone: str = ""
    contact_url: str = ""
    primary_colour: str = "#1b3a6b"
    accent_colour: str = "#c9191e"


@dataclass(frozen=True, slots=True)
class FullInspection:
    """The terms under which connections that pass are decrypted.

    `never` are ids of categories of the catalogue, `domains` further names, each with everything
    below it, that are left alone all the same.
    """

    purpose: Texts
    never: tuple[str, ...]
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy, complete and checked. `version` changes whenever its text does.

    `exception_days` is how long an exception lasts at most, `retention_days` how long events and
    what is closed are kept. `full` is there exactly if `inspection` is `full`.
    """

    id: str
    version: str
    trust_zone: frozenset[str]
    rules: tuple[Rule, ...] = ()
    default: Action = Action.ALLOW
    on_error: Action = Action.BLOCK
    inspection: str = "prompt"
    full: FullInspection | None = None
    language: str = "en"
    title: Texts = NO_TEXTS
    about: Texts = NO_TEXTS
    organisation: Organisation = field(default_factory=Organisation)
    groups: tuple[Group, ...] = ()
    trust_recalled: bool = False
    acknowledgement_seconds: int = 8 * 3600
    exception_days: int = 30
    retention_days: int = 183
    internal_domains: tuple[str, ...] = ()
    internal_networks: tuple[str, ...] = ()
    refused_networks: tuple[str, ...] = ()

    @property
    def turning_points(self) -> tuple[float, ...]:
        """The instants (Unix seconds, ascending) at which some rule changes its action."""
        return tuple(sorted({phase.start for rule in self.rules for phase in rule.phases}))
