"""Every look at events about persons is in the audit, through whichever door it is taken."""

from __future__ import annotations

import re

import httpx
import pytest

from sovproxy.usecases.access.tokens import Role, create_token

CLIENT = "2026-11.aaaabbbbccccdddd"


@pytest.fixture
def doors(site):
    """An analyst at the console and at the API, and what the audit holds of them."""
    store = site.services.store

    class Doors:
        def __init__(self, name):
            token = create_token(store, Role.ANALYST, name)
            self.name = name
            self.console = site.client(None)
            self.console.post("/console/sign-in", data={"token": token})
            headers = {"authorization": f"Bearer {token}"}
            self.api = httpx.Client(
                base_url=f"{site.url}/api/v1", trust_env=False, headers=headers, timeout=30
            )

        def entries(self):
            auditor = {"authorization": f"Bearer {site.token(Role.AUDITOR)}"}
            url = f"{site.url}/api/v1/audit?limit=200"
            items = httpx.get(url, headers=auditor, trust_env=False, timeout=30).json()["items"]
            mine = [item for item in items if item["name"] == self.name]
            return [item for item in mine if item["what"] != "sign_in"][::-1]

    return Doors


PERSONAL = f"last=7d&client={CLIENT}"


@pytest.mark.parametrize(
    ("door", "path", "what"),
    [
        ("console", "/console/events?last=7d", "events"),
        ("console", f"/console/events?{PERSONAL}", "events"),
        ("api", "/events", "events"),
        ("api", f"/events?client={CLIENT}", "events"),
        ("api", f"/facets?client={CLIENT}", "facets"),
        ("api", f"/histogram?client={CLIENT}", "histogram"),
        ("api", f"/overview?client={CLIENT}", "overview"),
        ("api", f"/counts?by=service&client={CLIENT}", "counts"),
        ("api", f"/candidates?client={CLIENT}", "candidates"),
        ("api", f"/export?format=csv&client={CLIENT}", "export"),
    ],
)
def test_a_look_leaves_one_entry_with_filter_and_rows(doors, door, path, what):
    who = doors(f"{door} {path}"[:64])
    answer = getattr(who, door).get(path)
    assert answer.status_code == 200, answer.text[:300]
    [entry] = who.entries()
    assert entry["what"] == what
    assert ("client" in entry["details"]) == ("client" in path)
    if what == "events":
        shown = (
            len(re.findall(r'<td class="nowrap">', answer.text))
            if door == "console"
            else len(answer.json()["items"])
        )
        assert entry["rows"] == shown


@pytest.mark.parametrize(
    ("door", "path"),
    [
        ("console", "/console/"),
        ("console", "/console/findings"),
        ("api", "/facets?service=zoom"),
        ("api", "/histogram"),
        ("api", "/overview"),
        ("api", "/counts?by=service"),
        ("api", "/candidates"),
    ],
)
def test_counts_that_name_nobody_leave_none(doors, door, path):
    who = doors(f"none {door} {path}"[:64])
    assert getattr(who, door).get(path).status_code == 200
    assert who.entries() == []


def test_one_event_leaves_the_same_entry_through_both_doors(doors):
    who = doors("one event")
    number = who.api.get("/events?limit=1").json()["items"][0]["id"]
    who.api.get(f"/events/{number}")
    who.console.get(f"/console/events/{number}")
    _, first, second = who.entries()
    assert (first["what"], first["details"], first["rows"]) == ("event", {"id": number}, 1)
    assert (second["what"], second["details"], second["rows"]) == ("event", {"id": number}, 1)
    nothing = "01a206eb-4815-77ae-afdc-9487ae10dbc2"
    who.api.get(f"/events/{nothing}")
    who.console.get(f"/console/events/{nothing}")
    assert [(item["what"], item["rows"]) for item in who.entries()[3:]] == [("event", 0)] * 2
