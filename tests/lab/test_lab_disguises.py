"""Whatever a client does, a listed service does not slip through because two names disagree."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.clients import ask, connect, curl, get, open_socket, read_all, read_answer, trusting
from tests.lab.world import NEUTRAL, TEAMS, ZOOM

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SPELLINGS = {
    "dotted": "127.30.0.10",
    "hexadecimal": "0x7f.0x1e.0.0xa",
    "octal": "0177.036.0.012",
    "one number": "2132672522",
    "one hexadecimal number": "0x7f1e000a",
    "short": "127.30.10",
    "trailing dot": "127.30.0.10.",
    "mapped": "[::ffff:127.30.0.10]",
    "mapped in hexadecimal": "[::ffff:7f1e:a]",
    "NAT64": "[64:ff9b::7f1e:a]",
    "6to4": "[2002:7f1e:a::]",
    "percent": "127%2e30%2e0%2e10",
    "full width": "１２７.30.0.10",
}

NAMES = ("ZOOM.US", "zoom.us.", "Us02Web.Zoom.US.", "z%6Fom.us", "zoom。us", "ｚｏｏｍ.us")


def tls_to(client, name: str, *roots) -> ssl.SSLSocket:
    """TLS whose SNI is `name` (none if empty), as a client that believes any certificate."""
    context = trusting(*roots)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(client, server_hostname=name or None)


def issuer(secure: ssl.SSLSocket) -> str:
    pem = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))
    from cryptography import x509  # noqa: PLC0415

    return x509.load_pem_x509_certificate(pem.encode()).issuer.rfc4514_string()


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_an_address_of_zoom_is_stopped_in_every_spelling(proxy, origins, spelling):
    client, answer = connect(proxy, f"{spelling}:{origins.zoom.port}")
    client.close()
    assert answer.status in {400, 403, 451}
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_plain_http_to_an_address_of_zoom_is_stopped_in_every_spelling(proxy, origins, spelling):
    target = f"{spelling}:{origins.zoom.port}"
    client = open_socket(proxy)
    client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert read_answer(read_all(client)).status in {400, 403, 451, 502}
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_zoom_is_stopped_in_every_spelling(proxy, origins, name):
    client, answer = connect(proxy, f"{name}:{origins.zoom.port}")
    if answer.status == 200:
        with tls_to(client, "zoom.us", proxy.authority) as secure:
            assert ask(secure, get("zoom.us")).is_prompt
    else:
        assert answer.status in {400, 403, 451}
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("target", ["", ":443", "a b:443", "zoom.us", "%:443", "\udcff\udcfe:443"])
def test_a_target_that_cannot_be_read_is_refused(proxy, target):
    client, answer = connect(proxy, target)
    client.close()
    assert answer.status in {400, 403, 451, 502}


def test_an_unknown_name_that_leads_to_zooms_own_addresses_is_stopped(proxy, origins):
    """By its address only: the CA may not speak for the name, so that there is no prompt."""
    client, answer = connect(proxy, f"front.example:{origins.zoom.port}")
    client.close()
    assert answer.status == 451
    assert curl(proxy, f"http://front.example:{origins.zoom.port}/").is_prompt
    assert origins.zoom.hits == 0


def test_a_connect_to_an_allowed_host_does_not_carry_tls_for_a_blocked_one(proxy, origins):
    client, answer = connect(proxy, f"neutral.example:{origins.neutral.port}")
    assert answer.status == 200
    with tls_to(client, "us02web.zoom.us", proxy.authority) as secure:
        assert "sovproxy: Zoom" in issuer(secure)
        assert ask(secure, get("us02web.zoom.us")).is_prompt
    assert not any(call.first_bytes for call in origins.neutral.calls)


def test_a_connect_to_a_blocked_host_is_not_let_through_for_an_allowed_sni(proxy, origins):
    """The CA may not speak for the name that the client would check: the connection is closed."""
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    with pytest.raises(OSError, match=r"EOF|reset"):
        tls_to(client, "visio.numerique.gouv.fr", proxy.authority)
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("address", [ZOOM, TEAMS])
def test_an_address_without_any_name_is_judged_by_its_prefix(proxy, origins, address):
    client, answer = connect(proxy, f"{address}:{origins.zoom.port}")
    client.close()
    assert answer.status == 451
    assert (origins.zoom.hits, origins.teams.hits) == (0, 0)


def test_teams_is_stopped_where_the_client_chose_an_address_in_the_shared_prefix(proxy, origins):
    client, answer = connect(proxy, f"127.52.0.20:{origins.telemetry.port}")
    client.close()
    assert answer.status == 451
    assert origins.telemetry.hits == 0


def test_an_address_in_whatsapps_own_network_is_judged_without_a_name(proxy, origins, me):
    client, answer = connect(proxy, f"127.99.0.77:{origins.whatsapp.port}", me=me)
    client.close()
    assert answer.status == 451
    (event,) = proxy.wait_for_events(me)
    assert (event["service"], event["address"], event["asn"]) == ("whatsapp", "127.99.0.77", 32934)


@pytest.mark.parametrize("port", [1, 22, 80, 8443, 65535])
def test_a_blocked_host_is_blocked_on_every_port(proxy, port):
    assert curl(proxy, f"https://zoom.us:{port}/").is_prompt
    assert curl(proxy, f"http://zoom.us:{port}/").is_prompt


MISMATCHES = {
    "Host differs from the absolute form": ("http://neutral.example:{port}/", "zoom.us"),
    "absolute form differs from Host": ("http://zoom.us:{port}/", "neutral.example"),
    "Host with a port": ("http://neutral.example:{port}/", "zoom.us:80"),
    "Host in capitals with a dot": ("http://neutral.example:{port}/", "ZOOM.us."),
    "Host is an address": ("http://neutral.example:{port}/", "127.30.0.10"),
    "Host is an odd address": ("http://neutral.example:{port}/", "0x7f1e000a"),
}


@pytest.mark.parametrize(("target", "host"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_a_blocked_name_anywhere_in_a_request_stops_it(proxy, origins, target, host):
    client = open_socket(proxy)
    lines = [f"GET {target.format(port=origins.neutral.port)} HTTP/1.1", f"Host: {host}"]
    answer = ask(client, "\r\n".join([*lines, "Accept: text/html", "", ""]))
    assert answer.is_prompt, answer
    assert not any(call.requests for call in origins.neutral.calls)


def test_plain_http_inside_a_tunnel_is_judged_by_its_host(proxy, origins):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    assert ask(client, get("zoom.us")).is_prompt
    assert not any(call.requests for call in origins.neutral.calls)


def test_the_second_request_of_a_connection_is_judged_too(proxy, origins):
    port = origins.neutral.port
    client = open_socket(proxy)
    first = f"GET http://neutral.example:{port}/a HTTP/1.1\r\nHost: neutral.example:{port}\r\n\r\n"
    second = f"GET http://neutral.example:{port}/b HTTP/1.1\r\nHost: zoom.us\r\n\r\n"
    client.sendall((first + second).encode())
    answers = read_all(client)
    assert b"<h1>Neutral /a</h1>" in answers
    assert b"HTTP/1.1 451" in answers
    asked = [request for call in origins.neutral.calls for request in call.requests]
    assert not any(b"/b" in request for request in asked)


def test_two_host_fields_do_not_confuse_it(proxy, origins):
    port = origins.neutral.port
    lines = [f"GET http://neutral.example:{port}/ HTTP/1.1", "Host: neutral.example"]
    answer = ask(open_socket(proxy), "\r\n".join([*lines, "Host: zoom.us", "", ""]))
    assert answer.status in {400, 403, 451}
    assert not any(call.requests for call in origins.neutral.calls)


def test_smuggled_lengths_are_refused(proxy, origins):
    port = origins.neutral.port
    head = f"POST http://neutral.example:{port}/ HTTP/1.1\r\nHost: neutral.example:{port}"
    both = "Content-Length: 4\r\nTransfer-Encoding: chunked"
    inner = f"GET http://zoom.us:{origins.zoom.port}/ HTTP/1.1\r\nHost: zoom.us\r\n\r\n"
    ask(open_socket(proxy), f"{head}\r\n{both}\r\n\r\n0\r\n\r\n{inner}")
    asked = [request for call in origins.neutral.calls for request in call.requests]
    assert not any(b"zoom.us" in request for request in asked)
    assert origins.zoom.hits == 0


def test_a_name_that_resolves_to_a_refused_network_is_stopped(proxy, origins, me):
    client, answer = connect(proxy, f"refused.example:{origins.refused.port}", me=me)
    client.close()
    assert answer.status in {403, 451}
    assert curl(proxy, f"http://refused.example:{origins.refused.port}/", me=me).is_prompt
    assert curl(proxy, f"http://127.10.0.10:{origins.refused.port}/", me=me).is_prompt
    assert {event["rule"] for event in proxy.events(me)} == {"refused-network"}
    assert origins.refused.hits == 0


def test_an_absolute_https_request_without_connect_is_not_let_through(proxy, origins):
    target = f"zoom.us:{origins.zoom.port}"
    answer = ask(open_socket(proxy), f"GET https://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n")
    assert answer.status in {400, 403, 451}
    assert origins.zoom.hits == 0


def test_the_proxy_itself_is_no_destination(proxy):
    """A request in origin form names nobody but the Host field; it is judged like any other."""
    answer = ask(open_socket(proxy), get("zoom.us"))
    assert answer.status in {400, 403, 451}
    answer = ask(open_socket(proxy), get("mitm.it"))
    assert b"mitmproxy-ca" not in answer.body


def test_a_connect_inside_a_connect_is_refused(proxy, origins):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    answer = ask(client, f"CONNECT zoom.us:{origins.zoom.port} HTTP/1.1\r\nHost: zoom.us\r\n\r\n")
    assert answer.status != 200
    assert origins.zoom.hits == 0


def test_tls_to_the_proxy_itself_is_judged_the_same(proxy, origins):
    client = open_socket(proxy)
    outer = tls_to(client, "proxy.example", proxy.authority)
    target = f"zoom.us:{origins.zoom.port}"
    answer = ask(outer, f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nAccept: */*\r\n\r\n")
    assert answer.is_prompt
    assert origins.zoom.hits == 0


def test_a_blocked_host_in_the_user_part_of_an_address_means_nothing(proxy, origins):
    port = origins.neutral.port
    client = open_socket(proxy)
    lines = [f"GET http://zoom.us@neutral.example:{port}/ HTTP/1.1", "Host: neutral.example"]
    answer = ask(client, "\r\n".join([*lines, "Connection: close", "", ""]))
    assert answer.status in {200, 400}
    assert origins.zoom.hits == 0


def test_an_allowed_address_passes_by_its_number(proxy, origins, authority):
    url = f"https://{NEUTRAL}:{origins.neutral.port}/"
    assert curl(proxy, url, trust=authority.certificate).status == 200
