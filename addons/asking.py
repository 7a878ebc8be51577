"""The form with which a worker asks for an exception: shown on prompts, and answered here."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sovproxy.decide.destination import Destination
from sovproxy.events.event import new_id
from sovproxy.fleet.follower import REFUSED
from sovproxy.fleet.messages import OwnRequest
from sovproxy.fleet.outbox import OutboxFull
from sovproxy.prompt.asking import (
    FIELD_PART,
    FIELD_SPAN,
    FIELD_TOKEN,
    FIELD_WHY,
    PARTS,
    Span,
    ends,
    is_why,
)
from sovproxy.prompt.facts import Ask, AskedFacts, AskState, Mishap, Standing
from sovproxy.usecases.nodes.own_requests import Wish
from sovproxy.usecases.nodes.placing import AskedTooOften
from sovproxy.usecases.worker.acknowledging import MAX_TOKEN, Offer, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from sovproxy.usecases.nodes.node import Client, Node, Passage

ASK_PATH = "/.well-known/sovproxy/ask"
"""Where the form is sent, on the very origin that was stopped."""

TOLD_FOR = timedelta(days=30)
"""How long after it was refused or revoked a request is shown on prompts."""

TRY_AGAIN = timedelta(minutes=1)
"""After how long a request that could not be written down may be made again."""

ANSWER_SECONDS = 2.0
"""How long the page waits for the number that the API gives to a request."""


def offer(node: Node, passage: Passage, client: Client, to: str) -> Ask | None:
    """The form for this prompt; None where no exception could help. `to` is where it leads back."""
    if not passage.verdict.can_be_excepted or not isinstance(passage.destination, Destination):
        return None
    choices = ends(_now(), node.policy.exception_days)
    if not choices:
        return None
    token = node.asking.make(client.pseudonym, passage.subject, to, nonce=str(new_id()))
    return Ask(ASK_PATH, token, choices)


type Failure = tuple[Mishap, str] | tuple[Mishap, str, timedelta]
"""What went wrong, the path back, and after how long there is sense in trying again."""


async def standing(node: Node, passage: Passage, client: Client) -> Standing | None:
    """What this worker asked for here last, if there is anything to tell of it."""
    found = await _newest(node, passage, client)
    return _shown(found) if found else None


async def _waits(node: Node, passage: Passage, client: Client) -> OwnRequest | None:
    """The request that waits for an answer at this moment: asking for the same costs nothing."""
    node.member.requests.forget(client.pseudonym)
    found = await _newest(node, passage, client)
    node.member.requests.forget(client.pseudonym)
    return found if found and found.state == AskState.WAITING else None


async def _newest(node: Node, passage: Passage, client: Client) -> OwnRequest | None:
    others = (one for one in node.aliases(client) if one != client.pseudonym)
    clients, wish = (*others, client.pseudonym), _wish(passage)
    found = node.member.placing.waiting(clients, wish)
    return found or await node.member.requests.newest(clients, wish)


def _wish(passage: Passage) -> Wish:
    """What an exception is asked for here: the service, or the host where none is known."""
    service = passage.verdict.service
    return Wish(service=service.id) if service else Wish(host=passage.subject)


def _shown(request: OwnRequest) -> Standing | None:
    """A request as its worker sees it; None once it is over, unless it was turned down lately."""
    now = _now()
    ends = request.until or request.wanted
    last = (request.decided or request.asked) + TOLD_FOR if _is_over(request) else ends
    if request.state not in set(AskState) or last <= now:
        return None
    return Standing(
        state=AskState(request.state),
        request=str(request.id),
        asked=request.asked.astimezone(),
        until=ends.astimezone(),
        number=str(request.number or ""),
        decided=request.decided.astimezone() if request.decided else None,
        message=request.message,
    )


def _is_over(request: OwnRequest) -> bool:
    return request.state in {AskState.REFUSED, AskState.REVOKED}


async def take(
    node: Node, passage: Passage, client: Client, form: Mapping[str, str], language: str
) -> AskedFacts | Failure | str:
    """Keep the request of a form, and say what to tell the worker: it, or what went wrong.

    A path alone leads to the prompt: there it says what became of a form that was sent before. The
    request's id stands in the signed token, so a form that is sent twice asks once.
    """
    token = form.get(FIELD_TOKEN, "")[:MAX_TOKEN]
    made = node.asking.check(token, client.pseudonym, passage.subject, node.aliases(client))
    if not isinstance(made, Offer):
        return (Mishap.EXPIRED if made is Refusal.EXPIRED else Mishap.FORGED), "/"
    why = " ".join(form.get(FIELD_WHY, "").split())
    if not is_why(why):
        return Mishap.WHY_MISSING, made.to
    if known := await _waits(node, passage, client):
        return _told(node, passage, known, made, before=True)
    until = _until(node, form.get(FIELD_SPAN, ""))
    said = {"reason": why, "until": until.isoformat(), "language": language}
    body = said | _request(node, passage, client, form.get(FIELD_PART, ""))
    return await _place(node, passage, client, made, body)


async def _place(
    node: Node, passage: Passage, client: Client, made: Offer, body: dict[str, Any]
) -> AskedFacts | Failure | str:
    """Keep a request, and see what the API says to it, if it answers at once."""
    place, clients = node.member.placing.place, node.aliases(client)
    try:
        placed = await asyncio.to_thread(place, made.nonce, body, clients)
    except AskedTooOften as error:
        return Mishap.TOO_OFTEN, made.to, timedelta(seconds=error.seconds)
    except (OutboxFull, OSError):
        return Mishap.NOT_KEPT, made.to, TRY_AGAIN
    found = await _answered(placed.answer) if placed.answer else {}
    if REFUSED in found:
        return Mishap.NOT_KEPT, made.to
    stands = _as_it_stands(found) or placed.request
    if stands.state != AskState.WAITING:
        return made.to
    before = placed.before or str(stands.id) != made.nonce
    return _told(node, passage, stands, made, before=before)


def _told(
    node: Node, passage: Passage, stands: OwnRequest, made: Offer, *, before: bool
) -> AskedFacts:
    """What the page says of a request that waits: it keeps its own end."""
    service = passage.verdict.service
    return AskedFacts(
        policy=node.policy,
        now=_now(),
        node=node.name,
        host=passage.destination.label,
        service=service.name if service else "",
        until=stands.wanted.astimezone(),
        request=str(stands.id),
        number=str(stands.number or ""),
        again=made.to,
        before=before,
    )


def _as_it_stands(answer: dict[str, Any]) -> OwnRequest | None:
    """The request that the API answers with; None if it does not tell."""
    try:
        return OwnRequest.model_validate(answer)
    except ValidationError:
        return None


def _request(node: Node, passage: Passage, client: Client, part: str) -> dict[str, Any]:
    """For whom and for what: the part of the request that the worker does not write."""
    verdict, wish = passage.verdict, _wish(passage)
    wanted = {"service": wish.service} if wish.service else {"host": wish.host}
    return wanted | {
        "role": part if part in PARTS else "none",
        "client": client.pseudonym,
        "group": client.group,
        "node": node.name,
        "rule": verdict.rule,
        "action": verdict.action.value,
    }


def _until(node: Node, span: str) -> datetime:
    """When the choice ends; the soonest where the form names none of ours."""
    choices = ends(_now(), node.policy.exception_days)
    known = span in set(Span) and Span(span) in choices
    return choices[Span(span)] if known else next(iter(choices.values()), _now())


async def _answered(answer: Future[dict[str, Any]]) -> dict[str, Any]:
    """What the API says to a request, if it answers at once: the number that people call it by."""
    try:
        # Others may wait for the same answer: whoever gives up does not take it away from them.
        waited = asyncio.shield(asyncio.wrap_future(answer))
        return await asyncio.wait_for(waited, ANSWER_SECONDS)
    except TimeoutError:
        return {}


def _now() -> datetime:
    """Now, in the node's own time zone: there the day ends."""
    return datetime.now(UTC).astimezone()
