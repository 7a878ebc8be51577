"""`sovproxy policy`: check policies, simulate and compare them, apply them and roll back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sovproxy.atlas.follow import CatalogueFolder
from sovproxy.cli import policy_life
from sovproxy.cli.exits import FAILURE, FINDINGS, settings_or_exit
from sovproxy.errors import InvalidFile, Problem
from sovproxy.policy.fields import read_instant
from sovproxy.policy.known import Known
from sovproxy.policy.load import Checked, check_policy, find_policy, profile_names, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sovproxy.decide.policy import Rule
    from sovproxy.policy.schema import RuleText
    from sovproxy.settings import Settings

_SHOWN = 500

app = typer.Typer(add_completion=False, name="policy", no_args_is_help=True, help=__doc__)

policy_life.register(app)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


def known_names(settings: Settings) -> Known:
    """What policies may name, from the shipped catalogue and the admin's own (settings).

    Raises InvalidFile.
    """
    return Known.of_atlas(CatalogueFolder.of(settings).load())


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files or profile names.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check policies. Exit code 1 if one of them is refused; warnings alone leave it at 0."""
    known = _known_or_exit()
    results = [_validate_one(file, known, as_json=as_json) for file in files]
    if not all(results):
        raise typer.Exit(FINDINGS)


@app.command()
def profiles(*, as_json: JsonOption = False) -> None:
    """List the policies that are shipped."""
    known = _known_or_exit()
    for name in profile_names():
        checked = check_policy(name, known)
        if as_json:
            _print_json(_head(checked))
        else:
            typer.echo(f"{name:9} {_in(checked.text.title, 'en')}")
            typer.echo(f"{'':9} {_in(checked.text.about, 'en')}")


@app.command()
def show(
    source: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="Default: the policy of the settings.")
    ] = "",
    *,
    at: Annotated[
        str, typer.Option(metavar="DATE", help="Show what is in force then, instead of now.")
    ] = "",
    original: Annotated[
        bool, typer.Option("--source", help="Print the file itself, to start your own from.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the rules in their order, each with the action in force."""
    name = source or settings_or_exit().policy
    moment = _moment(at)
    try:
        if original:
            typer.echo(read_bytes(find_policy(name)).decode("utf-8", "replace"), nl=False)
            return
        checked = check_policy(name, _known_or_exit())
    except InvalidFile as error:
        _refuse(error.problems, FINDINGS)
    if as_json:
        _print_json(_as_json(checked, moment))
    else:
        _print_policy(checked, moment)


def _known_or_exit() -> Known:
    settings = settings_or_exit()
    try:
        return known_names(settings)
    except InvalidFile as error:
        typer.echo("The catalogue is refused:", err=True)
        _refuse(error.problems, FAILURE)


def _refuse(problems: Iterable[Problem], code: int) -> NoReturn:
    for problem in problems:
        typer.echo(_printable(str(problem)), err=True)
    raise typer.Exit(code) from None


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        return read_instant(text).astimezone(UTC)
    except ValueError as error:
        raise typer.BadParameter(f"{text[:40]!r} {error}", param_hint="--at") from None


def _validate_one(file: str, known: Known, *, as_json: bool) -> bool:
    """Print what is to be said about one file; false when it is refused."""
    head: dict[str, object] = {}
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    try:
        checked = check_policy(file, known)
        head, warnings = _head(checked), checked.warnings
    except InvalidFile as error:
        errors = error.problems
    if as_json:
        found = {"errors": list(map(asdict, errors)), "warnings": list(map(asdict, warnings))}
        _print_json({"file": file, "valid": not errors, **head, **found})
        return not errors
    for problem in errors:
        typer.echo(_printable(f"error: {problem}"))
    for problem in warnings:
        typer.echo(_printable(f"warning: {problem}"))
    typer.echo(_printable(f"{file}: {_summary(head, errors, warnings)}"))
    return not errors


def _summary(
    head: Mapping[str, object], errors: tuple[Problem, ...], warnings: tuple[Problem, ...]
) -> str:
    if errors:
        return f"refused, {len(errors)} error{'s' * (len(errors) > 1)}"
    text = f"valid, version {head['version']}"
    return text + (f", {len(warnings)} warning{'s' * (len(warnings) > 1)}" if warnings else "")


def _head(checked: Checked) -> dict[str, object]:
    text, policy = checked.text, checked.policy
    return {
        "id": policy.id,
        "version": policy.version,
        "language": policy.language,
        "title": text.title,
        "about": text.about,
        "trust_zone": list(text.trust_zone),
    }


def _as_json(checked: Checked, moment: datetime) -> dict[str, object]:
    text, policy = checked.text, checked.policy
    pairs = zip(text.rules, policy.rules, strict=True)
    return {
        **_head(checked),
        "file": checked.file,
        "at": moment.isoformat(),
        "countries": sorted(policy.trust_zone),
        "inspection": policy.inspection,
        "on_error": policy.on_error.value,
        "default": policy.default.value,
        "acknowledgement_seconds": policy.acknowledgement_seconds,
        "retention_days": policy.retention_days,
        "rules": [_rule_as_json(rule, compiled, moment) for rule, compiled in pairs],
    }


def _rule_as_json(text: RuleText, rule: Rule, moment: datetime) -> dict[str, object]:
    action = rule.action_at(moment.timestamp())
    return {
        "id": text.id,
        "in_force": action.value if action else None,
        "about": text.about,
        **text.model_dump(mode="json", include={"when", "action", "phases"}, exclude_none=True),
        "alternative": text.alternative,
        "message": text.message or {},
    }


def _print_policy(checked: Checked, moment: datetime) -> None:
    text, policy = checked.text, checked.policy
    typer.echo(f"{policy.id}: {_in(text.title, policy.language)} (version {policy.version})")
    if text.about:
        typer.echo(_in(text.about, policy.language))
    zone = ", ".join(text.trust_zone)
    typer.echo(f"\ntrust zone {zone} ({len(policy.trust_zone)} codes) · inspection", nl=False)
    typer.echo(f" {policy.inspection} · on error {policy.on_error}")
    typer.echo(f"in force on {moment:%Y-%m-%d %H:%M} UTC, the first that fits wins:\n")
    for number, rule in enumerate(text.rules, 1):
        action = policy.rules[number - 1].action_at(moment.timestamp())
        typer.echo(f"{number:3}. {action or '(not yet)':9} {rule.id}")
        for line in _rule_lines(rule):
            typer.echo(f"{'':15}{_printable(line)}")
    typer.echo(f"{'':5}{policy.default:9} everything else")


def _rule_lines(rule: RuleText) -> list[str]:
    """The details of a rule for people: conditions, dates, way out, and why."""
    when = rule.when.model_dump(mode="json", exclude_none=True)
    parts = (f"{key} {' or '.join(map(str, values))}" for key, values in when.items())
    lines = ["; ".join(parts)]
    if rule.phases:
        dates = rule.phases.model_dump(exclude_none=True).items()
        lines.append(", ".join(f"{action} from {_day(start)}" for action, start in dates))
    if rule.alternative:
        lines.append(f"alternative: {rule.alternative}")
    return lines + ([rule.about] if rule.about else [])


def _day(moment: datetime) -> str:
    at_midnight = moment.tzinfo is UTC and not (moment.hour or moment.minute or moment.second)
    return f"{moment:%Y-%m-%d}" if at_midnight else moment.isoformat()


def _in(texts: Mapping[str, str], language: str) -> str:
    """The text in that language, or else the first there is."""
    return _printable(texts.get(language) or next(iter(texts.values()), ""))


def _print_json(value: Mapping[str, object]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=True))


def _printable(text: str) -> str:
    """One line that is safe on a terminal: control characters escaped, length bounded."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= _SHOWN else f"{safe[: _SHOWN - 1]}…"
