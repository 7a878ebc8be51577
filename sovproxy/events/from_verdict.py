"""From a verdict to what is recorded about it: an event, or the key of a rollup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.decide.destination import Destination
from sovproxy.events.event import MAX_CONTROL, Event, EventKind, Outcome, Transport
from sovproxy.events.rollup import RollupKey

if TYPE_CHECKING:
    from datetime import datetime

    from sovproxy.decide.destination import Unreadable
    from sovproxy.decide.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Carried:
    """How a verdict was carried out: when, by which node, for whom, and what the client got.

    `client` is a pseudonym, `group` a group's id or empty.
    """

    time: datetime
    node: str
    client: str
    group: str
    outcome: Outcome
    transport: Transport
    decrypted: bool = False
    kind: EventKind = EventKind.DECISION


def event_of(verdict: Verdict, destination: Destination | Unreadable, carried: Carried) -> Event:
    """Make the event of a verdict that was carried out."""
    jurisdiction = verdict.jurisdiction
    known = destination if isinstance(destination, Destination) else Destination()
    return Event(
        time=carried.time,
        node=carried.node,
        kind=carried.kind,
        client=carried.client,
        group=carried.group,
        host=known.host or ("" if known.address else destination.label),
        address=known.address,
        port=known.port,
        action=verdict.action,
        rule=verdict.rule,
        reason=verdict.reason,
        service=verdict.service.id if verdict.service else "",
        operator=jurisdiction.operator.id if jurisdiction.operator else "",
        control=jurisdiction.control[:MAX_CONTROL],
        standing=jurisdiction.standing,
        location=jurisdiction.place.country,
        asn=jurisdiction.place.asn,
        alternative=verdict.alternative.id if verdict.alternative else "",
        policy=verdict.policy,
        policy_version=verdict.policy_version,
        outcome=carried.outcome,
        transport=carried.transport,
        decrypted=carried.decrypted,
    )


def rollup_key_of(verdict: Verdict, group: str, *, decrypted: bool = False) -> RollupKey:
    """Make the key under which an uneventful connection is counted. Worth keeping per verdict."""
    jurisdiction = verdict.jurisdiction
    return RollupKey(
        group=group,
        service=verdict.service.id if verdict.service else "",
        control=jurisdiction.control[:MAX_CONTROL],
        standing=jurisdiction.standing,
        location=jurisdiction.place.country,
        asn=jurisdiction.place.asn,
        action=verdict.action,
        rule=verdict.rule,
        decrypted=decrypted,
    )
