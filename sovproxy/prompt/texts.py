"""Texts of the policy in the reader's language, and whom to contact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from sovproxy.prompt.shown import safe_link

if TYPE_CHECKING:
    from sovproxy.decide.policy import Policy, Texts
    from sovproxy.prompt.languages import Language

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}")
_PHONE = re.compile(r"\+?[0-9 ().\-\u00a0\u202f]{3,40}")


@dataclass(frozen=True, slots=True)
class Picked:
    """A text and the language it is in; `lang` is empty when that is the page's own."""

    text: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask. Every link is safe to follow or empty."""

    name: Picked
    email: str
    email_link: str
    phone: str
    phone_link: str
    url: str

    @property
    def exists(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.name.text or self.email or self.phone or self.url)


def pick(texts: Texts, language: Language, fallback: str) -> Picked:
    """The text in the page's language, else in the policy's, else the first one there is."""
    if text := texts.get(language.code):
        return Picked(text)
    for code in (fallback, *texts):
        if text := texts.get(code):
            return Picked(text, code)
    return Picked()


def contact_of(policy: Policy, event: str, language: Language) -> Contact:
    """The contact that the policy names; a mail to it carries the event's id."""
    organisation = policy.organisation
    email, phone = organisation.contact_email, organisation.contact_phone
    subject = quote(f"sovproxy {event}".strip())
    return Contact(
        name=pick(organisation.contact_name, language, policy.language),
        email=email,
        email_link=f"mailto:{email}?subject={subject}" if _EMAIL.fullmatch(email) else "",
        phone=phone,
        phone_link=f"tel:{re.sub('[^0-9+]', '', phone)}" if _PHONE.fullmatch(phone) else "",
        url=safe_link(organisation.contact_url),
    )
