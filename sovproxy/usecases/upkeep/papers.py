"""The papers of this installation, and the self-check: gathered anew for every look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sovproxy.papers.checks import check
from sovproxy.papers.compose import compose
from sovproxy.papers.facts import Fact, Facts
from sovproxy.papers.particulars import read_particulars
from sovproxy.policy.applied import read_applied
from sovproxy.policy.load import check_bytes
from sovproxy.usecases.upkeep.paper_facts import (
    particulars_facts,
    policy_facts,
    program_facts,
    receiver_facts,
    retention_facts,
    settings_facts,
)
from sovproxy.usecases.upkeep.paper_machine import machine_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sovproxy.papers.checks import Finding
    from sovproxy.papers.compose import Paper
    from sovproxy.papers.texts import PaperKind
    from sovproxy.settings import Settings
    from sovproxy.store.database import Store
    from sovproxy.usecases.policy.judging import Judge


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Papers:
    """Writes papers from what is in force. Without a store, nothing is known of accounts."""

    settings: Settings
    judge: Judge
    store: Store | None = None
    clock: Callable[[], datetime] = _utc_now

    def facts(self) -> Facts:
        """Gather everything. Raises InvalidFile for bad particulars, OSError, StoreUnavailable."""
        return Facts(tuple(self._gather()))

    def paper(self, kind: PaperKind, code: str) -> Paper:
        """One paper in one language. Raises as `facts` does."""
        return compose(kind, self.facts(), code)

    def check(self, code: str) -> list[Finding]:
        """Where the configuration departs from recommendations. Raises as `facts` does."""
        return check(self.facts(), code)

    def _gather(self) -> Iterator[Fact]:
        now, settings, file = self.clock(), self.settings, self.judge.policy_file
        checked = check_bytes(file.text.encode(), str(file.path), file.known)
        applied = read_applied(settings.data_dir) if file.is_applied else None
        days = checked.policy.retention_days
        yield Fact("program.today", now.date(), "the day on which this was made")
        yield from policy_facts(self.judge, checked, applied.number if applied else 0, now)
        yield from settings_facts(settings)
        for receiver in settings.forward:
            yield from receiver_facts(receiver, days)
        particulars = read_particulars(
            settings.particulars_file, needed=settings.papers_file is not None
        )
        yield from particulars_facts(particulars, now.date())
        yield from retention_facts(days)
        yield from program_facts()
        yield from machine_facts(settings, self.store, days, now)
