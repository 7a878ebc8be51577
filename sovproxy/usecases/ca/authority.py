"""The CA of a running node: who it may speak as, kept in step with the policy while it can be."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sovproxy.ca.leaves import Leaves
from sovproxy.ca.wanted import catalogue_bounds
from sovproxy.errors import SovproxyError
from sovproxy.usecases.ca import life
from sovproxy.usecases.ca.folder import CaFolder, ensure_confdir
from sovproxy.usecases.ca.inspection import find_inspecting, forget_inspecting
from sovproxy.usecases.ca.passphrase import known_passphrase
from sovproxy.usecases.ca.state import NOT_INSPECTING, State, look, must_renew, names_in, wanted_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sovproxy.ca.inspecting import Inspecting
    from sovproxy.ca.issuing import Issuing
    from sovproxy.ca.leaves import Identity
    from sovproxy.ca.wanted import Wanted
    from sovproxy.settings import Settings
    from sovproxy.usecases.policy.judging import Judge

log = logging.getLogger(__name__)

LOOKED_AT = timedelta(hours=1)
"""How often ends and phases are looked at; changes of files and policy are seen at once."""

TRIED_AGAIN = timedelta(minutes=1)
"""How soon a renewal that failed is tried again."""

OWN_ROOT = "sovproxy root"


class Authority:
    """Gives identities to the gate. Safe to share between threads.

    Without a root it makes one by itself: with bounds of its own, the names of this catalogue, so
    that no unconstrained CA comes into being by default.
    """

    def __init__(
        self, settings: Settings, judge: Judge, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Read or make the CA. What goes wrong is logged, and leaves it without identities."""
        self._settings = settings
        self._judge = judge
        self._clock = clock or (lambda: datetime.now(UTC))
        self._folder = CaFolder.of(settings)
        self._leaves: Leaves[Issuing] | None = None
        self._inspecting: Leaves[Inspecting] | None = None
        self._seen: tuple[object, ...] = ()
        self._due = datetime.min.replace(tzinfo=UTC)
        self._told: set[str] = set()
        self.refresh()

    @property
    def confdir(self) -> Path:
        """The folder for mitmproxy, with a CA in it that nobody trusts."""
        return self._settings.ca_confdir

    def may_name(self, host: str) -> bool:
        """Whether a client that trusts the root will believe that we are `host`."""
        leaves = self._leaves
        return leaves is not None and leaves.may_name(host, self._clock())

    def identity(self, host: str) -> Identity | None:
        """What to show to a client that asks for `host`; None where it would refuse it."""
        leaves = self._leaves
        return leaves.find(host, self._clock()) if leaves else None

    def inspecting_identity(self, host: str) -> Identity | None:
        """What to show where a connection to `host` passes and is decrypted; None: it is not."""
        leaves, now = self._inspecting, self._clock()
        return leaves.find(host, now) if leaves and now < leaves.signers.ends else None

    def refresh(self) -> None:
        """Follow files, policy and catalogue; renew what can be renewed. Nothing is raised."""
        now = self._clock()
        seen = self._situation()
        if seen == self._seen and now < self._due:
            return
        self._seen, self._due = seen, now + LOOKED_AT
        problems: list[str] = []
        try:
            ensure_confdir(self.confdir)
            problems.extend(self._follow(now))
        except (SovproxyError, OSError) as error:
            self._due = now + TRIED_AGAIN
            problems.append(f"it cannot be renewed: {error}")
        try:
            self._follow_inspection(now)
        except (SovproxyError, OSError) as error:
            self._inspecting, self._due = None, now + TRIED_AGAIN
            problems.append(f"{NOT_INSPECTING}: {error}")
        self._warn(problems)
        if self._due == now + LOOKED_AT:
            self._told.intersection_update(problems)

    def _follow_inspection(self, now: datetime) -> None:
        """Have a CA for what passes exactly as long as the policy says so."""
        if self._judge.policy.inspection != "full":
            self._inspecting = None
            forget_inspecting(self._folder)
            return
        if self._folder.has_own_inspection:
            forget_inspecting(self._folder)
        found = find_inspecting(self._settings, self._folder, self._judge.undecrypted, now)
        known = self._inspecting.signers if self._inspecting else None
        if known is None or (known.never, known.to_pem()) != (found.never, found.to_pem()):
            self._inspecting = Leaves(found, found.certificates[1:])

    def _follow(self, now: datetime) -> tuple[str, ...]:
        """Have issuing CAs for what may be stopped; give back what is to be told."""
        state = look(self._folder, wanted_by(self._judge, now), now)
        self._take(state)
        self._warn(state.broken)
        if self._is_to_be_made(state):
            with self._folder.locked():
                self._make_root(state, now)
            state = look(self._folder, state.wanted, now)
        if self._can_sign(state) and must_renew(state, now):
            state = self._renew(state.wanted, now)
        return state.problems

    def _renew(self, wanted: Wanted, now: datetime) -> State:
        """Renew under the lock, unless another process just did."""
        with self._folder.locked():
            state = look(self._folder, wanted, now)
            if must_renew(state, now) and state.wanted.scopes:
                issuing = life.renew(
                    self._folder,
                    state.wanted.scopes,
                    self._settings.ca_days,
                    now,
                    known_passphrase(self._settings),
                )
                state = look(self._folder, state.wanted, now)
                names = len(names_in(issuing.scopes))
                log.info("CA renewed: %d names until %s", names, issuing.ends.date())
        self._take(state)
        return state

    def _situation(self) -> tuple[object, ...]:
        return (self._folder.signature(), self._judge.policy.version, self._judge.atlas)

    def _take(self, state: State) -> None:
        """Use what was read; where it cannot be used, what was good before stays in use."""
        found = state.issuing
        if found and (not self._leaves or found.certificates != self._leaves.signers.certificates):
            self._leaves = Leaves(found)

    def _is_to_be_made(self, state: State) -> bool:
        return not self._folder.has_root and bool(state.wanted.scopes)

    def _make_root(self, state: State, now: datetime) -> None:
        if self._folder.has_root:
            return  # another process was faster
        bounds = catalogue_bounds(self._judge.atlas.listings, state.wanted)
        life.make_root_in(self._folder, life.RootTerms(OWN_ROOT, bounds=bounds), now)
        log.info(
            "a CA was made in %s; it permits %d names", self._folder.path, len(bounds.permitted)
        )

    def _can_sign(self, state: State) -> bool:
        return state.key == "here" or (
            state.key == "locked" and bool(known_passphrase(self._settings))
        )

    def _warn(self, problems: Iterable[str]) -> None:
        """Log what has not been told yet."""
        for problem in problems:
            if problem not in self._told:
                log.warning("CA: %s", problem)
        self._told.update(problems)
