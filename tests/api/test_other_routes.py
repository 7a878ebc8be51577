from __future__ import annotations

import json
import sqlite3
import ssl
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from sovproxy.api.pac import pac_text
from sovproxy.api.services import DataAge
from sovproxy.ca.wanted import Wanted
from sovproxy.store import database
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.ca.state import State


def test_health_is_ok_when_everything_works(server):
    answer = server.client.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "store": {"ok": True, "problem": ""},
        "policy": {"ok": True, "problem": ""},
        "forwarding": {"ok": True, "problem": ""},
        "ca": {"ok": True, "problem": ""},
        "data": [{"name": "location", "as_of": "2026-11-01", "stale": False}],
    }


def test_an_old_database_degrades_health(serve):
    server = serve(data_ages=lambda: [DataAge("network", "2026-01-01", stale=True)])
    answer = server.client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


def test_a_refused_policy_degrades_health_and_only_staff_reads_why(serve):
    server = serve(policy_problem=lambda: "/etc/sovproxy/policy.yaml:3:1: no such service")
    answer = server.client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "/etc" not in answer.text
    assert "/etc" not in server.get("/api/v1/health", Role.WORKER).text
    assert "policy.yaml:3:1" in server.get("/api/v1/health", Role.ADMIN).text


def test_a_ca_that_lacks_names_degrades_health_and_is_measured(serve):
    lacking = State(
        root=None,
        issuing=None,
        key="elsewhere",
        wanted=Wanted(()),
        missing=("new.example",),
        surplus=(),
        problems=("the CA lacks new.example",),
    )
    server = serve(ca_state=lambda: lacking)
    answer = server.client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "new.example" not in answer.text
    assert "new.example" in server.get("/api/v1/health", Role.AUDITOR).text
    measured = server.get("/metrics", Role.ADMIN).text
    assert "sovproxy_ca_missing_names 1.0" in measured
    assert "sovproxy_ca_ok 0.0" in measured


def test_a_broken_store_fails_health_and_answers_503_elsewhere(tmp_path, serve, assert_problem):
    path = tmp_path / "broken.sqlite"
    store = open_store(sqlite_url(path))
    server = serve(store=store)
    headers = server.as_role(Role.ANALYST)
    assert server.client.get("/api/v1/health").status_code == 200
    (tmp_path / "broken").write_bytes(b"this is no database" * 1000)
    (tmp_path / "broken").replace(path)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    store.close()  # last, as background work may have opened a connection meanwhile
    health = server.client.get("/api/v1/health")
    assert (health.status_code, health.json()["status"]) == (503, "failing")
    answer = server.client.get("/api/v1/events", headers=headers)
    problem = assert_problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert str(tmp_path) not in json.dumps(problem)


def test_a_locked_store_answers_503_and_heals(
    tmp_path, serve, make_event, assert_problem, monkeypatch
):
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
    path = tmp_path / "locked.sqlite"
    server = serve(store=open_store(sqlite_url(path)))
    headers = server.as_role(Role.NODE)
    body = b'{"events":[%s]}' % make_event().to_json()
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    answer = server.client.post("/api/v1/events", content=body, headers=headers)
    assert_problem(answer, 503, "store-unavailable")
    locker.execute("ROLLBACK")
    locker.close()
    healed = server.client.post("/api/v1/events", content=body, headers=headers)
    assert healed.json()["accepted"] == 1


def test_an_unexpected_error_is_a_500_that_tells_nothing(server, assert_problem):
    answer = server.get("/api/v1/check", Role.WORKER, q="boom")
    problem = assert_problem(answer, 500, "internal-error")
    assert "secret" not in json.dumps(problem)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/", "/nothing", "/docs", "/redoc", "/api/v1/", "/proxy.pac/"])
def test_an_unknown_address_is_a_404_problem(server, assert_problem, path):
    assert_problem(server.client.get(path), 404, "not-found")


def test_another_method_is_a_405_problem_with_allow(server, assert_problem):
    answer = server.client.delete("/api/v1/version")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_the_path_of_a_problem_is_bounded_and_visible(server, assert_problem):
    problem = assert_problem(server.client.get("/%1b%5b2J" + "x" * 5000), 404)
    assert len(problem["instance"]) == 500
    assert problem["instance"].startswith("/␛[2J")


@pytest.mark.parametrize("path", ["/api/v1/health", "/proxy.pac", "/ca.pem", "/openapi.json"])
def test_every_answer_carries_the_security_headers(server, path):
    headers = server.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"


def test_check_gives_the_judges_answer(server):
    answer = server.get("/api/v1/check", Role.WORKER, q="https://Zoom.US./j/1", ip="1.2.3.4")
    assert answer.json() == {
        "query": "https://Zoom.US./j/1",
        "host": "zoom.us",
        "ip": "1.2.3.4",
        "group": "",
    }


def test_many_checks_are_answered_in_order(server):
    body = {"queries": ["b.example", "a.example"], "group": "tax"}
    answer = server.client.post("/api/v1/check", json=body, headers=server.as_role(Role.NODE))
    assert [item["host"] for item in answer.json()["items"]] == ["b.example", "a.example"]


@pytest.mark.parametrize(
    "body", [{}, {"queries": []}, {"queries": ["x"] * 101}, {"queries": [1]}, {"queries": "x"}, []]
)
def test_a_bad_check_is_refused(server, assert_problem, body):
    answer = server.client.post("/api/v1/check", json=body, headers=server.as_role(Role.NODE))
    assert_problem(answer, 422, "invalid-request")


@pytest.mark.parametrize("path", ["/proxy.pac", "/api/v1/pac"])
def test_the_pac_file_has_its_type_and_an_etag(server, path):
    answer = server.client.get(path)
    assert answer.headers["content-type"] == "application/x-ns-proxy-autoconfig"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = server.client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert server.client.get(path, headers={"if-none-match": '"x"'}).status_code == 200


PROXY, DIRECT = "PROXY 127.0.0.1:8888", "DIRECT"


def test_the_pac_file_sends_browsers_where_it_should():
    """Run in a real JavaScript engine."""
    cases = {
        "zoom.us": PROXY,
        "ZOOM.US.": PROXY,
        "intra.example": DIRECT,
        "a.b.Intra.Example": DIRECT,
        "notintra.example": PROXY,
        "intra.example.evil.example": PROXY,
        "ministere.example": DIRECT,
        "localhost": DIRECT,
        "app.localhost": DIRECT,
        "printer": DIRECT,
        "127.0.0.1": DIRECT,
        "127.evil.example": PROXY,
        "192.0.2.1": PROXY,
        "::1": DIRECT,
        "[::1]": DIRECT,
        "2001:db8::1": PROXY,
        "[2001:db8::1]": PROXY,
    }
    text = pac_text("127.0.0.1:8888", [".intra.example", "Ministere.Example.", "."])
    script = f"{text}\nconsole.log(JSON.stringify({json.dumps(list(cases))}.map("
    script += "function (host) { return FindProxyForURL('https://' + host + '/', host); })));"
    node = compute_driver_executable()[0]
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    assert dict(zip(cases, json.loads(done.stdout), strict=True)) == cases


def test_hostile_settings_cannot_write_into_the_pac_file():
    text = pac_text('x"; evil(); "', ['a"];evil();//', "b\n\u2028c"])
    script = f"function evil() {{ throw 1; }}\n{text}\nFindProxyForURL('', 'zoom.us');"
    node = compute_driver_executable()[0]
    subprocess.run([node, "-e", script], check=True)


def test_the_ca_is_given_without_its_key(server, ca_file):
    assert b"PRIVATE KEY" in ca_file.read_bytes()
    pem = server.client.get("/ca.pem")
    assert pem.headers["content-type"] == "application/x-pem-file"
    assert pem.text.count("-----BEGIN") == 1
    assert "BEGIN CERTIFICATE" in pem.text
    assert server.client.get("/api/v1/ca").content == pem.content
    der = server.client.get("/api/v1/ca", params={"format": "der"})
    assert der.headers["content-type"] == "application/x-x509-ca-cert"
    assert der.content == ssl.PEM_cert_to_DER_cert(pem.text)
    tag = {"if-none-match": der.headers["etag"]}
    again = server.client.get("/api/v1/ca", params={"format": "der"}, headers=tag)
    assert again.status_code == 304


def test_a_missing_ca_is_a_clear_problem(serve, tmp_path, assert_problem):
    server = serve(ca_file=tmp_path / "none.pem")
    problem = assert_problem(server.client.get("/ca.pem"), 404, "no-certificate")
    assert "start the proxy once" in problem["detail"]
    assert_problem(server.client.get("/api/v1/ca", params={"format": "p12"}), 422)


def test_openapi_names_no_third_party(server):
    text = server.client.get("/openapi.json").text
    for ours in ('"^$|^https?://"', '"https://visio.numerique.gouv.fr/abc-defg-hij"'):
        assert text.count(ours) == 1
        text = text.replace(ours, "")  # a pattern, which names nobody, and the sovereign tool
    assert "//" not in text


def test_version_answers_every_role(server):
    assert server.get("/api/v1/version", Role.AUDITOR).json()["api"] == "v1"
