"""What a client needs to use the node: the proxy auto-configuration and the root certificate."""

from __future__ import annotations

from typing import Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response

from sovproxy.api import pac
from sovproxy.api.access import EVERYBODY
from sovproxy.api.downloads import file_response, root_certificate
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations

router = APIRouter(
    tags=["client set-up"], dependencies=[EVERYBODY], default_response_class=Response
)

type Responses = dict[int | str, dict[str, Any]]

PEM_TYPE = "application/x-pem-file"
DER_TYPE = "application/x-x509-ca-cert"

_PAC: Responses = {200: {"content": {pac.MEDIA_TYPE: {"schema": {"type": "string"}}}}}
_PEM = {"schema": {"type": "string"}}
_DER = {"schema": {"type": "string", "format": "binary"}}
_CA: Responses = {200: {"content": {PEM_TYPE: _PEM, DER_TYPE: _DER}}}


@router.get("/proxy.pac", responses=_PAC)
@router.get("/api/v1/pac", responses=_PAC)
def proxy_pac(request: Request, services: ServicesDep) -> Response:
    """Give the proxy auto-configuration file."""
    text = pac.pac_text(services.proxy_address, services.internal_domains())
    return file_response(request, text.encode(), pac.MEDIA_TYPE, "proxy.pac")


@router.get("/ca.pem", responses={200: {"content": {PEM_TYPE: _PEM}}})
def ca_pem(request: Request, services: ServicesDep) -> Response:
    """Give the root certificate that browsers must trust to see prompts; never its key."""
    content = root_certificate(services.ca_file, Encoding.PEM)
    return file_response(request, content, PEM_TYPE, "sovproxy-ca.pem", attached=True)


@router.get("/api/v1/ca", responses=_CA)
def ca(
    request: Request,
    services: ServicesDep,
    format: Literal["pem", "der"] = "pem",  # noqa: A002  # the parameter's name in the URL
) -> Response:
    """Give the root certificate as PEM or DER; never its key."""
    if format == "pem":
        return ca_pem(request, services)
    content = root_certificate(services.ca_file, Encoding.DER)
    return file_response(request, content, DER_TYPE, "sovproxy-ca.crt", attached=True)
