"""The addon: every connection of the proxy passes through this gate.

Hooks, in the order in which a connection meets them:

1. `http_connect`     judge the host of a CONNECT; refuse, prepare a prompt, or pin the address.
2. `next_layer`       read the first bytes; judge the SNI too; tunnel, end TLS here, or close.
3. `requestheaders`   judge each plain HTTP request; pin the address that was judged.
4. `request`          answer what is stopped.
5. `server_connect`   the last guard: only addresses that were judged and may pass are connected to.

mitmproxy logs what a hook raises and lets the flow go on; `guarded` turns that round.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

from mitmproxy import ctx, exceptions, http
from mitmproxy.proxy import layer as proxy_layer

from sovproxy.decide.destination import Unreadable
from sovproxy.decide.normalise import read_host
from sovproxy.events.event import EventKind, Outcome, Transport

from . import answers, authority, detours, doors, failing, first_bytes, layers, magic, reading
from .first_bytes import First, Speech
from .guarded import guarded
from .rechecking import Rechecking
from .session import Session, is_transparent, names, original, port_of, user
from .trim import keep_scripts, set_options, take_out_content_tools

if TYPE_CHECKING:
    from mitmproxy import connection, tcp, tls
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData

    from sovproxy.usecases.nodes.node import Node, Passage

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0
"""How often the policy file and the databases are looked at."""

YOUNG_OBJECTS = 20_000
"""New objects before Python looks for garbage: one connection makes hundreds that live with it."""

UNSAID = {
    Speech.BAD_TLS: "begins like TLS, but names nobody that can be read, or several",
    Speech.VEILED: "would say only later, behind this host, where it goes",
}
"""Why a tunnel is closed that does not say where it goes, in the words of its event."""

STOPPED = "sovproxy.stopped"
"""The key under which a flow's metadata holds the passage that it is stopped for."""


class Gate:
    """Carries out the node's verdicts in mitmproxy."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.sessions: dict[str, Session] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    # -- life ---------------------------------------------------------------------------------

    def load(self, _loader: object) -> None:
        """Set mitmproxy to what the gate relies on, before anybody can connect."""
        reading.mend()
        set_options(ctx.options, self.node.authority.confdir, self.node.upstream_ca)

    def running(self) -> None:
        """Begin to deliver events, and let mitmproxy do no more than it has to."""
        self.node.start()
        gc.collect()
        gc.freeze()  # the catalogue lives as long as the node: collections need not walk over it
        gc.set_threshold(YOUNG_OBJECTS, 50, 100)
        take_out_content_tools(ctx.master)
        keep_scripts(ctx.master)
        rechecking = Rechecking(self.node, self.sessions)
        self._tasks = tuple(map(asyncio.create_task, (self._refresh(), rechecking.run())))

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await asyncio.to_thread(self.node.refresh)  # reading takes its time
            except Exception:
                log.exception("refresh failed; what was in force stays in force")

    def done(self) -> None:
        """Put what was counted on disk."""
        for task in self._tasks:
            task.cancel()
        self.node.close()

    # -- hooks --------------------------------------------------------------------------------

    @guarded
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Judge the host of a CONNECT before anything is opened."""
        if flow.response:
            return  # mitmproxy asks the client to sign in first
        if magic.is_ours(flow.request.host):
            flow.response = magic.refuse_connect()
            return
        session = self._session(flow.client_conn, user(flow))
        host, port = flow.request.host, flow.request.port
        passage = session.passage = await self.node.seek(host, port, session.client)
        if not passage.passes:
            await self._stop_connect(flow, session, passage)
        elif not passage.address:
            flow.response = answers.not_reachable(host)
        else:
            flow.request.data.host = passage.address
            session.cleared.add(passage.address)
            await self._let_pass(passage, session)

    async def _stop_connect(self, flow: http.HTTPFlow, session: Session, passage: Passage) -> None:
        """Prepare to answer inside the tunnel, or refuse it where that is not allowed or sense."""
        if not authority.may_answer(self.node, passage):
            session.told = True
            flow.response = await answers.refuse_connect(self.node, passage, session.client)
        else:
            flow.response = answers.established()

    def http_connect_error(self, flow: http.HTTPFlow) -> None:
        """Forget the verdict on a CONNECT that led nowhere: the next request has its own."""
        if session := self.sessions.get(flow.client_conn.id):
            session.passage, session.told = None, False
            self._count(session)

    @guarded
    async def next_layer(self, data: proxy_layer.NextLayer) -> None:
        """Judge what the first bytes name, then choose who handles the connection."""
        context = data.context
        session = self._session(context.client)
        transparent = is_transparent(context.client)
        if session.passage is None and not transparent:
            return  # the request to the explicit proxy itself: mitmproxy reads it as HTTP
        if session.ended_here:
            data.layer = layers.http(context)
            return
        if session.inspected:
            data.layer = self._choose_inspected(data, session)
            return
        first = first_bytes.read(data.data_client())
        if first.speech is Speech.UNFINISHED:
            if data.data_server() and session.passage and session.passage.passes:
                session.open = session.passing
                self._count(session)
                data.layer = layers.tunnel(context)  # the server speaks first, as in SMTP
                return
            raise exceptions.AddonHalt  # nobody else decides until there is more to read
        if magic.is_ours(first.name) and first.speech is not Speech.HTTP:
            data.layer = layers.Refuse(context)
            return
        if transparent and first.speech is not Speech.HTTP:
            host, port = original(context.server)
            await self._arrive(session, first.name, host, port)
        elif first.name:
            self._hear_name(session, first.name)
        data.layer = self._choose(context, session, first)

    async def _arrive(self, session: Session, name: str, address: str, port: int) -> None:
        """Judge a connection that was redirected to us, by its address and the name it gives."""
        passage = session.passage = await self.node.seek_at(name, address, port, session.client)
        if passage.passes:
            session.cleared.add(address)
            await self._let_pass(passage, session)

    def _hear_name(self, session: Session, name: str) -> None:
        """Judge a name given inside a tunnel: it counts if it must be stopped."""
        if session.passage and not session.passage.passes:
            return  # what the tunnel was asked for is stopped already
        heard = self.node.look(read_host(name, port_of(session.passage)), session.client)
        if heard.passes:
            session.open = (heard,)
        else:
            session.passage = heard

    def _choose(self, context: Context, session: Session, first: First) -> proxy_layer.Layer:
        speech = first.speech
        if speech is Speech.HTTP:
            session.open = session.passing
            self._count(session)
            return layers.http(context)
        if problem := UNSAID.get(speech):
            self._stop_unsaid(session, problem)
            return layers.Refuse(context)
        if session.passage and session.passage.passes:
            session.open = (session.passage, *session.open)
            if speech is Speech.TLS:
                session.identity = authority.inspecting_identity(
                    self.node, first.name, session.open
                )
            if session.identity is None:
                self._count(session)
                return layers.tunnel(context)
            session.inspected_as = session.open
            return layers.inspect(context, session.identity.host)
        if speech is Speech.TLS:
            session.identity = authority.identity_for(self.node, first.name, session.passage)
        if session.identity:
            session.ended_here = True
            return layers.terminate_tls(context)
        return layers.Refuse(context)

    def _choose_inspected(self, data: proxy_layer.NextLayer, session: Session) -> proxy_layer.Layer:
        """Requests are judged by what they name; other speech is relayed without a look at it."""
        context, first = data.context, first_bytes.read(data.data_client())
        if context.client.alpn or first.speech is Speech.HTTP:
            return layers.http(context)
        if problem := UNSAID.get(first.speech):
            self._stop_unsaid(session, problem)
            return layers.Refuse(context)
        if context.server.error:
            return layers.Refuse(context)
        if first.speech is Speech.UNFINISHED and not data.data_server():
            raise exceptions.AddonHalt
        return layers.tunnel(context)

    def _stop_unsaid(self, session: Session, problem: str) -> None:
        """Let a tunnel that passed end as one that does not say where it goes."""
        if session.passage and session.passage.passes:
            unsaid = Unreadable(session.passage.destination.label, problem)
            session.passage = self.node.look(unsaid, session.client)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Speak HTTP/1.1 where the client can: only there does closing a connection end it.

        With the proxy itself nothing else is spoken: a session has one tunnel, with one verdict.
        """
        client = data.context.client
        session = self.sessions.get(client.id)
        to_us = session is None or not session.decrypted
        if to_us or b"http/1.1" in client.alpn_offers:
            client.alpn = b"http/1.1"
        if session and session.inspected and client.alpn:
            client.alpn_offers = [client.alpn]  # and so are those towards the server

    def tls_start_client(self, data: tls.TlsData) -> None:
        """Show the identity that was chosen, before mitmproxy makes one of its own."""
        session = self.sessions.get(data.context.client.id)
        if session and session.identity:
            authority.start_tls(data, session.identity)

    def tls_established_client(self, data: tls.TlsData) -> None:
        """Count a connection as decrypted once it is."""
        session = self.sessions.get(data.context.client.id)
        if session and session.decrypted:
            session.established = True
        if session and session.inspected:
            self._count(session, decrypted=True)

    @guarded
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Judge a request; stop it, or pin the address that was judged."""
        if flow.response:  # mitmproxy asks the client to sign in first
            answers.answer_early(flow, flow.response)
            return
        session = self._session(flow.client_conn, user(flow))
        if magic.is_asked(flow.request):
            answers.answer_early(flow, magic.answer(self.node, session.client, flow.request))
            return
        passage = session.passage
        if passage is None or passage.passes:
            passage = await self._seek_request(flow, session)
        if not passage.passes:
            flow.metadata[STOPPED] = passage
            if answers.body_is_large(flow.request):
                await self._note_closed(session, passage)
                flow.kill()  # its body is not worth reading
        elif not passage.address:
            answers.answer_early(flow, answers.not_reachable(flow.request.pretty_host))
        else:
            flow.request.data.host = passage.address
            detours.take_out_of_request(flow.request)
            session.cleared.add(passage.address)
            session.open = (passage, *session.open)
            flow.request.stream = True

    async def _seek_request(self, flow: http.HTTPFlow, session: Session) -> Passage:
        """Judge every name that a plain HTTP request gives; the first to be stopped counts."""
        request, tunnel = flow.request, session.passage
        if tunnel:
            passage = tunnel
        elif is_transparent(flow.client_conn):
            host, port = original(flow.server_conn)
            named = answers.without_port(request.host_header or "")
            passage = await self.node.seek_at(named, host, port, session.client)
        else:
            passage = await self.node.seek(request.host, request.port, session.client)
        session.open = tuple(
            self.node.look(read_host(name, request.port), session.client) for name in names(flow)
        )
        for heard in session.open:
            if not heard.passes:
                session.open = ()
                return heard
        if passage.passes and not tunnel:
            await self._let_pass(passage, session)
            self._count(session)
        return passage

    @guarded
    async def error(self, flow: http.HTTPFlow) -> None:
        """Put on record a stopped request that broke off before it was answered."""
        session = self.sessions.get(flow.client_conn.id)
        if session and not session.told and (passage := flow.metadata.get(STOPPED)):
            await self._note_closed(session, passage)

    async def _note_closed(self, session: Session, passage: Passage) -> None:
        """Put on record a stopped request that gets no answer."""
        transport = Transport.HTTPS if session.decrypted else Transport.HTTP
        session.told = True
        await self.node.record(
            self.node.event(
                passage,
                session.client,
                Outcome.CLOSED,
                transport,
                kind=EventKind.DECISION,
                decrypted=session.decrypted,
            )
        )

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        """Answer what is stopped, now that the body (a form, perhaps) has been read."""
        passage = flow.metadata.get(STOPPED)
        if passage is None:
            return
        session = self._session(flow.client_conn)
        decrypted = session.decrypted
        has_desk = not is_transparent(flow.client_conn)
        stop = answers.Stop(passage, session.client, flow.request, decrypted, has_desk)
        session.told = True
        flow.response = await answers.answer(self.node, stop)

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        """Keep nothing of what is said after an upgrade; mitmproxy would, for its other uses."""
        flow.messages.clear()

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Pass answers on as they come: nothing of them is kept."""
        if flow.response and STOPPED not in flow.metadata:
            detours.take_out_of_response(flow.response)
            flow.response.stream = True

    def response(self, flow: http.HTTPFlow) -> None:
        """Note that a request is over, unless an upgrade goes on."""
        session = self.sessions.get(flow.client_conn.id)
        if session and flow.response and flow.response.status_code != 101:
            session.open = session.passing

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Let no connection be opened but to an address that was judged and may pass."""
        data.server.error = "sovproxy has not cleared this address"
        session = self.sessions.get(data.client.id)
        if session and data.server.address and data.server.address[0] in session.cleared:
            data.server.error = None
        ours = doors.of_this_node(data.client, self.node.api_port)
        if data.server.address and doors.leads_to(data.server.address[:2], ours):
            data.server.error = "it is this node itself"

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Remember an address that refused, so that the next attempt tries another."""
        if data.server.address:
            self.node.resolver.avoid(data.server.address[0])

    @guarded
    async def client_disconnected(self, client: connection.Client) -> None:
        """Put on record a stopped client that left without an answer, such as a pinned app."""
        session = self.sessions.pop(client.id, None)
        if session:
            self._count(session)
        if session is None or session.told or session.passage is None or session.passage.passes:
            return
        event = self.node.event(
            session.passage,
            session.client,
            Outcome.CLOSED,
            Transport.HTTPS if session.decrypted else Transport.TCP,
            kind=EventKind.DECISION,
            decrypted=session.established,
        )
        await self.node.record(event)

    # -- what hooks share ---------------------------------------------------------------------

    def _session(self, client: connection.Client, name: str = "") -> Session:
        session = self.sessions.get(client.id)
        if session is None:
            session = Session(self.node.client(client.peername[0], name), user=name)
            if client.timestamp_end is None:  # else nobody would take it out again
                self.sessions[client.id] = session
        elif name and name != session.user:  # the client signs in after the connection is there
            session.client = self.node.client(client.peername[0], name)
            session.user = name
        return session

    async def _let_pass(self, passage: Passage, session: Session) -> None:
        """Count what passes; by acknowledgement or exception, each connection is an event."""
        if not passage.verdict.acknowledged and not passage.verdict.exception:
            session.uncounted = passage
            if self.node.policy.full is None:
                self._count(session)
            return
        event = self.node.event(
            passage, session.client, Outcome.TUNNELLED, Transport.TCP, kind=EventKind.DECISION
        )
        await self.node.record(event)

    def _count(self, session: Session, *, decrypted: bool = False) -> None:
        """Count a passage that still has to be."""
        if session.uncounted:
            self.node.count(session.uncounted, session.client, decrypted=decrypted)
            session.uncounted = None

    def unrecorded(self, subject: object) -> None:
        """Close what cannot be put on record, whatever the verdict was."""
        failing.close(subject, failing.NO_RECORD)
        if isinstance(subject, http.HTTPFlow):
            session = self._session(subject.client_conn)
            session.passage, session.told = None, True
            session.cleared.clear()
            if answers.body_is_large(subject.request) and subject.killable:
                subject.kill()

    async def failed(self, hook: str, subject: object) -> None:
        """Carry out `on_error` when a hook failed: what is listed is stopped in any case."""
        failing.close(subject)
        self.node.counters.hook_errors += 1
        if isinstance(subject, http.HTTPFlow):
            session = self._session(subject.client_conn)
            stopped = STOPPED in subject.metadata
            passage = await failing.fall_back_on_request(
                self.node, session.client, hook, subject, stopped=stopped
            )
            connects = subject.request.method == "CONNECT"
        elif isinstance(subject, proxy_layer.NextLayer):
            session = self._session(subject.context.client)
            passage = await failing.fall_back_on_layer(self.node, session.client, hook, subject)
            connects = True
        else:
            return
        if connects:
            session.passage = passage
        if passage.passes:
            session.cleared.add(passage.address)
        else:
            session.told = True
