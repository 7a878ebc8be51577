"""Styles, scripts and the icon: public, because the sign-in page needs them."""

from __future__ import annotations

import gzip
from functools import cache

from fastapi import APIRouter, HTTPException, Request, Response

from sovproxy.console.frame import STATIC, static
from sovproxy.console.view import AnonymousView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.colours import readable_on

router = APIRouter()

_FOR_EVER = "public, max-age=31536000, immutable"
PAPER, PAPER_DARK = "#eceff4", "#262c37"
"""The darkest light and the lightest dark background of `console.css` on which links stand."""


@router.get("/static/{name}")
def static_file(name: str, request: Request) -> Response:
    """Give one of the console's files; its address changes with its content."""
    if name not in STATIC:
        raise HTTPException(404)
    headers = {"cache-control": _FOR_EVER, "vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(static(name), media_type=STATIC[name], headers=headers)
    headers["content-encoding"] = "gzip"
    return Response(_packed(name), media_type=STATIC[name], headers=headers)


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(static(name), compresslevel=6, mtime=0)


@router.get("/colours.css")
def colours(view: AnonymousView) -> Response:
    """Give the organisation's colours as variables, readable in light and dark."""
    organisation = view.judge.policy.organisation
    primary, accent = organisation.primary_colour, organisation.accent_colour
    light, dark = (_variables(paper, primary, accent) for paper in (PAPER, PAPER_DARK))
    css = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return Response(css, media_type="text/css")


def _variables(paper: str, primary: str, accent: str) -> str:
    return f"--primary:{readable_on(paper, primary)};--accent:{readable_on(paper, accent)}"
