"""What forms send: read from our own pages only, and from the session that they belong to."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from sovproxy.console.failures import Refused
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations

MAX_FIELDS = 50


async def posted(request: Request) -> dict[str, str]:
    """The fields of a form that came from a page of ours; the last one of a name counts.

    Raises Refused for one from elsewhere.
    """
    if not _comes_from_here(request):
        raise Refused(403, "the form was sent from another site")
    try:
        fields = parse_qs(
            (await request.body()).decode("utf-8", "replace"), max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Refused(400, f"the form has more than {MAX_FIELDS} fields") from None
    return {name: values[-1] for name, values in fields.items()}


def _comes_from_here(request: Request) -> bool:
    """By what browsers say of themselves: Sec-Fetch-Site, else Origin; other clients say nothing.

    Origin alone would not do: the referrer policy of the API makes it `null`.
    """
    if site := request.headers.get("sec-fetch-site", ""):
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return not origin or origin == f"{request.url.scheme}://{request.url.netloc}"


Form = Annotated[dict[str, str], Depends(posted)]
"""The fields of a form of somebody who need not be signed in."""


def posted_here(view: SignedInView, form: Form) -> dict[str, str]:
    """The fields of a form of this very session. Raises Refused, SignInNeeded."""
    shown = form.get("csrf", "").encode()
    if view.session is None or not hmac.compare_digest(view.session.csrf.encode(), shown):
        raise Refused(403, "the form does not belong to this session")
    return form


CheckedForm = Annotated[dict[str, str], Depends(posted_here)]
"""The fields of a form that changes something; pages write `{{ forms.csrf() }}` into theirs."""
