"""The page of papers: for admins and auditors, with the self-check and papers fit to print."""

from __future__ import annotations

import html

import pytest

from sovproxy.papers.page import page_headers
from sovproxy.usecases.access.tokens import Role


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
def test_admins_and_auditors_read_papers_and_the_self_check(site, role):
    client = site.client(role, **{"accept-language": "fr"})
    page = html.unescape(client.get("/console/papers").text)
    assert "Information du personnel" in page
    assert "Les documents ne disent pas qui est le responsable du traitement." in page
    assert "lire le texte avant de s’y fier" in page
    assert 'href="/console/papers/record.en"' in page


@pytest.mark.parametrize("path", ["/console/papers", "/console/papers/notice.fr"])
def test_analysts_have_no_papers(site, path):
    client = site.client(Role.ANALYST)
    assert client.get(path).status_code == 403
    assert "/console/papers" not in client.get("/console/").text
    client = site.client(None)
    assert client.get(path, follow_redirects=False).status_code in {303, 307, 401}


@pytest.mark.parametrize("name", ["notice.fr", "record.en", "assessment.fr"])
def test_a_paper_is_a_page_of_its_own_with_a_strict_policy(site, name):
    client = site.client(Role.ADMIN)
    answer = client.get(f"/console/papers/{name}")
    lang = name.rpartition(".")[2]
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    wanted = page_headers(lang)
    assert {key: answer.headers[key] for key in wanted} == wanted
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "name", ["notice.de", "other.fr", "notice", "..%2fnotice.fr", "notice.fr.fr"]
)
def test_papers_that_are_none_are_not_found(site, name):
    client = site.client(Role.ADMIN)
    assert client.get(f"/console/papers/{name}").status_code in {404, 400, 422}


def test_particulars_that_are_wrong_are_shown_and_filled_in_ones_are_used(empty_site):
    folder = empty_site.services.papers.settings.data_dir
    client = empty_site.client(Role.ADMIN)
    (folder / "papers.yaml").write_text("dpo: {nmae: Ada}\n")
    page = html.unescape(client.get("/console/papers").text)
    assert "papers.yaml:1" in page
    assert "nmae" in page
    assert client.get("/console/papers/notice.en").status_code == 503
    (folder / "papers.yaml").write_text('dpo: {name: "<b>Ada</b>", email: d@x.fr}\n')
    assert "&lt;b&gt;Ada&lt;/b&gt;" in client.get("/console/papers/notice.en").text
