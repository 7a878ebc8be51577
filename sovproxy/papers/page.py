"""A paper as one HTML page that needs nothing else: to be read, printed on A4, or served."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from sovproxy.papers.texts import words
from sovproxy.prompt.headers import source_hash

if TYPE_CHECKING:
    from sovproxy.papers.compose import Paper

_DENIED: Final = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=()"


def to_html(paper: Paper) -> str:
    """The whole paper. Whatever others chose is escaped."""
    code = paper.language.code

    def say(word: str) -> str:
        return words().say("page", word, code)

    template = _environment().get_template("paper.html")
    return template.render(paper=paper, say=say, code=code, style=Markup(_style()))  # noqa: S704  # our own file


def page_headers(code: str) -> dict[str, str]:
    """The header fields of a served paper: no script, its own style, nothing from elsewhere."""
    policy = (
        "default-src 'none'",
        f"style-src {source_hash(_style())}",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "content-language": code,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "permissions-policy": _DENIED,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }


@cache
def _style() -> str:
    return (files("sovproxy.papers") / "static" / "paper.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sovproxy.papers"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
