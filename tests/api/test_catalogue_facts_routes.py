"""The catalogue by the API: search, one entry, pages that stay whole."""

from __future__ import annotations

import pytest

from sovproxy.usecases.access.tokens import Role


def everything(server, path, **params):
    found, cursor = [], ""
    while cursor is not None:
        page = server.get(f"/api/v1/{path}", Role.AUDITOR, cursor=cursor, limit=50, **params).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
    return found


@pytest.mark.parametrize("path", ["services", "operators", "powers", "alternatives"])
def test_pages_hold_every_entry_once_in_order(server, path):
    found = everything(server, path)
    assert found == sorted(set(found))
    assert len(found) > 5


def test_a_service_tells_its_operator_control_and_patterns(server):
    found = server.get("/api/v1/services/zoom", Role.WORKER).json()
    assert found["category"] == "videoconference"
    assert "US" in found["operator"]["control"]
    assert "zoom.us" in found["patterns"]
    assert found["operator"]["source"]


def test_a_search_looks_at_names_ids_and_patterns(server):
    assert "zoom" in everything(server, "services", q="ZOOM.us")
    french = server.get("/api/v1/operators", Role.ADMIN, control="FR", limit=500).json()["items"]
    assert french
    assert all("FR" in item["control"] for item in french)
    offered = everything(server, "alternatives", category="videoconference")
    assert "visio" in offered


@pytest.mark.parametrize("path", ["services/none", "operators/none"])
def test_what_is_not_there_is_404(server, assert_problem, path):
    assert_problem(server.get(f"/api/v1/{path}", Role.ADMIN), 404, "no-such-")


@pytest.mark.parametrize(
    "params", [{"cursor": "A"}, {"limit": 501}, {"control": "us"}, {"x": 1}, {"q": "x" * 101}]
)
def test_a_bad_question_is_refused(server, assert_problem, params):
    assert_problem(server.get("/api/v1/services", Role.ADMIN, **params), 422, "invalid-request")
