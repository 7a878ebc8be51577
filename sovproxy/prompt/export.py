"""The prompt's texts as plain values, for pages that are not made in Python (the extension's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sovproxy.prompt.countries import LAWS

if TYPE_CHECKING:
    from sovproxy.prompt.languages import Language

CONTEXT_END = "\u0004"
"""Between a context and its text, as in compiled gettext files."""


def texts_of(language: Language) -> dict[str, Any]:
    """Code, messages by English text (`context␄text` with a context), and laws by country."""
    messages = {
        f"{context}{CONTEXT_END}{text}" if context else text: translated
        for (context, text), translated in language.messages.items()
    }
    laws = {code: language.say(law) for code, law in LAWS.items()}
    return {"code": language.code, "messages": messages, "laws": laws}
