"""Everything that deciding needs in one JSON document, for engines that decide by themselves.

The companion extension loads it (`extension/core/bundle.js` reads what is written here) and gives
the same verdicts. Left out is what only the proxy needs, and what would tell about people: the
members and networks of groups. Texts that repeat are written once and referred to by number.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sovproxy.decide.policy import Condition
from sovproxy.decide.words import PowerStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.facts import Listing, Operator, PortListing, Power, Service, Source
    from sovproxy.decide.policy import Policy, Rule

FORMAT: Final = 1
"""Readers refuse a bundle of another format."""

type Json = dict[str, Any]


def make_bundle(atlas: Atlas, policy: Policy) -> Json:
    """Make the bundle of a catalogue and a policy. Equal ones give equal bundles.

    `version` is the digest of all the rest.
    """
    writer = _Writer()
    content: Json = {
        "format": FORMAT,
        "policy": _policy(policy),
        "operators": [writer.operator(item) for item in atlas.operators.values()],
        "services": [_service(item) for item in atlas.services.values()],
        "powers": [writer.power(item) for item in atlas.powers if _matters(item)],
        "listings": writer.listings(atlas.listings, atlas.port_listings),
    }
    content["sources"] = writer.sources()
    digest = hashlib.sha256(to_bytes(content)).hexdigest()
    return {"version": digest[:32]} | content


def to_bytes(bundle: Mapping[str, Any]) -> bytes:
    """Write a bundle, always in the same way."""
    return json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()


def _matters(power: Power) -> bool:
    return power.status is not PowerStatus.PROPOSED


def _policy(policy: Policy) -> Json:
    organisation = policy.organisation
    return {
        "id": policy.id,
        "version": policy.version,
        "language": policy.language,
        "title": dict(policy.title),
        "default": policy.default,
        "trust_zone": sorted(policy.trust_zone),
        "trust_recalled": policy.trust_recalled,
        "acknowledgement_seconds": policy.acknowledgement_seconds,
        "exception_days": policy.exception_days,
        "internal_domains": list(policy.internal_domains),
        "internal_networks": list(policy.internal_networks),
        "refused_networks": list(policy.refused_networks),
        "rules": [_rule(rule) for rule in policy.rules],
        "organisation": {
            item.name: _plain(organisation, item.name) for item in fields(organisation)
        },
    }


def _plain(organisation: object, name: str) -> object:
    value = getattr(organisation, name)
    return value if isinstance(value, str) else dict(value)


def _rule(rule: Rule) -> Json:
    condition = {
        part.name: sorted(values)
        for part in fields(Condition)
        if (values := getattr(rule.condition, part.name))
    }
    return {
        "id": rule.id,
        "condition": condition,
        "phases": [[phase.start, phase.action] for phase in rule.phases],
        "alternative": rule.alternative,
        "message": dict(rule.message),
        "trust_recalled": rule.trust_recalled,
    }


def _service(service: Service) -> Json:
    return {
        "id": service.id,
        "name": service.name,
        "category": service.category,
        "operator": service.operator.id,
        "stance": service.stance,
        "url": service.url,
        "alternatives": list(service.alternatives),
    }


class _Writer:
    """Numbers the sources, and joins listings that differ in their pattern only."""

    def __init__(self) -> None:
        self._sources: dict[Source, int] = {}

    def sources(self) -> list[list[str]]:
        """Title and date of every source, by number."""
        return [[source.title, source.as_of] for source in self._sources]

    def operator(self, operator: Operator) -> Json:
        """One operator; its parents by id, from the direct one to the ultimate."""
        return {
            "id": operator.id,
            "name": operator.name,
            "country": operator.country,
            "parents": [parent.id for parent in operator.parents],
            "verification": operator.verification,
            "source": self._number(operator.source),
        }

    def power(self, power: Power) -> Json:
        """One power that can be used, or whose effects are left."""
        return {
            "id": power.id,
            "country": power.country,
            "name": power.name,
            "citation": power.citation,
            "year": power.year,
            "effect": power.effect,
            "status": power.status,
            "status_text": power.status_text,
            "source": self._number(power.source),
        }

    def listings(
        self, plain: Iterable[Listing], on_ports: Iterable[PortListing]
    ) -> list[list[Any]]:
        """Rows of kind, service, operator, verification, exclusive, source, ports, patterns.

        Their order keeps that of the patterns: of equal ones the first counts.
        """
        rows: dict[tuple[Any, ...], list[str]] = {}
        for listing in plain:
            rows.setdefault(self._alike(listing, None), []).append(listing.pattern)
        for item in on_ports:
            ports = (item.first, item.last)
            rows.setdefault(self._alike(item.listing, ports), []).append(item.listing.pattern)
        return [[*alike, " ".join(patterns)] for alike, patterns in rows.items()]

    def _alike(self, listing: Listing, ports: tuple[int, int] | None) -> tuple[Any, ...]:
        return (
            listing.kind,
            listing.service.id if listing.service else "",
            listing.operator.id if listing.operator else "",
            listing.verification,
            listing.exclusive,
            self._number(listing.source),
            ports,
        )

    def _number(self, source: Source) -> int:
        return self._sources.setdefault(source, len(self._sources))
