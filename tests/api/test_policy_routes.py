"""The policy's life through a real server, with the judge that the proxy has too."""

from __future__ import annotations

import threading

import pytest

from sovproxy.policy.applied import MAX_TEXT_BYTES, applied_path, read_applied
from sovproxy.settings import Settings
from sovproxy.usecases.access.auditing import Act, audit_page
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.policies import PolicyDesk
from tests.baseline import furnished

TEXT = """\
id: ours
title: {en: Ours}
trust_zone: [EEA]
rules:
  - id: video  # agreed in May
    when: {category: videoconference, control: foreign}
    action: warn
default: allow
"""
STRICTER = TEXT.replace("action: warn", "action: block")
POLICY = "/api/v1/policy"

HOSTILE_TEXTS = (
    "",
    "a: &a [1]\nb: [*a, *a]\n",
    "!!python/object/apply:os.system [id]\n",
    "[" * 5000,
    "id: \ud7ff\u202e\x07\n",
    "\x01",
    "- " * 3000,
    "id: " + "x" * (MAX_TEXT_BYTES - 10),
    "é" * (MAX_TEXT_BYTES // 2 + 1),
)
HOSTILE_FIELDS = (
    {"comment": "a\nb"},
    {"comment": "\u202etxt"},
    {"comment": "x" * 501},
    {"based_on": -1},
    {"based_on": 2**40},
    {"text": TEXT + "#\0"},
    {"text": "x" * (MAX_TEXT_BYTES + 1)},
    {"unknown": 1},
)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "ours.yaml").write_text(TEXT)
    return Settings(data_dir=furnished(tmp_path / "data"), policy=str(tmp_path / "ours.yaml"))


@pytest.fixture
def server(serve, services, settings):
    judge = Judge(settings)
    desk = PolicyDesk(services.store, judge, settings.data_dir)
    server = serve(judge=judge, policies=desk)
    server.client.headers.update(server.as_role(Role.ADMIN))
    return server


def apply(server, text=STRICTER, based_on=0, **more):
    return server.client.post(
        f"{POLICY}/apply", json={"text": text, "based_on": based_on, "comment": "why", **more}
    )


def action(server) -> str:
    return server.client.get("/api/v1/check", params={"q": "zoom.us"}).json()["verdict"]["action"]


def test_an_applied_policy_is_in_force_at_once_and_is_on_this_machine(server, settings):
    assert action(server) == "warn"
    answer = apply(server)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["number"], answer.json()["origin"]) == (2, "edit")
    assert action(server) == "block"
    applied = read_applied(settings.data_dir)
    assert (applied.text, applied.number) == (STRICTER, 2)
    assert applied_path(settings.data_dir).stat().st_mode & 0o777 == 0o600
    assert applied_path(settings.data_dir).parent.stat().st_mode & 0o777 == 0o700


def test_the_policy_in_force_says_who_applied_it_and_has_an_etag(server):
    before = server.client.get(POLICY)
    assert before.json()["from_settings"]
    assert (before.json()["number"], before.json()["newest"]) == (0, 0)
    assert before.json()["text"] == TEXT
    same = server.client.get(POLICY, headers={"if-none-match": before.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    apply(server)
    after = server.client.get(POLICY, headers={"if-none-match": before.headers["etag"]})
    found = after.json()
    assert after.status_code == 200
    assert (found["number"], found["author_name"], found["comment"]) == (2, "admin", "why")
    assert (found["text"], found["from_settings"], found["problem"]) == (STRICTER, False, "")


def test_what_was_in_force_before_the_first_version_is_kept(server):
    apply(server)
    items = server.client.get(f"{POLICY}/versions").json()["items"]
    assert [(item["number"], item["origin"]) for item in items] == [(2, "edit"), (1, "import")]
    assert server.client.get(f"{POLICY}/versions/1").json()["text"] == TEXT


def test_the_history_pages_by_cursor(server):
    apply(server)
    apply(server, TEXT, 2)
    first = server.client.get(f"{POLICY}/versions", params={"limit": 2}).json()
    assert [item["number"] for item in first["items"]] == [3, 2]
    second = server.client.get(f"{POLICY}/versions", params={"limit": 2, "cursor": first["next"]})
    assert [item["number"] for item in second.json()["items"]] == [1]
    assert second.json()["next"] is None


def test_rolling_back_applies_the_older_text_anew(server):
    apply(server)
    body = {"number": 1, "based_on": 2, "comment": "too strict"}
    answer = server.client.post(f"{POLICY}/rollback", json=body).json()
    assert (answer["number"], answer["origin"], answer["source"]) == (3, "rollback", 1)
    assert action(server) == "warn"
    assert server.client.get(POLICY).json()["text"] == TEXT


def test_going_back_to_the_settings_takes_the_applied_policy_away(server, settings):
    apply(server)
    answer = server.client.post(f"{POLICY}/rollback", json={"number": 0, "based_on": 2})
    assert answer.json()["origin"] == "settings"
    assert read_applied(settings.data_dir) is None
    assert action(server) == "warn"
    assert server.client.get(POLICY).json()["from_settings"]
    again = apply(server, STRICTER, 3)
    assert again.json()["number"] == 4


def test_a_draft_based_on_an_older_version_is_refused(server, assert_problem):
    apply(server)
    problem = assert_problem(apply(server, TEXT, 0), 409, "policy-changed")
    assert "version 2 was applied meanwhile" in problem["detail"]
    assert action(server) == "block"


def test_an_etag_of_another_policy_is_refused(server, assert_problem):
    etag = server.client.get(POLICY).headers["etag"]
    server.client.headers["if-match"] = etag
    assert apply(server).status_code == 200
    assert_problem(apply(server, TEXT, 2), 412, "policy-changed")
    assert action(server) == "block"


def test_of_many_who_apply_at_once_one_wins(server):
    """Everybody has seen version 0; whoever comes second is told, and nothing is lost."""
    answers = []
    texts = [STRICTER.replace("agreed", f"agreed {number}") for number in range(8)]
    threads = [
        threading.Thread(target=lambda text=text: answers.append(apply(server, text)))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] + 7 * [409]
    items = server.client.get(f"{POLICY}/versions").json()["items"]
    assert [item["number"] for item in items] == [2, 1]


def test_a_bad_draft_is_refused_with_the_problems_that_validating_gives(server, assert_problem):
    bad = TEXT.replace("videoconference", "videoconferense")
    check = server.client.post(f"{POLICY}/validate", json={"text": bad}).json()
    [error] = check["errors"]
    assert (check["valid"], error["line"], error["where"]) == (False, 6, "rules[0].when.category")
    assert "did you mean `videoconference`" in error["message"]
    problem = assert_problem(apply(server, bad), 422, "invalid-policy")
    assert problem["errors"] == [
        {"where": f"6:{error['column']} {error['where']}", "message": error["message"]}
    ]
    assert action(server) == "warn"
    assert server.client.get(f"{POLICY}/versions").json()["items"] == []


def test_hostile_texts_are_refused_and_change_nothing(server, assert_problem):
    for text in HOSTILE_TEXTS:
        check = server.client.post(f"{POLICY}/validate", json={"text": text})
        assert check.status_code == 200, check.text
        assert not check.json()["valid"]
        assert_problem(apply(server, text), 422, "invalid-policy")
    assert action(server) == "warn"


def test_hostile_fields_are_refused(server, assert_problem):
    for more in HOSTILE_FIELDS:
        assert_problem(apply(server, **{"text": STRICTER, **more}), 422, "invalid-request")
    assert server.client.get(f"{POLICY}/versions").json()["items"] == []


def test_a_comment_is_kept_as_it_is_and_nothing_of_it_is_run(server):
    comment = "<script>alert(1)</script> '; DROP TABLE policy_version; --"
    apply(server, comment=comment)
    assert server.client.get(POLICY).json()["comment"] == comment


def test_a_diff_tells_lines_and_rules(server):
    apply(server)
    found = server.client.get(f"{POLICY}/diff", params={"from": 1, "to": 2}).json()
    assert found["changed"] == [{"id": "video", "keys": ["action"], "moved": False}]
    assert "-    action: warn\n+    action: block" in found["diff"]
    assert found["readable"]
    assert server.client.get(f"{POLICY}/diff", params={"from": 2}).json()["diff"] == ""


def test_explaining_by_a_draft_changes_nothing(server):
    body = {"text": STRICTER, "q": "zoom.us"}
    answer = server.client.post(f"{POLICY}/explain", json=body).json()
    assert answer["verdict"]["action"] == "block"
    assert any(step["decided"] for step in answer["trace"])
    assert action(server) == "warn"


def test_unknown_versions_and_drafts_are_not_found(server, assert_problem):
    assert_problem(server.client.get(f"{POLICY}/versions/9"), 404, "no-such-version")
    assert_problem(server.client.get(f"{POLICY}/drafts/{'0' * 16}"), 404, "no-such-draft")
    body = {"number": 9, "based_on": 0}
    assert_problem(server.client.post(f"{POLICY}/rollback", json=body), 404, "no-such-version")
    assert_problem(server.client.get(f"{POLICY}/diff", params={"from": 9}), 404, "no-such-version")


def test_every_change_is_in_the_audit_with_number_comment_and_digest(server):
    digest = apply(server).json()["digest"]
    server.client.post(f"{POLICY}/rollback", json={"number": 1, "based_on": 2, "comment": "back"})
    server.client.post(f"{POLICY}/simulate", json={"text": STRICTER})
    simulated, back, applied = audit_page(server.services.store, 3).items
    assert applied.what is Act.POLICY_APPLY
    assert applied.details["number"] == 2
    assert (applied.details["digest"], applied.details["comment"]) == (digest, "why")
    assert (back.what, back.details["comment"]) == (Act.POLICY_ROLLBACK, "back")
    assert (simulated.what, simulated.details["digest"]) == (Act.POLICY_SIMULATE, digest)


def test_another_process_that_applied_is_followed(server, services, settings, tmp_path):
    """A second API on the same store, with a folder of its own, as on another machine."""
    other = PolicyDesk(
        services.store,
        Judge(settings.model_copy(update={"data_dir": tmp_path / "b"})),
        tmp_path / "b",
    )
    apply(server)
    other.keep_in_step()
    assert other.in_force().text == STRICTER
    applied_path(tmp_path / "b").write_text("rules: 7\n")
    other.keep_in_step()
    assert other.in_force().text == STRICTER
    server.client.post(f"{POLICY}/rollback", json={"number": 0, "based_on": 2})
    other.keep_in_step()
    assert other.in_force().from_settings


def test_drafts_are_kept_for_their_author_and_admins(server, assert_problem):
    analyst, other = (server.as_role(Role.ANALYST) for _ in range(2))
    body = {"text": "half a pol", "comment": "to be done", "based_on": 0}
    made = server.client.post(f"{POLICY}/drafts", json=body, headers=analyst)
    assert made.status_code == 201
    path = f"{POLICY}/drafts/{made.json()['id']}"
    better = {**body, "text": STRICTER}
    assert_problem(server.client.put(path, json=better, headers=other), 403, "not-your-draft")
    assert_problem(server.client.delete(path, headers=other), 403, "not-your-draft")
    assert server.client.put(path, json=better).status_code == 200
    found = server.client.get(path, headers=other).json()
    assert (found["text"], found["author_name"]) == (STRICTER, "analyst")
    [listed] = server.client.get(f"{POLICY}/drafts").json()["items"]
    assert listed["id"] == made.json()["id"]
    assert server.client.delete(path, headers=analyst).status_code == 204
    assert_problem(server.client.get(path), 404, "no-such-draft")


def test_one_person_keeps_so_many_drafts_and_no_more(server, assert_problem):
    body = {"text": "x", "based_on": 0}
    for _ in range(20):
        assert server.client.post(f"{POLICY}/drafts", json=body).status_code == 201
    assert_problem(server.client.post(f"{POLICY}/drafts", json=body), 409, "too-many-drafts")
