"""The signed bundle for those who decide by themselves, such as the companion extension."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from sovproxy.api.access import EVERYBODY
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.policy.bundles import Bundles  # noqa: TC001  # a return type

router = APIRouter(prefix="/api/v1/bundle", tags=["bundle"], dependencies=[EVERYBODY])


@router.get(
    "",
    response_class=Response,
    responses={
        200: {
            "content": {"application/jose": {"schema": {"type": "string"}}},
            "description": "A compact JWS (ES256); its payload is the bundle.",
        },
        304: {"description": "The bundle has not changed since the one of `If-None-Match`."},
    },
)
def bundle(request: Request, services: ServicesDep) -> Response:
    """Give the catalogue and the policy in force, as far as deciding needs them, signed.

    It tells of no person: the members and networks of groups are left out.
    """
    signed = _bundles(services).current()
    tag = f'"{signed.version}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(signed.token, media_type="application/jose", headers=headers)


@router.get("/keys")
def bundle_keys(services: ServicesDep) -> dict[str, Any]:
    """Give the public key that bundles are signed with, as a JWK Set."""
    return _bundles(services).keys()


def _bundles(services: Services) -> Bundles:
    if services.bundles is None:
        raise ApiProblem(404, "no-bundle", "this API was started without a catalogue")
    return services.bundles
