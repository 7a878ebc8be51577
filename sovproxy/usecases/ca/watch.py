"""How this machine's CA stands, for metrics and health: asked often, worked out seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sovproxy.usecases.ca.state import look, wanted_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.usecases.ca.folder import CaFolder
    from sovproxy.usecases.ca.state import State
    from sovproxy.usecases.policy.judging import Judge

GOOD_FOR = timedelta(minutes=5)
"""An answer is given again for so long, unless files, policy or catalogue change."""


class CaWatch:
    """Looks at the CA in a folder, under a judge's policy."""

    def __init__(
        self, folder: CaFolder, judge: Judge, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._folder = folder
        self._judge = judge
        self._clock = clock or (lambda: datetime.now(UTC))
        self._seen: tuple[object, ...] = ()
        self._until = datetime.min.replace(tzinfo=UTC)
        self._state: State | None = None

    def state(self) -> State | None:
        """How it stands; None where there is none, as beside an API without a proxy."""
        now = self._clock()
        seen = (self._folder.signature(), self._judge.policy.version, self._judge.atlas)
        if seen != self._seen or now >= self._until:
            found = look(self._folder, wanted_by(self._judge, now), now)
            self._state = found if self._folder.has_root else None
            self._seen, self._until = seen, now + GOOD_FOR
        return self._state
