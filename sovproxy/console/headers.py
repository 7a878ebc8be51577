"""The header fields of the console's pages: nothing inline, nothing from elsewhere."""

from __future__ import annotations

from typing import Final

_POLICY: Final = (
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_DENIED_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment")

PAGE_HEADERS: Final = {
    "content-security-policy": "; ".join(_POLICY),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": ", ".join(f"{name}=()" for name in _DENIED_FEATURES),
    "cache-control": "no-store",
    "vary": "Accept-Language, Cookie",
}
