"""A bad setting is refused in one line that names it, by every command, with its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "accounts list",
    "api",
    "audit verify",
    "ca show",
    "check zoom.us",
    "compile chrome-policy --extension-id x --update-url https://sovproxy.example",
    "data status",
    "events search",
    "exceptions list",
    "node",
    "papers check",
    "persons forget 0123",
    "policy diff fr-etat eu",
    "policy profiles",
    "policy show",
    "run",
    "tokens list",
)


@pytest.fixture
def sovproxy(tmp_path):
    """Run a command line in an environment that has these settings only."""

    def run(line: str, **settings: str) -> subprocess.CompletedProcess[str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("SOVPROXY_")}
        return subprocess.run(
            [sys.executable, "-m", "sovproxy", *line.split()],
            env=ours | {"SOVPROXY_DATA_DIR": str(tmp_path / "data")} | settings,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def the_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_config_file_that_is_not_there(sovproxy, tmp_path, command):
    config = str(tmp_path / "none.toml")
    said = the_line(sovproxy(command, SOVPROXY_CONFIG=config), 3)
    assert config in said
    assert "SOVPROXY_CONFIG" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_variable_that_is_no_json(sovproxy, command):
    said = the_line(sovproxy(command, SOVPROXY_OIDC_ROLES="{bad"), 2)
    assert said.startswith("setting SOVPROXY_OIDC_ROLES: JSON is wanted, such as ")
    assert said.endswith("; got '{bad'\n")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("VISIO_EMAIL_DOMAINS", "a.fr", 'JSON is wanted, such as ["ministere.example"]'),
        ("FORWARD", "x", "JSON is wanted, such as [{"),
        ("LIMITS", "x", 'JSON is wanted, such as {"connections": 2048}'),
        ("LIMITS__CONNECTIONS", "0", "greater than or equal to 1"),
        ("API_PORT", "99999", "less than or equal to 65535"),
        ("PUBLIC_URL", "sovproxy.example", "http:// or https://"),
        ("PUBLIC_URL", "https://", "http:// or https://"),
        ("PUBLIC_URL", "https://sovproxy.example:port/", "http:// or https://"),
        ("PUBLIC_URL", "https://sovproxy.example/?a=b", "without query"),
        ("FLEET_URL", "sovproxy.example:8889", "http:// or https://"),
        ("FLEET_URL", "http://", "http:// or https://"),
    ],
)
def test_a_bad_value_is_told_by_variable_by_what_is_wanted_and_what_came(
    sovproxy, name, value, wanted
):
    said = the_line(sovproxy("run", **{f"SOVPROXY_{name}": value}), 2)
    assert said.startswith(f"setting SOVPROXY_{name}: ")
    assert wanted in said
    assert said.endswith(f"; got {value!r}\n")


def test_a_bad_value_of_the_file_is_told_by_file_and_key(sovproxy, tmp_path):
    config = tmp_path / "sovproxy.toml"
    config.write_text('api_prt = 3\nproxy_port = "x"\n[limits]\nconnections = 0\n')
    done = sovproxy("tokens list", SOVPROXY_CONFIG=str(config))
    assert done.returncode == 2
    lines = sorted(done.stderr.splitlines())
    assert lines[0] == f"setting api_prt in {config}: there is no such setting; got 3"
    assert lines[1].startswith(f"setting limits.connections in {config}: ")
    assert lines[2].startswith(f"setting proxy_port in {config}: ")


def test_an_empty_sovproxy_config_is_as_if_it_were_not_set(sovproxy):
    assert sovproxy("policy profiles", SOVPROXY_CONFIG="").returncode == 0


def test_a_password_in_a_refused_setting_is_not_shown(sovproxy):
    said = sovproxy("run", SOVPROXY_PUBLIC_URL="https://ada:hunter2@sovproxy.example").stderr
    assert "setting SOVPROXY_PUBLIC_URL: " in said
    assert "hunter2" not in said


def test_what_is_wrong_in_a_command_itself_is_not_called_a_setting(sovproxy):
    done = sovproxy("persons erase not-a-pseudonym --reason ab")
    assert done.returncode == 2
    assert "setting" not in done.stderr
    assert "Traceback" not in done.stderr
