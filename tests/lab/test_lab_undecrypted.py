"""By default no connection to a third party is ever decrypted: counted over the lab's traffic."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.clients import connect, get, read_all, read_answer, trusting

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

TRAFFIC = (
    ("visio", "visio.numerique.gouv.fr"),
    ("neutral", "neutral.example"),
    ("facebook", "www.facebook.com"),
    ("zoom", "zoom.us"),
    ("zoom", "us02web.zoom.us"),
    ("teams", "teams.microsoft.com"),
    ("slack", "slack.com"),
    ("whatsapp", "web.whatsapp.com"),
)
ROUNDS = 3


def seen_by_client(proxy, origin, host, me):
    """The certificate that a client gets (None: refused), and what it read."""
    client, answer = connect(proxy, f"{host}:{origin.port}", me=me)
    if answer.status != 200:
        client.close()
        return None, answer
    context = trusting()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(client, server_hostname=host) as secure:
        secure.sendall(get(host).encode())
        return secure.getpeercert(binary_form=True), read_answer(read_all(secure))


def test_whoever_reaches_a_third_party_speaks_tls_with_it_alone(proxy, origins, me):
    """Where our certificate stands nothing is forwarded; where anything is, the origin's does."""
    ours = theirs = 0
    for name, host in TRAFFIC * ROUNDS:
        origin = getattr(origins, name)
        before = origin.hits
        certificate, answer = seen_by_client(proxy, origin, host, me)
        assert certificate is not None, (host, answer)
        if certificate == origin.certificate:
            theirs += 1
            assert origin.hits == before + 1, host
            assert origin.name in answer.text
        else:
            ours += 1
            assert origin.hits == before, f"{host}: decrypted, and the origin was reached"
            assert answer.status in {403, 451}, host
    assert (theirs, ours) == (3 * ROUNDS, 5 * ROUNDS)
    events = proxy.wait_for_events(me, ours)
    decrypted = [event for event in events if event["decrypted"]]
    assert len(decrypted) == ours
    assert {event["outcome"] for event in decrypted} == {"prompted"}
    reached = sum(origin.hits for origin in vars(origins).values())
    assert reached == theirs
