"""`sovproxy compile`: the same policy, for other engines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sovproxy.cli.exits import USAGE, or_exit, settings_or_exit
from sovproxy.enforce.browser_policies import Installation, chromium_policy, firefox_policy
from sovproxy.usecases.policy.bundles import key_set, load_key

if TYPE_CHECKING:
    from typing import Any

app = typer.Typer(
    add_completion=False,
    name="compile",
    help="Print ready files for browsers and other engines.",
    no_args_is_help=True,
)

_EXTENSION_ID = re.compile(r"[a-p]{32}")
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
ANYWHERE: Final = "*"
NOWHERE: Final = "none"
_WEB = re.compile(r"https?://[^\s/]+(/\S*)?")

Api = Annotated[
    str, typer.Option(help="Address of the admin API as workstations reach it; default: here.")
]
ExtensionId = Annotated[
    str, typer.Option(help="Id of the signed extension: 32 letters from a to p.")
]
UpdateUrl = Annotated[str, typer.Option(help="Address of the update manifest (XML).")]
InstallUrl = Annotated[str, typer.Option(help="Address of the signed package (XPI).")]
MarkLinksOn = Annotated[
    list[str] | None,
    typer.Option(
        help="Host on which links are marked, such as mail.example.org or *.example.org; * for"
        " every page, none for no page. May be repeated; default: well-known web mail."
    ),
]
NoticeMeetings = Annotated[
    bool, typer.Option(help="Whether meetings that no catalogue knows are told to the person.")
]
ReportMeetings = Annotated[
    bool, typer.Option(help="Whether they are counted by your API: host, standing and day alone.")
]


@app.command("chrome-policy")
def chrome_policy(
    extension_id: ExtensionId,
    update_url: UpdateUrl,
    api: Api = "",
    mark_links_on: MarkLinksOn = None,
    *,
    notice_meetings: NoticeMeetings = True,
    report_unknown_meetings: ReportMeetings = False,
) -> None:
    """Print the policy of Chrome: a file for /etc/opt/chrome/policies/managed."""
    choices = _choices(mark_links_on, notice_meetings, report_unknown_meetings)
    _print(chromium_policy(replace(_installation(api, update_url, extension_id), **choices)))


@app.command("edge-policy")
def edge_policy(
    extension_id: ExtensionId,
    update_url: UpdateUrl,
    api: Api = "",
    mark_links_on: MarkLinksOn = None,
    *,
    notice_meetings: NoticeMeetings = True,
    report_unknown_meetings: ReportMeetings = False,
) -> None:
    """Print the policy of Edge: a file for /etc/opt/edge/policies/managed."""
    choices = _choices(mark_links_on, notice_meetings, report_unknown_meetings)
    _print(chromium_policy(replace(_installation(api, update_url, extension_id), **choices)))


@app.command("firefox-policy")
def firefox_policy_file(
    install_url: InstallUrl,
    api: Api = "",
    mark_links_on: MarkLinksOn = None,
    *,
    notice_meetings: NoticeMeetings = True,
    report_unknown_meetings: ReportMeetings = False,
) -> None:
    """Print the policy of Firefox: policies.json for /etc/firefox/policies."""
    choices = _choices(mark_links_on, notice_meetings, report_unknown_meetings)
    _print(firefox_policy(replace(_installation(api, install_url), **choices)))


def _choices(given: list[str] | None, *noticing: bool) -> dict[str, Any]:
    """What the administration may leave as it is; a host that is none is refused."""
    marks, (notice, report) = given or [], noticing
    for host in marks:
        if host not in {ANYWHERE, NOWHERE} and not _HOST.fullmatch(host):
            wanted = "a host such as mail.example.org, *.example.org for all below it, * or none"
            _refuse(f"--mark-links-on: {wanted} is wanted, got {host!r}")
    if NOWHERE in marks and len(marks) > 1:
        _refuse(f"--mark-links-on: {NOWHERE} stands alone, got {' '.join(marks)}")
    if report and not notice:
        _refuse("--report-unknown-meetings: only what is noticed can be counted")
    hosts = tuple(host for host in marks if host != NOWHERE)
    chosen = {"mark_links_on": hosts} if marks else {}
    return chosen | {"notice_meetings": notice, "report_unknown_meetings": report}


def _installation(api: str, package: str, extension_id: str = "") -> Installation:
    settings = settings_or_exit()
    for name, value in (("--api", api or settings.api_url), ("the package's address", package)):
        if not _WEB.fullmatch(value):
            _refuse(f"{name}: an address such as https://sovproxy.example is wanted, got {value!r}")
    if extension_id and not _EXTENSION_ID.fullmatch(extension_id):
        _refuse(f"--extension-id: 32 letters from a to p are wanted, got {extension_id!r}")
    key = or_exit(lambda: load_key(settings.bundle_key_file))
    address = (api or settings.api_url).rstrip("/")
    return Installation(address, package, key_set(key), extension_id)


def _refuse(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE)


def _print(policy: dict[str, Any]) -> None:
    typer.echo(json.dumps(policy, indent=2))
