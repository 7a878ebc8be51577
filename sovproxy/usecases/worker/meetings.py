"""Meetings on sites that no catalogue knows: extensions tell of them where the administration asks
for it, and only counts are kept: no person, no address, no time but the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sovproxy.decide.destination import Destination
from sovproxy.decide.normalise import read_host
from sovproxy.errors import SovproxyError
from sovproxy.store.meetings import add_meeting, delete_old_meetings

if TYPE_CHECKING:
    from sovproxy.store.database import Store

MAX_A_DAY: Final = 5000
"""Hosts and standings that one day can hold: whoever makes names up fills no disk."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DayFull(SovproxyError):
    """The day holds as many hosts as it can; the others are not counted."""


def _host_name(text: str) -> str:
    """A host's name as it is compared; no address, for that may be somebody's home."""
    read = read_host(text)
    if not isinstance(read, Destination) or not read.host or "." not in read.host:
        raise ValueError("a host's name such as meet.example.org is wanted")
    return read.host


class MeetingInput(BaseModel):
    """Where a meeting took place, and the standing of the place in the browser's decision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_host_name)] = Field(
        examples=["meet.example.org"]
    )
    standing: Literal["hosted_here_controlled_abroad", "abroad", "unknown"]


def day_of(moment: datetime) -> int:
    """The day (UTC) as days since 1970."""
    return (moment - EPOCH).days


def count_meeting(store: Store, told: MeetingInput, now: datetime) -> None:
    """Count one meeting for today. Raises DayFull, StoreUnavailable."""
    if not add_meeting(store, day_of(now), told.host, told.standing, MAX_A_DAY):
        raise DayFull(f"today's counts hold {MAX_A_DAY} hosts already; tell it tomorrow")


def forget_meetings(store: Store, now: datetime, days: int) -> int:
    """Delete the counts older than `days`, and say how many. Raises StoreUnavailable."""
    return delete_old_meetings(store, day_of(now - timedelta(days=days)))
