"""What is blocked gets an answer of ours, and nothing of it ever reaches the destination."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import time

import pytest

from tests.lab.clients import (
    NAVIGATION,
    ask,
    connect,
    curl,
    get,
    open_socket,
    read_all,
    trusting,
)
from tests.lab.proxies import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

FETCH = {
    "fetch": ("-H", "Sec-Fetch-Mode: cors", "-H", "Accept: */*"),
    "XHR": ("-H", "X-Requested-With: XMLHttpRequest"),
    "API client": ("-H", "Accept: application/json"),
    "picture": ("-H", "Sec-Fetch-Mode: no-cors", "-H", "Accept: image/avif,image/*"),
    "preflight": ("-X", "OPTIONS", "-H", "Origin: https://visio.numerique.gouv.fr"),
    "PUT": ("-X", "PUT", "-d", "{}"),
    "WebSocket": (
        *("-H", "Upgrade: websocket", "-H", "Connection: Upgrade"),
        *("-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    ),
}


def title(answer) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
    assert found, answer
    return found[1]


@pytest.fixture
def zoom(origins) -> str:
    """A meeting at an origin that would answer, if anything reached it."""
    return f"https://zoom.us:{origins.zoom.port}/j/123?pwd=secret"


def test_a_meeting_on_zoom_shows_the_prompt_in_french(proxy, origins, zoom):
    answer = curl(proxy, zoom)
    assert answer.status == 451
    assert '<html lang="fr"' in answer.text
    assert "https://visio.numerique.gouv.fr" in answer.text
    assert "Ministère des Essais" in answer.text
    assert answer.fields["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.fields["content-security-policy"]
    assert 'rel="blocked-by"' in answer.fields["link"]
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("language", ["en", "de", "da", "fr"])
def test_the_prompt_speaks_the_browsers_language(proxy, zoom, language):
    answer = curl(proxy, zoom, "-H", f"Accept-Language: {language}-XX,{language};q=0.9")
    assert f'<html lang="{language}"' in answer.text
    assert answer.fields["content-language"] == language


def test_the_prompts_certificate_is_for_the_host_and_from_the_nodes_ca(proxy, origins):
    client, answer = connect(proxy, f"us02web.zoom.us:{origins.zoom.port}")
    assert answer.status == 200
    context = trusting(proxy.authority)
    with context.wrap_socket(client, server_hostname="us02web.zoom.us") as secure:
        names = secure.getpeercert()["subjectAltName"]
        answer = ask(secure, get("us02web.zoom.us"))
    assert ("DNS", "us02web.zoom.us") in names
    assert answer.is_prompt


def test_plain_http_shows_the_prompt_too(proxy, origins):
    answer = curl(proxy, f"http://zoom.us:{origins.zoom.port}/j/123")
    assert answer.is_prompt
    assert origins.zoom.hits == 0


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("fields", FETCH.values(), ids=FETCH.keys())
def test_whatever_is_no_navigation_gets_a_problem(proxy, origins, scheme, fields):
    url = f"{scheme}://zoom.us:{origins.zoom.port}/api?q=1"
    answer = curl(proxy, url, "--http1.1", *fields)
    assert answer.status == 451
    problem = answer.problem
    assert problem["status"] == 451
    assert problem["type"].startswith("urn:")
    assert (problem["host"], problem["rule"], problem["action"]) == ("zoom.us", "video", "block")
    assert problem["service"]["id"] == "zoom"
    assert problem["alternative"]["url"] == "https://visio.numerique.gouv.fr"
    assert answer.fields["link"] == '<mailto:assistance@lab.example>; rel="blocked-by"'
    assert origins.zoom.hits == 0


def test_a_page_with_script_in_its_address_cannot_inject_anything(proxy, origins):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    secure = trusting(proxy.authority).wrap_socket(client, server_hostname="zoom.us")
    evil = "/<script>alert(1)</script>?\"'><img src=x>"
    answer = ask(secure, get('zoom.us"><script>alert(2)</script>', evil))
    assert "<script>alert(" not in answer.text
    assert "<img" not in answer.text
    assert answer.status in {400, 451}


def test_one_event_says_what_was_done_and_nothing_of_the_page(proxy, origins, zoom, me):
    curl(proxy, zoom, me=me)
    (event,) = proxy.events(me)
    expected = {
        "kind": "decision",
        "host": "zoom.us",
        "address": "",
        "port": origins.zoom.port,
        "action": "block",
        "rule": "video",
        "service": "zoom",
        "operator": "zoom-communications",
        "control": ["US"],
        "standing": "abroad",
        "alternative": "visio",
        "outcome": "prompted",
        "transport": "https",
        "decrypted": True,
        "node": "lab",
        "policy": "lab",
    }
    assert {key: event[key] for key in expected} == expected
    text = json.dumps(event)
    assert not re.search(rf"secret|/j/|{re.escape(me)}|curl", text), text


def test_a_problem_and_plain_http_are_on_record_as_such(proxy, origins, zoom, me):
    curl(proxy, zoom, "-H", "Accept: application/json", me=me)
    curl(proxy, f"http://zoom.us:{origins.zoom.port}/", me=me)
    found = [(e["outcome"], e["transport"], e["decrypted"]) for e in proxy.events(me)]
    assert found == [("problem_answered", "https", True), ("prompted", "http", False)]


def test_the_event_is_on_disk_before_the_answer_arrives(proxy, origins, me):
    target = f"zoom.us:{origins.zoom.port}"
    for number in range(5):
        client = open_socket(proxy, me)
        client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert client.recv(1)
        assert len(proxy.events(me)) == number + 1
        client.close()


def test_the_connection_is_closed_after_the_answer(proxy, origins):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    secure = trusting(proxy.authority).wrap_socket(client, server_hostname="zoom.us")
    request = get("zoom.us").replace("Connection: close\r\n", "")
    secure.sendall((request * 3).encode())  # pipelined
    assert read_all(secure).count(b"HTTP/1.1 451") == 1


def test_a_blocked_name_is_not_even_resolved(start_proxy, tmp_path, origins):
    asked = tmp_path / "asked.txt"
    proxy = start_proxy(scripts=("spy.py",), settings={"LAB_ASKED": str(asked)})
    assert curl(proxy, "https://webex.com/meet").is_prompt
    assert curl(proxy, "http://webex.com/meet").is_prompt
    assert curl(proxy, "https://unheard.example/").exit_code == 56
    names = {name for name in asked.read_text().split() if not name[0].isdigit()}
    assert names == {"unheard.example"}


def test_a_name_that_does_not_resolve_is_a_problem_and_no_event(start_proxy, tmp_path):
    settings = {"LAB_ASKED": str(tmp_path / "asked.txt")}
    proxy = start_proxy(scripts=("spy.py",), settings=settings)
    answer = curl(proxy, "http://unheard.example/")
    assert (answer.status, answer.problem["host"]) == (502, "unheard.example")
    _, answer = connect(proxy, "unheard.example:443")
    assert answer.status == 502
    assert proxy.events() == []


@pytest.mark.parametrize("encoding", ["Content-Length: 400000000", "Transfer-Encoding: chunked"])
def test_a_huge_body_for_a_blocked_host_fills_no_memory(proxy, origins, encoding, me):
    before = proxy.memory()
    target = f"zoom.us:{origins.zoom.port}"
    client = open_socket(proxy, me)
    head = f"POST http://{target}/up HTTP/1.1\r\nHost: {target}\r\n{encoding}\r\n\r\n"
    client.sendall(head.encode())
    piece = b"x" * (1 << 20)
    framed = b"100000\r\n" + piece + b"\r\n" if "chunked" in encoding else piece
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.sendall(framed * 200)
    assert proxy.memory() - before < 60 << 20
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("zoom.us", "closed")
    assert origins.zoom.hits == 0


def test_a_form_of_ordinary_size_is_answered(proxy, origins, zoom):
    answer = curl(proxy, zoom, "--data", "x" * 20_000, *NAVIGATION)
    assert answer.status == 451


def test_a_client_that_refuses_our_certificate_is_on_record(proxy, origins, authority, me):
    url = f"https://zoom.us:{origins.zoom.port}/"
    assert curl(proxy, url, trust=authority.certificate, me=me).exit_code == 60
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["outcome"], event["service"]) == ("zoom.us", "closed", "zoom")
    assert event["decrypted"] is False
    assert origins.zoom.hits == 0


def test_a_client_that_leaves_our_tls_without_a_word_is_on_record_as_decrypted(proxy, origins, me):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}", me=me)
    trusting(proxy.authority).wrap_socket(client, server_hostname="zoom.us").close()
    (event,) = proxy.wait_for_events(me)
    assert (event["outcome"], event["transport"]) == ("closed", "https")
    assert event["decrypted"] is True


@pytest.mark.parametrize(
    "speech", [b"\x00\x01 something else", b"SSH-2.0-x\r\n", b"\x16\x03\x01xx"]
)
def test_other_chatter_to_a_blocked_host_is_closed_and_on_record(proxy, origins, speech, me):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}", me=me)
    client.sendall(speech)
    if speech.startswith(b"\x16"):
        client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""
    (event,) = proxy.wait_for_events(me)
    assert (event["outcome"], event["transport"]) == ("closed", "tcp")
    assert origins.zoom.hits == 0


def test_a_client_that_leaves_without_a_word_is_on_record(proxy, origins, me):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}", me=me)
    client.close()
    (event,) = proxy.wait_for_events(me)
    assert event["outcome"] == "closed"


def test_many_clients_at_once_all_get_their_prompt(proxy, origins, me):
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "-x", proxy.url]
    command += ["--noproxy", "", "--cacert", str(proxy.authority), "--no-keepalive"]
    command += ["--parallel", "--parallel-max", "20", "--interface", me]
    command += [f"https://zoom.us:{origins.zoom.port}/j/[1-60]"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.split() == ["451"] * 60
    assert len(proxy.events(me)) == 60


def test_without_prompts_a_blocked_connect_is_refused_with_the_reason(start_proxy, origins, me):
    proxy = start_proxy()
    proxy.world.write_policy("inspection: prompt", "inspection: none")
    target = f"zoom.us:{origins.zoom.port}"
    wait_until(lambda: connect(proxy, target)[1].status == 451, "the new policy")
    client, answer = connect(proxy, target, me=me)
    assert b"application/problem+json" in answer.body
    problem = json.loads(read_all(client))
    assert (problem["status"], problem["rule"]) == (451, "video")
    (event,) = proxy.events(me)
    assert (event["outcome"], event["decrypted"]) == ("connect_refused", False)
    assert origins.zoom.hits == 0


def test_without_prompts_tls_to_another_name_is_closed_not_decrypted(start_proxy, origins, me):
    proxy = start_proxy()
    proxy.world.write_policy("inspection: prompt", "inspection: none")
    target = f"zoom.us:{origins.zoom.port}"
    wait_until(lambda: connect(proxy, target)[1].status == 451, "the new policy")
    client, answer = connect(proxy, f"neutral.example:{origins.neutral.port}", me=me)
    assert answer.status == 200
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        trusting(proxy.authority).wrap_socket(client, server_hostname="zoom.us")
    assert all(not call.first_bytes for call in origins.neutral.calls)
    (event,) = proxy.wait_for_events(me, host="zoom.us", outcome="closed")
    assert event["decrypted"] is False


def test_slow_clients_do_not_hold_up_others(proxy, origins, zoom):
    slow = [connect(proxy, f"zoom.us:{origins.zoom.port}")[0] for _ in range(50)]
    for client in slow:
        client.sendall(b"\x16")
    started = time.monotonic()
    assert curl(proxy, zoom).is_prompt
    assert time.monotonic() - started < 10
    for client in slow:
        client.close()
