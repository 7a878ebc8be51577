"""The API's half of the fleet: what is in force for all nodes, and what they tell of themselves."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field

from sovproxy.errors import SovproxyError
from sovproxy.events.files import make_private_folder, replace_private
from sovproxy.events.pseudonym import Pseudonyms, months_ahead
from sovproxy.fleet.messages import (
    MAX_ACKNOWLEDGEMENTS,
    MAX_EXCEPTIONS,
    MAX_RESOLUTIONS,
    Acknowledged,
    AppliedPolicy,
    Common,
    Heartbeat,
    InForce,
    State,
    Wanted,
)
from sovproxy.store import fleet as rows
from sovproxy.store.exceptions import list_in_force
from sovproxy.store.policies import newest_version
from sovproxy.store.tables import AcknowledgementRow, NodeRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import COMMAND_LINE, maker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sovproxy.atlas.entries import Entries
    from sovproxy.atlas.follow import OwnEntries
    from sovproxy.fleet.messages import NewAcknowledgement
    from sovproxy.store.database import Store
    from sovproxy.store.tables import ExceptionRow
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.access.workers import WorkerKeys

SILENT: Final = timedelta(seconds=60)
"""A node that was not heard of for so long is silent; it reports every ten seconds."""

MAX_NODES: Final = 5000
MAX_ACKNOWLEDGED: Final = timedelta(days=31)
"""How far ahead an acknowledgement may end; a node cannot give more."""

TO_SETTINGS: Final = "settings"
"""Origin of a policy version that says: nothing is applied any more."""

_SECOND: Final = 1_000_000


class TooManyNodes(SovproxyError):
    """There are 5000 nodes already; forget those that are retired."""


class NoSuchNode(SovproxyError):
    """No node has this number."""


class NodeState(StrEnum):
    """How a node is: it reports and has no problem, has one, or has not been heard of."""

    OK = "ok"
    PROBLEM = "problem"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is in force, with the marks that it was read at. `head` is the digest of `common`."""

    marks: rows.Marks
    common: Common
    head: str

    @property
    def version(self) -> str:
        """The version of the whole state."""
        return f"{self.head}.{self.marks.acknowledgement}"


@dataclass(slots=True)
class Fleet:
    """What is in force for all nodes. `pseudonyms` holds the keys that all nodes make theirs with,
    `workers` those that they sign workers' tokens with; `api_url` is where people reach the API;
    `entries` are the administration's own of the catalogue.

    Not safe to use from two threads at once.
    """

    store: Store
    clock: Callable[[], datetime]
    pseudonyms: Pseudonyms | None = None
    workers: WorkerKeys | None = None
    api_url: str = ""
    entries: OwnEntries | None = None
    _last: Snapshot | None = None
    _keys: dict[str, str] = field(default_factory=dict)

    def look(self) -> Snapshot:
        """Read what is in force now; cheap when nothing changed.

        Raises StoreUnavailable, UnusableKeys.
        """
        now = self.clock()
        marks = rows.read_marks(self.store, microseconds(now))
        keys = self._keys_at(now), self._worker_keys_at(now)
        last = self._last
        own = self.own_catalogue()
        told = (*keys, own.digest if own else None)
        if last is None or told != _told(last.common) or marks[:3] != last.marks[:3]:
            common = self._common(now, marks, *told)
            head = hashlib.sha256(common.model_dump_json().encode()).hexdigest()[:16]
            self._last = last = Snapshot(marks, common, head)
        elif marks != last.marks:
            self._last = last = Snapshot(marks, last.common, last.head)
        return last

    def own_catalogue(self) -> Entries | None:
        """The administration's own entries that nodes are to have; None if that is not known."""
        return self.entries.present() if self.entries else None

    def _common(
        self,
        now: datetime,
        marks: rows.Marks,
        keys: dict[str, str],
        worker_keys: dict[str, str],
        catalogue: str | None,
    ) -> Common:
        at = microseconds(now)
        granted = list_in_force(self.store, at)[:MAX_EXCEPTIONS]
        wanted = rows.approved_resolutions(self.store, at, MAX_RESOLUTIONS)
        return Common(
            policy=self._policy() if marks.policy else None,
            exceptions=[_in_force(row) for row in granted],
            pseudonym_keys=keys,
            resolutions=[Wanted(id=one, client=client) for one, client in wanted],
            worker_keys=worker_keys,
            api_url=self.api_url,
            catalogue=catalogue,
        )

    def _policy(self) -> AppliedPolicy | None:
        row = newest_version(self.store)
        if row is None or row.origin == TO_SETTINGS:
            return None
        return AppliedPolicy(number=row.number, text=row.text, digest=row.digest)

    def _keys_at(self, now: datetime) -> dict[str, str]:
        """The keys of every month that is kept, and of the next: nodes have it when it begins."""
        if self.pseudonyms is None:
            return {}
        months = months_ahead(now)
        if not set(months) <= self._keys.keys():
            found = self.pseudonyms.hand_out(months)
            self._keys = _as_text(found)
        return self._keys

    def _worker_keys_at(self, now: datetime) -> dict[str, str]:
        return _as_text(self.workers.hand_out(now)) if self.workers else {}

    def state(self, known: str, snapshot: Snapshot) -> State:
        """What a node that knows the version `known` must be told to be at `snapshot`.

        Raises StoreUnavailable.
        """
        head, _, number = known.partition(".")
        last = snapshot.marks.acknowledgement
        since = int(number) if head == snapshot.head and int(number) <= last else 0
        found = rows.acknowledgements_after(
            self.store, since, microseconds(self.clock()), MAX_ACKNOWLEDGEMENTS
        )
        reached = found[-1].seq or 0 if len(found) == MAX_ACKNOWLEDGEMENTS else last
        return State(
            version=f"{snapshot.head}.{reached}",
            common=None if head == snapshot.head else snapshot.common,
            since=since,
            acknowledgements=[_acknowledged(row) for row in found],
        )


def _told(common: Common) -> tuple[dict[str, str], dict[str, str], str | None]:
    return common.pseudonym_keys, common.worker_keys, common.catalogue


def _as_text(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {month: base64.b64encode(key).decode() for month, key in keys.items()}


def fleet_keys(data_dir: Path, retention_days: int) -> Pseudonyms:
    """The fleet's pseudonym keys: in a file of the API's machine, never in the store.

    At first they are those of the node on this machine, if it has some: where both run together,
    nobody's pseudonym changes. Raises OSError.
    """
    path = data_dir / "fleet" / "pseudonym-keys.json"
    own = data_dir / "node" / "pseudonym-keys.json"
    if not path.exists() and own.exists():
        make_private_folder(path.parent)
        replace_private(path, own.read_bytes())
    return Pseudonyms(path, retention_days)


def _in_force(row: ExceptionRow) -> InForce:
    return InForce(
        id=str(row.id),
        number=row.number or 0,
        start=(row.start or 0) / _SECOND,
        until=(row.until or 0) / _SECOND,
        service=row.service,
        host=row.host,
        below=row.below,
        scope=row.scope,
        client=row.client if row.scope == "client" else "",
        group=row.group if row.scope == "group" else "",
    )


def _acknowledged(row: AcknowledgementRow) -> Acknowledged:
    return Acknowledged(client=row.client, subject=row.subject, until=row.until / _SECOND)


def take_acknowledgements(
    store: Store, principal: Principal, given: Sequence[NewAcknowledgement], now: datetime
) -> int:
    """Store what workers acknowledged at a node; say how many were new. Raises StoreUnavailable.

    None lasts longer than 31 days from now; what is over already is passed over.
    """
    at, latest = microseconds(now), microseconds(now + MAX_ACKNOWLEDGED)
    made = (
        AcknowledgementRow(
            id=item.id,
            client=item.client,
            subject=item.subject,
            until=min(int(item.until * _SECOND), latest),
            time=microseconds(item.time),
            token=principal.token_id,
        )
        for item in given
    )
    return rows.insert_acknowledgements(store, [row for row in made if row.until > at])


def note_heartbeat(store: Store, principal: Principal, heartbeat: Heartbeat, now: datetime) -> None:
    """Note that a node lives, and what it says. Raises TooManyNodes, StoreUnavailable."""
    row = NodeRow(
        token=principal.token_id,
        name=heartbeat.node,
        first=microseconds(now),
        last=microseconds(now),
        report=heartbeat.model_dump_json(),
    )
    if not rows.save_node(store, row, MAX_NODES):
        raise TooManyNodes(f"there are {MAX_NODES} nodes already; forget those that are retired")


def is_of_the_machine(store: Store, principal: Principal) -> bool:
    """Whether a node's token was made on the API's machine, whose owner has the keys anyway.

    Of a token that is older than the notes of makers it is not known. Raises StoreUnavailable.
    """
    return maker_of(store, principal.token_id) in {COMMAND_LINE, principal.token_id}


def without_keys(state: bytes) -> bytes:
    """A state as JSON without the keys of pseudonyms and of workers' tokens."""
    told = State.model_validate_json(state)
    if told.common is None:
        return state
    common = told.common.model_copy(update={"pseudonym_keys": {}, "worker_keys": {}})
    return told.model_copy(update={"common": common}).model_dump_json().encode()


class KnownNode(BaseModel):
    """A node as it was last heard of. `conflict` tells that another token uses the same name.

    `follows` tells whether the applied policy is in force there; null when none is applied.
    `behind` tells that it does not know the present policy and exceptions yet; `other_entries` that
    it judges by other entries of the catalogue than the API's own.
    """

    id: int = Field(examples=[3])
    token: str = Field(examples=["0f3a9c5d7e1b2846"])
    first: datetime
    last: datetime
    state: NodeState
    conflict: bool
    follows: bool | None
    behind: bool
    other_entries: bool
    report: Heartbeat


class NodeList(BaseModel):
    """All nodes by name, and the number of the applied policy (0 if there is none)."""

    items: list[KnownNode]
    applied: int


def list_nodes(fleet: Fleet) -> NodeList:
    """List the nodes. Raises StoreUnavailable, UnusableKeys."""
    now, snapshot = fleet.clock(), fleet.look()
    found = rows.list_nodes(fleet.store)
    names = [row.name for row in found]
    items = [_known(row, now, snapshot, names.count(row.name) > 1) for row in found]
    policy = snapshot.common.policy
    return NodeList(items=items, applied=policy.number if policy else 0)


def _known(row: NodeRow, now: datetime, snapshot: Snapshot, conflict: bool) -> KnownNode:
    report = Heartbeat.model_validate_json(row.report)
    policy, last = snapshot.common.policy, from_microseconds(row.last)
    follows = None if policy is None else report.policy.version == policy.digest
    wanted = snapshot.common.catalogue
    other_entries = wanted is not None and report.catalogue.digest != wanted
    problem = report.policy.problem or report.catalogue.problem
    strayed = other_entries and not report.catalogue.own
    trouble = conflict or problem or follows is False or strayed
    state = NodeState.PROBLEM if trouble else NodeState.OK
    return KnownNode(
        id=row.id or 0,
        token=row.token,
        first=from_microseconds(row.first),
        last=last,
        state=NodeState.SILENT if now - last > SILENT else state,
        conflict=conflict,
        follows=follows,
        behind=report.state.partition(".")[0] != snapshot.head,
        other_entries=other_entries,
        report=report,
    )


def forget_node(store: Store, principal: Principal, node_id: int, now: datetime) -> None:
    """Forget a node that is retired; one that lives comes back with its next heartbeat.

    Raises NoSuchNode, StoreUnavailable.
    """
    row = rows.get_node(store, node_id)
    if row is None:
        raise NoSuchNode(f"no node has the number {node_id}")
    details: dict[str, Any] = {"id": node_id, "name": row.name, "token": row.token}
    record_act(store, principal, Act.NODE_FORGET, details, now=now)
    rows.delete_node(store, node_id)
