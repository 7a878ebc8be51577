"""Forwarding by syslog: what is sent, in which order, and what happens when things break."""

from __future__ import annotations

import json
import re
import ssl

import pytest

from sovproxy.events.event import Event
from sovproxy.events.forward_messages import counted, writer_for
from sovproxy.store.upkeep import forward_position
from sovproxy.usecases.upkeep import forwarding as use_case
from sovproxy.usecases.upkeep.forwarding import NotDelivered

HOSTILE = 'a"b\\c]d\u202e\n<1>1 - - - - - [forged@1 x="1"]'


def first_times(ids):
    return list(dict.fromkeys(ids))


def test_events_arrive_in_the_order_of_their_arrival_here(
    add, forward, collector, syslog, eventually
):
    server = collector()
    before = add(700)
    forward(syslog(server.port))
    after = add(30, first=700)
    eventually(lambda: len(set(server.ids())) == 730)
    assert first_times(server.ids()) == before + after


def test_a_message_is_what_rfc_5424_wants(add, forward, collector, syslog, eventually):
    server = collector()
    add(1, reason=HOSTILE, group=HOSTILE, node="büro 1")
    forward(syslog(server.port, body="json", facility=13))
    [frame] = eventually(lambda: list(server.frames))
    head, body = re.fullmatch(rb"(.*?\]) (\{.*\})", frame, re.DOTALL).groups()
    assert head.startswith(b"<108>1 2026-11-23T08:30:00.000000Z b?ro?1 sovproxy - decision ")
    assert b'[meta sequenceId="1"][origin software="sovproxy" swVersion="' in head
    assert rb'group="a\"b\\c\]d' in head
    assert b"\n" not in frame
    assert b"\n" not in body
    assert Event.model_validate_json(body, strict=False).reason.startswith('a"b\\c]d')


def test_structured_data_cannot_be_forged_by_a_text(syslog):
    event = Event.model_validate(
        {
            "time": "2026-11-23T08:30:00Z", "node": "n", "kind": "decision", "action": "allow",
            "rule": '"][forged@1 x="1', "policy": "p", "policy_version": "1",
            "outcome": "tunnelled", "transport": "tcp",
        },
        strict=False,
    )  # fmt: skip
    message = writer_for(syslog(1))(1, event)
    assert rb'rule="\"\][forged@1 x=\"1"' in message


def test_a_frame_tells_its_octets_not_its_letters():
    assert counted("é".encode()) == "2 é".encode()


@pytest.mark.parametrize(("body", "key"), [("ecs", "ecs"), ("ocsf", "class_uid"), ("json", "rule")])
def test_the_body_is_of_the_wanted_form(  # fixtures
    add, forward, collector, syslog, body, key, eventually
):
    server = collector()
    add(1)
    forward(syslog(server.port, body=body))
    [frame] = eventually(lambda: list(server.frames))
    assert key in json.loads(frame[frame.index(b"{") :])


def test_only_the_wanted_actions_are_forwarded(add, forward, collector, syslog, store, eventually):
    server = collector()
    add(3, action="observe", outcome="tunnelled")
    wanted = add(2, first=3)
    forward(syslog(server.port, action=["block"]))
    eventually(lambda: forward_position(store, "siem") == 5)
    assert first_times(server.ids()) == wanted


def test_a_new_receiver_begins_with_what_arrives_now_unless_told(
    add, forward, collector, syslog, eventually
):
    server = collector()
    add(5)
    forwarding = forward(syslog(server.port, begin="now"))
    eventually(lambda: forwarding.states()[0][1].connected)
    wanted = add(2, first=5)
    eventually(lambda: len(server.ids()) == 2)
    assert server.ids() == wanted


def test_a_server_that_comes_back_gets_everything(
    add, forward, collector, syslog, monkeypatch, eventually
):
    monkeypatch.setattr(use_case, "LONGEST_PAUSE", 0.2)
    server = collector()
    forwarding = forward(syslog(server.port))
    wanted = add(20)
    eventually(lambda: len(server.ids()) == 20)
    server.stop()
    wanted += add(20, first=20)
    state = eventually(lambda: (s := forwarding.states()[0][1]).problem and s.behind and s)
    assert not state.connected
    assert "siem: tcp://127.0.0.1" in state.problem
    again = collector(port=server.port)
    eventually(lambda: set(server.ids() + again.ids()) >= set(wanted))
    assert eventually(lambda: forwarding.states()[0][1].connected)
    assert forwarding.states()[0][1].problem == ""
    assert forwarding.states()[0][1].failures >= 1


def test_what_a_dying_server_had_in_its_hands_is_sent_again(
    add, forward, collector, syslog, eventually
):
    """It confirmed the bytes and died before it did anything with them."""
    server = collector()
    server.reading.clear()
    forwarding = forward(syslog(server.port))
    eventually(lambda: server.clients)
    wanted = add(5)
    eventually(lambda: forwarding.states()[0][1].sent == 5)
    server.hang_up()
    server.reading.set()
    eventually(lambda: set(server.ids()) == set(wanted))


def test_a_server_that_reads_nothing_holds_up_only_itself(
    add, forward, collector, syslog, store, eventually
):
    slow, quick = collector(), collector()
    slow.reading.clear()
    forwarding = forward(syslog(slow.port, name="slow"), syslog(quick.port, name="quick"))
    for begin in range(0, 10_000, 2000):
        add(2000, first=begin, reason="x" * 500)
    eventually(lambda: len(set(quick.ids())) == 10_000, 60)
    states = {receiver.name: state for receiver, state in forwarding.states()}
    assert states["slow"].sent < 10_000
    assert states["slow"].behind > 0
    slow.reading.set()
    eventually(lambda: len(set(slow.ids())) == 10_000, 60)
    eventually(lambda: forward_position(store, "slow") == 10_000)


def test_positions_are_kept_and_nothing_is_sent_twice_after_a_good_ending(
    add, forward, collector, syslog, store, eventually
):
    server = collector()
    add(10)
    forwarding = forward(syslog(server.port))
    eventually(lambda: len(server.ids()) == 10)
    forwarding.stop()
    assert forward_position(store, "siem") == 10
    wanted = add(1, first=10)
    forward(syslog(server.port))
    eventually(lambda: len(server.ids()) >= 11)
    assert server.ids()[10:] == wanted


def test_a_table_that_was_emptied_counts_anew_and_nothing_is_left_out(
    add, forward, collector, syslog, store, eventually
):
    server = collector()
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO forward_position VALUES ('siem', 5000, 0)")
    wanted = add(3)
    forward(syslog(server.port))
    eventually(lambda: len(server.ids()) == 3)
    assert server.ids() == wanted


def test_tls_checks_the_name_and_the_authority(
    add, forward, collector, syslog, certificates, eventually
):
    server = collector(context=certificates.server_context("siem.example"))
    wanted = add(3)
    options = {"tls": True, "ca_file": certificates.ca}
    good = forward(syslog(server.port, name="good", server_name="siem.example", **options))
    wrong_name = forward(syslog(server.port, name="wrong-name", **options))
    no_ca = forward(syslog(server.port, name="no-ca", tls=True, server_name="siem.example"))
    eventually(lambda: len(server.ids()) == 3)
    assert server.ids() == wanted
    assert good.states()[0][1].problem == ""
    problem = eventually(lambda: wrong_name.states()[0][1].problem)
    assert "certificate is not valid for '127.0.0.1'" in problem
    assert "certificate verify failed" in eventually(lambda: no_ca.states()[0][1].problem)


def test_tls_shows_our_certificate_when_asked(
    add, forward, collector, syslog, certificates, eventually
):
    context = certificates.server_context("127.0.0.1", asks_for_clients=True)
    server = collector(context=context)
    certificate, key = certificates.make("proxy-1")
    add(2)
    options = {"tls": True, "ca_file": certificates.ca}
    bare = forward(syslog(server.port, name="bare", **options))
    forward(syslog(server.port, name="shown", certificate=certificate, key=key, **options))
    eventually(lambda: len(server.ids()) == 2)
    assert eventually(lambda: bare.states()[0][1].problem)


def test_old_tls_is_refused(add, forward, collector, syslog, certificates, eventually):
    context = certificates.server_context("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = collector(context=context)
    add(1)
    forwarding = forward(syslog(server.port, tls=True, ca_file=certificates.ca))
    assert eventually(lambda: forwarding.states()[0][1].problem)
    assert server.ids() == []


def test_a_test_message_says_that_it_is_one(forward, collector, syslog, eventually):
    server = collector()
    forwarding = forward(syslog(server.port))
    forwarding.find("siem").send_test()
    [frame] = eventually(lambda: [item for item in server.frames if b" test " in item])
    assert b'[sovproxy@32473 kind="test" receiver="siem"]' in frame
    assert server.ids() == []


def test_a_test_message_that_cannot_arrive_says_why(forward, collector, syslog):
    server = collector()
    server.stop()
    with pytest.raises(NotDelivered, match=r"siem: tcp://127.0.0.1:.* Connection refused"):
        forward(syslog(server.port)).find("siem").send_test()


def test_a_server_that_speaks_changes_nothing(add, forward, collector, syslog, eventually):
    server = collector()
    forward(syslog(server.port))
    for client in eventually(lambda: list(server.clients)):
        client.sendall(b"hello" * 1000)
    wanted = add(2)
    eventually(lambda: len(server.ids()) == 2)
    assert server.ids() == wanted
