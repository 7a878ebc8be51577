"""What the atlas knows, as frozen values: powers, operators, services, listings, networks.

Objects that stand for one catalogue entry compare by identity: there is one object per entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sovproxy.decide.words import Effect, PowerStatus, Verification


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from, and the day (ISO date, or empty if unknown) it was true there."""

    title: str
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact with its kind, value, source, date (ISO, or empty) and confidence."""

    kind: str
    value: str
    source: str
    as_of: str
    confidence: str


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """A named legal power of a country (ISO 3166-1 alpha-2) that reaches abroad."""

    id: str
    country: str
    name: str
    citation: str
    year: int
    effect: Effect
    status: PowerStatus
    status_text: str
    source: Source
    verification: Verification


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """A legal entity. `parents` runs from the direct parent to the ultimate one.

    `technology` names countries on whose technology the offer depends without being controlled
    from there (Bleu, Delos, S3NS): shown as evidence, never counted as control.
    """

    id: str
    name: str
    country: str
    source: Source
    verification: Verification
    parents: tuple[Operator, ...] = ()
    technology: tuple[str, ...] = ()

    @property
    def control(self) -> tuple[str, ...]:
        """Countries from which it is controlled: its own seat and its parents', each once."""
        return tuple(dict.fromkeys((self.country, *(parent.country for parent in self.parents))))

    @property
    def chain(self) -> tuple[str, ...]:
        """The ids of the operator and of all its parents."""
        return (self.id, *(parent.id for parent in self.parents))


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """An entry of the catalogue. `url` opens it (for alternatives); `alternatives` are ids.

    `stance` is the catalogue's own hint: `keep` (sovereign), `replace`, `choose` (the admin's
    decision), `watch`, `label` (infrastructure that others build on: named, not stopped).
    """

    id: str
    name: str
    category: str
    operator: Operator
    stance: str
    url: str = ""
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A claim of the catalogue on one host pattern, prefix or network.

    `service` is None for a shared or third-party host (CDN, push, certificate status): it is known
    and is never stopped on behalf of one service. `exclusive` says that nothing else lives under
    the prefix or network.
    """

    pattern: str
    kind: str
    source: Source
    verification: Verification
    service: Service | None = None
    operator: Operator | None = None
    exclusive: bool = True


@dataclass(frozen=True, slots=True)
class PortListing:
    """A prefix that is the service's on some ports only: `tcp` or `udp`, first to last port.

    A proxy carries TCP alone, but media fall back to TCP on the same ports, and a question does not
    name the protocol: so the port is matched whichever it is.
    """

    listing: Listing
    protocol: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What the databases say about one address: country of the server and the network it is in.

    `country` is ISO 3166-1 alpha-2 or empty; `asn` 0 when unknown. `operator` is the atlas's entry
    for the ASN. `registered` is the country the network is registered in, or empty. `stale` is
    true when a database used for this answer is older than 90 days.
    """

    country: str = ""
    country_source: Source = field(default_factory=lambda: Source(""))
    asn: int = 0
    organisation: str = ""
    registered: str = ""
    network_source: Source = field(default_factory=lambda: Source(""))
    operator: Operator | None = None
    stale: bool = False


NOWHERE = Place()
