"""The life of a policy: checked, applied, kept in a history, and rolled back.

An installation begins with the policy of its settings. Once one is applied, the newest version in
the store counts; every API process keeps the file of its machine in step with it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003  # the models read them
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.errors import InvalidFile, Problem, SovproxyError
from sovproxy.policy import applied
from sovproxy.policy.applied import MAX_TEXT_BYTES
from sovproxy.policy.edit import with_rule
from sovproxy.policy.load import check_bytes, read_bytes, version_of
from sovproxy.store import policies as rows
from sovproxy.store.tables import PolicyVersionRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry, given, record_act
from sovproxy.usecases.policy.simulating import Replay
from sovproxy.usecases.policy.simulation import MAX_SECONDS
from sovproxy.usecases.upkeep.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.policy.load import Checked
    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.policy.judging import Judge
    from sovproxy.usecases.policy.simulation import Simulation, SimulationInput

log = logging.getLogger(__name__)

MAX_COMMENT: Final = 500
MAX_VERSIONS: Final = 200
MAX_SIMULATIONS: Final = 4
"""At the same time in one process, and one of each person."""

DRAFT_FILE: Final = "draft"
"""What problems call a text that is in no file."""

draft_with_rule = with_rule
"""Raise something to a rule: see `sovproxy.policy.edit.with_rule`."""


class Origin(StrEnum):
    """Where a version came from. `settings`: nothing is applied from then on."""

    IMPORT = "import"
    EDIT = "edit"
    CLI = "cli"
    ROLLBACK = "rollback"
    SETTINGS = "settings"


class PolicyConflict(SovproxyError):
    """Somebody else applied a policy since the draft was begun; `newest` is that version."""

    def __init__(self, based_on: int, newest: int) -> None:
        self.newest = newest
        super().__init__(
            f"version {newest} was applied meanwhile, the draft is based on {based_on}; "
            f"compare it with version {newest} and apply again"
        )


class NoSuchVersion(SovproxyError):
    """There is no version with that number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no version {number} of the policy")


@dataclass(frozen=True, slots=True)
class Deed:
    """Who changes the policy, when, why, and which version was the newest when they began."""

    principal: Principal
    now: datetime
    based_on: int
    comment: str = ""


class Version(BaseModel):
    """One version: who put it in force, when, why, from what. `digest` is what verdicts name."""

    number: int = Field(examples=[4])
    time: datetime
    origin: Origin
    source: int = Field(description="The version that was rolled back to, or 0.")
    author: str = Field(examples=["0f3a9c5d7e1b2846"])
    author_name: str = Field(examples=["Ada"])
    comment: str = Field(examples=["Teams is blocked from January on"])
    policy: str = Field(examples=["fr-etat"])
    digest: str = Field(examples=["0123456789ab"])


class VersionText(Version):
    """One version with its text."""

    text: str = Field(examples=["id: ours\n…"])


class VersionPage(BaseModel):
    """Versions, newest first, and the cursor of the next page, or null at the end."""

    items: list[Version]
    next: int | None


class Finding(BaseModel):
    """One thing wrong or odd in a text. `line` and `column` count from 1; 0 is the whole file."""

    severity: str = Field(examples=["error"])
    line: int = Field(examples=[14])
    column: int = Field(examples=[9])
    where: str = Field(examples=["rules[2].action"])
    message: str


class Check(BaseModel):
    """Whether a text could be applied, and every problem in it: the same as the CLI's."""

    valid: bool
    policy: str = Field(description="The policy's id; empty when it is refused.")
    digest: str = Field(description="The version that verdicts would name.")
    rules: int
    errors: list[Finding]
    warnings: list[Finding]


class InForce(BaseModel):
    """The policy in force here. `number` and the facts about it are empty for one of the settings.

    `newest` is what a draft that is begun now is based on. `problem` says why the newest version
    is not in force, or is empty.
    """

    policy: str = Field(examples=["fr-etat"])
    digest: str = Field(examples=["0123456789ab"])
    number: int = Field(examples=[4])
    newest: int = Field(examples=[4])
    from_settings: bool
    file: str
    since: datetime | None
    author_name: str
    comment: str
    problem: str
    warnings: list[Finding]
    text: str

    @property
    def etag(self) -> str:
        """Changes with whatever changes here."""
        return f'"{version_of(self.model_dump_json().encode())}"'


class PolicyDesk:
    """Where policies are checked, applied and rolled back. Safe to share between threads."""

    def __init__(self, store: Store, judge: Judge, data_dir: Path) -> None:
        self.store = store
        self.judge = judge
        self._data_dir = data_dir
        self._turns = Turns(MAX_SIMULATIONS)
        self._problem = ""

    def check(self, text: str, file: str = DRAFT_FILE) -> Checked:
        """Check a text against what this installation knows. Raises InvalidFile."""
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > MAX_TEXT_BYTES:
            message = f"is larger than {MAX_TEXT_BYTES // 1024} KiB, the most that can be applied"
            raise InvalidFile([Problem(file, 0, 0, "", message)])
        return check_bytes(data, file, self.judge.known)

    def findings(self, text: str) -> Check:
        """Check a text, and give every problem instead of raising."""
        try:
            checked = self.check(text)
        except InvalidFile as error:
            errors = [_finding(problem, "error") for problem in error.problems]
            return Check(valid=False, policy="", digest="", rules=0, errors=errors, warnings=[])
        policy = checked.policy
        return Check(
            valid=True,
            policy=policy.id,
            digest=policy.version,
            rules=len(policy.rules),
            errors=[],
            warnings=[_finding(problem, "warning") for problem in checked.warnings],
        )

    def simulate(
        self,
        principal: Principal,
        text: str,
        asked: SimulationInput,
        now: datetime,
        *,
        seconds: float = MAX_SECONDS,
    ) -> Simulation:
        """Replay recorded traffic under a draft, for so long at most. It leaves an audit entry.

        Raises InvalidFile, InvalidSimulation, Busy, StoreUnavailable.
        """
        draft = self.check(text).policy
        with self._turns.taken(principal.token_id):
            found = Replay(self.judge, draft, asked, now, seconds=seconds).run(self.store)
        details = {"digest": draft.version, **given(asked)}
        act = Act.POLICY_SIMULATE
        record_act(self.store, principal, act, details, rows=len(found.examples), now=now)
        return found

    def in_force(self) -> InForce:
        """Give the policy in force, and who applied it. Raises StoreUnavailable."""
        file, newest = self.judge.policy_file, rows.newest_version(self.store)
        text, policy = file.text, file.policy
        row = newest if file.is_applied and newest and newest.digest == policy.version else None
        return InForce(
            policy=policy.id,
            digest=policy.version,
            number=row.number if row else 0,
            newest=newest.number if newest else 0,
            from_settings=not file.is_applied,
            file=str(file.source),
            since=from_microseconds(row.time) if row else None,
            author_name=row.author_name if row else "",
            comment=row.comment if row else "",
            problem=file.last_error,
            warnings=[_finding(problem, "warning") for problem in file.warnings],
            text=text,
        )

    def apply(self, deed: Deed, text: str, origin: Origin = Origin.EDIT) -> Version:
        """Put a text in force as a new version, if the deed is based on the newest one still.

        Raises InvalidFile, PolicyConflict, StoreUnavailable.
        """
        return self._append(deed, Act.POLICY_APPLY, self._row(deed, text, origin))

    def roll_back(self, deed: Deed, number: int) -> Version:
        """Put the text of an older version in force again, as a new one.

        Raises NoSuchVersion, InvalidFile when it is no longer fit for use, PolicyConflict,
        StoreUnavailable.
        """
        text = version_text(self.store, number).text
        made = self._row(deed, text, Origin.ROLLBACK, number)
        return self._append(deed, Act.POLICY_ROLLBACK, made)

    def to_settings(self, deed: Deed) -> Version:
        """Go back to the policy of the settings, on every machine to its own.

        Raises InvalidFile when that is not fit for use, PolicyConflict, StoreUnavailable.
        """
        made = self._row(deed, self._settings_text(), Origin.SETTINGS)
        return self._append(deed, Act.POLICY_TO_SETTINGS, made)

    def keep_in_step(self) -> None:
        """Follow and refresh, whatever happens: what fails is logged once and tried again."""
        problem = ""
        try:
            self.follow()
        except (SovproxyError, OSError) as error:
            problem = str(error)
        if problem and problem != self._problem:
            log.warning("policy: the one applied last cannot be brought here: %s", problem)
        self._problem = problem
        self.judge.refresh()

    def follow(self) -> bool:
        """Bring this machine's file in step with the newest version; true if it was changed.

        A store without any version leaves the file alone: it may have come from elsewhere.
        Raises StoreUnavailable, OSError.
        """
        number, present = rows.newest_number(self.store), applied.read_applied(self._data_dir)
        if not number or (present and present.number == number):
            return False
        row = rows.get_version(self.store, number)
        if row is None or row.origin == Origin.SETTINGS:
            return applied.remove_applied(self._data_dir)
        applied.write_applied(self._data_dir, row.text, row.number)
        return True

    def _settings_text(self) -> str:
        return read_bytes(self.judge.policy_file.source).decode("utf-8", "replace")

    def _row(self, deed: Deed, text: str, origin: Origin, source: int = 0) -> PolicyVersionRow:
        policy = self.check(text).policy
        return PolicyVersionRow(
            number=0,
            time=microseconds(deed.now),
            origin=origin,
            source=source,
            author=deed.principal.token_id,
            author_name=deed.principal.name,
            comment=deed.comment,
            policy=policy.id,
            digest=policy.version,
            text=text,
        )

    def _append(self, deed: Deed, act: Act, made: PolicyVersionRow) -> Version:
        newest = rows.newest_number(self.store)
        if newest != deed.based_on:
            raise PolicyConflict(deed.based_on, newest)
        new = [] if newest else self._imported(deed)
        made.number = newest + len(new) + 1
        details = made.model_dump(include={"number", "comment", "digest", "policy", "source"})
        entry = act_entry(deed.principal, act, details, now=deed.now)
        if not rows.append_versions(self.store, [*new, made], newest, entry):
            raise PolicyConflict(deed.based_on, rows.newest_number(self.store))
        self.keep_in_step()
        return _version(made)

    def _imported(self, deed: Deed) -> list[PolicyVersionRow]:
        """What was in force before the first version: it can be compared with and rolled back to.

        One that is too large for the history, or that is not fit for use any more, is left out.
        """
        comment = str(self.judge.policy_file.source)[-MAX_COMMENT:]
        try:
            row = self._row(replace(deed, comment=comment), self._settings_text(), Origin.IMPORT)
        except InvalidFile:
            return []
        row.number = 1
        return [row]


def version_page(store: Store, limit: int, before: int | None = None) -> VersionPage:
    """Give one page of the history, newest first. Raises StoreUnavailable."""
    found = rows.list_versions(store, limit + 1, before)
    items = [_version(row) for row in found[:limit]]
    return VersionPage(items=items, next=items[-1].number if len(found) > limit else None)


def version_text(store: Store, number: int) -> VersionText:
    """Give one version with its text. Raises NoSuchVersion, StoreUnavailable."""
    row = rows.get_version(store, number)
    if row is None:
        raise NoSuchVersion(number)
    return VersionText(**_version(row).model_dump(), text=row.text)


def _version(row: PolicyVersionRow) -> Version:
    values = row.model_dump(exclude={"time", "text"})
    return Version(**values, time=from_microseconds(row.time))


def _finding(problem: Problem, severity: str) -> Finding:
    return Finding(
        severity=severity,
        line=problem.line,
        column=problem.column,
        where=problem.where,
        message=problem.message,
    )
