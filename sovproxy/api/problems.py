"""RFC 9457: every answer from 400 on has this one shape, whoever found the problem."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from sovproxy.api.headers import SECURITY_HEADERS
from sovproxy.events.text import clean_text
from sovproxy.store.database import StoreUnavailable
from sovproxy.usecases.analysis.analytics import InvalidRange
from sovproxy.usecases.analysis.searching import InvalidCursor
from sovproxy.usecases.nodes.ingest import InvalidBatch
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
MAX_ERRORS = 20

_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not take this method; see the Allow header",
    413: "the body is larger than this address takes",
}


class FieldError(BaseModel):
    """One thing wrong at one place of the request, such as `query.since`."""

    where: str
    message: str


class ProblemDetail(BaseModel):
    """A problem as RFC 9457 has it. `type` is a URN per cause, `instance` the path asked for."""

    type: str = Field(examples=["urn:sovproxy:problem:invalid-request"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


class ApiProblem(Exception):
    """A problem that a route found: its status, the slug of its type, and what to do about it."""

    def __init__(
        self, status: int, slug: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.slug = slug
        self.headers = headers
        super().__init__(detail)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    app.add_exception_handler(ApiProblem, _on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    for kind in (InvalidCursor, InvalidBatch, InvalidRange):
        app.add_exception_handler(kind, _on_invalid_input)
    app.add_exception_handler(StoreUnavailable, _on_store_unavailable)
    app.add_exception_handler(Exception, _on_unexpected)


def problem_response(
    request: Request,
    status: int,
    slug: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldError] = (),
) -> JSONResponse:
    """Make the answer. It carries the security headers itself: a 500 passes no middleware."""
    problem = ProblemDetail(
        type=f"urn:sovproxy:problem:{slug}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=clean_text(detail, 1000),
        instance=clean_text(request.url.path, 500),
        errors=list(errors),
    )
    everything = SECURITY_HEADERS | {"cache-control": "no-store"} | dict(headers or {})
    return JSONResponse(problem.model_dump(), status, everything, MEDIA_TYPE)


def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiProblem)  # noqa: S101  # for the type checker
    return problem_response(request, error.status, error.slug, str(error), headers=error.headers)


def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework found: an unknown address, a wrong method, a body too large."""
    assert isinstance(error, HTTPException)  # noqa: S101  # for the type checker
    status = HTTPStatus(error.status_code)
    slug = status.phrase.lower().replace(" ", "-")
    detail = _DETAILS.get(status, error.detail)
    return problem_response(request, status, slug, detail, headers=error.headers)


def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # for the type checker
    errors = [
        FieldError(
            where=clean_text(path_text(item["loc"]), 200),
            message=clean_text(item["msg"].removeprefix("Value error, "), 300),
        )
        for item in error.errors()[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{item.where}: {item.message}" for item in errors)
    return problem_response(request, 422, "invalid-request", detail, errors=errors)


def _on_invalid_input(request: Request, error: Exception) -> JSONResponse:
    return problem_response(request, 422, "invalid-request", str(error))


def _on_store_unavailable(request: Request, error: Exception) -> JSONResponse:
    log.error("api: %s", error)
    headers = {"retry-after": str(RETRY_SECONDS)}
    detail = "the store cannot be used now; nothing was changed, try again later"
    return problem_response(request, 503, "store-unavailable", detail, headers=headers)


def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Say nothing of the inside; the server logs the error with its trace."""
    _ = error
    detail = "sovproxy made a mistake; its log says more"
    return problem_response(request, 500, "internal-error", detail)
