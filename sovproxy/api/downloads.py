"""Small files that clients fetch again and again: answered with a strong ETag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from fastapi import Response

from sovproxy.api.etags import has_already, strong_tag
from sovproxy.api.problems import ApiProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.serialization import Encoding
    from fastapi import Request

CACHE = "public, max-age=300"


def file_response(
    request: Request, content: bytes, media_type: str, name: str, *, attached: bool = False
) -> Response:
    """Answer with `content`, or with 304 if the client has it already."""
    tag = strong_tag(content)
    headers = {"etag": tag, "cache-control": CACHE}
    if has_already(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    how = "attachment" if attached else "inline"
    headers["content-disposition"] = f'{how}; filename="{name}"'
    return Response(content, headers=headers, media_type=media_type)


def root_certificate(path: Path, encoding: Encoding) -> bytes:
    """Read the root certificate from a PEM file, and nothing else that may be in it.

    In a chain the root is the certificate that names itself as its issuer. Raises ApiProblem.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        detail = "this node has no certificate yet; start the proxy once"
        raise ApiProblem(404, "no-certificate", detail) from error
    roots = [item for item in certificates if item.issuer == item.subject]
    return (roots or certificates)[-1].public_bytes(encoding)
