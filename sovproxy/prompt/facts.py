"""What the pages need to know, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.prompt.asking import Span


@dataclass(frozen=True, slots=True)
class GoOn:
    """The offer of an acknowledgement: where its form is sent and what it carries.

    `action` is a path on the origin that shows the prompt (it starts with one `/`; the page's
    Content-Security-Policy allows no other form target). `token` is the signed, expiring token.
    `until` is when the acknowledgement would end.
    """

    action: str
    token: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """The form for asking an exception: where it is sent, its token, and when each choice ends.

    `action` and `token` are as in GoOn.
    """

    action: str
    token: str
    ends: Mapping[Span, datetime]


class AskState(StrEnum):
    """How a request for an exception stands, where its worker is told of it."""

    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the worker has asked for already, and what became of it.

    `request` is its id, `number` what people call it by, or empty. `until` is when it ends: as it
    was granted, else as it was wanted. `decided` is when it was answered, and `message` what was
    said to the worker: any text.
    """

    state: AskState
    request: str
    asked: datetime
    until: datetime
    number: str = ""
    decided: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class AskedFacts:
    """What the page says after a worker asked for an exception.

    `service` is the service's name, or empty when it is for the host alone. `number` is what people
    call the request by; empty as long as nobody has given it one, then `request` (its id) is shown.
    `before` tells that it was asked for before, and that this request stands and no new one.
    """

    policy: Policy
    now: datetime
    node: str
    host: str
    service: str
    until: datetime
    request: str
    number: str = ""
    again: str = "/"
    before: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the event of this prompt holds. An empty `event` means that nothing is recorded.

    `client` is the keyed pseudonym (the page shows its first characters); `retention_days` is how
    long the event is kept.
    """

    event: str = ""
    client: str = ""
    retention_days: int = 0


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """Everything a prompt says.

    `host` is what the client asked for, as it came: it may hold anything. `now` must carry its
    time zone, in which times are shown. `go_on` is only looked at when the verdict warns; without
    `ask` no exception can be asked for on the page.
    `standing` is what the worker has asked for here already.
    `desk` is the origin that its forms are sent to; empty is the page's own.
    `meeting_place` is the link of a room that is known already, or empty.
    """

    host: str
    verdict: Verdict
    policy: Policy
    now: datetime
    node: str
    recorded: Recorded = Recorded()
    go_on: GoOn | None = None
    ask: Ask | None = None
    standing: Standing | None = None
    meeting_place: str = ""
    desk: str = ""


class Mishap(StrEnum):
    """What went wrong, when a page other than the prompt is shown."""

    EXPIRED = "expired"
    USED = "used"
    FORGED = "forged"
    REASON_MISSING = "reason_missing"
    WHY_MISSING = "why_missing"
    NOT_KEPT = "not_kept"
    TOO_OFTEN = "too_often"
    UNREADABLE = "unreadable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MishapFacts:
    """What the page about a mishap says.

    `host` is what the client sent, as it came, or empty. `again` is a path on the same origin that
    shows the prompt anew, or empty when there is nothing to try again. `wait` is after how long
    there is sense in trying again, as far as that is known.
    """

    mishap: Mishap
    policy: Policy
    now: datetime
    node: str
    host: str = ""
    event: str = ""
    again: str = ""
    wait: timedelta | None = None
