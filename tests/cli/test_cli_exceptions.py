"""`sovproxy exceptions`, and that every door tells of an exception alike."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.decide.describe import describe
from sovproxy.decide.exceptions import Exceptions
from sovproxy.decide.normalise import read_destination
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.worker.exception_desk import Desk
from sovproxy.usecases.worker.exception_models import ExceptionInput
from sovproxy.usecases.worker.exceptions import in_force
from tests.baseline import furnished
from tests.lab.proxies import BIN

ME = "2026-11.aaaabbbbccccdddd"
NODE = Principal("0" * 16, "proxy-1", Role.NODE)


@pytest.fixture
def store(tmp_path):
    opened = open_store(Settings(data_dir=tmp_path).effective_store_url)
    yield opened
    opened.close()


@pytest.fixture
def ask(store):
    def _ask(service="zoom", reason="They invite us", **fields):
        desk = Desk(store, NODE, datetime.now(UTC))
        given = {"client": ME, "group": "legal", "until": desk.now + timedelta(hours=4)}
        return desk.ask(ExceptionInput(service=service, reason=reason, **given | fields))[0]

    return _ask


@pytest.fixture
def sovproxy(tmp_path):
    def run(*arguments):
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "200"}
        return subprocess.run(
            [BIN / "sovproxy", *arguments],
            env={**environment, "SOVPROXY_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_list_shows_what_waits_and_json_has_every_field(sovproxy, ask):
    ask(reason="\x1b[2J\u202ethey invite")
    text = sovproxy("exceptions", "list").stdout
    assert text.startswith(f"1 waiting: zoom for {ME} legal, until ")
    assert "\x1b" not in text
    [line] = sovproxy("exceptions", "list", "--json").stdout.splitlines()
    assert json.loads(line)["service"] == "zoom"
    assert sovproxy("exceptions", "list", "--state", "granted").stdout == ""


def test_grant_refuse_and_revoke_take_their_steps(sovproxy, ask):
    ask()
    ask("webex")
    done = sovproxy("exceptions", "grant", "1", "--hours", "1", "--message", "Fine", "--json")
    assert done.returncode == 0, done.stderr
    granted = json.loads(done.stdout)
    assert (granted["state"], granted["message"]) == ("granted", "Fine")
    assert granted["decided_name"].startswith("cli:")
    assert "2 refused: webex" in sovproxy("exceptions", "refuse", "2").stdout
    assert "1 revoked: zoom" in sovproxy("exceptions", "revoke", "1").stdout
    again = sovproxy("exceptions", "revoke", "1")
    assert again.returncode == 3
    assert "request 1 is revoked by cli:" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("grant", "9"), 3, "there is no exception 9"),
        (("grant", "0"), 2, "NUMBER"),
        (("grant", "1", "--hours", "9000"), 3, "30 days at most"),
        (("list", "--service", "\x01"), 2, "--service"),
    ],
)
def test_what_cannot_be_done_says_why(sovproxy, ask, arguments, code, said):
    ask()
    done = sovproxy("exceptions", *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_command_line_api_and_decider_tell_of_an_exception_alike(sovproxy, ask, store, tmp_path):
    facts = ask()
    assert sovproxy("exceptions", "grant", "1").returncode == 0
    judge = Judge(Settings(data_dir=furnished(tmp_path)))
    judge.exceptions = Exceptions.of(in_force(store, datetime.now(UTC)))
    told = sovproxy("check", "zoom.us", "--client", ME, "--json")
    by_command_line = json.loads(told.stdout)
    by_api = judge.check("zoom.us", client=ME)  # what the route gives back, unchanged
    asked = read_destination("zoom.us")
    verdict = judge.decider.decide(asked, now=datetime.now(UTC).timestamp())
    lifted = judge.exceptions.lift(verdict, asked, (ME,), "", datetime.now(UTC).timestamp())
    by_decider = describe("zoom.us", asked, lifted)
    assert by_command_line == by_api == by_decider
    assert by_command_line["exception"]["id"] == str(facts.id)
    assert by_command_line["verdict"]["rule"] == "exception"
    plain = json.loads(sovproxy("check", "zoom.us", "--json").stdout)
    assert plain["exception"] is None
    assert "exception    number 1, until " in sovproxy("check", "zoom.us", "--client", ME).stdout
