"""`/metrics`: what Prometheus reads, who may read it, and what is not in it."""

from __future__ import annotations

import shutil
import subprocess
import time

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from sovproxy.receivers import FileReceiver
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.upkeep.forwarding import Forwarding
from sovproxy.usecases.upkeep.measuring import SPECS

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def samples(server, role=Role.ADMIN):
    """Every sample by its name and labels."""
    answer = server.get("/metrics", role)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_it_is_what_prometheus_itself_finds_good(server, make_event):
    server.deliver([make_event()])
    text = server.get("/metrics", Role.ADMIN).text
    promtool = shutil.which("promtool")
    assert promtool, "tools/install-test-tools installs prometheus"
    done = subprocess.run(
        [promtool, "check", "metrics"], check=False, input=text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_open_metrics_is_given_to_those_who_accept_it(server):
    headers = server.as_role(Role.AUDITOR) | {"accept": OPEN_METRICS}
    answer = server.client.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in open_metrics_families(answer.text)}
    assert {"sovproxy_store_up", "sovproxy_http_requests", "sovproxy_build"} <= names


def test_every_name_is_in_the_table_of_the_docs(server, make_event):
    server.deliver([make_event()])
    families = text_string_to_metric_families(server.get("/metrics", Role.ADMIN).text)
    found = {family.name: family.documentation for family in families}
    table = {name: spec for spec in SPECS for name in (spec.name, spec.shown)}
    created = {name for name in found if name.endswith("_created")}
    assert set(found) - created <= set(table)
    assert all(found[name] == table[name].meaning for name in found if name not in created)


def test_what_nodes_deliver_is_counted(server, make_event):
    event = make_event()
    server.deliver([event])
    server.deliver([event])
    now = samples(server)
    assert now["sovproxy_ingest_records_total", ("result", "accepted")] == 1
    assert now["sovproxy_ingest_records_total", ("result", "duplicate")] == 1
    assert now["sovproxy_ingest_records_total", ("result", "refused")] == 0
    assert now[("sovproxy_ingest_seconds_count",)] == 2
    assert now[("sovproxy_store_events",)] == 1
    assert now[("sovproxy_store_bytes",)] > 4096
    assert now[("sovproxy_store_free_bytes",)] > 0


def test_requests_are_counted_by_template_and_never_by_path(server):
    for path in ("/api/v1/events/01a20692-8621-70d7-a99f-dbc898c77802", "/secret/<script>"):
        server.get(path)
    server.client.request("BREW", "/api/v1/version", headers=server.as_role(Role.ADMIN))
    now = samples(server)
    route = ("route", "/api/v1/events/{event_id}")
    assert now["sovproxy_http_requests_total", ("method", "GET"), route, ("status", "404")] == 1
    none = ("route", "none")
    assert now["sovproxy_http_requests_total", ("method", "GET"), none, ("status", "404")] == 1
    text = server.get("/metrics", Role.ADMIN).text
    assert "secret" not in text
    assert "BREW" not in text
    assert 'method="other"' in text


def test_nothing_of_the_process_and_no_secret_is_told(server, make_event):
    server.deliver([make_event()])
    text = server.get("/metrics", Role.ADMIN).text
    for word in ("python_", "process_", "sov_", "zoom", "aaaabbbbccccdddd", "sqlite:///"):
        assert word not in text


def test_refused_tokens_are_counted(server):
    bad = {"authorization": "Bearer wrong"}
    assert server.client.post("/api/v1/session", headers=bad).status_code == 401
    assert samples(server)[("sovproxy_sign_in_failures_total",)] == 1


def test_receivers_tell_how_far_behind_they_are(serve, services, make_event, tmp_path):
    receiver = FileReceiver(kind="file", name="log", path=tmp_path / "no" / "x", begin="first")
    server = serve(forwarding=Forwarding.of(services.store, [receiver], "n"))
    server.deliver([make_event()])
    now = samples(server)
    assert now["sovproxy_forward_up", ("receiver", "log")] == 0
    assert ("sovproxy_forward_failures_total", ("receiver", "log")) in now


def test_databases_tell_their_age(server):
    now = samples(server)
    assert now["sovproxy_data_age_seconds", ("name", "location")] >= 0
    assert now["sovproxy_data_stale", ("name", "location")] == 0


@pytest.mark.parametrize("opened", [False, True])
def test_this_machine_needs_no_token_only_if_the_setting_says_so(serve, opened, assert_problem):
    server = serve(metrics_open=opened)
    answer = httpx.get(f"{server.url}/metrics", trust_env=False)
    if opened:
        assert answer.status_code == 200
    else:
        assert_problem(answer, 401, "unauthorized")
    bad = {"authorization": "Bearer wrong"}
    assert_problem(httpx.get(f"{server.url}/metrics", headers=bad, trust_env=False), 401)


def test_a_lost_receiver_degrades_health_and_only_staff_reads_which(serve, services, tmp_path):
    receiver = FileReceiver(kind="file", name="log", path=tmp_path / "no" / "x")
    server = serve(forwarding=Forwarding.of(services.store, [receiver], "n"))
    until = time.monotonic() + 20
    while (health := server.client.get("/api/v1/health").json())["forwarding"]["ok"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert health["status"] == "degraded"
    assert str(tmp_path) not in str(health)
    told = server.get("/api/v1/health", Role.ADMIN).json()["forwarding"]["problem"]
    assert "No such file or directory" in told
