"""No address that somebody hands over leads a person to another site."""

from __future__ import annotations

import json
import subprocess
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sovproxy.console.links import own_path
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.worker.acknowledging import is_local_path

ODD = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "/console//evil.example",
    "/console/..//evil.example",
    "/console/../../../evil",
    "/console/\\evil.example",
    "/console/%2f%2fevil.example",
    "/console@evil.example",
    "/console.evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    " /console/x",
    "/console/\t/evil.example",
    "/console/\r\nlocation: https://evil.example",
    "\\\\evil.example",
    "/console/é",
    "///evil.example",
    "/console/?next=//evil.example",
    "/console/#@evil.example",
    "http:/evil.example",
    "",
)
PIECES = st.sampled_from(
    [
        "/",
        "\\",
        "/console/",
        "/console",
        "..",
        ".",
        "//",
        "evil.example",
        "@",
        ":",
        "https:",
        "?",
        "#",
        "%2f",
        "%5c",
        "\t",
        "\n",
        "\r",
        " ",
        "\0",
        "é",
        "\u2028",
        "javascript:",
    ]
)
PATHS = st.lists(PIECES, max_size=8).map("".join)
JUDGE = """
let text = ""; for await (const part of process.stdin) text += part;
const here = "https://here.example";
const away = JSON.parse(text).filter((path) => {
  try { return new URL(path, `${here}/console/sign-in`).origin !== here; }
  catch { return false; }
});
console.log(JSON.stringify(away));
"""


def leads_away(paths: list[str]) -> list[str]:
    """Those that a browser would follow to another origin, as its own parser says."""
    command = ["node", "--input-type=module", "-e", JUDGE]
    done = subprocess.run(
        command, input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_browser_would_follow_some_of_them_elsewhere():
    assert len(leads_away(list(ODD))) >= 8


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PATHS, min_size=200, max_size=300))
def test_no_path_that_is_taken_leads_away(paths):
    """By the browser's own reading of it: of the console's, and of the way back on a prompt."""
    assert leads_away([own_path(path) for path in paths]) == []
    assert leads_away([path for path in paths if is_local_path(path)]) == []


@pytest.mark.parametrize("path", ODD)
def test_signing_in_leads_nowhere_else(attacked, path):
    client = attacked.client(None)
    data = {"token": attacked.token(Role.ADMIN), "next": path}
    answer = client.post("/console/sign-in", data=data)
    stays(answer)
    stays(client.get(f"/console/language/fr?next={quote(path, safe='')}"))
    page = client.get(f"/console/sign-in?next={quote(path, safe='')}").text
    assert 'name="next" value="/console/' in page
    client.close()


def stays(answer) -> None:
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/")
    assert leads_away([answer.headers["location"]]) == []
    assert "evil" not in (answer.headers.get("set-cookie") or "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:1", "127.0.0.1@evil.example"])
def test_a_host_of_somebodys_choice_stands_in_no_redirect(attacked, host):
    client = attacked.client(None, host=host)
    for path in ("/console/events", "/console/", "/console/oidc/start", "/console"):
        answer = client.get(path)
        assert "evil" not in answer.headers.get("location", ""), path
    client.close()
