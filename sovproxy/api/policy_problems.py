"""What policies and drafts may be refused for, as problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.api.problems import RETRY_SECONDS, FieldError, problem_response
from sovproxy.errors import InvalidFile
from sovproxy.events.text import clean_text
from sovproxy.usecases.policy.drafting import NoSuchDraft, NotYourDraft, TooManyDrafts
from sovproxy.usecases.policy.policies import NoSuchVersion, PolicyConflict
from sovproxy.usecases.policy.simulation import InvalidSimulation
from sovproxy.usecases.upkeep.turns import Busy

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

MAX_PROBLEMS = 100

_PLAIN: dict[type[Exception], tuple[int, str]] = {
    PolicyConflict: (409, "policy-changed"),
    NoSuchVersion: (404, "no-such-version"),
    NoSuchDraft: (404, "no-such-draft"),
    NotYourDraft: (403, "not-your-draft"),
    TooManyDrafts: (409, "too-many-drafts"),
    InvalidSimulation: (422, "invalid-request"),
}


def install(app: FastAPI) -> None:
    """Make `app` answer these errors as problems."""
    for kind in _PLAIN:
        app.add_exception_handler(kind, _on_plain)
    app.add_exception_handler(InvalidFile, _on_invalid_file)
    app.add_exception_handler(Busy, _on_busy)


def _on_plain(request: Request, error: Exception) -> JSONResponse:
    status, slug = _PLAIN[type(error)]
    return problem_response(request, status, slug, str(error))


def _on_invalid_file(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InvalidFile)  # noqa: S101  # for the type checker
    errors = [
        FieldError(
            where=clean_text(f"{problem.line}:{problem.column} {problem.where}".rstrip(), 200),
            message=clean_text(problem.message, 300),
        )
        for problem in error.problems[:MAX_PROBLEMS]
    ]
    number = len(error.problems)
    detail = f"the policy is refused: {number} error{'s' * (number > 1)}; nothing was changed"
    return problem_response(request, 422, "invalid-policy", detail, errors=errors)


def _on_busy(request: Request, error: Exception) -> JSONResponse:
    headers = {"retry-after": str(RETRY_SECONDS)}
    return problem_response(request, 429, "busy", str(error), headers=headers)
