"""Exceptions: the queue, one request with its history, and the answers of an admin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003  # FastAPI reads annotations

from fastapi import APIRouter, HTTPException, Response
from pydantic import ValidationError

from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.languages import languages
from sovproxy.console.names import Names
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.searching import Order
from sovproxy.usecases.worker import exceptions as usecase
from sovproxy.usecases.worker.exception_desk import Desk
from sovproxy.usecases.worker.exception_models import (
    CannotBeExcepted,
    ExceptionConflict,
    ExceptionQuery,
    GrantInput,
    NotForYou,
    State,
    UnknownException,
)
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View
    from sovproxy.decide.describe import Json
    from sovproxy.prompt.languages import Language
    from sovproxy.usecases.worker.exception_models import ExceptionDetail, ExceptionFacts

router = APIRouter(prefix="/exceptions")

PAGE: Final = 50
SHOWN: Final[Mapping[str, tuple[State, ...]]] = {
    "waiting": (State.WAITING,),
    "granted": (State.GRANTED,),
    "ended": (State.REFUSED, State.EXPIRED, State.REVOKED, State.WITHDRAWN),
    "all": (),
}
"""The tabs, and the states of the requests in them."""

READY: Final = {
    "alternative": mark("Please use the alternative that the page offers."),
    "telephone": mark("The others can join our room with a browser or by telephone."),
    "more": mark("Please ask again and say for which meeting, and until when."),
    "known": mark("It is known that this meeting cannot be moved."),
}
"""Ready texts to the worker, in the worker's language where the console speaks it."""

_DONE: Final = {
    "grant": mark("Exception %(number)s is granted. Nodes know it within two seconds."),
    "refuse": mark("Request %(number)s is refused."),
    "revoke": mark("Exception %(number)s is revoked. Nodes know it within two seconds."),
    "withdraw": mark("Request %(number)s is withdrawn."),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A request, and the verdict on its destination today, if that can be told."""

    facts: ExceptionFacts
    today: Json | None


@router.get("")
def queue(view: SignedInView) -> Response:
    """Show what waits, or another tab; filters stand in the URL."""
    query, tab = _read_query(view)
    page = usecase.page(view.store, query, view.now)
    asked = query.model_dump(mode="json", exclude_defaults=True)
    record_act(
        view.store, view.principal, Act.EXCEPTIONS, asked, rows=len(page.items), now=view.now
    )
    hosts = _hosts_of_services(view)
    return render(
        view,
        "exceptions.html",
        tab=tab,
        tabs=tuple(SHOWN),
        query=query,
        shown=[Shown(facts, _today(view, facts, hosts)) for facts in page.items],
        next=page.next,
        waiting=usecase.count_waiting(view.store, view.now),
        names=Names(view.judge.atlas, view.language),
        groups=[group.id for group in view.judge.policy.groups],
    )


@router.get("/{exception_id}")
def one(exception_id: UUID, view: SignedInView) -> Response:
    """Show one request with its history, and the form to answer it."""
    return _page(view, exception_id)


@router.post("/{exception_id}/{step}")
def answer(exception_id: UUID, step: str, view: SignedInView, form: CheckedForm) -> Response:
    """Grant, refuse, revoke or withdraw; then go back to the queue."""
    if view.principal.role is not Role.ADMIN:
        raise Refused(403, "only an admin answers requests")
    if step not in _DONE:
        raise HTTPException(404)
    try:
        facts = _take(view, exception_id, step, form)
    except ValidationError as error:
        said = "; ".join(f"{path_text(item['loc'])}: {item['msg']}" for item in error.errors())
        return _page(view, exception_id, said, 422, form)
    except (ExceptionConflict, NotForYou, CannotBeExcepted) as error:
        status = 409 if isinstance(error, ExceptionConflict) else 422
        return _page(view, exception_id, str(error), status, form)
    except UnknownException:
        raise HTTPException(404) from None
    return done(view, "/exceptions", _DONE[step], number=facts.number)


def _take(view: View, exception_id: UUID, step: str, form: Mapping[str, str]) -> ExceptionDetail:
    services = view.console.services
    desk = Desk(view.store, view.principal, view.now, services.exception_days())
    match = form.get("match", "")
    if step == "withdraw":
        return desk.withdraw(exception_id, match=match)
    message = _message(view, exception_id, form)
    if step == "grant":
        fields = {"scope": form.get("scope", "client"), "message": message}
        if until := form.get("until", "").strip():
            fields["until"] = _with_zone(until)
        return desk.grant(exception_id, GrantInput.model_validate(fields), match)
    act = desk.refuse if step == "refuse" else desk.revoke
    return act(exception_id, GrantInput(message=message).message, match)


def _message(view: View, exception_id: UUID, form: Mapping[str, str]) -> str:
    """The words that were typed, or else the ready ones in the worker's language."""
    typed = form.get("message", "").strip()
    ready = READY.get(form.get("ready", ""))
    if typed or not ready:
        return typed
    code = usecase.detail(view.store, exception_id, view.now).language
    return _spoken(view, code).say(ready)


def _page(
    view: View,
    exception_id: UUID,
    problem: str = "",
    status: int = 200,
    form: Mapping[str, str] | None = None,
) -> Response:
    try:
        facts = usecase.detail(view.store, exception_id, view.now)
    except UnknownException:
        raise HTTPException(404) from None
    looked = {"number": facts.number}
    record_act(view.store, view.principal, Act.EXCEPTIONS, looked, rows=1, now=view.now)
    spoken = _spoken(view, facts.language)
    return render(
        view,
        "exception.html",
        status,
        item=Shown(facts, _today(view, facts, _hosts_of_services(view))),
        problem=problem,
        form=form or {},
        spoken=spoken,
        ready={key: spoken.say(text) for key, text in READY.items()},
        names=Names(view.judge.atlas, view.language),
        max_days=view.console.services.exception_days(),
    )


def _spoken(view: View, code: str) -> Language:
    """The worker's language if the console speaks it, else the policy's, else English."""
    by_code = {language.code: language for language in languages()}
    wanted = (code, view.judge.policy.language)
    return next((by_code[item] for item in wanted if item in by_code), languages()[0])


def _hosts_of_services(view: View) -> dict[str, str]:
    """A host of each service, to ask for the verdict on it."""
    found: dict[str, str] = {}
    for listing in view.judge.atlas.listings:
        if listing.kind == "host" and listing.service:
            found.setdefault(listing.service.id, listing.pattern.replace("*", "any"))
    return found


def _today(view: View, facts: ExceptionFacts, hosts: Mapping[str, str]) -> Json | None:
    """What the judge says about the destination now, for this client."""
    host = facts.host or hosts.get(facts.service, "")
    return view.judge.check(host, group=facts.group, client=facts.client) if host else None


def _read_query(view: View) -> tuple[ExceptionQuery, str]:
    params = view.request.query_params
    tab = params.get("show", "waiting")
    if tab not in SHOWN:
        raise Refused(400, f"show: one of {', '.join(SHOWN)} is wanted, got {tab[:20]}")
    fields = {name: [value] for name in ("service", "group") if (value := params.get(name, ""))}
    order = Order.OLDEST if tab == "waiting" else Order.NEWEST
    values = {"state": SHOWN[tab], "order": order, "limit": PAGE, **fields}
    if cursor := params.get("cursor"):
        values["cursor"] = cursor
    try:
        return ExceptionQuery.model_validate(values), tab
    except ValidationError as error:
        said = "; ".join(f"{path_text(item['loc'])}: {item['msg']}" for item in error.errors())
        raise Refused(400, said) from None


def _with_zone(value: str) -> str:
    """A browser's date-and-time field knows no zone; the console's times are in UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.isoformat() if moment.tzinfo else moment.replace(tzinfo=UTC).isoformat()
