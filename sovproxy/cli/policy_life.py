"""`sovproxy policy` on the store of this installation: simulate, compare, apply, roll back."""

from __future__ import annotations

import getpass
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sovproxy.cli.exits import FAILURE, FINDINGS, OK, USAGE, or_exit, settings_or_exit
from sovproxy.errors import InvalidFile, SovproxyError
from sovproxy.events.text import visible
from sovproxy.policy.applied import MAX_TEXT_BYTES
from sovproxy.policy.compare import compare
from sovproxy.policy.load import find_policy, read_bytes
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.tokens import Principal, command_line
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.policies import (
    MAX_COMMENT,
    Deed,
    NoSuchVersion,
    Origin,
    PolicyDesk,
    version_page,
    version_text,
)
from sovproxy.usecases.policy.simulation import InvalidSimulation, SimulationInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.policy.compare import Difference
    from sovproxy.store.database import Store
    from sovproxy.usecases.policy.policies import Version
    from sovproxy.usecases.policy.simulation import Simulation

_AGO: Final = re.compile(r"([0-9]{1,5})([hd])")
_UNITS: Final = {"h": "hours", "d": "days"}

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
CommentOption = Annotated[str, typer.Option(help="Why; kept in the history and the audit.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="File or profile name.")]
FileOrNumber = Annotated[
    str, typer.Argument(metavar="[FILE|N]", help="A file, a profile, or a version's number.")
]


def simulate(
    file: File,
    *,
    since: Annotated[str, typer.Option(metavar="AGO", help="How far back: 24h, 7d.")] = "7d",
    as_json: JsonOption = False,
) -> None:
    """Tell what a draft would change on recorded traffic. Exit code 1 if something would."""
    back = _ago(since)
    with _desk() as desk:
        now = datetime.now(UTC)
        asked = SimulationInput(since=now - back)
        found = desk.simulate(_who(), _read(desk, file), asked, now)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json")))
    else:
        _print_simulation(found)
    raise typer.Exit(FINDINGS if found.changed else OK)


def diff(old: FileOrNumber = "", new: FileOrNumber = "", *, as_json: JsonOption = False) -> None:
    """Compare two policies; what is not given is the one in force. Exit code 1 if they differ."""
    with _desk() as desk:
        before, after = (_text(desk, word) for word in (old, new))
    found = compare(before, after, old or "in force", new or "in force")
    if as_json:
        typer.echo(json.dumps(_difference(found)))
    else:
        for line in found.lines:
            typer.echo(visible(line))
    raise typer.Exit(OK if found.is_empty else FINDINGS)


def apply(
    file: File,
    *,
    comment: CommentOption = "",
    based_on: Annotated[
        int | None, typer.Option(min=0, help="Only if this is the newest version still.")
    ] = None,
) -> None:
    """Put a policy in force on every node. Exit code 1 if it is refused."""
    with _desk() as desk:
        deed = _deed(desk, comment, based_on)
        _print_version(desk.apply(deed, _read(desk, file), Origin.CLI))


def history(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Print at most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List what was applied, newest first."""
    with _store() as store:
        for version in version_page(store, limit).items:
            if as_json:
                typer.echo(json.dumps(version.model_dump(mode="json")))
            else:
                _print_version(version)


def rollback(
    number: Annotated[int, typer.Argument(metavar="N", min=0, help="0: back to the settings.")],
    *,
    comment: CommentOption = "",
) -> None:
    """Put an older version in force again, as a new one."""
    with _desk() as desk:
        deed = _deed(desk, comment, None)
        version = desk.roll_back(deed, number) if number else desk.to_settings(deed)
        _print_version(version)


def register(app: typer.Typer) -> None:
    """Hang the commands into `sovproxy policy`."""
    for command in (simulate, diff, apply, history, rollback):
        app.command()(command)


@contextmanager
def _store() -> Iterator[Store]:
    """The store of this installation; errors become exit codes."""
    store = or_exit(lambda: open_store(read_settings().effective_store_url))
    try:
        yield store
    except (InvalidFile, NoSuchVersion) as error:
        _fail(error, FINDINGS)
    except InvalidSimulation as error:
        _fail(error, USAGE)
    except (SovproxyError, OSError) as error:
        _fail(error, FAILURE)
    finally:
        store.close()


@contextmanager
def _desk() -> Iterator[PolicyDesk]:
    settings = settings_or_exit()
    with _store() as store:
        desk = PolicyDesk(store, Judge(settings), settings.data_dir)
        desk.keep_in_step()
        yield desk


def _fail(error: Exception, code: int) -> None:
    for line in str(error).split("\n"):
        typer.echo(visible(line), err=True)
    raise typer.Exit(code) from None


def _who() -> Principal:
    try:
        return command_line(getpass.getuser())
    except (KeyError, OSError):  # a user without a name, as in some containers
        return command_line("")


def _deed(desk: PolicyDesk, comment: str, based_on: int | None) -> Deed:
    if len(comment) > MAX_COMMENT or not comment.isprintable():
        message = f"at most {MAX_COMMENT} printable characters are wanted"
        raise typer.BadParameter(message, param_hint="--comment")
    newest = desk.in_force().newest if based_on is None else based_on
    return Deed(_who(), datetime.now(UTC), newest, comment)


def _read(desk: PolicyDesk, file: str) -> str:
    """The text of a file or profile that can be applied. Raises InvalidFile, naming the file."""
    text = _any_text(file)
    desk.check(text, file)
    return text


def _any_text(file: str) -> str:
    data = read_bytes(find_policy(file))
    return data[: MAX_TEXT_BYTES + 1].decode("utf-8", "replace")


def _text(desk: PolicyDesk, word: str) -> str:
    if not word:
        return desk.in_force().text
    if word.isascii() and word.isdigit() and len(word) <= 9:
        return version_text(desk.store, int(word)).text
    return _any_text(word)


def _ago(text: str) -> timedelta:
    found = _AGO.fullmatch(text)
    if not found:
        raise typer.BadParameter("how long ago is wanted: 24h, 7d", param_hint="--since")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _difference(found: Difference) -> dict[str, object]:
    return {
        "diff": "\n".join(found.lines),
        "added": found.added,
        "removed": found.removed,
        "changed": [{"id": i.id, "keys": i.keys, "moved": i.moved} for i in found.changed],
        "keys": found.keys,
    }


def _print_version(version: Version) -> None:
    origin = version.origin + (f" to {version.source}" if version.source else "")
    parts = [f"{version.number:4}", version.time.strftime("%Y-%m-%dT%H:%M:%SZ"), version.digest]
    parts += [version.policy, f"({origin})", version.author_name, version.comment]
    typer.echo(visible(" ".join(part for part in parts if part)))


def _print_simulation(found: Simulation) -> None:
    lines = [
        f"{found.connections} connections since {found.since:%Y-%m-%d %H:%M} UTC",
        f"{found.changed} would change: {found.stricter} stricter, {found.milder} milder",
        f"{found.clients} clients are affected, as far as events tell",
    ]
    lines += [
        f"  {i.before:8} -> {i.after:8} {i.number}" for i in found.moves if i.before != i.after
    ]
    lines += [f"  group {i.name or '(none)'}: {i.changed}" for i in found.groups if i.changed]
    lines += [f"  service {i.name or '(none)'}: {i.changed}" for i in found.services if i.changed]
    lines += [f"  e.g. {i.host or i.address}: {i.draft.reason}" for i in found.examples]
    lines += [f"  cannot be told ({i.why}): {i.number}" for i in found.not_told]
    lines += ["  not everything was judged; choose a shorter range"] if found.cut else []
    for line in lines:
        typer.echo(visible(line))
