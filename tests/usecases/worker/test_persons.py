"""Access and erasure for one person, on both databases; and the node's directory."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sovproxy.events.event import Event, new_id
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.fleet.directory import Directory
from sovproxy.store import exceptions as exception_rows
from sovproxy.store import fleet as fleet_rows
from sovproxy.store.audit import all_entries
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Filter
from sovproxy.store.queries import search
from sovproxy.store.tables import AcknowledgementRow, ExceptionRow
from sovproxy.usecases.access.audit_chain import check
from sovproxy.usecases.access.tokens import (
    Principal,
    Role,
    authenticate,
    command_line,
    create_token,
    create_token_as,
)
from sovproxy.usecases.analysis.resolving_clients import (
    NotWaiting,
    ResolutionInput,
    SamePerson,
    decide,
    request,
)
from sovproxy.usecases.worker import persons
from sovproxy.usecases.worker.own_data import ContestInput, contest
from sovproxy.usecases.worker.persons import Kind, NoSuchRequest, PersonInput

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
MINE, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"
ADA = Principal("aaaa", "Ada", Role.ADMIN)
GRACE = Principal("bbbb", "Grace", Role.AUDITOR)
REASON = "asked for by letter"
SECRET = "meeting with my doctor"


def make_event(client, **fields):
    values = {
        "time": NOW, "node": "n", "kind": "decision", "client": client, "host": "zoom.us",
        "action": "warn", "rule": "r", "reason": "abroad", "service": "zoom", "policy": "p",
        "policy_version": "1", "outcome": "prompted", "transport": "https",
    }  # fmt: skip
    return Event.model_validate(values | fields, strict=False)


def ask_exception(store, client):
    row = ExceptionRow(
        id=new_id(), asked=1, asked_by=client, node="n", client=client, group="g", service="zoom",
        host="", below=False, role="none", reason=SECRET, wanted=2**51, language="fr", rule="r",
        action="block", state="granted", start=1, until=2**51, scope="client", message="ok",
    )  # fmt: skip
    with store.writing() as connection:
        connection.execute(
            ExceptionRow.__table__.insert().values(row.model_dump(exclude={"number"}))
        )


@pytest.fixture
def store(any_store):
    """Two workers with an event, words, an acknowledgement and an exception each."""
    for client in (MINE, OTHER):
        went_on = f"The worker went on: other: {SECRET} {client[-1]}"
        event = make_event(client)
        insert_records(
            any_store, [event, make_event(client, kind="acknowledgement", reason=went_on)], ()
        )
        row = AcknowledgementRow(
            id=new_id(), client=client, subject="zoom", until=2**51, time=1, token="t"
        )
        fleet_rows.insert_acknowledgements(any_store, [row])
        ask_exception(any_store, client)
        worker = Principal("worker", "worker", Role.WORKER, client=client)
        contest(any_store, worker, ContestInput(event=event.id, text=SECRET), NOW)
    return any_store


def asked(store, kind=Kind.ERASURE, who=ADA):
    return persons.ask(store, who, PersonInput(kind=kind, clients=[MINE], reason=REASON), NOW)


def test_all_that_is_held_of_one_person_is_given_and_nothing_of_another(store):
    made = asked(store, Kind.ACCESS)
    found = persons.give(store, ADA, made.id, NOW)
    assert [event.client for event in found.events] == [MINE, MINE]
    counts = len(found.acknowledgements), len(found.exceptions), len(found.contests)
    assert counts == (1, 1, 1)
    assert found.exceptions[0].reason == found.contests[0].text == SECRET
    with all_entries(store) as (_, entries):
        acts = [entry["what"] for entry in entries][-2:]
    assert acts == ["person_request", "person_access"]


def dump(store):
    """Everything that the database holds but the audit, as text."""
    with store.reading() as connection:
        if connection.dialect.name == "sqlite":
            lines = sqlite3.connect(connection.engine.url.database).iterdump()
            return "\n".join(line for line in lines if not line.startswith('INSERT INTO "audit"'))
        names = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        tables = [name for name in names if name != "audit"]
        return "\n".join(
            str(connection.execute(text(f'SELECT * FROM "{name}"')).all())  # noqa: S608  # ours
            for name in tables
        )


def test_erasure_leaves_nothing_of_the_person_in_any_table_but_the_audit(store):
    before = dump(store)
    assert MINE in before
    done = persons.erase(store, ADA, asked(store).id, NOW)
    assert done.found == {
        "events": 2, "acknowledgements": 1, "exceptions": 1, "resolutions": 0, "contests": 1,
        "views": 0,
    }  # fmt: skip
    after = dump(store)
    assert MINE not in after
    assert f"{SECRET} d" not in after
    assert after.count(OTHER) >= 3
    assert f"{SECRET} h" in after
    events = search(store, Filter(), 10).events
    assert sorted(event.client for event in events) == ["", "", OTHER, OTHER]
    assert {event.reason for event in events if not event.client} == {
        "abroad", "The worker went on."
    }  # fmt: skip
    assert "audit" in done.stays
    assert check(store).fault is None


def test_what_held_for_the_person_ends_and_what_holds_for_others_stays(store):
    at = 2**50
    assert len(exception_rows.list_in_force(store, at)) == 2
    persons.erase(store, ADA, asked(store).id, NOW)
    [left] = exception_rows.list_in_force(store, at)
    assert left.client == OTHER
    assert [row.client for row in fleet_rows.acknowledgements_of(store, [OTHER], 0, 9)] == [OTHER]


def test_a_request_is_carried_out_once_by_who_made_it_within_a_day(store):
    made = asked(store)
    with pytest.raises(NoSuchRequest):
        persons.erase(store, GRACE, made.id, NOW)
    with pytest.raises(NoSuchRequest):
        persons.give(store, ADA, made.id, NOW)
    persons.erase(store, ADA, made.id, NOW)
    with pytest.raises(NotWaiting):
        persons.erase(store, ADA, made.id, NOW)
    late = asked(store)
    with pytest.raises(NotWaiting):
        persons.erase(store, ADA, late.id, NOW + timedelta(hours=25))


def named(store, tmp_path):
    keys = Pseudonyms(tmp_path / "keys.json", clock=NOW.timestamp)
    mine = keys.of("10.1.2.3")
    insert_records(store, [make_event(mine)], ())
    wanted = PersonInput(kind=Kind.ACCESS, name="10.1.2.3", reason=REASON)
    return mine, persons.ask(store, ADA, wanted, NOW, keys)


def test_by_name_it_takes_two_people_and_the_name_is_nowhere(store, tmp_path):
    mine, made = named(store, tmp_path)
    assert made.clients == []
    with pytest.raises(NotWaiting):
        persons.give(store, ADA, made.id, NOW)
    with pytest.raises(SamePerson):
        persons.decide(store, ADA, made.id, "", NOW, approve=True)
    persons.decide(store, GRACE, made.id, "agreed", NOW, approve=True)
    assert [event.client for event in persons.give(store, ADA, made.id, NOW).events] == [mine]
    assert "10.1.2.3" not in dump(store)
    with all_entries(store) as (_, entries):
        assert not [entry for entry in entries if "10.1.2.3" in entry["details"]]


def test_what_was_refused_holds_no_pseudonym_any_more(store, tmp_path):
    _, made = named(store, tmp_path)
    refused = persons.decide(store, GRACE, made.id, "no letter", NOW, approve=False)
    assert (refused.state, refused.clients) == ("refused", [])
    with pytest.raises(NotWaiting):
        persons.give(store, ADA, made.id, NOW)


def principal_by(store, maker, name, role):
    token, _ = create_token_as(store, maker, NOW, role=role, name=name, days=9)
    found = authenticate(store, token, NOW)
    assert found is not None
    return found


def test_a_token_is_no_second_person_for_who_made_it(any_store):
    """Neither the admin who made it, nor another token of theirs, nor one that it made."""
    account = Principal("acc-1", "Ada", Role.ADMIN)
    question = ResolutionInput(client=MINE, reason="Malware was downloaded")
    first = principal_by(any_store, account, "Grace", Role.ADMIN)
    second = principal_by(any_store, first, "Olga", Role.ADMIN)
    for asker, decider in [(account, first), (first, account), (account, second), (first, second)]:
        made = request(any_store, asker, question, NOW)
        with pytest.raises(SamePerson):
            decide(any_store, decider, made.id, "", NOW, approve=True)
    other = principal_by(any_store, Principal("acc-2", "Eva", Role.ADMIN), "Ida", Role.AUDITOR)
    made = request(any_store, second, question, NOW)
    assert decide(any_store, other, made.id, "", NOW, approve=True).state == "approved"


def test_tokens_of_the_command_line_stand_for_who_bears_them(any_store):
    shell = command_line("root")
    asker = principal_by(any_store, shell, "Ada", Role.ANALYST)
    decider = principal_by(any_store, shell, "Grace", Role.AUDITOR)
    question = ResolutionInput(client=MINE, reason="Malware was downloaded")
    made = request(any_store, asker, question, NOW)
    assert decide(any_store, decider, made.id, "", NOW, approve=True).state == "approved"
    assert authenticate(any_store, create_token(any_store, Role.ADMIN, "x", now=NOW), NOW)


def test_a_client_is_taken_out_of_the_directory_by_pseudonym(tmp_path):
    keys = Pseudonyms(tmp_path / "keys.json", clock=NOW.timestamp)
    directory = Directory(tmp_path / "directory", 183, clock=NOW.timestamp)
    for address in ("10.1.2.3", "10.1.2.4", "é"):
        directory.note(address)
    directory.flush()
    assert directory.forget([keys.of("10.1.2.3")], keys.every) == 1
    assert directory.forget([keys.of("10.1.2.3")], keys.every) == 0
    assert directory.clients("2026-11") == {"10.1.2.4", "é"}
    assert (tmp_path / "directory" / "2026-11.jsonl").stat().st_mode & 0o777 == 0o600
