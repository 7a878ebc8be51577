"""`sovproxy papers`: the papers of the processing, and where it departs from recommendations."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import make_url

from sovproxy.cli.exits import FINDINGS, or_exit, settings_or_exit
from sovproxy.events.text import visible
from sovproxy.papers.checks import check as find
from sovproxy.papers.compose import compose
from sovproxy.papers.markdown import finding_json, to_json, to_markdown
from sovproxy.papers.page import to_html
from sovproxy.papers.particulars import first_text
from sovproxy.papers.texts import PaperKind, PaperLanguage, words
from sovproxy.store.database import open_store
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.upkeep.papers import Papers

if TYPE_CHECKING:
    from sovproxy.papers.checks import Finding
    from sovproxy.papers.compose import Paper
    from sovproxy.papers.facts import Facts
    from sovproxy.settings import Settings
    from sovproxy.store.database import Store


class PaperFormat(StrEnum):
    """How a paper is written."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


def _to_text(paper: Paper, form: PaperFormat) -> str:
    if form is PaperFormat.JSON:
        return json.dumps(to_json(paper), indent=1) + "\n"
    return to_html(paper) if form is PaperFormat.HTML else to_markdown(paper)


app = typer.Typer(add_completion=False, name="papers", no_args_is_help=True, help=__doc__)

LangOption = Annotated[PaperLanguage, typer.Option("--lang", help="Language.")]
FormatOption = Annotated[PaperFormat, typer.Option("--format", help="Markdown, HTML or JSON.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit code 1 if something is left to be filled in.")
]
OutputOption = Annotated[Path | None, typer.Option(help="Write there instead of printing.")]


@app.command()
def notice(
    lang: LangOption = PaperLanguage.FR,
    form: FormatOption = PaperFormat.MARKDOWN,
    output: OutputOption = None,
    *,
    as_json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Write the notice to staff (GDPR art. 13)."""
    form = PaperFormat.JSON if as_json else form
    _write_one(PaperKind.NOTICE, lang, form, output, strict=strict)


@app.command()
def record(
    lang: LangOption = PaperLanguage.FR,
    form: FormatOption = PaperFormat.MARKDOWN,
    output: OutputOption = None,
    *,
    as_json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Write the record of the processing (GDPR art. 30)."""
    form = PaperFormat.JSON if as_json else form
    _write_one(PaperKind.RECORD, lang, form, output, strict=strict)


@app.command()
def assessment(
    lang: LangOption = PaperLanguage.FR,
    form: FormatOption = PaperFormat.MARKDOWN,
    output: OutputOption = None,
    *,
    as_json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Write an annex for the impact assessment (GDPR art. 35)."""
    form = PaperFormat.JSON if as_json else form
    _write_one(PaperKind.ASSESSMENT, lang, form, output, strict=strict)


@app.command(name="all")
def write_all(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; it is made.")],
    *,
    strict: StrictOption = False,
) -> None:
    """Write all papers in both languages, each as Markdown and HTML, such as notice.fr.html."""
    facts, missing = _facts(), False
    or_exit(lambda: folder.mkdir(parents=True, exist_ok=True))
    for kind, lang in product(PaperKind, PaperLanguage):
        paper = compose(kind, facts, lang)
        missing |= bool(paper.gaps)
        for form in (PaperFormat.MARKDOWN, PaperFormat.HTML):
            path = folder / f"{kind}.{lang}.{form}"
            _write(path, _to_text(paper, form))
            typer.echo(f"{path}: {_counted(paper)}")
    if strict and missing:
        raise typer.Exit(FINDINGS)


@app.command()
def check(lang: LangOption = PaperLanguage.FR, *, as_json: JsonOption = False) -> None:
    """Say where the configuration departs from recommendations. Exit code 1 if it does anywhere.

    It sees settings, not people, and never says that something is lawful.
    """
    found = find(_facts(), lang)
    for finding in found:
        typer.echo(json.dumps(finding_json(finding)) if as_json else _finding_text(finding, lang))
    if not as_json:
        typer.echo(words().say("page", "judged" if found else "none", lang))
    if found:
        raise typer.Exit(FINDINGS)


@app.command()
def init(
    file: Annotated[
        Path | None, typer.Argument(help="Default: the settings' papers_file.", show_default=False)
    ] = None,
) -> None:
    """Write a file for what only you can say: who is responsible, why, since when.

    An existing file stays as it is (exit code 3).
    """
    path = file or settings_or_exit().particulars_file
    or_exit(lambda: _create(path, first_text()))
    typer.echo(f"{path}: fill it in, then look at `sovproxy papers check`")


def _create(path: Path, text: str) -> None:
    """A new file for its owner only. Raises OSError, also where there is one already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)


def _write_one(
    kind: PaperKind, lang: PaperLanguage, form: PaperFormat, output: Path | None, *, strict: bool
) -> None:
    paper = compose(kind, _facts(), lang)
    text = _to_text(paper, form)
    if output:
        _write(output, text)
    else:
        typer.echo(text, nl=False)
    if paper.gaps:
        typer.echo(_counted(paper), err=True)
    if strict and paper.gaps:
        raise typer.Exit(FINDINGS)


def _write(path: Path, text: str) -> None:
    or_exit(lambda: path.write_text(text, "utf-8"))


def _counted(paper: Paper) -> str:
    return f"{len(paper.sentences)} sentences, {len(paper.gaps)} gaps"


def _facts() -> Facts:
    """What papers are made from, here and now; what is wrong is said, with exit code 3."""
    settings = settings_or_exit()
    judge = or_exit(lambda: Judge(settings))
    store = or_exit(lambda: _open_store(settings))
    try:
        return or_exit(Papers(settings, judge, store).facts)
    finally:
        if store:
            store.close()


def _open_store(settings: Settings) -> Store | None:
    """The store if there is one; none is made for a look. Raises StoreUnavailable."""
    url = make_url(settings.effective_store_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None
    return open_store(settings.effective_store_url)


def _finding_text(finding: Finding, lang: PaperLanguage) -> str:
    """A finding for people. Nothing in it can drive a terminal."""

    def say(word: str, vocabulary: str = "page") -> str:
        return words().say(vocabulary, word, lang)

    lines = [f"{say(finding.level)} ({finding.id}): {finding.finds}"]
    lines.append(f"  {say('because')}: {finding.why}")
    lines.append(f"  {say('do')}: {finding.do}")
    lines += [
        f"  {say('from')}: {item.title} [{say(item.known, 'known')}]"
        for item in finding.recommendations
    ]
    lines += [f"  {fact.place} = {fact.shown(lang)}" for fact in finding.sources]
    return "\n".join(visible(line) for line in lines) + "\n"
