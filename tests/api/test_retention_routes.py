"""Retention by the API: what it says, and that it can be asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sovproxy.usecases.access.tokens import Role

URL = "/api/v1/retention"


def test_it_says_how_long_each_kind_of_data_is_kept_and_by_whose_word(server):
    answer = server.get(URL, Role.AUDITOR).json()
    kept = {item["kind"]: (item["days"], item["set_by"]) for item in answer["kept"]}
    assert kept["events"] == (183, "policy")
    assert kept["rollups"] == (730, "sovproxy")
    assert kept["audit"] == (1095, "sovproxy")


def test_an_admin_runs_it_now_and_the_audit_knows(server, make_event):
    now = datetime.now(UTC)
    old = make_event(time=now - timedelta(days=200))
    new = make_event(time=now)
    server.deliver([old, new])
    done = server.client.post(f"{URL}/runs", headers=server.as_role(Role.ADMIN))
    assert done.status_code == 201
    assert done.json()["deleted"]["events"] == 1
    assert (done.json()["who"], done.json()["problem"]) == ("admin", "")
    runs = server.get(URL, Role.ADMIN).json()["runs"]
    assert runs[0]["deleted"]["events"] == 1
    entries = server.get("/api/v1/audit", Role.AUDITOR, what="retention_run").json()["items"]
    assert [entry["name"] for entry in entries] == ["admin"]
    found = server.get("/api/v1/events").json()["items"]
    assert [item["id"] for item in found] == [json.loads(new.to_json())["id"]]


def test_the_next_run_is_an_hour_after_the_last_one_by_the_clock(server):
    answer = server.get(URL, Role.ADMIN).json()
    if answer["runs"]:
        last = datetime.fromisoformat(answer["runs"][-1]["time"])
        assert datetime.fromisoformat(answer["next"]) - last == timedelta(hours=1)
