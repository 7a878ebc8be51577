"""HTTP/2: offered beside HTTP/1.1 or alone, the answer is the same and nothing gets through."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest

from tests.lab.clients import Answer, connect, curl, trusting

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

GO_ON = "/.well-known/sovproxy/go-on"
NAVIGATION = [("sec-fetch-mode", "navigate"), ("accept", "text/html")]


H2_CONFIG = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)


class H2Client:
    """A client that speaks HTTP/2 and nothing else, over a TLS connection."""

    def __init__(self, secure, host) -> None:
        self.secure, self.host = secure, host
        self.http = h2.connection.H2Connection(H2_CONFIG)
        self.answers: dict[int, Answer] = {}
        self.ended: set[int] = set()
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.secure.sendall(self.http.data_to_send())

    def send(self, path, *fields, method="GET", body=b"", authority="", end=True) -> int:
        stream = self.http.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":path", path)]
        head += [(":authority", authority or self.host), *fields]
        self.http.send_headers(stream, head, end_stream=end and not body)
        if body:
            self.http.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    def wait(self, *streams) -> list[Answer]:
        while not self.ended.issuperset(streams):
            data = self.secure.recv(65536)
            if not data:
                break
            for event in self.http.receive_data(data):
                self._take(event)
            self.flush()
        return [self.answers.get(stream, Answer()) for stream in streams]

    def ask(self, path, *fields, **more) -> Answer:
        return self.wait(self.send(path, *fields, **more))[0]

    def _take(self, event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=stream, headers=headers):
                fields = dict(headers)
                self.answers[stream] = Answer(int(fields.pop(":status")), fields)
            case h2.events.DataReceived(stream_id=stream, data=data):
                self.answers[stream].body += data
                self.http.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.StreamEnded(stream_id=stream) | h2.events.StreamReset(stream_id=stream):
                self.ended.add(stream)
            case h2.events.ConnectionTerminated():
                self.ended.update(range(1, 1000, 2))


def h2_to(proxy, host, port, *roots, me="127.0.0.1", sni="") -> H2Client:
    client, answer = connect(proxy, f"{host}:{port}", me=me)
    assert answer.status == 200
    context = trusting(*roots, alpn=("h2",))
    secure = context.wrap_socket(client, server_hostname=sni or host)
    assert secure.selected_alpn_protocol() == "h2"
    return H2Client(secure, sni or host)


def test_a_client_that_offers_both_gets_the_prompt_over_http_1(proxy, origins):
    answer = curl(proxy, f"https://zoom.us:{origins.zoom.port}/", "--http2")
    assert answer.is_prompt
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    context = trusting(proxy.authority, alpn=("h2", "http/1.1"))
    with context.wrap_socket(client, server_hostname="zoom.us") as secure:
        assert secure.selected_alpn_protocol() == "http/1.1"


def test_an_allowed_origin_speaks_http_2_to_the_client_itself(proxy, origins, authority):
    url = f"https://visio.numerique.gouv.fr:{origins.visio.port}/room"
    answer = curl(proxy, url, "--http2", trust=authority.certificate)
    assert answer.status == 200
    assert "h2" in {call.protocol for call in origins.visio.calls}


def test_a_client_that_speaks_only_http_2_gets_the_prompt(proxy, origins, me):
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority, me=me)
    answer = client.ask("/j/123", *NAVIGATION)
    assert answer.is_prompt
    assert "connection" not in answer.fields  # RFC 9113 §8.2.2
    (event,) = proxy.events(me)
    assert (event["outcome"], event["decrypted"]) == ("prompted", True)
    assert origins.zoom.hits == 0


def test_other_requests_over_http_2_get_a_problem(proxy, origins):
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority)
    answer = client.ask("/api", ("sec-fetch-mode", "cors"), ("accept", "*/*"))
    assert answer.problem["status"] == 451


def test_many_streams_at_once_are_all_answered_and_on_record(proxy, origins, me):
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority, me=me)
    streams = [client.send(f"/{number}", *NAVIGATION) for number in range(20)]
    assert [answer.status for answer in client.wait(*streams)] == [451] * 20
    assert len(proxy.events(me)) == 20
    assert origins.zoom.hits == 0


def test_another_authority_inside_a_stopped_connection_changes_nothing(proxy, origins):
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority)
    answer = client.ask("/", *NAVIGATION, authority="visio.numerique.gouv.fr")
    assert answer.status in {400, 421, 451}
    assert (origins.zoom.hits, origins.visio.hits) == (0, 0)


def test_going_on_over_http_2_asks_for_a_new_connection(proxy, origins, authority, me):
    client = h2_to(proxy, "slack.com", origins.slack.port, proxy.authority, me=me)
    token = client.ask("/archives", *NAVIGATION).token
    form = f"token={token}&reason=partner".encode()
    kind = ("content-type", "application/x-www-form-urlencoded")
    answer = client.ask(GO_ON, kind, *NAVIGATION, method="POST", body=form)
    assert (answer.status, answer.fields["location"]) == (303, "/archives")
    assert client.ask("/archives", *NAVIGATION).status == 421  # RFC 9110 §15.5.20
    fresh = h2_to(proxy, "slack.com", origins.slack.port, authority.certificate, me=me)
    assert fresh.ask("/archives").text.endswith("<h1>Slack /archives</h1>")


def test_an_upload_over_http_2_is_cut_off_and_on_record(proxy, origins, me):
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority, me=me)
    size = ("content-length", "90000000")
    stream = client.send("/up", size, method="POST", body=b"x" * 10_000, end=False)
    assert client.wait(stream)[0].status in {0, 413, 451, 502}
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("zoom.us", "closed")


def test_a_websocket_over_http_2_to_a_blocked_host_is_not_opened(proxy, origins):
    """RFC 8441: an extended CONNECT."""
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority)
    answer = client.ask("/ws", (":protocol", "websocket"), method="CONNECT")
    assert answer.status in {0, 400, 451, 501}
    assert origins.zoom.hits == 0
