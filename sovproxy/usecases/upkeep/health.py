"""How sovproxy is doing: the store, data, nodes and receivers, for the console and for metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol

from sovproxy.errors import SovproxyError
from sovproxy.store.exceptions import list_in_force
from sovproxy.store.times import microseconds
from sovproxy.store.upkeep import StoreSize, store_size
from sovproxy.usecases.nodes.fleet import Fleet, NodeState, list_nodes
from sovproxy.usecases.upkeep.keeping import RetentionRun, last_runs
from sovproxy.usecases.upkeep.measuring import family
from sovproxy.usecases.worker.exceptions import count_waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric

    from sovproxy.atlas.follow import OwnEntries
    from sovproxy.fleet.counters import Counters
    from sovproxy.store.database import Store
    from sovproxy.usecases.ca.state import State
    from sovproxy.usecases.nodes.fleet import KnownNode
    from sovproxy.usecases.upkeep.forwarding import Forwarding

LOW_DISK_BYTES: Final = 1024 * 1024 * 1024
"""Below this the store's disk is called short of room."""

_HANDLED: Final = ("passed", "observed", "excepted", "acknowledged", "warned", "blocked")


class DataState(Protocol):
    """A database in use; `as_of` is an ISO date or empty."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def as_of(self) -> str:
        """The day it was true."""
        ...

    @property
    def stale(self) -> bool:
        """Whether that is too old."""
        ...


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What only the store knows. `run` is the last run of retention."""

    size: StoreSize
    run: RetentionRun | None
    waiting: int
    in_force: int
    nodes: Sequence[KnownNode]


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it at one time. `store` is None while the store cannot be used, `ca` without a CA."""

    now: datetime
    store: StoreFacts | None
    forwarding: Forwarding
    data: Sequence[DataState]
    policy_problem: str
    policy: tuple[str, str]
    sign_in_failures: int = 0
    ca: State | None = None

    @property
    def is_short_of_room(self) -> bool:
        """Whether the store's disk is nearly full."""
        free = self.store.size.free if self.store else None
        return free is not None and free < LOW_DISK_BYTES


def store_facts(store: Store, now: datetime, entries: OwnEntries | None) -> StoreFacts | None:
    """Ask the store; None while it cannot be used."""
    try:
        runs = last_runs(store, 1)
        return StoreFacts(
            size=store_size(store),
            run=runs[0] if runs else None,
            waiting=count_waiting(store, now),
            in_force=len(list_in_force(store, microseconds(now))),
            nodes=list_nodes(Fleet(store, lambda: now, entries=entries)).items,
        )
    except SovproxyError:
        return None


def metrics(facts: Facts) -> Iterator[Metric]:
    """What is known at this moment, as families of metrics."""
    yield family("sovproxy_build", [((version("sovproxy"),), 1)])
    yield family("sovproxy_policy", [(facts.policy, 1)])
    yield family("sovproxy_policy_ok", [((), not facts.policy_problem)])
    yield family("sovproxy_sign_in_failures", [((), facts.sign_in_failures)])
    yield from _of_data(facts)
    yield from _of_receivers(facts.forwarding)
    yield from _of_ca(facts.ca)
    yield family("sovproxy_store_up", [((), facts.store is not None)])
    if facts.store:
        yield from _of_size(facts.store.size)
        yield from _of_store(facts.store)
        yield from _of_nodes(facts.store.nodes)


def _of_data(facts: Facts) -> Iterator[Metric]:
    ages = [((item.name,), _age(item.as_of, facts.now)) for item in facts.data if item.as_of]
    yield family("sovproxy_data_age_seconds", ages)
    yield family("sovproxy_data_stale", [((item.name,), item.stale) for item in facts.data])


def _age(as_of: str, now: datetime) -> float:
    try:
        return (now.date() - date.fromisoformat(as_of[:10])).total_seconds()
    except ValueError:
        return float("nan")


def _of_receivers(forwarding: Forwarding) -> Iterator[Metric]:
    states = [((receiver.name,), state) for receiver, state in forwarding.states()]
    yield family("sovproxy_forward_up", [(name, state.connected) for name, state in states])
    yield family("sovproxy_forward_behind", [(name, state.behind) for name, state in states])
    yield family("sovproxy_forward_sent", [(name, state.sent) for name, state in states])
    yield family("sovproxy_forward_failures", [(name, state.failures) for name, state in states])


def _of_ca(state: State | None) -> Iterator[Metric]:
    """The CA of the node on this machine; nothing where there is none."""
    ends = [((), state.issuing.ends.timestamp())] if state and state.issuing else []
    yield family("sovproxy_ca_ends_timestamp_seconds", ends)
    yield family("sovproxy_ca_missing_names", [((), len(state.missing))] if state else [])
    yield family("sovproxy_ca_ok", [((), not state.problems)] if state else [])


def _of_size(size: StoreSize) -> Iterator[Metric]:
    yield family("sovproxy_store", [((size.dialect,), 1)])
    yield family("sovproxy_store_bytes", [((), size.bytes)])
    free = [] if size.free is None else [((), float(size.free))]
    yield family("sovproxy_store_free_bytes", free)
    yield family("sovproxy_store_events", [((), size.events)])
    yield family("sovproxy_store_rollups", [((), size.rollups)])
    yield family("sovproxy_store_newest_arrival", [((), size.newest_arrival)])


def _of_store(facts: StoreFacts) -> Iterator[Metric]:
    run = facts.run
    ended = [((), run.time.timestamp())] if run else []
    yield family("sovproxy_retention_last_run_timestamp_seconds", ended)
    yield family("sovproxy_retention_ok", [((), not run.problem)] if run else [])
    yield family("sovproxy_exceptions_waiting", [((), facts.waiting)])
    yield family("sovproxy_exceptions_in_force", [((), facts.in_force)])


def _of_nodes(nodes: Sequence[KnownNode]) -> Iterator[Metric]:
    states = Counter(node.state for node in nodes)
    yield family("sovproxy_nodes", [((state.value,), states[state]) for state in NodeState])
    latest = {node.report.node: node for node in reversed(nodes)}  # of one name, the latest
    yield family(
        "sovproxy_node_last_heartbeat_timestamp_seconds",
        [((name,), node.last.timestamp()) for name, node in latest.items()],
    )
    spool = [((name,), node.report.spool.records) for name, node in latest.items()]
    yield family("sovproxy_node_spool_records", spool)
    memory = [((name,), node.report.memory) for name, node in latest.items()]
    yield family("sovproxy_node_memory_bytes", memory)
    counts = {name: node.report.counters.snapshot() for name, node in latest.items()}
    yield family(
        "sovproxy_node_events",
        [((name, counter), n) for name, all_ in counts.items() for counter, n in all_.items()],
    )
    share = decrypted_share([node.report.counters for node in latest.values()])
    yield family("sovproxy_decrypted_share", [] if share is None else [((), share)])


def decrypted_share(counters: Sequence[Counters]) -> float | None:
    """Decrypted connections of all that were handled; None if there were none."""
    handled = sum(getattr(item, name) for item in counters for name in _HANDLED)
    return sum(item.decrypted for item in counters) / handled if handled else None
