"""Schemathesis asks every route of the OpenAPI document whatever fits it, and what does not.

A real server over a real store, by every role. No answer may be a 5xx, every answer must be of the
shape that the document says, and every refusal a problem. `SOVPROXY_FUZZ_EXAMPLES` (4 unless given)
says how many questions each route is asked; more find more.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sovproxy.api.access import access_rows
from sovproxy.api.app import ROUTERS, bare_app
from sovproxy.api.openapi import openapi_document
from sovproxy.api.start import app_of
from sovproxy.events.event import Event
from sovproxy.settings import Settings
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.access.tokens import Role, create_token
from tests.baseline import furnished
from tests.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = int(os.environ.get("SOVPROXY_FUZZ_EXAMPLES", "4"))
DOCUMENT = openapi_document(bare_app())
ENDLESS = {"/api/v1/events/stream", "/api/v1/fleet/state"}
"""Answers that wait or go on; they have tests of their own."""

WHO = {
    (method, path): Role.ADMIN if not roles or Role.ADMIN in roles else min(roles)
    for method, path, roles in access_rows(ROUTERS)
}
"""Somebody who may call a route; an admin if one may."""

PROBLEM = {"type", "title", "status", "detail", "instance", "errors"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_dict(
    DOCUMENT
    | {"paths": {path: item for path, item in DOCUMENT["paths"].items() if path not in ENDLESS}}
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The whole app with everything it has, some events, and a token of each role."""
    app = app_of(
        Settings(data_dir=furnished(tmp_path_factory.mktemp("fuzz")), policy="fr-etat", node="n")
    )
    store = app.state.services.store
    values = {
        "time": datetime.now(UTC), "node": "n", "kind": "decision", "host": "zoom.us",
        "action": "block", "rule": "r", "service": "zoom", "policy": "p", "policy_version": "1",
        "outcome": "prompted", "transport": "https", "client": "2026-11.aaaabbbbccccdddd",
    }  # fmt: skip
    insert_records(store, [Event.model_validate(values, strict=False) for _ in range(20)], [])
    serving = Serving(app, h11_max_incomplete_event_size=1 << 20)
    yield (
        serving.url,
        {
            role: {"authorization": f"Bearer {create_token(store, role, role.value)}"}
            for role in Role
        },
    )
    serving.stop()
    store.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_no_question_breaks_a_route(case: schemathesis.Case, api: Any) -> None:
    """Asked by somebody who may, and by nobody; `test_roles.py` has the other roles."""
    url, tokens = api
    case.headers.pop("Authorization", None)
    for headers in (tokens[WHO[case.operation.method.upper(), case.operation.path]], {}):
        answer = case.call(base_url=url, headers=headers)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]
            assert set(answer.json()) == PROBLEM


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_other_methods_are_405_with_what_is_allowed(api: Any, path: str) -> None:
    url, tokens = api
    known = {method.upper() for method in DOCUMENT["paths"][path]}
    for method in ("PUT", "PATCH", "DELETE", "POST", "TRACE"):
        if method in known:
            continue
        address = url + path.replace("{", "").replace("}", "")
        answer = httpx.request(method, address, headers=tokens[Role.ADMIN], trust_env=False)
        # A sibling with a name in its path may take it, and refuse it for another reason.
        assert 400 <= answer.status_code < 500, (method, path)
        if answer.status_code == 405:
            assert answer.headers["allow"]
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_says_what_it_does() -> None:
    poor = [
        (method, path)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if not operation.get("summary")
        or not operation.get("description")
        or not operation.get("tags")
        or not {"4XX", "5XX"} <= set(operation["responses"])
    ]
    assert poor == []
