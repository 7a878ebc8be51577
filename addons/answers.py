"""Answers instead of the destination: the prompt, the machine answer, the way on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from mitmproxy import http

from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.prompt.facts import GoOn, Mishap, MishapFacts, PromptFacts, Recorded
from sovproxy.prompt.goon import FIELD_DETAIL, FIELD_REASON, FIELD_TOKEN, MAX_DETAIL, is_reason
from sovproxy.prompt.languages import language_for
from sovproxy.prompt.page import render_asked, render_mishap, render_page
from sovproxy.prompt.problem import render_problem
from sovproxy.usecases.worker.acknowledging import MAX_TOKEN, Offer, Refusal, is_local_path

from . import asking, desk

if TYPE_CHECKING:
    from sovproxy.events.event import Event
    from sovproxy.prompt.languages import Language
    from sovproxy.usecases.nodes.node import Client, Node, Passage

GO_ON_PATH = "/.well-known/sovproxy/go-on"
"""Where a prompt's form is sent, on the very origin that was stopped."""

MAX_BODY = 64 * 1024
"""Bytes of a request body that are read for somebody who is stopped."""

MAX_FIELDS = 10

_MISHAPS = {
    Refusal.EXPIRED: Mishap.EXPIRED,
    Refusal.FORGED: Mishap.FORGED,
    Refusal.USED: Mishap.USED,
}


@dataclass(frozen=True, slots=True)
class Stop:
    """A request that is answered by us: the passage that does not pass, and who asked.

    `has_desk` is true where every port of the host leads to this node: at an explicit proxy.
    """

    passage: Passage
    client: Client
    request: http.Request
    decrypted: bool
    has_desk: bool = False

    @property
    def transport(self) -> Transport:
        """What the client speaks to us."""
        return Transport.HTTPS if self.decrypted else Transport.HTTP

    def way_back(self, to: str) -> str:
        """Where a local path of the host that was stopped is reached."""
        asked, secure = self.request.path, self.decrypted
        return desk.way_back(self.passage.destination, asked, to, secure=secure)


def is_navigation(request: http.Request) -> bool:
    """Whether a person is waiting for a page.

    Browsers say so in Sec-Fetch-Mode. Others are believed when they ask by GET for HTML or for
    anything (as `curl` does), and do not want to upgrade the connection.
    """
    headers = request.headers
    if "upgrade" in headers or request.method not in {"GET", "POST"}:
        return False
    mode: str = headers.get("sec-fetch-mode", "").lower()
    if mode:
        return mode == "navigate"
    accept: str = headers.get("accept", "*/*").lower()
    wants_page = "text/html" in accept or (request.method == "GET" and accept.strip() == "*/*")
    return wants_page and "x-requested-with" not in headers


async def answer(node: Node, stop: Stop) -> http.Response:
    """Answer a stopped request; what it is told is on disk before it is told."""
    request = stop.request
    form = request.path.partition("?")[0] if request.method == "POST" else ""
    if form == asking.ASK_PATH:
        return await _ask(node, stop)
    if form == GO_ON_PATH and stop.passage.verdict.action is Action.WARN:
        return await _go_on(node, stop)
    if _may_pass_by_now(node, stop):
        return _come_again(stop)
    return await _stopped(node, stop)


def _may_pass_by_now(node: Node, stop: Stop) -> bool:
    """Whether the client has gone on, or got an exception, since this connection was judged.

    Browsers open connections ahead, and may use one that is older than the permission.
    """
    passage = stop.passage
    wanted = desk.behind(passage.destination)
    return passage.verdict.can_be_excepted and node.look(wanted, stop.client).passes


async def _stopped(node: Node, stop: Stop) -> http.Response:
    page = is_navigation(stop.request)
    event = node.event(
        stop.passage,
        stop.client,
        Outcome.PROMPTED if page else Outcome.PROBLEM_ANSWERED,
        stop.transport,
        kind=EventKind.DECISION,
        decrypted=stop.decrypted,
    )
    facts = _facts(node, stop, event)
    if page:
        facts = await _with_asking(node, stop, facts)
    language = _language(node, stop.request)
    answered = _page(facts, language) if page else _problem(facts, language)
    await node.record(event)
    return answered


def _facts(node: Node, stop: Stop, event: Event) -> PromptFacts:
    policy, now = node.policy, datetime.now(UTC).astimezone()
    go_on, back = None, _return_path(stop.request)
    if stop.passage.verdict.action is Action.WARN:
        token = node.offers.make(stop.client.pseudonym, stop.passage.subject, back)
        action = desk.form(GO_ON_PATH, stop.passage.destination) if stop.has_desk else GO_ON_PATH
        go_on = GoOn(action, token, now + timedelta(seconds=policy.acknowledgement_seconds))
    return PromptFacts(
        host=stop.passage.destination.label,
        verdict=stop.passage.verdict,
        policy=policy,
        now=now,
        node=node.name,
        recorded=Recorded(str(event.id), stop.client.pseudonym, policy.retention_days),
        go_on=go_on,
        desk=_desk(stop),
    )


async def _with_asking(node: Node, stop: Stop, facts: PromptFacts) -> PromptFacts:
    """The same with the form for asking, and what the worker has asked for already."""
    form = asking.offer(node, stop.passage, stop.client, _return_path(stop.request))
    if form is None:
        return facts
    if stop.has_desk:
        form = replace(form, action=desk.form(form.action, stop.passage.destination))
    standing = await asking.standing(node, stop.passage, stop.client)
    return replace(facts, ask=form, standing=standing)


def _desk(stop: Stop) -> str:
    """The origin to which forms are sent; empty for the page's own."""
    if not stop.has_desk:
        return ""
    return desk.origin(stop.passage.destination, secure=stop.decrypted)


def _return_path(request: http.Request) -> str:
    """Where the worker was going; after a form there is nothing to repeat."""
    return request.path if request.method == "GET" else "/"


async def _go_on(node: Node, stop: Stop) -> http.Response:
    """Redeem the offer that the prompt's form carries, and send the worker on."""
    fields = _form(stop.request)
    token = fields.get(FIELD_TOKEN, "")[:MAX_TOKEN]
    client, subject = stop.client, stop.passage.subject
    offer = node.offers.check(token, client.pseudonym, subject, node.aliases(client))
    if not isinstance(offer, Offer):
        return _mishap(node, stop, _MISHAPS[offer])
    reason = fields.get(FIELD_REASON, "")
    if not is_reason(reason):
        return _mishap(node, stop, Mishap.REASON_MISSING, again=offer.to)
    if not await asyncio.to_thread(node.acknowledge, offer):
        return _mishap(node, stop, Mishap.USED, again=offer.to)
    await node.record(_acknowledged(node, stop, reason, fields.get(FIELD_DETAIL, "")))
    return _redirect(303, stop.way_back(offer.to))


async def _ask(node: Node, stop: Stop) -> http.Response:
    """Take the request for an exception that the prompt's other form carries."""
    language = _language(node, stop.request)
    form = _form(stop.request)
    told = await asking.take(node, stop.passage, stop.client, form, language.code)
    if isinstance(told, str):
        return _redirect(303, stop.way_back(told))
    if isinstance(told, tuple):
        return _mishap(node, stop, *told)
    page = render_asked(told, language)
    return make(page.status, page.html, page.headers)


def _acknowledged(node: Node, stop: Stop, reason: str, detail: str) -> Event:
    """It is about the connection that is let through from now on, not about the form's own."""
    passage = stop.passage
    wanted = replace(passage, destination=desk.wanted(passage.destination, stop.request.path))
    event = node.event(
        wanted, stop.client, Outcome.TUNNELLED, stop.transport, kind=EventKind.ACKNOWLEDGEMENT
    )
    said = f"{reason}: {detail[:MAX_DETAIL]}" if detail.strip() else reason
    return event.model_validate({**event.model_dump(), "reason": f"The worker went on: {said}"})


def _form(request: http.Request) -> dict[str, str]:
    """The form's fields, each its first value; what is not a form has none."""
    try:
        text = (request.raw_content or b"").decode("ascii")
        fields = parse_qs(text, max_num_fields=MAX_FIELDS, errors="replace")
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _come_again(stop: Stop) -> http.Response:
    """Send a client that may pass by now to a new connection: that one is tunnelled."""
    request = stop.request
    if is_navigation(request) and not request.is_http2:
        return _redirect(307, stop.way_back(request.path if is_local_path(request.path) else "/"))
    return make(421, b"", (("Content-Type", "text/plain"),))


def _redirect(status: int, path: str) -> http.Response:
    return make(status, b"", (("Location", path), ("Cache-Control", "no-store")))


def _mishap(
    node: Node, stop: Stop, mishap: Mishap, again: str = "/", wait: timedelta | None = None
) -> http.Response:
    facts = MishapFacts(
        mishap=mishap,
        policy=node.policy,
        now=datetime.now(UTC).astimezone(),
        node=node.name,
        host=stop.passage.destination.label,
        again=again,
        wait=wait,
    )
    page = render_mishap(facts, _language(node, stop.request))
    return make(page.status, page.html, page.headers)


def _page(facts: PromptFacts, language: Language) -> http.Response:
    page = render_page(facts, language)
    return make(page.status, page.html, page.headers)


def _problem(facts: PromptFacts, language: Language) -> http.Response:
    problem = render_problem(facts, language)
    return make(problem.status, problem.json, problem.headers)


def _language(node: Node, request: http.Request) -> Language:
    return language_for(request.headers.get("accept-language", ""), node.policy.language)


def make(status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> http.Response:
    """Make a response after which the connection is closed: the next one is judged anew."""
    fields = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers]
    return http.Response.make(status, body, http.Headers([*fields, (b"Connection", b"close")]))


async def refuse_connect(node: Node, passage: Passage, client: Client) -> http.Response:
    """Answer a CONNECT that leads nowhere: on record, then refused with the reason."""
    event = node.event(
        passage, client, Outcome.CONNECT_REFUSED, Transport.TCP, kind=EventKind.DECISION
    )
    facts = PromptFacts(
        host=passage.destination.label,
        verdict=passage.verdict,
        policy=node.policy,
        now=datetime.now(UTC).astimezone(),
        node=node.name,
        recorded=Recorded(str(event.id), client.pseudonym, node.policy.retention_days),
    )
    await node.record(event)
    return _problem(facts, language_for("", node.policy.language))


def established() -> http.Response:
    """Accept a CONNECT without connecting; RFC 9110 §9.3.6 wants no Content-Length here."""
    response = http.Response.make(200)
    response.headers.clear()
    response.reason = "Connection established"
    return response


def not_reachable(host: str) -> http.Response:
    """Answer for a name that does not resolve (in time), in the shape of RFC 9457."""
    return plain_problem(502, "The name does not resolve, or takes too long to", host)


def plain_problem(status: int, title: str, host: str) -> http.Response:
    """A problem that is no verdict: nothing was decided against the destination."""
    body = json.dumps(
        {"type": "about:blank", "title": title, "status": status, "host": host[:256]}
    ).encode()
    return make(status, body, (("Content-Type", "application/problem+json"),))


def without_port(host: str) -> str:
    """A Host field without its port."""
    head, colon, tail = host.rpartition(":")
    return head if colon and tail.isdigit() else host


def body_is_large(request: http.Request) -> bool:
    """Whether a stopped request carries more than a form; it is not worth the memory."""
    length = request.headers.get("content-length", "0")
    chunked = "transfer-encoding" in request.headers
    return chunked or not length.isdigit() or int(length) > MAX_BODY


def answer_early(flow: http.HTTPFlow, response: http.Response) -> None:
    """Answer before the body is read; one that is not worth the memory ends the connection.

    mitmproxy cannot stream a body that it has an answer to.
    """
    flow.response, flow.request.stream = response, False
    if body_is_large(flow.request):
        flow.kill()
