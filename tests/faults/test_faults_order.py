"""Numbers that others go on from become visible in order; what was lost is asked for anew."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from sovproxy.events.event import new_id
from sovproxy.fleet.kept import Known
from sovproxy.fleet.messages import AppliedPolicy, Common
from sovproxy.policy.applied import read_applied, write_applied
from sovproxy.settings import Settings
from sovproxy.store.bulk import take_numbers
from sovproxy.store.database import open_store
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Filter
from sovproxy.store.queries import numbered_arrivals
from sovproxy.store.tables import EXCEPTION_STEPS, EXCEPTIONS, ExceptionRow, ExceptionStepRow
from sovproxy.store.times import microseconds
from sovproxy.usecases.nodes.node import Node
from sovproxy.usecases.worker.exceptions import ExceptionsInForce
from tests.baseline import furnished
from tests.events.conftest import COMPLETE, Event
from tests.lab.proxies import ROOT

PROFILES = ROOT / "sovproxy" / "policy" / "profiles"
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def make_event():
    return Event.model_validate(COMPLETE, strict=False)


def test_who_delivers_second_waits_so_that_forwarding_skips_nobody(store_url):
    """A number that is given out later is never visible sooner, also in another process."""
    first, second = open_store(store_url), open_store(store_url)
    done = threading.Event()

    def deliver():
        insert_records(second, [make_event()], [])
        done.set()

    with first.ingesting() as connection:
        assert take_numbers(connection, "event", 5) == 1
        thread = threading.Thread(target=deliver)
        thread.start()
        assert not done.wait(0.5)
        assert numbered_arrivals(first, Filter(), 0) == ([], 0)
    thread.join(30)
    arrivals, upto = numbered_arrivals(first, Filter(), 0)
    assert [number for number, _ in arrivals] == [upto] == [6]
    first.close()
    second.close()


def exception_row():
    return ExceptionRow(
        number=1, id=new_id(), asked=microseconds(NOW), asked_by="a", node="n",
        client="2026-11.aaaabbbbccccdddd", group="", service="zoom", host="", below=False,
        role="none", reason="they invite", wanted=microseconds(NOW + timedelta(hours=1)),
        language="en", rule="video", action="block", state="waiting", scope="client",
    )  # fmt: skip


def step(seq):
    return ExceptionStepRow(
        seq=seq, number=1, time=microseconds(NOW), by="b", name="b", role="admin",
        before="waiting", after="granted", message="",
    )  # fmt: skip


def test_an_exception_is_seen_though_its_step_has_a_lower_number_than_one_seen_before(any_store):
    in_force = ExceptionsInForce(any_store)
    with any_store.writing() as connection:
        connection.execute(insert(EXCEPTIONS).values(exception_row().model_dump()))
        connection.execute(insert(EXCEPTION_STEPS).values(step(10).model_dump()))
    assert len(in_force.read(NOW)) == 0
    end = microseconds(NOW + timedelta(hours=1))
    granted = {"state": "granted", "version": 2, "start": microseconds(NOW), "until": end}
    with any_store.writing() as connection:
        connection.execute(update(EXCEPTIONS).values(granted))
        connection.execute(insert(EXCEPTION_STEPS).values(step(5).model_dump()))
    assert len(in_force.read(NOW)) == 1
    assert len(in_force.read(NOW + timedelta(hours=2))) == 0


def test_a_node_that_lost_its_state_keeps_no_policy_that_was_taken_back_meanwhile(tmp_path):
    write_applied(tmp_path, (PROFILES / "fr-etat.yaml").read_text(), 3)
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "state.json").write_text('{"version": "torn')
    node = Node(Settings(data_dir=furnished(tmp_path), policy="eu", node="paris"))
    try:
        assert node.policy.id == "fr-etat"
        assert node.member.follower.known == Known()
        node.member._adopt(Known("9f86d081884c7d65.0", Common()))
        assert read_applied(tmp_path) is None
        node.judge.refresh()
        assert node.policy.id == "eu"
    finally:
        node.recorder.close()


def test_a_node_that_lost_its_state_gets_the_applied_policy_again(tmp_path):
    node = Node(Settings(data_dir=furnished(tmp_path), policy="eu", node="paris"))
    policy = AppliedPolicy(number=4, text="id: new\n", digest="1a2b3c4d")
    try:
        node.member._adopt(Known("9f86d081884c7d65.0", Common(policy=policy)))
        applied = read_applied(tmp_path)
        assert applied is not None
        assert (applied.text, applied.number) == ("id: new\n", 4)
    finally:
        node.recorder.close()
