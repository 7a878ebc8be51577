"""From a template and its values to an answer, with what every page shows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from sovproxy.console.charts import LIBRARY, library
from sovproxy.console.headers import PAGE_HEADERS
from sovproxy.console.languages import languages
from sovproxy.console.links import link
from sovproxy.console.navigation import navigation
from sovproxy.console.notices import forget, waiting_notice
from sovproxy.console.words import word
from sovproxy.prompt.shown import printable, safe_link
from sovproxy.prompt.texts import pick

if TYPE_CHECKING:
    from datetime import date

    from babel import Locale

    from sovproxy.console.view import View
    from sovproxy.prompt.languages import Language

STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "events.js": "text/javascript; charset=utf-8",
    "findings.js": "text/javascript; charset=utf-8",
    "charts.css": "text/css; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    LIBRARY: "text/javascript; charset=utf-8",
    "policy.js": "text/javascript; charset=utf-8",
    "session.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that pages load, all from here, with their media types."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How values read in one language; templates call it `as`."""

    language: Language

    def number(self, value: float) -> str:
        """Digits in groups: 12 345."""
        return format_decimal(value, locale=self.language.locale)

    def share(self, part: float, whole: float) -> str:
        """A share in per cent; a dash of nothing."""
        if not whole:
            return "–"
        small = 0 < part / whole < 0.01
        return format_percent(part / whole, "0.##%" if small else "0.#%", self.language.locale)

    def moment(self, value: datetime) -> str:
        """Date and time to the second, in UTC: 23/11/2026 10:59:00."""
        at = value.astimezone(UTC)
        return f"{self.date(at)} {format_time(at, 'medium', locale=self.language.locale)}"

    def date(self, value: date) -> str:
        """A day in short, as the language writes it: 23/11/2026, 23.11.2026."""
        return format_date(value, _date_pattern(self.language.locale), self.language.locale)

    def day(self, value: datetime | str) -> str:
        """A day in full; an ISO date is read first, and shown as it is when it is none."""
        try:
            at = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return str(value)
        return self.language.day(at)

    def short_day(self, value: datetime) -> str:
        """A day for the foot of a chart: 23 Nov."""
        return format_date(value, "d MMM", locale=self.language.locale)

    def word(self, vocabulary: str, value: str) -> str:
        """A value of a closed vocabulary, in this language."""
        return self.language.say(word(vocabulary, value))

    def country(self, code: str) -> str:
        """A country's name by its code."""
        return self.language.country(code)


@cache
def _date_pattern(locale: Locale) -> str:
    """The locale's short date (CLDR), but with all digits of the year."""
    return re.sub("y+", "y", str(locale.date_formats["short"].pattern))


def render(view: View, template: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401  # templates take anything
    """Answer with a page."""
    notice = waiting_notice(view)
    html = _environment().get_template(template).render(_frame(view), notice=notice, **values)
    headers = PAGE_HEADERS | {"content-language": view.language.code}
    response = HTMLResponse(html, status, headers)
    if notice:
        forget(response)
    return response


def _frame(view: View) -> dict[str, Any]:
    policy = view.judge.policy
    return {
        "view": view,
        "language": view.language,
        "languages": languages(),
        "say": view.language.say,
        "show": Shown(view.language),
        "link": link,
        "asset": asset,
        "seconds": lambda number: timedelta(seconds=number),
        "organisation": pick(policy.organisation.name, view.language, policy.language),
        "policy": policy,
        "navigation": navigation(view),
        "section": view.request.url.path,
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sovproxy.console", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["printable"] = printable
    environment.filters["combine"] = lambda values, more: values | more
    environment.filters["safe_link"] = safe_link
    return environment


@cache
def static(name: str) -> bytes:
    """A file that pages load. Raises KeyError for one that is not in `STATIC`."""
    _ = STATIC[name]
    if name == LIBRARY:
        return library()
    return (files("sovproxy.console") / "static" / name).read_bytes()


@cache
def asset(name: str) -> str:
    """The address of a file, with its content's digest: it may be cached for ever."""
    return link(f"/static/{name}", {"v": hashlib.sha256(static(name)).hexdigest()[:12]})
