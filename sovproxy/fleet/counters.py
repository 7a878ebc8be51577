"""What a node counts while it runs: plain numbers since its start, sent with every heartbeat."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import ConfigDict, Field

from sovproxy.decide.words import Action
from sovproxy.events.event import Outcome

if TYPE_CHECKING:
    from sovproxy.decide.verdict import Verdict

MAX_COUNT: Final = 2**53
Count = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]
LimitName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
Limited = Annotated[dict[LimitName, Count], Field(max_length=64)]


@dataclass(slots=True)
class Counters:
    """Numbers since the node started; each only grows.

    `passed`, `observed` and `excepted` are connections that were let through: by `allow`, by
    `observe`, under an exception; `acknowledged` passed a warning. `warned` and `blocked` were
    stopped. Of these, `prompts` got a page, `refused_connects` a refused CONNECT, `closed` a closed
    connection; `decrypted` were answered inside their own TLS, or passed with
    `inspection: full`. `requests` are the exceptions that
    workers asked for. The last three tell of faults: hooks that failed, records that could not be
    written, deliveries to the API that failed. `limits` says how often each limit was reached.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    passed: Count = 0
    observed: Count = 0
    warned: Count = 0
    blocked: Count = 0
    excepted: Count = 0
    acknowledged: Count = 0
    prompts: Count = 0
    refused_connects: Count = 0
    closed: Count = 0
    decrypted: Count = 0
    requests: Count = 0
    hook_errors: Count = 0
    unwritable_records: Count = 0
    delivery_failures: Count = 0
    limits: Limited = field(default_factory=dict)

    def note(self, verdict: Verdict, outcome: Outcome, *, decrypted: bool) -> None:
        """Count a decision of which an event is made."""
        if verdict.exception:
            self.excepted += 1
        elif verdict.acknowledged:
            self.acknowledged += 1
        elif verdict.action is Action.BLOCK:
            self.blocked += 1
        elif verdict.action is Action.WARN:
            self.warned += 1
        self.prompts += outcome is Outcome.PROMPTED
        self.refused_connects += outcome is Outcome.CONNECT_REFUSED
        self.closed += outcome is Outcome.CLOSED
        self.decrypted += decrypted

    def snapshot(self) -> dict[str, int]:
        """The numbers by name; that of a limit is `limit_` and the limit's name."""
        numbers = asdict(self)
        limits = numbers.pop("limits")
        return numbers | {f"limit_{name}": number for name, number in limits.items()}
