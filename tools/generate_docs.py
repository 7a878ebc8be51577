"""Regenerates everything in docs/ that is made from the code. `tests/test_docs.py` compares it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from sovproxy.api.app import ROUTERS, bare_app
from sovproxy.api.openapi import openapi_text, roles_table, with_roles_table
from sovproxy.atlas.reference import insert_keys
from sovproxy.cli.main import app
from sovproxy.limits import limits_table
from sovproxy.papers.particulars import Particulars, Recipient
from sovproxy.papers.texts import checks_text
from sovproxy.policy import docs as policy_docs
from sovproxy.receivers import FileReceiver, SyslogReceiver
from sovproxy.settings import Settings
from sovproxy.usecases.upkeep.measuring import metrics_table

DOCS = Path(__file__).resolve().parent.parent / "docs"

FIXED = (
    ("sovproxy_addons.answers.MAX_BODY", "bytes", "Body of a request that a node answers itself"),
    ("sovproxy_addons.stages.MAX_PIECES", "pieces", "Reads in which a head or a ClientHello comes"),
    ("sovproxy_addons.limits.AHEAD", "bytes", "Read of a client that has to wait for something"),
    ("sovproxy_addons.limits.MOST_REFUSED", "at a time", "Refused connections that are told why"),
    ("sovproxy.usecases.nodes.resolving.THREADS", "at a time", "Names that a node resolves"),
    ("sovproxy.usecases.nodes.resolving.MAX_ADDRESSES", "each", "Addresses of a name looked at"),
    ("sovproxy.decide.normalise.MAX_INPUT", "characters", "A host as it is given"),
    ("sovproxy.events.segments.MAX_RECORD_BYTES", "bytes", "One event in the spool"),
    ("sovproxy.events.spool.MAX_WAITING", "records", "Events that wait to be put on disk"),
    ("sovproxy.events.rollup.MAX_KEYS", "rows", "Kinds of connections counted within a period"),
    ("sovproxy.fleet.outbox.MAX_MESSAGES", "messages", "What a node keeps for the API"),
    ("sovproxy.fleet.outbox.MAX_BYTES", "bytes", "One of these messages"),
    ("sovproxy.fleet.directory.MAX_CLIENTS", "clients", "Clients that a node remembers a month"),
    (
        "sovproxy.usecases.nodes.membership.MAX_ASKED",
        "a day",
        "Exceptions a client asks a node for",
    ),
    ("sovproxy.usecases.nodes.fleet.MAX_NODES", "nodes", "Nodes of one API"),
    ("sovproxy.usecases.nodes.ingest.MAX_RECORDS", "records", "Events in one delivery"),
    ("sovproxy.usecases.worker.exception_desk.MAX_WAITING", "requests", "Exceptions that wait"),
    ("sovproxy.usecases.worker.exception_desk.MAX_PER_NODE", "an hour", "Exceptions by one node"),
    ("sovproxy.api.app.MAX_BODY_BYTES", "bytes", "Body of a request to the API"),
    ("sovproxy.api.throttle.GUESSES", "a minute", "Bad tokens of one address"),
    ("sovproxy.api.throttle.MAX_FAILURES", "in 5 minutes", "Failed sign-ins of one address"),
    ("sovproxy.api.throttle.ACCOUNT_FAILURES", "in 15 minutes", "Failed sign-ins to one account"),
    ("sovproxy.api.streams.MAX_STREAMS", "at a time", "Live streams of events"),
    ("sovproxy.api.streams.MAX_PER_TOKEN", "at a time", "Live streams of one token"),
    ("sovproxy.usecases.policy.policies.MAX_SIMULATIONS", "at a time", "Simulations"),
    ("sovproxy.usecases.access.sessions.MAX_PER_PRINCIPAL", "each", "Sessions of one person"),
    ("sovproxy.yamlfile.MAX_BYTES", "bytes", "A policy or a file of the catalogue"),
    ("sovproxy.yamlfile.MAX_DEPTH", "levels", "Nesting in such a file"),
    ("sovproxy.atlas.database_unpack.MAX_UNPACKED", "bytes", "A database, unpacked"),
)
"""Limits that are no settings: where each value stands, its unit, and what it is of."""


def documents() -> dict[str, str]:
    """What each generated file has to contain, by its name in docs/."""
    api = (DOCS / "api.md").read_text("utf-8")
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "openapi.json": openapi_text(bare_app()),
        "api.md": with_roles_table(api, roles_table(ROUTERS)),
        "catalogue.md": insert_keys((DOCS / "catalogue.md").read_text("utf-8")),
        "metrics.md": with_table("metrics.md", "metrics", metrics_table()),
        "siem.md": with_table("siem.md", "receivers", receivers_table()),
        "papers.md": papers_page(),
        "running.md": running_page(),
        **policy_docs.generated(DOCS),
    }


def running_page() -> str:
    """The page about running it: limits that are settings, and those that are not."""
    text = (DOCS / "running.md").read_text("utf-8")
    text = inserted(text, "limits", limits_table())
    return inserted(text, "fixed limits", fixed_limits_table())


def fixed_limits_table() -> str:
    """The limits as a Markdown table. Raises AttributeError when a name is gone."""
    lines = ["| what | at most | in the code |", "|---|---|---|"]
    for place, unit, meaning in FIXED:
        module, _, name = place.rpartition(".")
        value = getattr(import_module(module), name)
        shown_value = f"{value:,}".replace(",", " ")
        lines.append(f"| {meaning} | {shown_value} {unit} | `{place}` |")
    return "\n".join(lines) + "\n"


def with_table(name: str, mark: str, table: str) -> str:
    """A page with a table between its two marks. Raises ValueError without marks."""
    return inserted((DOCS / name).read_text("utf-8"), mark, table)


def inserted(text: str, mark: str, table: str) -> str:
    """A text with a table between its two marks. Raises ValueError without marks."""
    first, last = f"<!-- {mark}: generated by tools/generate_docs.py -->", f"<!-- /{mark} -->"
    begin, end = text.index(first) + len(first), text.index(last)
    return f"{text[:begin]}\n{table}{text[end:]}"


def receivers_table() -> str:
    """The fields of both kinds of receivers."""
    rows = ["| kind | field | without it | meaning |", "| --- | --- | --- | --- |"]
    for kind, model in (("syslog", SyslogReceiver), ("file", FileReceiver)):
        for name, field in model.model_fields.items():
            if name == "kind":
                continue
            default = "needed" if field.is_required() else shown(field.default)
            rows.append(f"| {kind} | `{name}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def papers_page() -> str:
    """The page of papers, with the keys of the particulars and the looks of the self-check."""
    text = with_table("papers.md", "particulars", particulars_table())
    return inserted(text, "checks", checks_table())


def particulars_table() -> str:
    """What can be filled in, key by key."""
    rows = ["| key | meaning |", "| --- | --- |"]
    for name, field in Particulars.model_fields.items():
        rows.append(f"| `{name}` | {field.description} |")
        inner = Recipient if name == "recipients" else field.annotation
        for key, part in getattr(inner, "model_fields", {}).items():
            place = f"{name}[].{key}" if inner is Recipient else f"{name}.{key}"
            rows.append(f"| `{place}` | {part.description} |")
    return "\n".join(rows) + "\n"


def checks_table() -> str:
    """The looks of the self-check, with what they look at and by which source."""
    rows = ["| look | level | looks at | source |", "| --- | --- | --- | --- |"]
    text = checks_text()
    for item in text.checks:
        at = ", ".join(f"`{key.replace('it.', f'{item.each}[].')}`" for key in item.when)
        sources = "; ".join(
            text.references[name].title.en
            + (" (secondary)" if text.references[name].known == "secondary" else "")
            for name in item.references
        )
        rows.append(f"| `{item.id}` | {item.level} | {at} | {sources} |")
    return "\n".join(rows) + "\n"


def shown(default: object) -> str:
    """A default as the TOML file would have it; empty for nothing."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default or default == 0 else ""


def cli_page() -> str:
    """The reference of the command line, as typer writes it."""
    os.environ["COLUMNS"] = "100"
    context = typer.Context(typer.main.get_command(app), info_name="sovproxy")
    text = get_docs_for_click(obj=context.command, ctx=context, name="sovproxy")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def settings_page() -> str:
    """The table of settings."""
    rows = ["# Settings", "", (Settings.__doc__ or "").strip(), ""]
    rows += ["A TOML file that `SOVPROXY_CONFIG` names holds the same keys in lower case.", ""]
    rows += [
        "A command that finds a setting it cannot use says which, and ends with exit code 2; with"
    ]
    rows += ["3 if the file itself cannot be read.", ""]
    rows += ["| variable | without it | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        rows.append(f"| `SOVPROXY_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    for file, text in documents().items():
        (DOCS / file).write_text(text, "utf-8")
        print(f"docs/{file}")
