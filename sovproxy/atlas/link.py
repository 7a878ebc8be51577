"""Join the parts of the catalogue: operators to their parents, services to operators, listings.

Everything that is only wrong in company is found here: things that do not exist, circles, names,
prefixes and networks listed twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sovproxy.decide.facts import Listing, Operator, Power, Service, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.atlas.files import Collection, Item
    from sovproxy.atlas.schema import Fact, OperatorEntry, PowerEntry, ServiceFile, SharedGroup
    from sovproxy.decide.words import Effect
    from sovproxy.errors import Problem
    from sovproxy.yamlfile import Loc


def source_of(fact: Fact) -> Source:
    """The source of a fact as the core knows it."""
    return Source(fact.source, fact.as_of.isoformat() if fact.as_of else "")


@dataclass(slots=True)
class Operators:
    """Build every operator after its parents, each once."""

    collection: Collection
    problems: list[Problem]
    built: dict[str, Operator] = field(default_factory=dict)

    def build_all(self) -> dict[str, Operator]:
        """Build all operators; problems are added to the list."""
        for key in self.collection.operators:
            self._build(key, ())
        return self.built

    def _build(self, key: str, below: tuple[str, ...]) -> Operator | None:
        if key in self.built:
            return self.built[key]
        item = self.collection.operators[key]
        direct = [
            parent
            for index, name in enumerate(item.value.parents)
            if (parent := self._parent(item, index, name, (*below, key)))
        ]
        self.built[key] = operator = _operator(item.value, _chain(direct))
        return operator

    def _parent(
        self, item: Item[OperatorEntry], index: int, name: str, below: tuple[str, ...]
    ) -> Operator | None:
        if name in below:
            circle = " → ".join((*below[below.index(name) :], name))
            message = f"`{name}` cannot own itself: {circle}"
        elif name not in self.collection.operators:
            if self.collection.may_have_operator(name):
                return None
            message = f"there is no operator `{name}`; add it to a file under operators/"
        else:
            return self._build(name, below)
        self.problems.append(item.problem(message, "parents", index))
        return None


def _chain(direct: list[Operator]) -> tuple[Operator, ...]:
    """All parents, nearest first along each line, each once."""
    return tuple(dict.fromkeys(above for one in direct for above in (one, *one.parents)))


def _operator(entry: OperatorEntry, parents: tuple[Operator, ...]) -> Operator:
    return Operator(
        id=entry.id,
        name=entry.name,
        country=entry.country,
        source=source_of(entry),
        verification=entry.verification,
        parents=parents,
        technology=tuple(entry.technology),
    )


def operators_by_asn(
    collection: Collection, operators: dict[str, Operator], problems: list[Problem]
) -> dict[int, Operator]:
    """Who owns each ASN. An ASN owned twice is a problem."""
    owner: dict[int, tuple[Operator, str]] = {}
    for item in collection.operators.values():
        for at, group in enumerate(item.value.networks):
            for index, network in enumerate(group.asns):
                where = ("networks", at, "asns", index, "asn")
                if network.asn in owner:
                    old, place = owner[network.asn]
                    message = f"AS{network.asn} already belongs to `{old.id}`: {place}"
                    problems.append(item.problem(message, *where))
                    continue
                owner[network.asn] = (operators[item.value.id], item.place(*where))
    return {asn: operator for asn, (operator, _) in owner.items()}


def powers(collection: Collection, problems: list[Problem]) -> tuple[Power, ...]:
    """The laws that reach abroad; protections and policies are left out."""
    found = []
    for country, item in collection.powers.values():
        if (item.value.kind == "power") != (item.value.effect is not None):
            message = "a `power` has an `effect`, a `protection` or `policy` has none"
            problems.append(item.problem(message, "effect"))
        elif item.value.effect is not None:
            found.append(_power(country, item.value, item.value.effect))
    return tuple(found)


def _power(country: str, entry: PowerEntry, effect: Effect) -> Power:
    return Power(
        id=entry.id,
        country=country,
        name=entry.name,
        citation=entry.citation,
        year=entry.year,
        effect=effect,
        status=entry.status,
        status_text=entry.status_text,
        source=source_of(entry),
        verification=entry.verification,
    )


def services(
    collection: Collection, operators: dict[str, Operator], problems: list[Problem]
) -> dict[str, Service]:
    """All services. One whose operator does not exist is a problem and is left out."""
    found = {}
    for key, item in collection.services.items():
        problems.extend(_wrong_alternatives(collection, item))
        problems.extend(_foreign_url(item))
        operator = operators.get(item.value.operator)
        if operator:
            found[key] = _service(item.value, operator)
        elif not collection.may_have_operator(item.value.operator):
            message = f"there is no operator `{item.value.operator}`; add it under operators/"
            problems.append(item.problem(message, "operator"))
    return found


def _service(entry: ServiceFile, operator: Operator) -> Service:
    return Service(
        id=entry.id,
        name=entry.name,
        category=entry.category,
        operator=operator,
        stance=entry.stance,
        url=entry.url or "",
        alternatives=tuple(entry.alternatives),
    )


def _wrong_alternatives(collection: Collection, item: Item[ServiceFile]) -> Iterator[Problem]:
    for index, name in enumerate(item.value.alternatives):
        other = collection.services.get(name)
        if f"services/{name}" in collection.broken:
            continue
        if not other:
            message = f"there is no service `{name}`"
        elif name == item.value.id:
            message = "a service is no alternative to itself"
        elif not other.value.url:
            message = f"`{name}` cannot be offered: it has no `url` ({other.place('id')})"
        elif other.value.stance == "replace":
            message = f"`{name}` is to be replaced itself ({other.place('stance')})"
        else:
            continue
        yield item.problem(message, "alternatives", index)


def _foreign_url(item: Item[ServiceFile]) -> Iterator[Problem]:
    """A link that leads elsewhere would send workers to a destination judged as something else."""
    host = urlsplit(item.value.url or "").hostname
    own = {name for group in item.value.hosts for name in group.names}
    parents = (
        {f"*.{host.split('.', cut)[-1]}" for cut in range(1, host.count(".") + 1)} if host else ()
    )
    if host and host not in own and own.isdisjoint(parents):
        yield item.problem(f"leads to {host}, which is not among the service's own hosts", "url")


@dataclass(slots=True)
class Listings:
    """Gather the claims on hosts, prefixes and networks; each may be claimed once.

    A prefix may be claimed as a whole and by ports besides; the key is pattern and ports.
    """

    problems: list[Problem]
    claims: dict[tuple[str, str], tuple[Listing, str, int]] = field(default_factory=dict)

    def add(
        self,
        listing: Listing,
        item: Item[ServiceFile] | Item[SharedGroup],
        loc: Loc,
        ports: str = "",
    ) -> None:
        """Add one claim; a second one is a problem, unless a later folder's shared host."""
        old = self.claims.get((listing.pattern, ports))
        replaces = old and item.layer > old[2] and listing.service is old[0].service is None
        if old and not replaces:
            owner = f"`{old[0].service.id}`" if old[0].service else "the shared hosts"
            what = f"{listing.pattern} {ports}".strip()
            message = f"{what} is listed twice; {owner} has it too: {old[1]}"
            self.problems.append(item.problem(message, *loc))
            return
        self.claims[listing.pattern, ports] = (listing, item.place(*loc), item.layer)

    def add_service(self, item: Item[ServiceFile], service: Service) -> None:
        """Add all claims of a service."""
        for at, hosts in enumerate(item.value.hosts):
            for index, name in enumerate(hosts.names):
                listing = _listing(name, "host", hosts, service, exclusive=True)
                self.add(listing, item, ("hosts", at, "names", index))
        for at, group in enumerate(item.value.prefixes):
            for index, name in enumerate(group.names):
                listing = _listing(name, "prefix", group, service, exclusive=group.exclusive)
                for ports in group.ports or [""]:
                    self.add(listing, item, ("prefixes", at, "names", index), ports)
        for index, claim in enumerate(item.value.networks):
            pattern = f"AS{claim.asn}"
            listing = _listing(pattern, "network", claim, service, exclusive=claim.exclusive)
            self.add(listing, item, ("networks", index, "asn"))

    def add_shared(self, item: Item[SharedGroup], operator: Operator | None) -> None:
        """Add a group of hosts that belong to no service."""
        for index, name in enumerate(item.value.names):
            source, level = source_of(item.value), item.value.verification
            self.add(Listing(name, "host", source, level, None, operator), item, ("names", index))


def _listing(pattern: str, kind: str, fact: Fact, service: Service, *, exclusive: bool) -> Listing:
    source, level = source_of(fact), fact.verification
    return Listing(pattern, kind, source, level, service, service.operator, exclusive)


def listings(
    collection: Collection,
    found: dict[str, Service],
    operators: dict[str, Operator],
    problems: list[Problem],
) -> dict[tuple[str, str], Listing]:
    """All claims by pattern and ports: those of all services, then the shared hosts."""
    gathered = Listings(problems)
    for key, service in found.items():
        gathered.add_service(collection.services[key], service)
    for item in collection.shared:
        name = item.value.operator
        if name and not collection.may_have_operator(name):
            problems.append(item.problem(f"there is no operator `{name}`", "operator"))
        gathered.add_shared(item, operators.get(name or ""))
    return {key: listing for key, (listing, _, _) in gathered.claims.items()}
