"""The local half of the catalogue in the console and at the API."""

from __future__ import annotations

import html
import re
import time

import pytest

from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role
from tests.console.conftest import Site

SERVICE = {
    "id": "meet-example",
    "name": "Meet Example",
    "category": "videoconference",
    "operator": "zoom-communications",
    "stance": "replace",
    "url": "",
    "alternatives": "visio",
    "hosts": "*.meet.example\r\nmeet.example",
    "source": "the tests",
    "as_of": "2026-11-23",
    "verification": "verified",
}
HOSTILE = '<script>alert(1)</script>"\u202e'


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory):
    found = Site(Settings(data_dir=tmp_path_factory.mktemp("site"), policy="eu", node="proxy-1"))
    yield found
    found.stop()


@pytest.fixture(name="site")
def site_without_entries(whole_site):
    for path in whole_site.services.local_catalogue.folder.rglob("*.yaml"):
        path.unlink()
    whole_site.services.judge.refresh()
    return whole_site


@pytest.fixture
def admin(site):
    return site.client(Role.ADMIN)


def words(text):
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


def send(client, path, **fields):
    csrf = re.search(r'name="csrf" value="([^"]*)"', client.get("/console/catalogue/local").text)[1]
    return client.post(f"/console{path}", data={"csrf": csrf, **fields})


def test_a_service_is_added_by_a_form_judged_by_it_and_undone(site, admin):
    done = send(admin, "/catalogue/local/new/services", **SERVICE)
    assert done.status_code == 303, words(done.text)
    assert "Meet Example is saved." in words(admin.get(done.headers["location"]).text)
    wait_for(lambda: site.services.judge.check("a.meet.example")["service"])
    page = words(admin.get("/console/catalogue/services/meet-example").text)
    assert "Local" in page
    assert "Say it otherwise" in page
    assert "is added" in words(admin.get("/console/catalogue/local").text)
    done = send(admin, "/catalogue/local/services/meet-example/undo")
    assert done.status_code == 303
    wait_for(lambda: not site.services.judge.check("a.meet.example")["service"])


def wait_for(holds):
    """The API follows its folder once a second."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_operator_is_added_by_a_form(site, admin):
    fields = {"id": "ex", "name": "Ex SA", "country": "no", "parents": "zoom-communications"}
    fact = {key: SERVICE[key] for key in ("source", "verification")}
    done = send(admin, "/catalogue/local/new/operators", **fields, **fact)
    assert done.status_code == 303, words(done.text)
    text = (site.services.local_catalogue.folder / "operators" / "ex.yaml").read_text()
    assert "country: 'NO'" in text


def test_a_shipped_entry_is_shown_as_text_and_said_otherwise(site, admin):
    page = admin.get("/console/catalogue/local/services/webex").text
    text = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1])
    assert text.startswith("id: webex")
    changed = re.sub("(?m)^name: .*$", "name: Webex, as we see it", text)
    done = send(admin, "/catalogue/local/services/webex", text=changed.replace("\n", "\r\n"))
    assert done.status_code == 303, words(done.text)
    wait_for(lambda: site.services.judge.atlas.services["webex"].name == "Webex, as we see it")
    assert "replaces the shipped entry" in words(admin.get("/console/catalogue/local").text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": "zoom"}, "There is an entry zoom already"),
        ({"id": "Meet!"}, "is no id"),
        ({"hosts": "zoom.us"}, "listed twice"),
        ({"hosts": ""}, "names"),
        ({"operator": "nobody"}, "there is no operator"),
        ({"as_of": "yesterday"}, "isoformat"),
        ({"category": "spaceship"}, "category"),
        ({"source": ""}, "source"),
        ({"name": HOSTILE, "category": HOSTILE}, "category"),
    ],
)
def test_a_bad_form_says_why_and_keeps_what_was_typed(site, admin, fields, said):
    done = send(admin, "/catalogue/local/new/services", **SERVICE | {"source": "typed"} | fields)
    assert done.status_code == 422
    assert said in words(done.text)
    assert "<script>alert" not in done.text
    if "source" not in fields:
        assert 'value="typed"' in done.text
    assert site.services.local_catalogue.entries() == []


def test_bad_text_is_refused_with_its_line_and_kept(site, admin):
    done = send(admin, "/catalogue/local/services/webex", text="id: webex\nname: [\n")
    assert done.status_code == 422
    assert re.search(r"webex\.yaml:\d+:\d+", done.text)
    assert "name: [" in done.text


def test_a_candidate_comes_with_its_host_and_operator(admin):
    path = "/console/catalogue/local/new/services?hosts=a.b.example&operator=microsoft-corporation"
    page = admin.get(path).text
    assert re.search(r"<textarea[^>]*>\na\.b\.example</textarea>", page)
    assert '<option value="microsoft-corporation" selected>' in page


@pytest.mark.parametrize("role", [Role.ANALYST, Role.AUDITOR])
def test_who_is_no_admin_reads_only(site, role):
    client = site.client(role)
    assert client.get("/console/catalogue/local").status_code == 200
    assert "<textarea" not in client.get("/console/catalogue/local/services/zoom").text
    for path in ("/new/services", "/services/zoom", "/services/zoom/undo"):
        assert send(client, f"/catalogue/local{path}", **SERVICE).status_code == 403
    assert client.get("/console/catalogue/local/new/services").status_code == 403


@pytest.mark.parametrize("path", ["services/none", "services/..%2f..%2fx", "cars/zoom", "new/cars"])
def test_what_is_not_there_is_a_page_with_an_error(admin, path):
    assert admin.get(f"/console/catalogue/local/{path}").status_code in {400, 404}


def test_the_api_puts_lists_and_takes_away(site, admin):
    headers = {"authorization": f"Bearer {site.token(Role.ADMIN)}"}
    text = to_text(site, admin)
    base = "/api/v1/catalogue/local"
    put = admin.put(f"{base}/services/meet-example", headers=headers, json={"text": text})
    assert put.status_code == 204, put.text
    found = admin.get(base, headers=headers).json()["items"]
    assert [(item["kind"], item["id"], item["replaces"]) for item in found] == [
        ("services", "meet-example", False)
    ]
    assert admin.get(f"{base}/services/meet-example", headers=headers).json()["text"] == text
    bad = admin.put(
        f"{base}/services/meet-example", headers=headers, json={"text": text + "surprise: 1\n"}
    )
    assert bad.status_code == 422
    assert "surprise" in bad.text
    assert admin.delete(f"{base}/services/meet-example", headers=headers).status_code == 204
    assert admin.delete(f"{base}/services/meet-example", headers=headers).status_code == 404
    audit = admin.get("/api/v1/audit?what=catalogue_change", headers=headers).json()["items"]
    assert (audit[0]["details"]["before"], audit[0]["details"]["after"]) == (text, "")


def to_text(site, admin):
    """The text of an entry that the form writes; the entry is gone again."""
    assert send(admin, "/catalogue/local/new/services", **SERVICE).status_code == 303
    path = site.services.local_catalogue.folder / "services" / "meet-example.yaml"
    text = path.read_text()
    path.unlink()
    site.services.judge.refresh()
    return text
