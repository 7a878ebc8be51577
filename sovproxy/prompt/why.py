"""The details behind "why": rule, evidence with sources and dates, powers, doubts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sovproxy.decide.words import Action, Effect, PowerStatus, Standing, Verification
from sovproxy.prompt.languages import mark
from sovproxy.prompt.texts import pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.decide.facts import Operator, Place, Power, Source
    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.prompt.languages import Language

_ACTIONS = {
    Action.ALLOW: mark("let through"),
    Action.OBSERVE: mark("let through and counted"),
    Action.WARN: mark("warning"),
    Action.BLOCK: mark("blocked"),
}

_STANDINGS = {
    Standing.SOVEREIGN: mark("sovereign: server and control are under law accepted here"),
    Standing.HOSTED_HERE_CONTROLLED_ABROAD: mark("hosted here, controlled from abroad"),
    Standing.ABROAD: mark("abroad"),
    Standing.UNKNOWN: mark("unknown"),
}

_VERIFICATIONS = {
    Verification.VERIFIED: mark("verified"),
    Verification.MIXED: mark("from several public lists"),
    Verification.RECALLED: mark("recalled, not verified"),
}

_EFFECTS = {
    Effect.DISCLOSE: mark("can have data disclosed"),
    Effect.CUT_OFF: mark("can have a service cut off"),
}

_STATUSES = {
    PowerStatus.IN_FORCE: mark("in force"),
    PowerStatus.LAPSED: mark("lapsed"),
    PowerStatus.PROPOSED: mark("proposed"),
}

_SOFTENED = mark(
    "The rule would block. It only warns, because a fact behind it is recalled and not verified."
)
_STALE = mark("A database used here is older than 90 days: what it says may have changed.")


_IN_FORCE = "in force"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the details. `source` and `day` are empty when there is none to name."""

    label: str
    value: str
    source: str = ""
    day: str = ""
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One power. `name`, `citation`, `status_text` and `source` are in the atlas's English."""

    name: str
    citation: str
    year: int
    country: str
    effect: str
    status: str
    status_text: str
    source: str
    day: str
    lapsed: bool


def decision_rows(verdict: Verdict, policy: Policy, language: Language) -> tuple[Row, ...]:
    """What was decided, by which rule of which policy, and the standing it rests on."""
    title = pick(policy.title, language, policy.language).text or policy.id
    about = next((rule.about for rule in policy.rules if rule.id == verdict.rule), "")
    say = language.say
    return (
        Row(say("Decision"), say(_ACTIONS[verdict.action])),
        Row(say("Rule"), f"{verdict.rule} – {about}" if about else verdict.rule),
        Row(say("Policy"), f"{title} ({verdict.policy}, {verdict.policy_version})"),
        Row(say("Standing"), say(_STANDINGS[verdict.jurisdiction.standing])),
    )


def evidence_rows(verdict: Verdict, language: Language) -> tuple[Row, ...]:
    """The facts, each with its source and date."""
    return tuple(_evidence(verdict, language))


def power_rows(verdict: Verdict, language: Language) -> tuple[PowerRow, ...]:
    """The foreign powers that reach it, with what they do and whether they are in force."""
    return tuple(
        PowerRow(
            name=power.name,
            citation=power.citation,
            year=power.year,
            country=language.country(power.country),
            effect=language.say(_EFFECTS[power.effect]),
            status=language.say(_STATUSES[power.status]),
            status_text=_status_text(power),
            source=power.source.title,
            day=shown_day(power.source.as_of, language),
            lapsed=power.status is not PowerStatus.IN_FORCE,
        )
        for power in verdict.jurisdiction.powers
    )


def doubts(verdict: Verdict, language: Language) -> tuple[str, ...]:
    """What a careful reader should know about the evidence."""
    notes = {_SOFTENED: verdict.softened, _STALE: verdict.jurisdiction.place.stale}
    return tuple(language.say(note) for note, holds in notes.items() if holds)


def shown_day(iso: str, language: Language) -> str:
    """An ISO date in the reader's form; a date that is only a year or month stays as it is."""
    try:
        return language.day(date.fromisoformat(iso))
    except ValueError:
        return iso


def _status_text(power: Power) -> str:
    """What the atlas adds to the status, without saying the status itself again."""
    text = power.status_text.strip().rstrip(".")
    if power.status is PowerStatus.IN_FORCE:
        return text[len(_IN_FORCE) :].strip() if text.lower().startswith(_IN_FORCE) else text
    return f"– {text}" if text else ""


def _evidence(verdict: Verdict, language: Language) -> Iterator[Row]:
    jurisdiction = verdict.jurisdiction
    if listing := verdict.listing:
        name = listing.service.name if listing.service else language.say("shared host")
        value = f"{listing.pattern} → {name}"
        label = language.say("Recognised by")
        yield _row(label, value, listing.source, listing.verification, language)
    operators = dict.fromkeys((jurisdiction.operator, jurisdiction.place.operator))
    for operator in operators:
        if operator:
            yield from _operator(operator, language)
    yield from _place(jurisdiction.place, language)


def _operator(operator: Operator, language: Language) -> Iterator[Row]:
    for entity in (operator, *operator.parents):
        label = language.say("Operator") if entity is operator else language.say("Belongs to")
        value = f"{entity.name} ({language.country(entity.country)})"
        yield _row(label, value, entity.source, entity.verification, language)
    if operator.technology:
        value = ", ".join(language.country(code) for code in operator.technology)
        label = language.say("Depends on technology from")
        yield _row(label, value, operator.source, operator.verification, language)


def _place(place: Place, language: Language) -> Iterator[Row]:
    if place.country:
        value = language.country(place.country)
        yield _row(language.say("Place of the server"), value, place.country_source, None, language)
    if place.asn:
        value = f"AS{place.asn} {place.organisation}".strip()
        if place.registered:
            value = f"{value} ({language.country(place.registered)})"
        yield _row(language.say("Network"), value, place.network_source, None, language)


def _row(
    label: str, value: str, source: Source, verification: Verification | None, language: Language
) -> Row:
    confidence = language.say(_VERIFICATIONS[verification]) if verification else ""
    return Row(label, value, source.title, shown_day(source.as_of, language), confidence)
