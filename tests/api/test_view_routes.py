"""Saved views: of one's own, shared, and the one to begin with."""

from __future__ import annotations

import pytest

from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.analysis.views import MAX_VIEWS

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def as_person(server):
    def headers(name, role=Role.ANALYST):
        token = create_token(server.services.store, role, name)
        return {"authorization": f"Bearer {token}"}

    return headers


def save(server, headers, **fields):
    body = {"name": "Zoom", "query": "service=zoom&last=7d"} | fields
    return server.client.post("/api/v1/views", json=body, headers=headers)


def names(server, headers):
    items = server.client.get("/api/v1/views", headers=headers).json()["items"]
    return [item["name"] for item in items]


def test_a_view_is_ones_own_until_it_is_shared(server, as_person, assert_problem):
    ada, grace = as_person("Ada"), as_person("Grace")
    view = save(server, ada).json()
    assert names(server, ada) == ["Zoom"]
    assert names(server, grace) == []
    address = f"/api/v1/views/{view['id']}"
    assert_problem(server.client.get(address, headers=grace), 404, "no-such-view")
    server.client.patch(address, json={"shared": True}, headers=ada)
    shown = server.client.get(address, headers=grace).json()
    assert (shown["owner"], shown["own"], shown["query"]) == ("Ada", False, "service=zoom&last=7d")


def test_only_the_owner_and_admins_change_a_shared_view(server, as_person, assert_problem):
    ada, grace, admin = as_person("Ada"), as_person("Grace"), as_person("Root", Role.ADMIN)
    address = f"/api/v1/views/{save(server, ada, shared=True).json()['id']}"
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        answer = server.client.request(method, address, json=body, headers=grace)
        assert_problem(answer, 403, "not-yours")
    assert server.client.patch(address, json={"name": "New"}, headers=admin).json()["name"] == "New"
    assert server.client.delete(address, headers=ada).status_code == 204
    assert names(server, ada) == []


def test_the_first_view_is_ones_own_choice_and_goes_with_the_view(server, as_person):
    ada, grace = as_person("Ada"), as_person("Grace")
    view = save(server, ada, shared=True).json()
    server.client.put("/api/v1/views/first", json={"id": view["id"]}, headers=ada)
    address = f"/api/v1/views/{view['id']}"
    assert server.client.get(address, headers=ada).json()["first"]
    assert not server.client.get(address, headers=grace).json()["first"]
    server.client.delete(address, headers=ada)
    again = save(server, ada).json()
    assert not again["first"]


@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1",
        "since=tomorrow",
        "control=usa",
        "columns=all",
        "without=client:x",
        "without=zoom",
        "suppressed=maybe",
        "last=never",
        "x" * 2001,
        "&".join(f"rule=r{number}" for number in range(201)),
        "service=\x00",
    ],
)
def test_a_view_that_finds_nothing_readable_is_refused(server, as_person, assert_problem, query):
    assert_problem(save(server, as_person("Ada"), query=query), 422, "invalid-request")


def test_texts_of_strangers_are_kept_as_they_are_or_refused(server, as_person, assert_problem):
    ada = as_person("Ada")
    view = save(server, ada, name=HOSTILE, description="д" * 500).json()
    assert view["name"] == HOSTILE
    for bad in ({"name": ""}, {"name": "x" * 81}, {"name": "a\u202eb"}, {"description": "\x1b[2J"}):
        assert_problem(save(server, ada, **bad), 422, "invalid-request")
    assert_problem(save(server, ada, nonsense=1), 422, "invalid-request")


def test_a_page_and_its_order_do_not_belong_to_a_view(server, as_person):
    query = "service=zoom&cursor=MTc5NTQyMjYwMDAwMDAwMC40Mg&sort=oldest"
    assert save(server, as_person("Ada"), query=query).json()["query"] == "service=zoom"


def test_one_person_has_so_many_views(server, as_person, assert_problem):
    ada, grace = as_person("Ada"), as_person("Grace")
    for number in range(MAX_VIEWS):
        assert save(server, ada, name=f"view {number}").status_code == 201
    assert_problem(save(server, ada), 409, "too-many")
    assert save(server, grace).status_code == 201


def test_each_change_is_in_the_audit(server, as_person):
    ada = as_person("Ada")
    address = f"/api/v1/views/{save(server, ada).json()['id']}"
    server.client.patch(address, json={"name": "New"}, headers=ada)
    server.client.delete(address, headers=ada)
    items = server.get("/api/v1/audit", Role.AUDITOR).json()["items"]
    assert [(item["what"], item["name"]) for item in items] == [
        ("view_delete", "Ada"),
        ("view_change", "Ada"),
        ("view_save", "Ada"),
    ]
    assert items[2]["details"]["query"] == "service=zoom&last=7d"


def test_a_view_that_an_admin_changed_meanwhile_is_not_overwritten(
    server, as_person, assert_problem
):
    ada, admin = as_person("Ada"), as_person("Root", Role.ADMIN)
    saved = save(server, ada, shared=True)
    address = f"/api/v1/views/{saved.json()['id']}"
    match = {"if-match": saved.headers["etag"]}
    assert server.client.get(address, headers=ada).headers["etag"] == match["if-match"]
    changed = server.client.patch(address, json={"name": "Ours"}, headers=admin)
    assert changed.status_code == 200
    refused = server.client.patch(address, json={"shared": False}, headers=ada | match)
    assert_problem(refused, 412, "changed")
    same = server.client.patch(address, json={"name": "Ours"}, headers=ada | match)
    assert (same.status_code, same.headers["etag"]) == (200, changed.headers["etag"])
    fresh = {"if-match": changed.headers["etag"]}
    done = server.client.patch(address, json={"shared": False}, headers=ada | fresh)
    assert (done.json()["name"], done.json()["shared"]) == ("Ours", False)


def test_a_view_is_always_told_anew_for_it_says_what_is_the_callers(server, as_person):
    ada = as_person("Ada")
    saved = save(server, ada)
    address = f"/api/v1/views/{saved.json()['id']}"
    server.client.put("/api/v1/views/first", json={"id": saved.json()["id"]}, headers=ada)
    again = server.client.get(address, headers=ada | {"if-none-match": saved.headers["etag"]})
    assert (again.status_code, again.json()["first"]) == (200, True)
