"""Access and erasure by the API, and what the last check of the audit found."""

from __future__ import annotations

from datetime import UTC, datetime

from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.usecases.access.audit_chain import AuditWatch
from sovproxy.usecases.access.tokens import Role

URL = "/api/v1/persons/requests"
CLIENT = "2026-11.aaaabbbbccccdddd"
WANTED = {"kind": "access", "clients": [CLIENT], "reason": "asked by letter"}


def post(server, path, role, body=None):
    return server.client.post(f"{URL}{path}", json=body, headers=role)


def test_an_admin_gives_a_person_their_data_and_erases_it(server, make_event):
    server.deliver([make_event(), make_event(client="2026-11.eeeeffffgggghhhh")])
    admin = server.as_role(Role.ADMIN)
    made = post(server, "", admin, WANTED).json()
    data = server.client.get(f"{URL}/{made['id']}/data", headers=admin).json()
    assert [event["client"] for event in data["events"]] == [CLIENT]
    made = post(server, "", admin, WANTED | {"kind": "erasure"}).json()
    done = post(server, f"/{made['id']}/erase", admin).json()
    assert (done["state"], done["found"]["events"], done["clients"]) == ("done", 1, [])
    events = server.get("/api/v1/events").json()["items"]
    assert sorted(event["client"] for event in events) == ["", "2026-11.eeeeffffgggghhhh"]
    assert server.get("/api/v1/events", client=CLIENT).json()["items"] == []


def test_who_has_no_part_in_a_request_sees_no_pseudonym_and_nobody_keeps_it(server):
    admin, other = server.as_role(Role.ADMIN), server.as_role(Role.AUDITOR)
    made = post(server, "", admin, WANTED).json()
    shown = [server.client.get(URL, headers=who) for who in (admin, other)]
    assert [one.json()["items"][0]["clients"] for one in shown] == [[CLIENT], []]
    data = server.client.get(f"{URL}/{made['id']}/data", headers=admin)
    for answer in (*shown, data):
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers


def test_by_name_an_auditor_has_to_approve(serve, tmp_path, make_event, assert_problem):
    server = serve(pseudonyms=Pseudonyms(tmp_path / "keys.json"))
    mine = server.services.pseudonyms.of("10.1.2.3")
    server.deliver([make_event(client=mine)])
    admin, auditor = server.as_role(Role.ADMIN), server.as_role(Role.AUDITOR)
    wanted = {"kind": "access", "name": "10.1.2.3", "reason": "asked by letter"}
    made = post(server, "", admin, wanted).json()
    assert (made["state"], made["clients"]) == ("waiting", [])
    data = f"{URL}/{made['id']}/data"
    assert_problem(server.client.get(data, headers=admin), 409, "not-waiting")
    own = post(server, f"/{made['id']}/approve", admin, {})
    assert_problem(own, 403, "same-person")
    assert post(server, f"/{made['id']}/approve", auditor, {}).status_code == 200
    found = server.client.get(data, headers=admin).json()
    assert [event["client"] for event in found["events"]] == [mine]


def test_without_the_fleets_keys_nobody_is_found_by_name(server, assert_problem):
    wanted = {"kind": "access", "name": "10.1.2.3", "reason": "asked by letter"}
    assert_problem(post(server, "", server.as_role(Role.ADMIN), wanted), 409, "nobody-found")


def test_what_is_no_request_is_refused(server, assert_problem):
    admin = server.as_role(Role.ADMIN)
    for body in ({}, WANTED | {"name": "x"}, WANTED | {"clients": []}, WANTED | {"clients": ["x"]}):
        assert_problem(post(server, "", admin, body), 422, "invalid-request")
    assert_problem(post(server, f"/{'0' * 16}/erase", admin), 404, "no-such-request")


def test_the_api_tells_what_the_last_check_of_the_audit_found(serve, tmp_path, assert_problem):
    plain = serve()
    assert_problem(plain.get("/api/v1/audit/chain", Role.AUDITOR), 404, "no-chain")
    watch = AuditWatch(plain.services.store, tmp_path / "anchors")
    server = serve(audit_watch=watch)
    server.get("/api/v1/events")
    watch.check(datetime.now(UTC))
    found = server.get("/api/v1/audit/chain", Role.AUDITOR).json()
    entry = server.get("/api/v1/audit", Role.AUDITOR).json()["items"][0]
    assert (found["entries"], found["fault"], found["head"]) == (1, "", entry["hash"])
