from __future__ import annotations

import csv
import io
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.events.event import Event
from sovproxy.store.audit import list_entries
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.access.tokens import Role, authenticate

NOW = datetime.now(UTC).replace(microsecond=0)
COMMAND = "import typer; from sovproxy.cli import events, tokens; app = typer.Typer()\n"
COMMAND += "app.add_typer(events.app); app.add_typer(tokens.app); app()"


def make_event(minutes=0, **fields):
    values = {
        "time": NOW - timedelta(minutes=minutes),
        "node": "n",
        "kind": "decision",
        "host": "zoom.us",
        "port": 443,
        "service": "zoom",
        "control": ("US",),
        "action": "block",
        "rule": "video-abroad",
        "policy": "p",
        "policy_version": "1",
        "outcome": "prompted",
        "transport": "https",
    }
    return Event.model_validate(values | fields, strict=False)


class Cli:
    """Runs the commands as processes over a store of their own."""

    def __init__(self, folder):
        self.url = sqlite_url(folder / "store.sqlite")
        self.environment = os.environ | {
            "SOVPROXY_STORE_URL": self.url,
            "SOVPROXY_DATA_DIR": str(folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def insert(self, *events):
        store = open_store(self.url)
        insert_records(store, events, [])
        store.close()

    def command(self, *arguments):
        return [sys.executable, "-c", COMMAND, *arguments]

    def __call__(self, *arguments):
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


def test_search_prints_events_newest_first(cli):
    old, new = make_event(minutes=5, host="old.example"), make_event(host="new.example")
    cli.insert(old, new)
    done = cli("events", "search")
    assert done.returncode == 0
    assert [line.split()[2] for line in done.stdout.splitlines()] == [
        "new.example:443",
        "old.example:443",
    ]
    assert "BLOCK" in done.stdout
    assert "rule=video-abroad" in done.stdout


def test_search_prints_whole_events_as_json(cli):
    event = make_event()
    cli.insert(event)
    done = cli("events", "search", "--json")
    assert json.loads(done.stdout) == json.loads(event.to_json())


def test_filters_and_limit_narrow_the_search(cli):
    cli.insert(*(make_event(minutes=n, action="warn") for n in range(5)), make_event())
    done = cli("events", "search", "action=warn", "since=4h", "--json", "--limit", "3")
    assert [json.loads(line)["action"] for line in done.stdout.splitlines()] == ["warn"] * 3
    assert cli("events", "search", "until=1d").stdout == ""


def test_finding_nothing_is_an_answer_and_no_failure(cli):
    done = cli("events", "search", "service=nothing")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No event fits.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["service"], "FIELD=VALUE is wanted"),
        (["colour=red"], "colour"),
        (["since=yesterday"], "since"),
        (["since=2026-11-23T08:00:00"], "timezone"),
        (["since=999999d"], "since"),
        (["action=explode"], "action[0]"),
        (["since=1h", "until=2h"], "`since` must be before `until`"),
        (["--limit", "0"], "limit"),
        (["\x1b[31m"], "␛[31m"),
    ],
)
def test_a_bad_filter_is_a_usage_error_that_names_it(cli, arguments, message):
    done = cli("events", "search", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "\x1b" not in done.stderr


def test_a_store_that_cannot_be_opened_is_a_failure_without_a_trace(cli, tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"no database at all" * 100)
    done = cli("events", "search")
    assert done.returncode == 3
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr


def test_hostile_strings_never_drive_the_terminal(cli):
    """Stored behind the API's back, so that only the command line stands between."""
    hostile = "\x1b]0;owned\x07\x1b[2J\r\nFAKE LINE\u202e\x9b31m"
    event = make_event().model_copy(update={"host": hostile, "rule": hostile, "service": hostile})
    cli.insert(event)
    outputs = [
        cli("events", "search").stdout,
        cli("events", "search", "--json").stdout,
        cli("events", "export", "--format", "jsonl").stdout,
        cli("events", "export", "--format", "csv").stdout,
    ]
    for output in outputs:
        assert not {"\x1b", "\x07", "\r", "\u202e", "\x9b"} & set(output)
        assert not any(line.startswith("FAKE") for line in output.splitlines())
    assert json.loads(outputs[1])["host"] == hostile


def test_export_writes_every_event_as_json_lines(cli):
    cli.insert(*(make_event(minutes=number) for number in range(600)))
    done = cli("events", "export", "--format", "jsonl")
    assert len({json.loads(line)["id"] for line in done.stdout.splitlines()}) == 600


def test_export_writes_a_table_that_no_spreadsheet_executes(cli):
    cli.insert(make_event(host="=cmd|'/C calc'!A1", reason='a "quoted", text', rule="@x"))
    done = cli("events", "export", "--format", "csv")
    [row] = csv.DictReader(io.StringIO(done.stdout))
    assert row["host"] == "'=cmd|'/C calc'!A1"
    assert row["rule"] == "'@x"
    assert row["reason"] == 'a "quoted", text'
    assert (row["port"], row["control"]) == ("443", "US")


def test_export_to_a_file_is_private_and_never_overwrites(cli, tmp_path):
    cli.insert(make_event())
    file = tmp_path / "events.csv"
    assert cli("events", "export", "--format", "csv", "--output", str(file)).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    again = cli("events", "export", "--format", "csv", "--output", str(file))
    assert (again.returncode, file.read_bytes()) == (3, content)
    assert "File exists" in again.stderr


def test_a_reader_that_goes_away_is_no_failure(cli):
    cli.insert(*(make_event(minutes=number) for number in range(2000)))
    exporter = subprocess.Popen(
        cli.command("events", "export", "--format", "jsonl"),
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert exporter.stdout is not None
    assert exporter.stderr is not None
    exporter.stdout.readline()
    exporter.stdout.close()
    assert exporter.stderr.read() == b""
    exporter.stderr.close()
    assert exporter.wait() == 0


def test_tail_follows_what_arrives_until_it_is_interrupted(cli):
    """An event that waited in a spool arrives with an old time and is shown all the same."""
    cli.insert(make_event(minutes=1, host="first.example"))
    follower = subprocess.Popen(
        cli.command("events", "tail", "--json", "service=zoom"),
        env=cli.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["host"] == "first.example"
    cli.insert(make_event(service="teams"), make_event(minutes=9999, host="late.example"))
    assert json.loads(follower.stdout.readline())["host"] == "late.example"
    follower.send_signal(signal.SIGINT)
    assert follower.stdout.read() == ""
    follower.stdout.close()
    assert follower.wait() == 0


def test_a_token_is_made_listed_and_revoked(cli):
    made = cli("tokens", "create", "--role", "analyst", "--name", "Ada", "--days", "7")
    token = made.stdout.strip()
    store = open_store(cli.url)
    principal = authenticate(store, token)
    assert principal is not None
    assert (principal.name, principal.role) == ("Ada", Role.ANALYST)
    listed = json.loads(cli("tokens", "list", "--json").stdout)
    assert (listed["name"], listed["state"]) == ("Ada", "valid")
    assert token[-43:] not in cli("tokens", "list").stdout
    assert cli("tokens", "revoke", listed["id"]).returncode == 0
    assert authenticate(store, token) is None
    store.close()
    assert json.loads(cli("tokens", "list", "--json").stdout)["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "--role", "king", "--name", "x"], 2),
        (["create", "--role", "admin"], 2),
        (["create", "--role", "admin", "--name", "x", "--days", "0"], 2),
        (["create", "--role", "admin", "--name", ""], 3),
        (["revoke", "nothing\x1b[2J"], 3),
    ],
)
def test_a_token_that_cannot_be_is_refused(cli, arguments, code):
    done = cli("tokens", *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert "\x1b" not in done.stderr


def test_every_look_is_in_the_audit_before_anything_is_printed(cli):
    cli.insert(make_event(2), make_event(1), make_event(1, service="teams"))
    cli("events", "search", "service=zoom", "--limit", "1")
    cli("events", "export", "--format", "csv", "without=service:zoom")
    store = open_store(cli.url)
    export, search = list_entries(store, 10)
    store.close()
    assert (search.what, search.rows, search.token) == ("events", 1, "cli")
    assert json.loads(search.details) == {"service": ["zoom"]}
    assert (export.what, export.rows) == ("export", 1)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert search.name == export.name == f"cli:{user}"


def test_what_nobody_would_know_of_is_not_printed(cli):
    """The audit refuses to grow here, as on a full disk."""
    cli.insert(make_event())
    store = open_store(cli.url)
    with store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    store.close()
    for command in (["search"], ["export", "--format", "jsonl"]):
        answer = cli("events", *command)
        assert answer.returncode != 0
        assert "zoom.us" not in answer.stdout
