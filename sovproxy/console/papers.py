"""Papers: what is to be filled in, what the self-check finds, and each paper fit to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse

from sovproxy.console.failures import Refused
from sovproxy.console.frame import render
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.papers.checks import check
from sovproxy.papers.compose import compose
from sovproxy.papers.page import page_headers, to_html
from sovproxy.papers.texts import PaperKind, PaperLanguage, words
from sovproxy.usecases.access.tokens import Role

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.papers.facts import Facts

router = APIRouter(prefix="/papers")


@router.get("")
def papers(view: SignedInView) -> Response:
    """List the papers with their gaps, and the findings of the self-check."""
    code = _language_of(view)
    try:
        facts, problem = _facts(view), ""
    except InvalidFile as error:
        facts, problem = None, str(error)
    return render(
        view,
        "papers.html",
        papers=[compose(kind, facts, code) for kind in PaperKind] if facts else [],
        findings=check(facts, code) if facts else [],
        problem=problem,
        text_lang=code,
        word=lambda word, vocabulary="page": words().say(vocabulary, word, code),
    )


@router.get("/{kind}.{lang}")
def paper(kind: PaperKind, lang: PaperLanguage, view: SignedInView) -> Response:
    """One paper as a page of its own, without the console around it."""
    try:
        written = compose(kind, _facts(view), lang)
    except InvalidFile as error:
        raise Refused(503) from error
    return HTMLResponse(to_html(written), headers=page_headers(lang))


def _facts(view: View) -> Facts:
    """What the papers are made from. Raises Refused, HTTPException, InvalidFile."""
    if view.principal.role not in {Role.ADMIN, Role.AUDITOR}:
        raise Refused(403)
    papers = view.console.services.papers
    if papers is None:
        raise HTTPException(404)
    return papers.facts()


def _language_of(view: View) -> PaperLanguage:
    """Papers are French or English; whoever reads the console in another language gets English."""
    return PaperLanguage.FR if view.language.code == "fr" else PaperLanguage.EN
