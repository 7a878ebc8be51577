"""From facts to a whole page: HTML and the header fields it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from sovproxy.decide.words import Action
from sovproxy.prompt import asking, goon, why
from sovproxy.prompt.colours import readable_on
from sovproxy.prompt.facts import AskState, Mishap
from sovproxy.prompt.headers import Headers, page_headers
from sovproxy.prompt.languages import languages, mark
from sovproxy.prompt.reply import Use, make_reply, room_host, use_of
from sovproxy.prompt.sentences import in_whose_hands
from sovproxy.prompt.shown import printable, safe_link, safe_path, show_host
from sovproxy.prompt.texts import contact_of, pick

if TYPE_CHECKING:
    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.prompt.facts import AskedFacts, MishapFacts, PromptFacts
    from sovproxy.prompt.languages import Language
    from sovproxy.prompt.texts import Picked

STATUS_STOPPED = 451
"""Status of every prompt. A warning has it too: the answer is not the destination's, and no cache,
crawler or script may take it for a success. Browsers show its page like any other."""

STATUS_ASKED = 200

PAPER, PAPER_DARK = "#f4f6f9", "#1d222b"
"""The backgrounds that leave the least contrast: the darkest light one and the lightest dark one
of `static/prompt.css`. A colour that can be read on them can be read everywhere."""

SHOWN_PSEUDONYM = 12
"""Characters of the client's pseudonym that the page shows: the key's month, and four more."""

_MISHAP_STATUS = {
    Mishap.EXPIRED: 403,
    Mishap.USED: 403,
    Mishap.FORGED: 403,
    Mishap.REASON_MISSING: 400,
    Mishap.WHY_MISSING: 400,
    Mishap.NOT_KEPT: 503,
    Mishap.TOO_OFTEN: 429,
    Mishap.UNREADABLE: 400,
    Mishap.FAILED: 503,
}

_HEADLINES = {
    (Action.BLOCK, True): mark("%(service)s cannot be opened here"),
    (Action.BLOCK, False): mark("This site cannot be opened here"),
    (Action.WARN, True): mark("Before you open %(service)s"),
    (Action.WARN, False): mark("Before you open this site"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page, complete: body, header fields (without Content-Length) and status."""

    html: bytes
    headers: Headers
    status: int = STATUS_STOPPED


@dataclass(frozen=True, slots=True)
class Gist:
    """The essence of the page in another language."""

    language: Language
    headline: str
    sentence: str


def headline(verdict: Verdict, language: Language) -> str:
    """The page's first line. A verdict that lets pass is shown like a block: it was stopped."""
    action = verdict.action if verdict.action.stops else Action.BLOCK
    text = _HEADLINES[action, verdict.service is not None]
    return language.say(text, service=verdict.service.name if verdict.service else "")


def render_page(facts: PromptFacts, language: Language) -> Page:
    """Render the prompt of a warning or a block."""
    verdict, policy = facts.verdict, facts.policy
    values = _frame(policy, facts.recorded.event, facts.node, language) | {
        "facts": facts,
        "verdict": verdict,
        "blocked": verdict.action is not Action.WARN,
        "desk": facts.desk,
        "host": show_host(facts.host),
        "headline": headline(verdict, language),
        "sentence": in_whose_hands(verdict, policy, language),
        "message": pick(verdict.message, language, policy.language),
        **_way_out(facts, language),
        **_go_on(facts),
        **_ask(facts),
        "decision": why.decision_rows(verdict, policy, language),
        "evidence": why.evidence_rows(verdict, language),
        "powers": why.power_rows(verdict, language),
        "doubts": why.doubts(verdict, language),
        "kept_until": facts.now + timedelta(days=facts.recorded.retention_days),
        "pseudonym": facts.recorded.client[:SHOWN_PSEUDONYM],
        "gists": [_gist(facts, other) for other in languages() if other.code != language.code],
    }
    return _page("prompt.html", values, facts, language, STATUS_STOPPED)


def render_asked(facts: AskedFacts, language: Language) -> Page:
    """Render the page that confirms that an exception was asked for."""
    values = _frame(facts.policy, "", facts.node, language) | {
        "host": show_host(facts.host),
        "service": facts.service,
        "number": facts.number,
        "request": facts.request,
        "until": facts.until,
        "before": facts.before,
        "again": safe_path(facts.again) or "/",
        "now": facts.now,
    }
    return _page("asked.html", values, facts, language, STATUS_ASKED)


def render_mishap(facts: MishapFacts, language: Language) -> Page:
    """Render the page that explains a go-on that failed, or a destination that is none."""
    values = _frame(facts.policy, facts.event, facts.node, language) | {
        "mishap": facts.mishap.value,
        "host": show_host(facts.host) if facts.host else None,
        "again": safe_path(facts.again),
        "after": facts.now + facts.wait if facts.wait else None,
        "now": facts.now,
    }
    page = _page("mishap.html", values, facts, language, _MISHAP_STATUS[facts.mishap])
    if facts.wait is None:
        return page
    seconds = math.ceil(facts.wait.total_seconds())
    return replace(page, headers=(*page.headers, ("retry-after", str(seconds))))


def _page(
    template: str,
    values: dict[str, object],
    facts: PromptFacts | MishapFacts | AskedFacts,
    language: Language,
    status: int,
) -> Page:
    organisation = facts.policy.organisation
    colours = _colours(organisation.primary_colour, organisation.accent_colour)
    styles = (_static("prompt.css"), colours)
    script = _static("prompt.js")
    html = _environment().get_template(template).render(values, styles=styles, script=script)
    desk = str(values.get("desk", ""))
    headers = page_headers(facts.policy, facts.node, language, styles, script, desk=desk)
    return Page(html.encode(), headers, status)


def _frame(policy: Policy, event: str, node: str, language: Language) -> dict[str, object]:
    """What every page shows: who speaks, in which language, whom to contact."""
    return {
        "language": language,
        "say": language.say,
        "lang_of": _lang_of,
        "organisation": pick(policy.organisation.name, language, policy.language),
        "title": pick(policy.title, language, policy.language),
        "contact": contact_of(policy, event, language),
        "event": event,
        "node": node,
        "policy": policy,
    }


def _lang_of(text: Picked) -> Markup:
    """The lang attribute of a text that is not in the page's language."""
    return Markup(' lang="{}"').format(text.lang) if text.lang else Markup()


def _way_out(facts: PromptFacts, language: Language) -> dict[str, object]:
    alternative = facts.verdict.alternative
    link = safe_link(alternative.url) if alternative else ""
    use = use_of(facts.verdict.service, alternative)
    order = (language, *(other for other in languages() if other.code != language.code))
    return {
        "alternative": alternative,
        "link": link,
        "link_host": urlsplit(link).hostname or "",
        "room_host": room_host(alternative),
        "use": use.value,
        "replies": [make_reply(facts, each) for each in order] if use is not Use.ALONE else [],
    }


def _go_on(facts: PromptFacts) -> dict[str, object]:
    """The offer to go on, if the verdict is a warning and the form stays on its origin."""
    offer = facts.go_on if facts.verdict.action is Action.WARN else None
    action = safe_path(offer.action) if offer else ""
    return {"go_on": offer if action else None, "goon": goon}


def _ask(facts: PromptFacts) -> dict[str, object]:
    """What was asked for already, and the form for asking, if its address stays on the origin.

    There is no second form while an answer is awaited, nor for what was granted.
    """
    standing = facts.standing
    is_over = standing is None or standing.state in {AskState.REFUSED, AskState.REVOKED}
    offer = facts.ask if is_over and facts.ask and safe_path(facts.ask.action) else None
    return {"ask": offer, "asking": asking, "standing": standing, "printable": printable}


def _gist(facts: PromptFacts, language: Language) -> Gist:
    sentence = in_whose_hands(facts.verdict, facts.policy, language)
    return Gist(language, headline(facts.verdict, language), sentence)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sovproxy.prompt", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _static(name: str) -> str:
    """A style or script of the package; it stands in the page as it is, so it closes no tag."""
    return (files("sovproxy.prompt") / "static" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def _colours(primary: str, accent: str) -> str:
    """The organisation's colours as CSS variables, for light and dark, readable in both."""
    light = _variables(PAPER, primary, accent)
    dark = _variables(PAPER_DARK, primary, accent)
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _variables(paper: str, primary: str, accent: str) -> str:
    return f"--primary:{readable_on(paper, primary)};--accent:{readable_on(paper, accent)}"
