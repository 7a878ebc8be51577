"""The pages of the policy without scripts: edit, see what changes, apply, roll back."""

from __future__ import annotations

import html
import re

import pytest

from sovproxy.policy.edit import rule_ids, with_rule
from sovproxy.settings import Settings
from sovproxy.usecases.access.auditing import Act, audit_page
from sovproxy.usecases.access.tokens import Role
from tests.console.conftest import HOSTILE, Site, an_event
from tests.console.test_console_pages import cells

RULE = {"id": "slack-now", "about": "Why not", "when": {"service": "slack"}, "action": "block"}


@pytest.fixture
def own(tmp_path):
    found = Site(Settings(data_dir=tmp_path, policy="fr-etat", node="proxy-1"))
    yield found
    found.stop()


class Person:
    """Somebody at the forms."""

    def __init__(self, site, role=Role.ADMIN) -> None:
        self.client = site.client(role)
        self.site = site

    def get(self, path):
        return self.client.get(f"/console{path}")

    def post(self, path, **fields):
        page = self.get("/policy/history").text + self.get("/policy").text
        csrf = re.search(r'name="csrf" value="(\w+)"', page)[1]
        return self.client.post(f"/console{path}", data={"csrf": csrf, **fields})

    def draft(self, text, **fields):
        answer = self.post("/policy/edit", text=text, based_on="0", do="review", **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].partition("draft=")[2]

    def apply(self, draft, **fields):
        """Send the form as it stands beside the differences."""
        seen = re.search(r'name="seen" value="(\w+)"', self.get(f"/policy/diff?draft={draft}").text)
        fields["seen"] = seen[1] if seen else ""
        return self.post("/policy/apply", draft=draft, **fields)


def text_of(site) -> str:
    return site.services.policies.in_force().text


def test_a_draft_is_seen_applied_and_rolled_back(own):
    now = own.services.clock()
    own.deliver([an_event(now, service="slack", host="app.slack.com", client="")])
    person = Person(own)
    draft = person.draft(with_rule(text_of(own), RULE, 0), comment="Slack")
    page = person.get(f"/policy/diff?draft={draft}").text
    assert "Added:" in page
    assert "slack-now" in page
    assert "Apply to all nodes" in page
    done = person.apply(draft=draft, based_on="0", comment="because")
    assert done.headers["location"] == "/console/policy"
    assert rule_ids(text_of(own))[0] == "slack-now"
    page = person.get("/policy").text
    assert "version 2 by Ada admin" in page
    assert "because" in page
    person.post("/policy/rollback", number="1", based_on="2", comment="")
    assert rule_ids(text_of(own))[0] == "olvid"
    acts = [item.what for item in audit_page(own.services.store, 30).items]
    assert Act.POLICY_ROLLBACK in acts
    assert Act.POLICY_APPLY in acts
    assert Act.POLICY_SIMULATE in acts


def test_a_refused_text_stays_in_the_editor_with_its_problems(own):
    bad = text_of(own).replace("category:", "categori:", 1)
    page = Person(own).post("/policy/edit", text=bad, based_on="0", do="review")
    assert page.status_code == 200
    assert "did you mean `category`" in page.text
    assert "categori:" in page.text


def test_a_quick_change_edits_the_text_and_keeps_the_comments(own):
    text = text_of(own)
    fields = {"rule": "videoconference", "action": "warn", "start": "", "whom": "everybody"}
    page = Person(own).post("/policy/edit", text=text, based_on="0", do="quick", **fields)
    assert "The text is changed" in page.text
    assert "# French State services." in page.text
    wrong = fields | {"rule": "nobody"}
    page = Person(own).post("/policy/edit", text=text, based_on="0", do="quick", **wrong)
    assert "there is no rule nobody" in page.text
    odd = fields | {"start": "2026-99-01"}
    page = Person(own).post("/policy/edit", text=text, based_on="0", do="quick", **odd)
    assert "The change could not be made" in page.text


def test_words_that_name_a_day_no_more_are_told_at_the_change_and_beside_the_differences(own):
    fields = {"rule": "collaboration", "action": "block", "start": "", "whom": ""}
    person, text = Person(own), text_of(own)
    assert "workers read of 2027" not in person.get("/policy/edit").text
    page = person.post("/policy/edit", text=text, based_on="0", do="quick", **fields).text
    told = page[page.index('id="made-odd"') : page.index('id="editing"')]
    assert "message.fr : workers read of 2027, but no phase" in cells(told)
    changed = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1])
    line = changed[: changed.index("fr: Un outil souverain existe")].count("\n") + 1
    assert f"Line {line}:" in cells(told)
    draft = person.draft(changed)
    page = person.get(f"/policy/diff?draft={draft}").text
    assert f"Line {line}:" in cells(page[page.index('id="odd"') :])
    assert "Apply to all nodes" in page


def test_who_came_second_is_told_and_nothing_is_applied(own):
    person = Person(own)
    drafts = [person.draft(with_rule(text_of(own), RULE | {"id": id_}, 0)) for id_ in ("a", "b")]
    person.apply(draft=drafts[0], based_on="0", comment="")
    answer = person.apply(draft=drafts[1], based_on="0", comment="")
    assert answer.status_code == 200
    assert "was applied meanwhile" in answer.text
    assert rule_ids(text_of(own))[0] == "a"


def test_each_role_sees_what_it_may(own):
    analyst, auditor = (Person(own, role) for role in (Role.ANALYST, Role.AUDITOR))
    draft = analyst.draft(with_rule(text_of(own), RULE, 0))
    assert "Apply to all nodes" not in analyst.get(f"/policy/diff?draft={draft}").text
    answer = analyst.apply(draft=draft, based_on="0", comment="")
    assert answer.status_code == 403
    assert auditor.get("/policy/history").status_code == 200
    for path in ("/policy/edit", "/policy/simulate", f"/policy/diff?draft={draft}"):
        assert auditor.get(path).status_code == 403
    assert auditor.post("/policy/rollback", number="0", based_on="0").status_code == 403


def test_a_simulation_and_an_explanation_by_a_draft(own):
    own.deliver([an_event(own.services.clock(), group=HOSTILE)])
    person = Person(own)
    rule = {"id": "zoom-passes", "when": {"service": "zoom"}, "action": "allow"}
    draft = person.draft(with_rule(text_of(own), rule, 0))
    page = person.get(f"/policy/simulate?draft={draft}&last=1d").text
    assert "zoom-passes" in page
    assert "us02web.zoom.us" in page
    assert "<script>alert" not in page
    answer = person.get(f"/explain?q=zoom.us&draft={draft}").text
    assert "#rule-zoom-passes" in answer
    assert "#rule-zoom-passes" not in person.get("/explain?q=zoom.us").text


@pytest.mark.parametrize(
    "path",
    [
        "/policy/diff?from=99",
        "/policy/diff?from=x",
        "/policy/diff?draft=../../etc/passwd",
        "/policy/versions/99",
        "/policy/versions/%3Cscript%3E",
        "/policy/simulate?last=ever",
        "/policy/simulate?draft=x&at=31.12.",
        "/policy/history?cursor=-1",
        "/policy/edit?draft=%00",
    ],
)
def test_hostile_addresses_are_refused(empty_site, path):
    answer = empty_site.client(Role.ADMIN).get(f"/console{path}")
    assert answer.status_code in {400, 404}


def test_hostile_comments_are_text_or_refused(own):
    person = Person(own)
    draft = person.draft(with_rule(text_of(own), RULE, 0), comment=HOSTILE.replace("\u202e", ""))
    person.apply(draft=draft, based_on="0", comment="<script>alert(3)</script>")
    for path in ("/policy", "/policy/history", "/policy/versions/2", "/policy/edit"):
        page = person.get(path).text
        assert "<script>alert" not in page
    answer = person.post("/policy/rollback", number="1", based_on="2", comment="\u202etxt.exe")
    assert answer.status_code == 400


def test_an_admin_applies_only_the_text_that_was_shown(own):
    analyst, admin = Person(own, Role.ANALYST), Person(own)
    draft = analyst.draft(with_rule(text_of(own), RULE, 0))
    page = admin.get(f"/policy/diff?draft={draft}").text
    seen = re.search(r'name="seen" value="(\w+)"', page)[1]
    other = with_rule(text_of(own), {**RULE, "id": "slipped-in", "action": "allow"}, 0)
    saved = analyst.post("/policy/edit", text=other, based_on="0", do="save", draft=draft)
    assert saved.headers["location"].endswith(draft)
    for shown in ({"seen": seen}, {"seen": ""}, {}):
        answer = admin.post("/policy/apply", draft=draft, based_on="0", comment="", **shown)
        assert "The draft has changed since you looked at it" in answer.text
        assert "slipped-in" in answer.text
        assert "slipped-in" not in text_of(own)
    assert admin.apply(draft, based_on="0", comment="").status_code == 303
    assert "slipped-in" in text_of(own)
