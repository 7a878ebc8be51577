"""`sovproxy check`: what is known and decided about a destination, without any network."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.lab.proxies import BIN

CONTRACT = {
    "query", "host", "service", "operator", "location", "network", "control", "powers", "standing",
    "verdict", "evidence",
}  # fmt: skip
"""The keys of DESIGN.md §7."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def sovproxy(data):
    """Run the command in a network of its own, where there is nothing at all."""

    def run(*arguments: str, text: str = "", **settings: str):
        more = {f"SOVPROXY_{name}": value for name, value in settings.items()}
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SOVPROXY_DATA_DIR": str(data),
        }
        return subprocess.run(
            ["unshare", "--net", str(BIN / "sovproxy"), "check", *arguments],
            input=text,
            env={"LANG": "C.UTF-8", **environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_one_object_per_line_says_everything_with_sources(sovproxy):
    names = ["15.188.1.1", "teams.microsoft.com", "visio.numerique.gouv.fr"]
    done = sovproxy(*names, "--json")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["query"] for answer in answers] == names
    for answer in answers:
        assert answer.keys() >= CONTRACT
        assert all(item["source"] and item["confidence"] for item in answer["evidence"])
    amazon, teams, visio = answers
    assert amazon["location"] == {"country": "FR"}
    assert (amazon["network"]["asn"], amazon["control"]) == (16509, ["US"])
    assert amazon["standing"] == "hosted_here_controlled_abroad"
    assert teams["operator"]["country"] == "IE"
    assert teams["operator"]["parents"][-1]["country"] == "US"
    assert {"us-cloud-act", "us-fisa-702"} <= set(teams["powers"])
    assert teams["verdict"]["alternative"]["url"] == "https://visio.numerique.gouv.fr"
    assert (visio["standing"], visio["verdict"]["action"]) == ("sovereign", "allow")
    assert visio["powers"] == []


def test_a_person_can_read_it(sovproxy):
    done = sovproxy("zoom.us", POLICY="fr-etat")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("zoom.us: ")
    assert "  operator     Zoom Communications, Inc. (US)" in lines
    assert "  standing     abroad" in lines
    assert any(line.startswith("  evidence     zoom.us is Zoom [") for line in lines)


def test_the_address_that_a_name_resolves_to_can_be_given(sovproxy):
    done = sovproxy("unknown.example", "--ip", "15.188.1.1", "--json")
    answer = json.loads(done.stdout)
    assert (answer["host"], answer["address"]) == ("unknown.example", "15.188.1.1")
    assert answer["network"]["asn"] == 16509


def test_another_profile_judges_by_its_own_rules(sovproxy):
    done = sovproxy("zoom.us", "--policy", "eu", "--json")
    verdict = json.loads(done.stdout)["verdict"]
    assert (verdict["action"], verdict["alternative"]["id"]) == ("warn", "opentalk")


def test_queries_come_from_standard_input_too(sovproxy):
    done = sovproxy("-", "--json", text="zoom.us\n\n  visio.numerique.gouv.fr \n")
    queries = [json.loads(line)["query"] for line in done.stdout.splitlines()]
    assert queries == ["zoom.us", "visio.numerique.gouv.fr"]


def test_what_is_no_destination_is_a_finding(sovproxy):
    done = sovproxy("zoom.us", "a b", "--json")
    assert done.returncode == 1
    good, bad = map(json.loads, done.stdout.splitlines())
    assert good["error"] is None
    assert "no host name" in bad["error"]
    assert bad["verdict"]["action"] == "block"


def test_what_is_absurd_gets_a_short_answer(sovproxy):
    done = sovproxy("-", "--json", text="x" * 100_000 + "\n")
    assert done.returncode == 1
    assert len(done.stdout) < 10_000


def test_nothing_can_drive_the_terminal(sovproxy):
    done = sovproxy("\x1b[31mred\x07.example")
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Missing argument"),
        (("zoom.us", "--policy", "fr-etta"), 3, "fr-etat"),
        (("zoom.us", "--policy", "/nowhere/policy.yaml"), 3, "/nowhere/policy.yaml"),
        (("zoom.us", "--group", "staff"), 2, "staff"),
        (("zoom.us", "--ip", "999.1.1.1"), 1, ""),
        (("--nonsense",), 2, "--nonsense"),
    ],
)
def test_a_mistake_is_named_with_its_exit_code(sovproxy, arguments, code, told):
    done = sovproxy(*arguments)
    assert done.returncode == code, done
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_named(sovproxy):
    done = sovproxy("zoom.us", PROXY_PORT="eighty")
    assert done.returncode == 2
    assert "SOVPROXY_PROXY_PORT" in done.stderr


def test_a_database_that_cannot_be_read_is_named(sovproxy, tmp_path):
    bad = tmp_path / "bad.mmdb"
    bad.write_bytes(b"no database")
    done = sovproxy("8.8.8.8", LOCATION_DATABASE=str(bad))
    assert done.returncode == 3
    assert str(bad) in done.stderr
    assert "Traceback" not in done.stderr
