"""`sovproxy ca`: the root that workstations trust, and the issuing CAs that may speak for few."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography.hazmat.primitives import hashes

from sovproxy.ca.certificates import common_name
from sovproxy.ca.keys import KeyKind
from sovproxy.ca.requests import read_requests
from sovproxy.ca.wanted import catalogue_bounds
from sovproxy.cli.exits import FINDINGS, OK, USAGE, or_exit, settings_or_exit
from sovproxy.events.files import replace_private
from sovproxy.usecases.ca import life
from sovproxy.usecases.ca.folder import CaFolder, read_bounded
from sovproxy.usecases.ca.passphrase import known_passphrase, read_passphrase
from sovproxy.usecases.ca.state import State, describe, look, names_in, some, wanted_by
from sovproxy.usecases.policy.judging import Judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.ca.wanted import Wanted
    from sovproxy.settings import Settings

app = typer.Typer(
    add_completion=False,
    name="ca",
    help="The CA for prompts: a root, and issuing CAs bound to the policy's names.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
RootFolder = Annotated[
    Path | None, typer.Option("--root", help="Folder of a root that lives apart from the node.")
]
Kind = Annotated[KeyKind, typer.Option(help="Kind of the root's key.")]
Secret = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line is the root's passphrase."),
]
Days = Annotated[
    int | None,
    typer.Option(min=1, max=life.MAX_ISSUING_DAYS, help="Days that the issuing CAs last."),
]


@app.command()
def init(
    *,
    root: RootFolder = None,
    kind: Kind = KeyKind.EC_P256,
    name: Annotated[str, typer.Option(help="Name of the root.")] = "sovproxy root",
    years: Annotated[int, typer.Option(min=1, max=30, help="Years it lasts.")] = life.ROOT_YEARS,
    bound: Annotated[
        bool, typer.Option("--bound", help="Bind the root itself to the catalogue's names.")
    ] = False,
    passphrase_file: Secret = None,
    as_json: Json = False,
) -> None:
    """Make a root, its key encrypted by a passphrase, and the issuing CAs of this node.

    With --root only a root is made, in that folder: on a machine that stays offline. The passphrase
    comes from --passphrase-file, the settings, or is asked for.
    """
    settings = settings_or_exit()
    now = datetime.now(UTC)
    folder = CaFolder(root) if root else CaFolder.of(settings)
    wanted, bounds = None, None
    if root is None or bound:
        judge = or_exit(lambda: Judge(settings))
        wanted = wanted_by(judge, now)
        bounds = catalogue_bounds(judge.atlas.listings, wanted) if bound else None
    secret = or_exit(lambda: life.require_strong(_passphrase(settings, passphrase_file, new=True)))
    terms = life.RootTerms(name, kind, years, secret, bounds)
    or_exit(lambda: _make(folder, terms, None if root else wanted, settings.ca_days, now))
    if wanted is None or root:
        _show_root(folder, as_json=as_json)
    else:
        _report(look(folder, wanted, now), as_json=as_json)


@app.command()
def show(*, as_json: Json = False) -> None:
    """Show what the CA permits, until when, and which names of the policy it lacks.

    Exit code 1 when something is to be done.
    """
    settings, wanted = _wanted()
    state = look(CaFolder.of(settings), wanted, datetime.now(UTC))
    _report(state, as_json=as_json)
    raise typer.Exit(FINDINGS if state.problems or state.surplus else OK)


@app.command()
def renew(*, days: Days = None, passphrase_file: Secret = None, as_json: Json = False) -> None:
    """Make new issuing CAs, with a new key, for the policy and catalogue as they are now."""
    settings, wanted = _wanted()
    folder, now = CaFolder.of(settings), datetime.now(UTC)
    secret = ""
    if or_exit(lambda: folder.key_is_locked):
        secret = or_exit(lambda: _passphrase(settings, passphrase_file))
    or_exit(lambda: _renew(folder, wanted, days or settings.ca_days, now, secret))
    _report(look(folder, wanted, now), as_json=as_json)


@app.command()
def request(
    file: Annotated[Path, typer.Argument(help="Where to write the requests.")],
    *,
    root: Annotated[
        Path | None, typer.Option(help="Certificate of the root that will sign (PEM).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a root that lives elsewhere for issuing CAs: the key stays here, the file may travel."""
    settings, wanted = _wanted()
    folder = CaFolder.of(settings)
    if root is None and not folder.has_root:
        typer.echo("which root is to sign? Give its certificate: --root FILE", err=True)
        raise typer.Exit(USAGE)
    or_exit(lambda: _ask(folder, root, wanted, file))
    said = {"requests": str(file), "names": len(wanted.names)}
    _say(said, f"{file}: requests for {len(wanted.names)} names", as_json=as_json)


@app.command()
def sign(
    requests: Annotated[Path, typer.Argument(help="What `ca request` wrote.")],
    answer: Annotated[Path, typer.Argument(help="Where to write the certificates.")],
    *,
    root: Annotated[Path, typer.Option(help="Folder of the root.")],
    days: Days = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    passphrase_file: Secret = None,
    as_json: Json = False,
) -> None:
    """Sign requests where the root lives. The names are shown first: read them.

    Only names and key are taken from a request; bounds, path length and time are set here.
    """
    settings, folder = settings_or_exit(), CaFolder(root)
    asked = or_exit(lambda: read_requests(read_bounded(requests), requests))
    names = sorted(names_in(one.scope for one in asked))
    if not yes:
        typer.echo("\n".join(names), err=True)
        typer.confirm(f"Sign issuing CAs for these {len(names)} names?", abort=True, err=True)
    locked = or_exit(lambda: folder.key_is_locked)
    secret = or_exit(lambda: _passphrase(settings, passphrase_file)) if locked else ""
    lasts, now = days or settings.ca_days, datetime.now(UTC)
    signed = or_exit(lambda: life.sign_requests(folder, asked, lasts, now, secret))
    or_exit(lambda: replace_private(answer.absolute(), signed))
    said = {"certificates": len(asked), "names": len(names), "file": str(answer)}
    _say(said, f"{answer}: {len(asked)} issuing CAs for {len(names)} names", as_json=as_json)


@app.command()
def install(
    answer: Annotated[Path, typer.Argument(help="What `ca sign` wrote.")],
    *,
    as_json: Json = False,
) -> None:
    """Put certificates that were signed elsewhere in place; a foreign or broken file is refused."""
    settings, wanted = _wanted()
    folder = CaFolder.of(settings)
    or_exit(lambda: _install(folder, answer))
    _report(look(folder, wanted, datetime.now(UTC)), as_json=as_json)


def _wanted() -> tuple[Settings, Wanted]:
    settings = settings_or_exit()
    judge = or_exit(lambda: Judge(settings))
    return settings, wanted_by(judge, datetime.now(UTC))


def _make(
    folder: CaFolder, terms: life.RootTerms, wanted: Wanted | None, days: int, now: datetime
) -> None:
    with folder.locked():
        life.make_root_in(folder, terms, now)
        if wanted and wanted.scopes:
            life.renew(folder, wanted.scopes, days, now, terms.passphrase)


def _renew(folder: CaFolder, wanted: Wanted, days: int, now: datetime, secret: str) -> None:
    with folder.locked():
        life.renew(folder, wanted.scopes, days, now, secret)


def _ask(folder: CaFolder, root: Path | None, wanted: Wanted, file: Path) -> None:
    with folder.locked():
        if root:
            life.take_root(folder, root)
        replace_private(file.absolute(), life.ask(folder, wanted.scopes))


def _install(folder: CaFolder, answer: Path) -> None:
    with folder.locked():
        life.install(folder, answer)


def _passphrase(settings: Settings, file: Path | None, *, new: bool = False) -> str:
    """The passphrase, from a file, the settings, or whoever sits at the terminal."""
    known = read_passphrase(file) if file else known_passphrase(settings)
    if known:
        return known
    if not sys.stdin.isatty():
        raise life.CannotSign(
            "there is nobody to ask for the passphrase; give --passphrase-file, "
            "or set SOVPROXY_CA_PASSPHRASE_FILE"
        )
    return str(
        typer.prompt("Passphrase of the root", hide_input=True, confirmation_prompt=new, err=True)
    )


def _show_root(folder: CaFolder, *, as_json: bool) -> None:
    root = or_exit(folder.root)
    digest = root.fingerprint(hashes.SHA256()).hex(":")
    said = {"root": str(folder.root_file), "name": common_name(root.subject), "sha256": digest}
    _say(said, f"{folder.root_file}\n  SHA-256 {digest}", as_json=as_json)


def _say(said: Mapping[str, object], text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(said) if as_json else text)


def _report(state: State, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(describe(state)))
        return
    for line in _lines(state):
        typer.echo(line)
    for problem in state.problems:
        typer.echo(f"Warning: {problem}", err=True)


def _lines(state: State) -> list[str]:
    root, issuing, wanted = state.root, state.issuing, state.wanted
    lines = []
    if root:
        lines.append(f"Root     {common_name(root.subject)}, until {root.not_valid_after_utc:%F}")
        lines.append(f"         SHA-256 {root.fingerprint(hashes.SHA256()).hex(':')}")
        lines.append(f"         key: {state.key}")
    if issuing:
        names = len(names_in(issuing.scopes))
        lines.append(f"Issuing  {len(issuing.scopes)} CAs, {names} names, until {issuing.ends:%F}")
        lines.append(f"         at most {issuing.largest} bytes in an answer")
    if inspecting := state.inspecting:
        told = f"speaks for all but {len(inspecting.never)} names"
        lines.append(f"Full     {told}, until {inspecting.ends:%F}")
    lines.append(f"Policy   may stop {len(wanted.names)} names")
    if wanted.left_out:
        lines.append(f"         never named in a certificate: {some(wanted.left_out)}")
    if wanted.by_address:
        rules = some(wanted.by_address)
        lines.append(f"         stop other hosts too, which get no prompt: {rules}")
    if state.surplus:
        lines.append(f"         no longer stopped: {some(state.surplus)}: `sovproxy ca renew`")
    return lines
