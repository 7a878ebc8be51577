"""The sections of the console, for three kinds of people: reviewing, deciding, running.

A page hangs itself in by one `Section` in its group below. Sections that the reader's role may not
open are not shown; what the role may do is still checked by the page itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovproxy.console.links import link
from sovproxy.console.view import READERS
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.findings import count_new
from sovproxy.usecases.analysis.resolving_clients import count_waiting as count_to_decide
from sovproxy.usecases.worker.exceptions import count_waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sovproxy.console.view import View


@dataclass(frozen=True, slots=True)
class Section:
    """One entry: its path, its name in English, who may open it.

    `waiting` counts what waits for somebody there, as cheaply as every page can bear; it is shown
    beside the name. It may raise StoreUnavailable.
    """

    path: str
    name: str
    roles: frozenset[Role] = READERS
    waiting: Callable[[View], int] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that belong together, under a heading."""

    name: str
    sections: tuple[Section, ...]


ADMIN: Final = frozenset({Role.ADMIN})
REVIEWERS: Final = frozenset({Role.ANALYST, Role.ADMIN})


def _waiting_exceptions(view: View) -> int:
    return count_waiting(view.store, view.now)


def _new_findings(view: View) -> int:
    return count_new(view.store)


def _waiting_resolutions(view: View) -> int:
    return count_to_decide(view.store, view.principal)


NAVIGATION: Final = (
    Group(
        mark("Traffic"),
        (
            Section("/", mark("Overview")),
            Section("/events", mark("Events"), REVIEWERS),
            Section("/findings", mark("Findings"), REVIEWERS, _new_findings),
            Section("/resolutions", mark("Who is it?"), waiting=_waiting_resolutions),
            Section("/explain", mark("Explain")),
        ),
    ),
    Group(
        mark("Decisions"),
        (
            Section("/policy", mark("Policy")),
            Section("/exceptions", mark("Exceptions"), waiting=_waiting_exceptions),
            Section("/catalogue", mark("Catalogue")),
        ),
    ),
    Group(
        mark("Operation"),
        (
            Section("/nodes", mark("Nodes")),
            Section("/data", mark("Data and health")),
        ),
    ),
    Group(
        mark("People"),
        (
            Section("/audit", mark("Audit"), frozenset({Role.ADMIN, Role.AUDITOR})),
            Section("/papers", mark("Papers"), frozenset({Role.ADMIN, Role.AUDITOR})),
            Section("/accounts", mark("Accounts"), ADMIN),
            Section("/tokens", mark("Tokens"), ADMIN),
            Section("/account", mark("Your account")),
        ),
    ),
)
"""All sections in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as one reader sees it: `here` if the page is in it, `waiting` if something is."""

    name: str
    address: str
    here: bool
    waiting: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A group with what the reader may open of it."""

    name: str
    entries: tuple[Entry, ...]


def navigation(view: View) -> tuple[Heading, ...]:
    """What the reader may open, by groups; nothing when nobody is signed in.

    Raises StoreUnavailable when something that waits cannot be counted.
    """
    if view.session is None:
        return ()
    role = view.session.principal.role
    current = _current(view.request.url.path)
    headings = (
        Heading(group.name, tuple(_entries(view, group.sections, role, current)))
        for group in NAVIGATION
    )
    return tuple(heading for heading in headings if heading.entries)


def _entries(view: View, sections: Iterable[Section], role: Role, current: str) -> Iterable[Entry]:
    for section in sections:
        if role in section.roles:
            waiting = section.waiting(view) if section.waiting else 0
            yield Entry(section.name, link(section.path), section.path == current, waiting)


def _current(here: str) -> str:
    """The section that a page belongs to: the longest path that it is, or is below of."""
    paths = (section.path for group in NAVIGATION for section in group.sections)
    return max((path for path in paths if _is_within(here, path)), key=len, default="")


def _is_within(here: str, path: str) -> bool:
    address = link(path)
    return here == address or (path != "/" and here.startswith(f"{address}/"))
