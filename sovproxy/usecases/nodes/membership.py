"""A node as a member of the fleet: it obeys what is in force for all, and tells what happens."""

from __future__ import annotations

import base64
import logging
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from sovproxy.atlas.carried import carried_digest, remove_carried, write_carried
from sovproxy.decide.exceptions import Exceptions
from sovproxy.events.event import new_id
from sovproxy.fleet.directory import Directory
from sovproxy.fleet.follower import ACKNOWLEDGEMENT, RESOLUTION, Follower, NodeSide
from sovproxy.fleet.kept import Known, load_known
from sovproxy.fleet.link import Link
from sovproxy.fleet.messages import CatalogueReport, DataReport, Heartbeat, PolicyReport
from sovproxy.fleet.outbox import Message, Outbox, OutboxFull
from sovproxy.fleet.quota import Quota
from sovproxy.policy.applied import read_applied, remove_applied, write_applied
from sovproxy.usecases.access.tokens import read_token
from sovproxy.usecases.nodes.backlog import backlog_of
from sovproxy.usecases.nodes.own_requests import OwnRequests
from sovproxy.usecases.nodes.placing import Placing
from sovproxy.usecases.upkeep.resources import resident_bytes
from sovproxy.usecases.worker.acknowledging import is_under_way

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sovproxy.events.delivery import Delivery
    from sovproxy.events.pseudonym import Pseudonyms
    from sovproxy.events.spool import SpoolCounters
    from sovproxy.fleet.counters import Counters
    from sovproxy.fleet.messages import Common
    from sovproxy.settings import Settings
    from sovproxy.usecases.policy.judging import Judge

log = logging.getLogger(__name__)

MAX_ANSWERED: Final = 1000
"""Resolutions that this node remembers to have answered."""

MAX_ASKED: Final = 10
"""Exceptions that one client asks for within a day; the API takes no more of it either."""


class Member:
    """Puts in force what the API tells, and keeps for it what workers did.

    The parts are the node's own: `judge` gets the exceptions, `pseudonyms` the fleet's keys,
    `counters`, `delivery` and `spool` are reported. Raises OSError when the node's folder cannot be
    used.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        judge: Judge,
        pseudonyms: Pseudonyms,
        counters: Counters,
        delivery: Delivery,
        spool: SpoolCounters,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._judge = judge
        self._pseudonyms = pseudonyms
        self._counters = counters
        self._delivery = delivery
        self._spool = spool
        self._started = datetime.now(UTC)
        self._shared: dict[tuple[str, str], float] = {}
        self._common: Common | None = None
        self._answered: set[str] = set()
        self.directory = Directory(folder / "directory", judge.policy.retention_days)
        outbox = Outbox(folder / "outbox")
        state_file = folder / "state.json"
        known = load_known(state_file)
        side = NodeSide(
            link=self._link,
            outbox=outbox,
            state_file=state_file,
            obey=self._obey,
            lacks=self._lacks_entries,
            carry=lambda entries: write_carried(settings.data_dir, entries),
            adopt=self._adopt,
            report=self._report,
            tidy=self._tidy,
        )
        self.outbox = outbox
        self.follower = Follower(side, known)
        self.requests = OwnRequests(self.follower.requests)
        self.placing = Placing(outbox, self.follower, Quota(MAX_ASKED), counters)
        if known.version:
            self._obey(known)

    def start(self) -> None:
        """Begin to follow the API."""
        self.follower.start()

    def close(self) -> None:
        """End; what is to be told waits on disk."""
        self.follower.stop()
        self._tidy()

    @property
    def common(self) -> Common:
        """What holds for all nodes, as this one knows it."""
        return self.follower.known.common

    def holds(self, clients: Iterable[str], subject: str) -> bool:
        """Whether one of these pseudonyms acknowledged `subject` anywhere, and it is not over."""
        if not self._shared:
            return False
        now = time.time()
        return any(is_under_way(self._shared.get((one, subject), 0.0), now) for one in clients)

    def tell_acknowledged(self, client: str, subject: str, until: float) -> None:
        """Tell the others that a worker went on. Nothing is raised: here it holds in any case."""
        message_id, now = str(new_id()), datetime.now(UTC).isoformat()
        body = {"id": message_id, "client": client, "subject": subject, "until": until, "time": now}
        try:
            self.follower.send(Message(ACKNOWLEDGEMENT, message_id, body))
        except (OutboxFull, OSError) as error:
            log.warning("an acknowledgement holds at this node only: %s", error)

    # -- in the follower's thread ---------------------------------------------------------------

    def _link(self) -> Link:
        settings = self._settings
        token_file = settings.node_token_file
        return Link(settings.fleet_api_url, lambda: read_token(token_file), settings.fleet_ca_file)

    def _lacks_entries(self, known: Known) -> bool:
        """Whether the catalogue's entries of a state are not here, and are needed here."""
        wanted = known.common.catalogue
        is_here = self._judge.entries.is_own or carried_digest(self._settings.data_dir) == wanted
        return bool(wanted) and not is_here

    def _adopt(self, known: Known) -> None:
        """Put in force what the API tells, beyond what was obeyed. Raises OSError."""
        before = self.follower.known.common
        if known.common.catalogue == "" or self._judge.entries.is_own:
            remove_carried(self._settings.data_dir)
        if known.common is not before:
            self._follow_policy(before, known.common)
        self._answer(known.common)

    def _obey(self, known: Known) -> None:
        """Put in force what may be revoked. Raises OSError, UnusableKeys."""
        self._shared = known.until
        if known.common is self._common:
            return
        # First what may be revoked: that holds even where new keys cannot be written.
        grants = [exception.grant() for exception in known.common.exceptions]
        self._judge.exceptions = Exceptions.of(grants)
        keys = known.common.pseudonym_keys
        if keys:
            adopted = {month: base64.b64decode(key) for month, key in keys.items()}
            self._pseudonyms.adopt(adopted)
        self._common = known.common

    def _follow_policy(self, before: Common, common: Common) -> None:
        """Write the applied policy where the judge looks for it, or take it away again."""
        folder, policy = self._settings.data_dir, common.policy
        if policy is None:
            # Without a state of before (it was lost) what lies here may be a policy of long ago.
            if before.policy is not None or not self.follower.known.version:
                remove_applied(folder)
            return
        applied = read_applied(folder)
        if applied is None or (applied.text, applied.number) != (policy.text, policy.number):
            write_applied(folder, policy.text, policy.number)

    def _answer(self, common: Common) -> None:
        """Answer the approved questions who a pseudonym stands for, each once."""
        for wanted in common.resolutions:
            if wanted.id in self._answered:
                continue
            found = self._find(wanted.client)
            body = {"found": found, "node": self._settings.node}
            self.follower.send(Message(RESOLUTION, str(new_id()), body, about=wanted.id))
            if len(self._answered) >= MAX_ANSWERED:
                self._answered.clear()
            self._answered.add(wanted.id)

    def _find(self, pseudonym: str) -> str:
        month = pseudonym.partition(".")[0]
        clients = self.directory.clients(month)
        return next(
            (client for client in clients if pseudonym in self._pseudonyms.under(month, client)), ""
        )

    def _tidy(self) -> None:
        try:
            self.directory.flush()
        except OSError as error:
            log.warning("who was seen cannot be noted: %s", error)

    def _report(self) -> Heartbeat:
        self._counters.delivery_failures = self._delivery.counters.failures
        self._counters.limits |= {
            "spool_dropped_events": self._spool.dropped_events,
            "spool_dropped_rollups": self._spool.dropped_rollups,
            "spool_disk_full": self._spool.full,
        }
        statuses = self._judge.databases.status(time.time())
        return Heartbeat(
            node=self._settings.node,
            version=version("sovproxy"),
            mode=self._settings.proxy_mode,
            started=self._started,
            policy=self._policy_report(),
            catalogue=self._catalogue_report(),
            inspection=self._judge.policy.inspection,
            state=self.follower.known.version,
            data=[DataReport(name=one.kind, as_of=one.built, stale=one.stale) for one in statuses],
            spool=backlog_of(self._folder / "spool"),
            waiting=len(self.outbox),
            counters=self._counters,
            memory=resident_bytes(),
        )

    def _catalogue_report(self) -> CatalogueReport:
        entries = self._judge.entries
        return CatalogueReport(digest=entries.digest, own=entries.is_own, problem=entries.problem)

    def _policy_report(self) -> PolicyReport:
        policy, problem = self._judge.policy, self._judge.policy_file.last_error
        applied = read_applied(self._settings.data_dir)
        follows = applied is not None and applied.digest == policy.version
        return PolicyReport(
            id=policy.id,
            version=policy.version,
            number=applied.number if applied and follows else 0,
            digest=applied.digest if applied and follows else "",
            problem=problem,
        )
