"""What is measured, for Prometheus: one table of names, and the numbers under them.

Labels have few values: methods and statuses of HTTP, templates of routes (never paths), receivers
and nodes by name. No host, no client and no secret is in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder

from sovproxy.limits import API_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from sovproxy.usecases.nodes.ingest import IngestAnswer

type Kind = Literal["counter", "gauge", "histogram", "info"]
type Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of labels, in the order of the table, and the number."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Spec:
    """A family of metrics: its name without `_total` and `_info`, its kind, meaning and labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The name as it is exposed in Prometheus' text."""
        ends: dict[Kind, str] = {"counter": "_total", "info": "_info"}
        return self.name + ends.get(self.kind, "")


SPECS: Final = (
    Spec("sovproxy_build", "info", "The version of the API.", ("version",)),
    Spec(
        "sovproxy_http_requests",
        "counter",
        "Requests answered, by method, template of the route and status.",
        ("method", "route", "status"),
    ),
    Spec("sovproxy_http_request_seconds", "histogram", "Until an answer began.", ("route",)),
    Spec(
        "sovproxy_ingest_records",
        "counter",
        "Events and rollups that nodes delivered: accepted, duplicate or refused.",
        ("result",),
    ),
    Spec("sovproxy_ingest_seconds", "histogram", "How long a batch took to become durable."),
    Spec("sovproxy_sign_in_failures", "counter", "Refused passwords and tokens."),
    Spec(
        "sovproxy_limit_reached",
        "counter",
        "How often a limit of the API was reached, by its name.",
        ("limit",),
    ),
    Spec("sovproxy_store_up", "gauge", "1 if the store can be used, else 0."),
    Spec("sovproxy_store", "info", "The kind of the store.", ("dialect",)),
    Spec("sovproxy_store_bytes", "gauge", "What the store takes on disk."),
    Spec("sovproxy_store_free_bytes", "gauge", "What is left on the store's disk, if known."),
    Spec("sovproxy_store_events", "gauge", "Events held, about."),
    Spec("sovproxy_store_rollups", "gauge", "Rollups held, about."),
    Spec("sovproxy_store_newest_arrival", "gauge", "Number of the event that arrived last."),
    Spec(
        "sovproxy_retention_last_run_timestamp_seconds",
        "gauge",
        "When retention ran last (Unix seconds).",
    ),
    Spec("sovproxy_retention_ok", "gauge", "1 if the last run ended well, else 0."),
    Spec(
        "sovproxy_retention_deleted",
        "counter",
        "Rows deleted by retention since the API began, by kind of data.",
        ("kind",),
    ),
    Spec("sovproxy_forward_up", "gauge", "1 if a receiver is connected, else 0.", ("receiver",)),
    Spec("sovproxy_forward_behind", "gauge", "Arrivals a receiver lacks, at most.", ("receiver",)),
    Spec("sovproxy_forward_sent", "counter", "Events sent since the API began.", ("receiver",)),
    Spec(
        "sovproxy_forward_failures",
        "counter",
        "Failed attempts since the API began.",
        ("receiver",),
    ),
    Spec("sovproxy_policy", "info", "The policy in force here.", ("id", "version")),
    Spec("sovproxy_policy_ok", "gauge", "0 if the present policy file is refused, else 1."),
    Spec("sovproxy_data_age_seconds", "gauge", "Age of a database.", ("name",)),
    Spec("sovproxy_data_stale", "gauge", "1 if a database is over 90 days old, else 0.", ("name",)),
    Spec(
        "sovproxy_ca_ends_timestamp_seconds",
        "gauge",
        "When the issuing CAs of this machine's node end (Unix seconds).",
    ),
    Spec(
        "sovproxy_ca_missing_names",
        "gauge",
        "Names that the policy may stop and the CA does not permit: refused without a prompt.",
    ),
    Spec("sovproxy_ca_ok", "gauge", "0 if something is to be done about the CA, else 1."),
    Spec("sovproxy_exceptions_waiting", "gauge", "Requests for exceptions without an answer."),
    Spec("sovproxy_exceptions_in_force", "gauge", "Exceptions granted and not over."),
    Spec("sovproxy_nodes", "gauge", "Nodes: ok, problem or silent.", ("state",)),
    Spec(
        "sovproxy_node_last_heartbeat_timestamp_seconds",
        "gauge",
        "When a node was heard of last (Unix seconds).",
        ("node",),
    ),
    Spec("sovproxy_node_spool_records", "gauge", "Records that wait on a node.", ("node",)),
    Spec("sovproxy_node_memory_bytes", "gauge", "Resident memory of a node.", ("node",)),
    Spec(
        "sovproxy_decrypted_share",
        "gauge",
        "Connections decrypted, of all that the nodes counted; 0 to 1.",
    ),
    Spec(
        "sovproxy_node_events",
        "counter",
        "What a node counts of itself since it began, by the name of the counter.",
        ("node", "counter"),
    ),
)
"""All that `/metrics` gives; `docs/metrics.md` is made from this."""

_BY_NAME: Final = {spec.name: spec for spec in SPECS}


class Measures:
    """The numbers of one process that are counted as things happen. Safe for several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = self._counter("sovproxy_http_requests")
        self._latency = self._histogram("sovproxy_http_request_seconds")
        self._records = self._counter("sovproxy_ingest_records")
        self._ingest = self._histogram("sovproxy_ingest_seconds")
        self._deleted = self._counter("sovproxy_retention_deleted")
        self._limits = self._counter("sovproxy_limit_reached")
        for limit in API_LIMITS:
            self._limits.labels(limit)
        for result in ("accepted", "duplicate", "refused"):
            self._records.labels(result)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answer. `route` is the template of a route, never a path."""
        known = method if method in _METHODS else OTHER
        self._requests.labels(known, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def ingested(self, answer: IngestAnswer, seconds: float) -> None:
        """Note a batch that a node delivered."""
        self._records.labels("accepted").inc(answer.accepted)
        self._records.labels("duplicate").inc(answer.duplicates)
        self._records.labels("refused").inc(len(answer.refused))
        self._ingest.observe(seconds)

    def limit_reached(self, limit: str) -> None:
        """Note that a limit of the API was reached."""
        self._limits.labels(limit).inc()

    def deleted(self, kind: str, number: int) -> None:
        """Note what retention deleted of one kind of data."""
        self._deleted.labels(kind).inc(number)

    def exposition(self, accept: str, facts: Iterable[Metric]) -> tuple[bytes, str]:
        """Write everything as Prometheus or OpenMetrics text, and give its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(_All(self.registry, list(facts))), media_type

    def _counter(self, name: str) -> Counter:
        spec = _BY_NAME[name]
        return Counter(spec.name, spec.meaning, spec.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        spec = _BY_NAME[name]
        return Histogram(
            spec.name, spec.meaning, spec.labels, registry=self.registry, buckets=_SECONDS
        )


class _All(CollectorRegistry):
    """What was counted and what was found out just now, as one."""

    def __init__(self, registry: CollectorRegistry, facts: list[Metric]) -> None:
        super().__init__()
        self._parts = registry, facts

    def collect(self) -> Iterator[Metric]:
        """Give every family once."""
        registry, facts = self._parts
        yield from registry.collect()
        yield from facts


def family(name: str, samples: Samples) -> Metric:
    """Make a family of the table with its numbers. Raises KeyError for another name."""
    spec = _BY_NAME[name]
    if spec.kind == "info":
        info = InfoMetricFamily(spec.name, spec.meaning)
        for values, _ in samples:
            info.add_metric([], dict(zip(spec.labels, values, strict=True)))
        return info
    make = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
    found = make(spec.name, spec.meaning, labels=spec.labels)
    for values, number in samples:
        found.add_metric(list(values), number)
    return found


def metrics_table() -> str:
    """The families as a Markdown table."""
    lines = ["| name | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for spec in SPECS:
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "–"
        lines.append(f"| `{spec.shown}` | {spec.kind} | {labels} | {spec.meaning} |")
    return "\n".join(lines) + "\n"
