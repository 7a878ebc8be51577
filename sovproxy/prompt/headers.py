"""The header fields of every answer that sovproxy gives itself.

The answers stand on the origin of whoever was stopped, so they store nothing (no-store: a 451 may
be cached by default, RFC 7725 §3), set no cookie, and let nothing in.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from sovproxy.prompt.shown import safe_link
from sovproxy.prompt.texts import contact_of

if TYPE_CHECKING:
    from sovproxy.decide.policy import Policy
    from sovproxy.prompt.languages import Language

type Headers = tuple[tuple[str, str], ...]

_COMMON: Headers = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
)

_DENIED_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")


def page_headers(
    policy: Policy,
    node: str,
    language: Language,
    styles: tuple[str, ...],
    script: str,
    *,
    desk: str = "",
) -> Headers:
    """Header fields of a page that holds exactly these inline styles and this script.

    Its forms go to its own origin, and to `desk` if that is not empty.
    """
    return (
        ("content-type", "text/html; charset=utf-8"),
        ("content-language", language.code),
        ("content-security-policy", _page_policy(styles, script, desk)),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("permissions-policy", ", ".join(f"{name}=()" for name in _DENIED_FEATURES)),
        *_COMMON,
        ("link", blocked_by(policy, node, language)),
    )


def problem_headers(policy: Policy, node: str, language: Language) -> Headers:
    """Header fields of a machine answer."""
    return (
        ("content-type", "application/problem+json"),
        ("content-language", language.code),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        *_COMMON,
        ("link", blocked_by(policy, node, language)),
    )


def blocked_by(policy: Policy, node: str, language: Language) -> str:
    """The Link field of RFC 7725 §4: who carries out the blocking.

    That is the organisation's contact page, else its mail address, else the node by its name
    (a `dns:` URI, RFC 4501).
    """
    contact = contact_of(policy, "", language)
    mail = contact.email_link.partition("?")[0]
    target = safe_link(quote(contact.url, safe=":/?#[]@!$&'()*+,;=%~-._"))
    return f'<{target or mail or "dns:" + quote(node, safe="")}>; rel="blocked-by"'


def source_hash(text: str) -> str:
    """The CSP source that permits exactly this inline text (CSP Level 3, hash-source)."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _page_policy(styles: tuple[str, ...], script: str, desk: str) -> str:
    style_sources = " ".join(source_hash(style) for style in styles)
    directives = (
        "default-src 'none'",
        f"style-src {style_sources}",
        f"script-src {source_hash(script)}" if script else "script-src 'none'",
        "img-src data:",
        f"form-action 'self' {desk}".rstrip(),
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return "; ".join(directives)
