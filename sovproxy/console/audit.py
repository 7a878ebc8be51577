"""The audit: who looked at what and who changed what; filters live in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from sovproxy.console.failures import Refused
from sovproxy.console.frame import Shown, render
from sovproxy.console.names import Names
from sovproxy.console.told import Told
from sovproxy.console.view import SignedInView, View
from sovproxy.events.export import csv_line
from sovproxy.events.text import clean_text
from sovproxy.usecases.access.auditing import Act, AuditEntry, AuditFilter, audit_page, record_act
from sovproxy.usecases.access.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

router = APIRouter(prefix="/audit")

PAGE: Final = 50
EXPORT_PAGE: Final = 500
MAX_EXPORT: Final = 100_000
FORMATS: Final = (("csv", "CSV"), ("jsonl", "JSON Lines"))
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_READERS: Final = frozenset({Role.ADMIN, Role.AUDITOR})
_NAMES: Final = ("who", "what", "token", "since", "until")
_COLUMNS: Final = ("seq", "time", "token", "name", "role", "what", "details", "rows")


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry as the page shows it: its details as pairs of words."""

    time: datetime
    token: str
    name: str
    role: str
    what: str
    rows: int
    shown: list[tuple[str, str]]


def reader_view(view: SignedInView) -> View:
    """The view of a page for auditors and admins. Raises Refused."""
    if view.principal.role not in _READERS:
        raise Refused(403)
    return view


ReaderView = Annotated[View, Depends(reader_view)]


@router.get("")
def audit(view: ReaderView) -> Response:
    """Show a page of the audit."""
    asked = _asked(view.request.query_params)
    wanted = _filter(asked)
    page = audit_page(view.store, PAGE, _cursor(view), wanted)
    show = Shown(view.language)
    told = Told(show, Names(view.judge.atlas, view.language))
    acts = sorted(((act.value, show.word("act", act)) for act in Act), key=lambda it: it[1].lower())
    return render(
        view,
        "audit.html",
        entries=[_shown(entry, told) for entry in page.items],
        next=page.next,
        asked=asked,
        acts=[("", view.language.say("Everything")), *acts],
        formats=FORMATS,
        chain=watch.state if (watch := view.console.services.audit_watch) else None,
    )


@router.get("/export")
def export(view: ReaderView) -> Response:
    """Give the entries that the filters find as a file, newest first, 100,000 at most."""
    form = view.request.query_params.get("format", "csv")
    if form not in _TYPES:
        raise Refused(400, f"format: one of {', '.join(_TYPES)} is wanted")
    asked = _asked(view.request.query_params)
    wanted = _filter(asked)
    details = {"of": "audit", "format": form} | {name: asked[name] for name in asked}
    record_act(view.store, view.principal, Act.EXPORT, details, now=view.now)
    write = _csv if form == "csv" else _json
    headers = {"content-disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(
        write(_entries(view, wanted)), media_type=_TYPES[form], headers=headers
    )


def _entries(view: View, wanted: AuditFilter) -> Iterator[AuditEntry]:
    cursor = None
    for _ in range(MAX_EXPORT // EXPORT_PAGE):
        page = audit_page(view.store, EXPORT_PAGE, cursor, wanted)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _csv(entries: Iterator[AuditEntry]) -> Iterator[str]:
    yield csv_line(_COLUMNS)
    for entry in entries:
        values = entry.model_dump(mode="json") | {"details": _text(entry.details)}
        yield csv_line(values[name] for name in _COLUMNS)


def _json(entries: Iterator[AuditEntry]) -> Iterator[str]:
    for entry in entries:
        yield entry.model_dump_json() + "\n"


def _shown(entry: AuditEntry, told: Told) -> ShownEntry:
    pairs = list(told.pairs(entry.details))
    return ShownEntry(
        entry.time, entry.token, entry.name, entry.role, entry.what.value, entry.rows, pairs
    )


def _text(value: object) -> str:
    """A detail in one line of a file, as it was written, but harmless: strangers chose hosts."""
    if isinstance(value, dict):
        value = ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    elif isinstance(value, list):
        value = ", ".join(_text(one) for one in value)
    return clean_text(str(value), 500)


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name][:100] for name in _NAMES if query.get(name)}


def _filter(asked: Mapping[str, str]) -> AuditFilter:
    """Raises Refused for what no filter can be."""
    try:
        return AuditFilter(
            whats=[Act(asked["what"])] if "what" in asked else [],
            tokens=[asked["token"]] if "token" in asked else [],
            name=asked.get("who", ""),
            since=_day(asked.get("since", "")),
            until=_day(asked.get("until", ""), days=1),
        )
    except (ValueError, OverflowError):
        raise Refused(400, "a filter of the audit cannot be read") from None


def _day(text: str, days: int = 0) -> datetime | None:
    """The beginning of a day (UTC), or of one some days later."""
    if not text:
        return None
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=days)


def _cursor(view: View) -> int | None:
    text = view.request.query_params.get("cursor", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**63):
        raise Refused(400, "the cursor is none of ours")
    return int(text)
