"""Ends TLS with a certificate of the constrained CA, or not at all.

mitmproxy's own store of certificates is passed by: it has one CA for everything, and signs
leaves with that CA's own key for months. Here each answer carries a leaf for one name and the
issuing CA of that name's service. The root is left out: whoever trusts it has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy import certs, ctx
from mitmproxy.addons.tlsconfig import AppData, alpn_select_callback
from mitmproxy.net import tls as net_tls
from OpenSSL import SSL

from sovproxy.ca.names import is_below
from sovproxy.decide.destination import Destination
from sovproxy.decide.normalise import read_host

if TYPE_CHECKING:
    from mitmproxy.tls import TlsData

    from sovproxy.ca.leaves import Identity
    from sovproxy.usecases.nodes.node import Node, Passage


SPARED_RULES = frozenset({"internal", "on-error"})
"""Rungs of the ladder that let pass what nobody should look at, or what was not judged."""


def may_answer(node: Node, passage: Passage) -> bool:
    """Whether a client would believe us to be the host of a passage; never for an address."""
    place = passage.destination
    named = isinstance(place, Destination) and bool(place.host)
    return named and node.policy.inspection != "none" and node.authority.may_name(place.label)


def identity_for(node: Node, sni: str, passage: Passage | None) -> Identity | None:
    """What to show: as the name that the client gave in its TLS, else in its CONNECT."""
    place = read_host(sni) if sni else passage.destination if passage else None
    if not isinstance(place, Destination) or not place.host:
        return None
    if node.policy.inspection == "none":
        return None
    return node.authority.identity(place.host)


def inspecting_identity(node: Node, sni: str, passages: tuple[Passage, ...]) -> Identity | None:
    """What to show where a connection passes and may be decrypted; None where it is tunnelled.

    `passages` are the verdicts on the CONNECT (or the address) and on the name in the TLS; each has
    to permit it. Left alone is what the policy never decrypts, what the catalogue keeps, what
    passes by permission, and what is the administration's own.
    """
    asked = passages[0].destination if passages else None
    said = read_host(sni) if sni else asked
    if node.policy.full is None or not isinstance(said, Destination) or not said.host:
        return None
    if not all(_may_inspect(node, passage) for passage in passages):
        return None
    return node.authority.inspecting_identity(said.host)


def _may_inspect(node: Node, passage: Passage) -> bool:
    verdict, place = passage.verdict, passage.destination
    if not isinstance(place, Destination) or verdict.acknowledged or verdict.exception:
        return False
    if verdict.rule in SPARED_RULES or is_below(place.host, node.judge.undecrypted):
        return False
    listing = node.judge.catalogue.hosts.find(place.host) if place.host else None
    services = verdict.service, listing.service if listing else None
    return not any(service and service.stance == "keep" for service in services)


def start_tls(data: TlsData, identity: Identity) -> None:
    """Give mitmproxy the TLS connection to carry on with: ours, so that it makes none."""
    options = ctx.options
    context = net_tls.create_client_proxy_context(
        method=net_tls.Method.TLS_SERVER_METHOD,
        min_version=net_tls.Version[options.tls_version_client_min],
        max_version=net_tls.Version[options.tls_version_client_max],
        cipher_list=None,
        ecdh_curve=None,
        chain_file=None,
        alpn_select_callback=alpn_select_callback,
        request_client_cert=False,
        extra_chain_certs=tuple(map(certs.Cert, identity.chain)),
        dhparams=None,
    )
    data.ssl_conn = SSL.Connection(context)
    data.ssl_conn.use_certificate(identity.certificate)
    data.ssl_conn.use_privatekey(identity.key)
    data.ssl_conn.set_app_data(
        AppData(client_alpn=data.context.client.alpn, server_alpn=None, http2=options.http2)
    )
    data.ssl_conn.set_accept_state()
