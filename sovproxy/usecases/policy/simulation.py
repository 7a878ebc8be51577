"""What is asked of a simulation, and what it answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID  # noqa: TC003  # the models read their annotations

from pydantic import BaseModel, ConfigDict, Field

from sovproxy.decide.words import Action  # noqa: TC001  # the models read their annotations
from sovproxy.errors import SovproxyError
from sovproxy.events.event import UtcTime  # noqa: TC001  # the models read their annotations
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.policy.supposing import Untold  # noqa: TC001  # the models read them

DEFAULT_RANGE: Final = timedelta(days=7)
MAX_RANGE: Final = timedelta(days=366)
MAX_SECONDS: Final = 20.0
MAX_EVENTS: Final = 500_000
MAX_QUESTIONS: Final = 100_000
MAX_EXAMPLES: Final = 50
MAX_LINES: Final = 100


class InvalidSimulation(SovproxyError):
    """The range of a simulation is not one that can be replayed."""


class SimulationInput(FilterInput):
    """Which traffic: the last 7 days if no range is given, and what else a search may name.

    `at` judges as if it were that instant, to see later phases; both policies are asked for it.
    """

    at: UtcTime | None = Field(default=None, description="Judge as of this instant; now if none.")
    examples: int = Field(default=10, ge=0, le=MAX_EXAMPLES)


class Move(BaseModel):
    """Connections that got one action and would get another (or the same)."""

    model_config = ConfigDict(frozen=True)

    before: Action
    after: Action
    number: int = Field(examples=[1200])


class Share(BaseModel):
    """Connections of one service or group, and how many of them would change.

    `clients` are distinct pseudonyms among what changes: those of events only, and a person who
    has been given a new one since counts twice. `counted` is how much of what changes was only
    counted, so that nobody knows how many clients that was.
    """

    name: str = Field(examples=["finance"])
    connections: int
    changed: int
    stricter: int
    milder: int
    clients: int
    counted: int


class Takeover(BaseModel):
    """Connections that another rule would decide, or the same one otherwise."""

    rule: str
    action: Action
    new_rule: str
    new_action: Action
    number: int


class Said(BaseModel):
    """What one policy says of an example."""

    action: Action
    rule: str
    reason: str = ""


class Example(BaseModel):
    """One event that would change, with what was recorded and what both policies say."""

    event: UUID
    time: datetime
    host: str
    address: str
    group: str
    service: str
    recorded: Said
    now: Said
    draft: Said


class NotTold(BaseModel):
    """Counted connections of which the record cannot tell what the draft would do, and why."""

    why: Untold
    number: int


class Simulation(BaseModel):
    """What would change if the draft were applied.

    `moves` compares with the policy in force now, `recorded` with what happened then. `excepted`
    would change but for an exception in force. `unresolved` events were stopped by their name; the
    draft would let the name pass, and then judge an address that nobody looked up. `cut` tells that
    not everything was judged, and `since` then is where judging began. `regrouped` are groups whose
    members or networks the draft changes: clients are taken for members of the group that was
    recorded.
    """

    policy: str
    digest: str
    draft: str
    since: datetime
    until: datetime
    at: datetime
    connections: int
    events: int
    counted: int
    changed: int
    stricter: int
    milder: int
    clients: int
    excepted: int
    unresolved: int
    not_told: list[NotTold]
    moves: list[Move]
    recorded: list[Move]
    groups: list[Share]
    services: list[Share]
    rules: list[Takeover]
    examples: list[Example]
    regrouped: list[str]
    cut: bool
