"""The whole answer about one destination, and what was considered on the way to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from sovproxy.decide.facts import NOWHERE, Listing, Operator, Place, Power, Service
from sovproxy.decide.instants import utc_text
from sovproxy.decide.notes import Note
from sovproxy.decide.policy import NO_TEXTS, Texts
from sovproxy.decide.words import Action, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sovproxy.decide.exceptions import Grant


NEVER_EXCEPTED: Final = frozenset({"refused-network", "unreadable-destination", "on-error"})
"""Rungs whose stop no exception lifts: they protect the proxy itself, or name no destination."""


@dataclass(frozen=True, slots=True, eq=False)
class Jurisdiction:
    """Where a destination stands.

    `operator` runs the service, or the network when no service is known. `control` are the
    countries of that operator, of the network's operator, and of all their parents. `powers` are
    those of foreign countries that reach it through control or location.
    """

    standing: Standing = Standing.UNKNOWN
    operator: Operator | None = None
    place: Place = NOWHERE
    control: tuple[str, ...] = ()
    powers: tuple[Power, ...] = ()


UNKNOWN_JURISDICTION = Jurisdiction()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the ladder looked at: the rung, whether it decided, and why or why not.

    A step that decided says what: the action, by which rule.
    """

    rung: str
    decided: bool
    note: Note | None = None
    rule: str = ""
    action: str = ""

    @property
    def detail(self) -> str:
        """All of it but the rung, in English."""
        said = ": ".join(filter(None, (self.rule, self.action)))
        return " ".join(filter(None, (said and f"{said}.", str(self.note) if self.note else "")))


class Verdict(NamedTuple):
    """Action, rule, reason, jurisdiction, alternative, policy version: complete and frozen.

    `rule` is the id of the policy's rule, or of a rung of the ladder (`ladder.RUNGS`); `why` is
    what that rung adds in words, often nothing. `listing` is the catalogue's entry that recognised
    the destination, `message` the rule's own text for the worker. `softened` is true when a block
    became a warning because the fact behind it is only recalled. `acknowledged` is true when a
    worker's acknowledgement lets a warning pass. `exception` is the one that lets it pass, and
    `overruled` the verdict as it would be without. (A named tuple: one is made for every
    connection.)
    """

    action: Action
    rule: str
    policy: str
    policy_version: str
    service: Service | None = None
    listing: Listing | None = None
    jurisdiction: Jurisdiction = UNKNOWN_JURISDICTION
    alternative: Service | None = None
    message: Texts = NO_TEXTS
    softened: bool = False
    steps: tuple[Step, ...] = ()
    why: str = ""
    acknowledged: bool = False
    exception: Grant | None = None
    overruled: Verdict | None = None

    @property
    def reason(self) -> str:
        """English sentences for logs and analysts: what it is, where it stands, which rule says so.

        Workers' words come from `sovproxy.prompt`.
        """
        said = f"Rule {self.rule}: {self.action}. {self.why}".rstrip()
        return f"{self._standing()} {said}" if self.jurisdiction.operator or self.listing else said

    def _standing(self) -> str:
        operator, jurisdiction = self.jurisdiction.operator, self.jurisdiction
        subject = "The destination"
        if self.listing:
            subject = f"The shared host {self.listing.pattern}"
        if self.service:
            subject = f"{self.service.name} ({self.service.category})"
        by = f"run by {operator.name}" if operator else "run by nobody that we know"
        control = ", ".join(jurisdiction.control)
        controlled = f", controlled from {control}" if control else ""
        return f"{subject} is {by}{controlled}; standing: {jurisdiction.standing}."

    @property
    def passes(self) -> bool:
        """Whether the connection is let through."""
        return self.acknowledged or not self.action.stops

    def acknowledge(self) -> Verdict:
        """The same verdict after the worker went on; only a warning can be acknowledged."""
        return self._replace(acknowledged=True) if self.action is Action.WARN else self

    @property
    def can_be_excepted(self) -> bool:
        """Whether it stops the connection, by something that an exception may lift."""
        return self.action.stops and self.rule not in NEVER_EXCEPTED

    def excepted(self, grant: Grant) -> Verdict:
        """The same verdict under an exception: it is observed instead, and says so.

        Unchanged where nothing is stopped, or where no exception may lift it.
        """
        if not self.can_be_excepted:
            return self
        until = utc_text(grant.until)[:16].replace("T", " ") + " UTC"
        values = {"number": str(grant.number), "until": until}
        values |= {"rule": self.rule, "action": self.action.value}
        note = Note("exception", tuple(values.items()))
        step = Step("exception", decided=True, note=note, rule="exception", action=Action.OBSERVE)
        return self._replace(
            action=Action.OBSERVE,
            rule="exception",
            why=str(note),
            steps=(*self.steps, step),
            exception=grant,
            overruled=self,
        )


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that counts when a destination has several names: the first of the strictest."""
    return max(verdicts, key=lambda verdict: (not verdict.passes, verdict.action.strictness))
