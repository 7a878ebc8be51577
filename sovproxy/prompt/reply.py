"""The ready reply to the person who sent the invitation.

Nobody can make a Visio room by a link alone (facts.md §2.1: creating one needs a signed-in user),
so the reply has a clear place for a link that the worker brings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sovproxy.prompt.languages import mark
from sovproxy.prompt.shown import printable, safe_link, show_host
from sovproxy.prompt.texts import pick

if TYPE_CHECKING:
    from sovproxy.decide.facts import Service
    from sovproxy.prompt.facts import PromptFacts
    from sovproxy.prompt.languages import Language

ROOM_HOSTS = frozenset({"visio.numerique.gouv.fr", "visio.suite.anct.gouv.fr"})
"""Hosts whose rooms are `/abc-defg-hij` (suitenumerique/meet @e5f0b1c202c0, 21 August 2026)."""

ROOM_EXAMPLE = "abc-defg-hij"

_MEETINGS = frozenset({"videoconference", "videoconference-infra"})
_CONVERSATIONS = frozenset({"messaging"})
_ALONE = frozenset({
    "ai-api", "ai-assistant", "ai-research", "anonymiser", "cdn", "cloud", "connectivity", "crm",
    "dev-platform", "erp", "identity", "media", "portal", "search", "tracker", "translation",
})  # fmt: skip
"""Categories of what people use by themselves: there is nobody to reply to."""


class Use(StrEnum):
    """What the worker was about to do, as far as the alternative or the service tells."""

    MEETING = "meeting"
    CONVERSATION = "conversation"
    OTHER = "other"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in one language. `placeholder` is the part of `text` that the link replaces."""

    language: Language
    text: str
    placeholder: str


def use_of(service: Service | None, alternative: Service | None) -> Use:
    """What kind of thing the worker wanted to do."""
    known = alternative or service
    category = known.category if known else ""
    if category in _MEETINGS:
        return Use.MEETING
    if category in _CONVERSATIONS:
        return Use.CONVERSATION
    return Use.ALONE if category in _ALONE else Use.OTHER


def room_host(alternative: Service | None) -> str:
    """The alternative's host if its rooms have the known shape, else an empty text."""
    link = safe_link(alternative.url) if alternative else ""
    host = urlsplit(link).hostname or ""
    return host if host in ROOM_HOSTS else ""


_ASKS = {
    Use.MEETING: mark("Could we meet there? Here is the link of the meeting:"),
    Use.CONVERSATION: mark("Could we go on there? You can reach me at:"),
    Use.OTHER: mark("Could we use it together? Here is the link:"),
}

_PLACES = {
    Use.MEETING: mark("[link of the meeting on %(alternative)s]"),
    Use.CONVERSATION: mark("[my link or address on %(alternative)s]"),
    Use.OTHER: mark("[link on %(alternative)s]"),
}


def make_reply(facts: PromptFacts, language: Language) -> Reply:
    """The reply in one language; it names the alternative, and what was asked for."""
    alternative = facts.verdict.alternative
    if alternative is None:
        return _reply_without_alternative(facts, language)
    use = use_of(facts.verdict.service, alternative)
    place = facts.meeting_place or _place(use, alternative, language)
    wish = language.say(
        "%(organisation)s asks its staff to use %(alternative)s rather than %(service)s.",
        organisation=_organisation(facts, language),
        alternative=alternative.name,
        service=_wanted(facts),
    )
    lines = (f"{wish} {language.say(_ASKS[use])}", place)
    return Reply(language, _letter(lines, language), place)


def _reply_without_alternative(facts: PromptFacts, language: Language) -> Reply:
    place = language.say("[telephone number or address]")
    wish = language.say(
        "%(organisation)s asks its staff not to use %(service)s. Could we find another way, such "
        "as the telephone? You can reach me at:",
        organisation=_organisation(facts, language),
        service=_wanted(facts),
    )
    return Reply(language, _letter((wish, place), language), place)


def _letter(lines: tuple[str, ...], language: Language) -> str:
    greeting = language.say("Hello,")
    thanks = language.say("Thank you, and see you soon.")
    return "\n\n".join((greeting, "\n".join(lines), thanks))


def _place(use: Use, alternative: Service, language: Language) -> str:
    host = room_host(alternative)
    if use is Use.MEETING and host:
        return language.say(
            "[link of the meeting, such as %(example)s]", example=f"https://{host}/{ROOM_EXAMPLE}"
        )
    return language.say(_PLACES[use], alternative=alternative.name)


def _organisation(facts: PromptFacts, language: Language) -> str:
    name = pick(facts.policy.organisation.name, language, facts.policy.language).text
    if name:
        return language.say("My organisation (%(name)s)", name=printable(name))
    return language.say("My organisation")


def _wanted(facts: PromptFacts) -> str:
    service = facts.verdict.service
    return service.name if service else show_host(facts.host).short
