"""Keeps the last good policy in force, and notices when its file changes, comes or goes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sovproxy.errors import InvalidFile
from sovproxy.policy.load import check_bytes, find_policy, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sovproxy.decide.policy import Policy
    from sovproxy.errors import Problem
    from sovproxy.policy.known import Known
    from sovproxy.policy.load import Checked

type _Stamp = tuple[int, int, int, int, int]

SETTLED_SECONDS = 2.0
"""A file written less than this ago is read again: a further write may carry the same stamp."""


class PolicyFile:
    """A policy file and the last good policy that stood in it. Safe to share between threads.

    While there is a file `applied`, it is followed instead of `source`.

    Raises InvalidFile when the first content is already bad: there is nothing to fall back on but
    `source`, where it was `applied` that is bad.
    """

    def __init__(
        self,
        source: str | Path,
        known: Known,
        clock: Callable[[], float] = time.time,
        applied: Path | None = None,
    ) -> None:
        self.source = find_policy(source)
        self.applied = applied
        self._known = known
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._judged: bytes | None = None
        self._last_error = ""
        self._checked = self._first()

    @property
    def path(self) -> Path:
        """The file that is followed now."""
        return self.applied if self.applied and self.applied.exists() else self.source

    @property
    def known(self) -> Known:
        """The names that are checked against."""
        return self._known

    @property
    def is_applied(self) -> bool:
        """Whether an applied policy is followed, and not the one of the settings."""
        return self.path != self.source

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._checked.policy

    @property
    def text(self) -> str:
        """The text of the policy in force, as it was written."""
        return self._good.decode()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What looks odd in the policy in force."""
        return self._checked.warnings

    @property
    def last_error(self) -> str:
        """Why the file's present content is not in force; empty when it is."""
        return self._last_error

    def refresh(self, known: Known | None = None) -> bool:
        """Act at the file (one stat when nothing changed); true when another policy took force.

        `known` replaces the names that are checked against, after the atlas has changed.
        """
        with self._lock:
            if known is not None:
                self._known, self._stamp, self._judged = known, None, None
            if self._stamp is not None and self._stamp == self._look():
                return False
            before = self._checked.policy
            self._take_over()
            return self._checked.policy != before

    def _first(self) -> Checked:
        """The policy to begin with. A bad applied one is told of, and the settings' is taken."""
        try:
            return self._judge(self._read())
        except InvalidFile as error:
            if not self.is_applied:
                raise
            self._last_error = str(error)
        self._stamp, refused = None, self._judged
        checked = self._judge(read_bytes(self.source), self.source)
        self._judged = refused
        return checked

    def _take_over(self) -> None:
        """Put the file's content in force, or keep the last good one and say why."""
        try:
            data = self._read()
            if data != self._judged:
                self._checked = self._judge(data)
                self._last_error = ""
        except InvalidFile as error:
            self._last_error = str(error)

    def _look(self) -> _Stamp | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

    def _read(self) -> bytes:
        """Read the file; its stamp is taken first, so that a write meanwhile is noticed later."""
        self._stamp = None
        stamp = self._look()
        try:
            data = read_bytes(self.path)
        except InvalidFile:
            self._judged = None
            raise
        if stamp is not None and self._clock() - stamp[4] / 1e9 > SETTLED_SECONDS:
            self._stamp = stamp
        return data

    def _judge(self, data: bytes, path: Path | None = None) -> Checked:
        self._judged = data
        checked = check_bytes(data, str(path or self.path), self._known)
        self._good = data
        return checked
