"""What one request sees: the console's collaborators, the reader's language, who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, HTTPException, Request

from sovproxy.api.cookies import session_secret
from sovproxy.console.languages import COOKIE, pick_language
from sovproxy.console.links import BASE
from sovproxy.usecases.access.sessions import Session, find_session
from sovproxy.usecases.access.tokens import MAY_SEE_EVENTS, Role

if TYPE_CHECKING:
    from sovproxy.api.services import Services
    from sovproxy.api.throttle import Throttle
    from sovproxy.prompt.languages import Language
    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.policy.judging import Judge

READERS = frozenset({Role.ANALYST, Role.ADMIN, Role.AUDITOR})
"""Who may read the console. Nodes and workers have no page here."""


class SignInNeeded(Exception):
    """The page needs somebody who is signed in. `ended` tells that a session was there before."""

    def __init__(self, *, ended: bool) -> None:
        self.ended = ended
        super().__init__("signing in is needed")


@dataclass(frozen=True, slots=True)
class Console:
    """The collaborators of the console: those of the API, and the judge with all that it knows.

    `throttle` counts failed sign-ins, here and at the API together.
    """

    services: Services
    judge: Judge
    throttle: Throttle

    @property
    def provider_label(self) -> str:
        """What the OpenID provider is called on its button; empty without one."""
        return self.services.oidc.settings.label if self.services.oidc else ""

    def leaving_address(self, id_token: str) -> str:
        """Where one signs out of the OpenID provider; empty if there is no such place."""
        back = f"{BASE}/sign-in"
        return self.services.oidc.leaving_address(id_token, back) if self.services.oidc else ""

    def base_address(self, request: Request) -> str:
        """How people reach this server: by the setting, else as this request did."""
        url = request.url
        return self.services.public_url or f"{url.scheme}://{url.netloc}"


@dataclass(frozen=True, slots=True)
class View:
    """One request, its console, the language of the answer, and the session if there is one."""

    request: Request
    console: Console
    language: Language
    session: Session | None = None

    @property
    def judge(self) -> Judge:
        """Judges, and knows catalogue, policy and databases."""
        return self.console.judge

    @property
    def store(self) -> Store:
        """Where events are."""
        return self.console.services.store

    @property
    def now(self) -> datetime:
        """The time of this request (UTC)."""
        return self.console.services.clock()

    @property
    def principal(self) -> Principal:
        """Who is signed in. Raises SignInNeeded when nobody is."""
        if self.session is None:
            raise SignInNeeded(ended=False)
        return self.session.principal

    @property
    def may_see_events(self) -> bool:
        """Whether links to events, with their pseudonyms of persons, lead this reader anywhere."""
        return self.principal.role in MAY_SEE_EVENTS

    @property
    def may_take_away(self) -> bool:
        """Whether the API lets this reader export events and follow them live."""
        return self.principal.role in {Role.ANALYST, Role.ADMIN}

    @property
    def here(self) -> str:
        """The path and query that were asked for, as links on the page may repeat them."""
        url = self.request.url
        if url.path.startswith(f"{BASE}/oidc/"):
            return f"{BASE}/sign-in"  # what the provider sent is for one use, and for nobody's link
        return f"{url.path}?{url.query}" if url.query else url.path


def anonymous(request: Request) -> View:
    """The view of a page that anybody may see."""
    console = cast("Console", request.app.state.console)
    policy = console.judge.policy
    header = request.headers.get("accept-language", "")
    language = pick_language(request.cookies.get(COOKIE, ""), header, policy.language)
    return View(request, console, language)


def signed_in(request: Request) -> View:
    """The view of a page for readers only. Raises SignInNeeded, StoreUnavailable."""
    view = anonymous(request)
    secret = session_secret(request)
    session = find_session(view.store, secret, view.now) if secret else None
    if session is None or session.principal.role not in READERS:
        raise SignInNeeded(ended=bool(secret))
    return View(request, view.console, view.language, session)


def events_reader(request: Request) -> View:
    """The view of a page that shows events, with their pseudonyms of persons: not for auditors.

    Raises SignInNeeded, HTTPException, StoreUnavailable.
    """
    view = signed_in(request)
    if view.principal.role not in MAY_SEE_EVENTS:
        raise HTTPException(403)
    return view


AnonymousView = Annotated[View, Depends(anonymous)]
SignedInView = Annotated[View, Depends(signed_in)]
EventsView = Annotated[View, Depends(events_reader)]
