"""The pages workers see, in French, English, German and Danish.

Everything here is a pure function of its arguments; templates, styles and translations are read
from the package once.
"""

from sovproxy.prompt.facts import (
    Ask,
    AskedFacts,
    AskState,
    GoOn,
    Mishap,
    MishapFacts,
    PromptFacts,
    Recorded,
    Standing,
)
from sovproxy.prompt.goon import REASONS, is_reason
from sovproxy.prompt.languages import Language, language_for, language_named, languages
from sovproxy.prompt.page import Page, render_asked, render_mishap, render_page
from sovproxy.prompt.problem import Problem, render_problem

__all__ = [
    "REASONS",
    "Ask",
    "AskState",
    "AskedFacts",
    "GoOn",
    "Language",
    "Mishap",
    "MishapFacts",
    "Page",
    "Problem",
    "PromptFacts",
    "Recorded",
    "Standing",
    "is_reason",
    "language_for",
    "language_named",
    "languages",
    "render_asked",
    "render_mishap",
    "render_page",
    "render_problem",
]
