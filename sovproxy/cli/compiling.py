"""`sovproxy compile`: the same policy, for other engines."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from sovproxy.cli.exits import USAGE, or_exit
from sovproxy.enforce.browser_policies import Installation, chromium_policy, firefox_policy
from sovproxy.settings import Settings
from sovproxy.usecases.policy.bundles import key_set, load_key

if TYPE_CHECKING:
    from typing import Any

app = typer.Typer(
    name="compile", help="Print ready files for browsers and other engines.", no_args_is_help=True
)

_EXTENSION_ID = re.compile(r"[a-p]{32}")
_WEB = re.compile(r"https?://[^\s/]+(/\S*)?")

Api = Annotated[
    str, typer.Option(help="Address of the admin API as workstations reach it; default: here.")
]
ExtensionId = Annotated[
    str, typer.Option(help="Id of the signed extension: 32 letters from a to p.")
]
UpdateUrl = Annotated[str, typer.Option(help="Address of the update manifest (XML).")]
InstallUrl = Annotated[str, typer.Option(help="Address of the signed package (XPI).")]


@app.command("chrome-policy")
def chrome_policy(extension_id: ExtensionId, update_url: UpdateUrl, api: Api = "") -> None:
    """Print the policy of Chrome: a file for /etc/opt/chrome/policies/managed."""
    _print(chromium_policy(_installation(api, update_url, extension_id)))


@app.command("edge-policy")
def edge_policy(extension_id: ExtensionId, update_url: UpdateUrl, api: Api = "") -> None:
    """Print the policy of Edge: a file for /etc/opt/edge/policies/managed."""
    _print(chromium_policy(_installation(api, update_url, extension_id)))


@app.command("firefox-policy")
def firefox_policy_file(install_url: InstallUrl, api: Api = "") -> None:
    """Print the policy of Firefox: policies.json for /etc/firefox/policies."""
    _print(firefox_policy(_installation(api, install_url)))


def _installation(api: str, package: str, extension_id: str = "") -> Installation:
    settings = or_exit(Settings)
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
