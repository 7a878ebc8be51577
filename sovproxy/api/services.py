"""What the API is given to work with. Nothing in it is global: an app is made from one of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence  # noqa: TC003  # FastAPI reads annotations
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from sovproxy.atlas.follow import OwnEntries  # noqa: TC001  # FastAPI reads annotations
from sovproxy.atlas.load import Atlas, load_atlas
from sovproxy.events.pseudonym import Pseudonyms  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.database import Store  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.audit_chain import AuditWatch  # noqa: TC001  # as above
from sovproxy.usecases.access.oidc import Provider  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.remembering import Remembered
from sovproxy.usecases.access.workers import WorkerKeys  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.ca.state import State  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.policy.bundles import Bundles  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.policy.local_catalogue import LocalCatalogue  # noqa: TC001  # as above
from sovproxy.usecases.policy.policies import PolicyDesk  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.upkeep.forwarding import Forwarding
from sovproxy.usecases.upkeep.measuring import Measures
from sovproxy.usecases.upkeep.papers import Papers  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.worker.exception_desk import DEFAULT_MAX_DAYS
from sovproxy.usecases.worker.rooms import VisioSettings  # noqa: TC001  # FastAPI reads annotations


class Judge(Protocol):
    """What answers `check`: `sovproxy.usecases.policy.judging.Judge` does."""

    def check(
        self, query: str, ip: str = "", group: str = "", client: str = ""
    ) -> Mapping[str, object]:
        """Judge a host, URL or address; the answer is the JSON object of DESIGN.md §7."""
        ...


@dataclass(frozen=True, slots=True)
class DataAge:
    """A database or catalogue in use. `as_of` is an ISO date or empty; `stale` means over 90 days
    old."""

    name: str
    as_of: str
    stale: bool


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of one app.

    `proxy_address` is the `host:port` under which clients reach the proxy. `ca_file` is a PEM file
    with the node's root certificate; whatever else is in it is never served. `policy_problem` gives
    the reason why the present policy file is not in force, or an empty text. `exception_days` is
    how long the policy lets an exception last. `policy` gives id and version of the one in force.
    `metrics_open` lets this machine read `/metrics` without a token. `pseudonyms` holds the
    keys that all nodes make pseudonyms with; without, each keeps its own. `oidc` is the OpenID
    provider, if there is one, and `public_url` under which people reach the console. `workers`
    knows the tokens that nodes sign for workers. `scrapers` remembers who read `/metrics` lately.
    `visio` makes rooms for workers, where it is set up; `audit_watch` checks the audit's chain.
    `papers` writes the papers of the processing. `ca_state` tells how the CA of this machine's node
    stands, if it has one.
    """

    store: Store
    judge: Judge
    proxy_address: str
    ca_file: Path
    internal_domains: Callable[[], Sequence[str]]
    retention_days: Callable[[], int]
    data_ages: Callable[[], Sequence[DataAge]]
    policy_problem: Callable[[], str]
    pseudonyms: Pseudonyms | None = None
    clock: Callable[[], datetime] = _utc_now
    exception_days: Callable[[], int] = lambda: DEFAULT_MAX_DAYS
    local_catalogue: LocalCatalogue | None = None
    own_entries: OwnEntries | None = None
    oidc: Provider | None = None
    public_url: str = ""
    bundles: Bundles | None = None
    policies: PolicyDesk | None = None
    forwarding: Forwarding = field(default_factory=Forwarding)
    measures: Measures = field(default_factory=Measures)
    atlas: Callable[[], Atlas] = load_atlas
    metrics_open: bool = False
    scrapers: Remembered = field(default_factory=Remembered)
    policy: Callable[[], tuple[str, str]] = lambda: ("", "")
    workers: WorkerKeys | None = None
    audit_watch: AuditWatch | None = None
    papers: Papers | None = None
    visio: VisioSettings | None = None
    ca_state: Callable[[], State | None] = lambda: None


def services_of(request: Request) -> Services:
    """The services of the app that got this request."""
    return cast("Services", request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]
