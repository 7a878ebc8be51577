"""Papers and the self-check by the API."""

from __future__ import annotations

import pytest

from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.upkeep.papers import Papers
from tests.baseline import furnished


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "id: ours\ntitle: {en: Ours}\ntrust_zone: EEA\nretention: {events: 400d}\n"
    )
    return Settings(data_dir=furnished(tmp_path / "data"), policy=str(tmp_path / "policy.yaml"))


def test_a_paper_and_the_check_with_their_sources(serve, services, settings, assert_problem):
    server = serve(papers=Papers(settings, Judge(settings), services.store))
    paper = server.get("/api/v1/papers/record", Role.AUDITOR, lang="en").json()
    assert (paper["paper"], paper["language"]) == ("record", "en")
    sentences = [item for section in paper["sections"] for item in section["sentences"]]
    assert all(item["sources"] for item in sentences)
    answer = server.get("/api/v1/papers/check", Role.ADMIN)
    assert "etag" not in answer.headers
    findings = {item["id"]: item for item in answer.json()["findings"]}
    assert findings["retention-over-a-year"]["sources"][0]["value"] == 400
    assert "accounts-unknown" not in findings
    assert_problem(server.get("/api/v1/papers/other", Role.ADMIN), 422)
    assert_problem(server.get("/api/v1/papers/notice", Role.ADMIN, lang="de"), 422)
    settings.particulars_file.parent.mkdir(exist_ok=True)
    settings.particulars_file.write_text("dpo: {nmae: Ada}\n")
    for path in ("/api/v1/papers/notice", "/api/v1/papers/check"):
        assert_problem(server.get(path, Role.ADMIN), 503, "invalid-particulars")


def test_without_settings_there_are_no_papers(server, assert_problem):
    assert_problem(server.get("/api/v1/papers/notice", Role.ADMIN), 503, "no-papers")
