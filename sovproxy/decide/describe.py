"""A verdict as the JSON object of DESIGN.md §7, the same at every door."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sovproxy.decide.destination import Unreadable
from sovproxy.decide.evidence import evidence_of
from sovproxy.decide.instants import utc_text
from sovproxy.decide.normalise import MAX_INPUT

if TYPE_CHECKING:
    from sovproxy.decide.destination import Destination
    from sovproxy.decide.facts import Listing, Operator, Place, Service
    from sovproxy.decide.verdict import Step, Verdict

type Json = dict[str, object]


def describe(query: str, destination: Destination | Unreadable, verdict: Verdict) -> Json:
    """The whole answer about `query` (cut to what is ever read of it), ready for `json.dumps`."""
    jurisdiction = verdict.jurisdiction
    return {
        "query": query[:MAX_INPUT],
        **_names(destination),
        "listing": _listing(verdict.listing),
        "service": _service(verdict.service),
        "operator": _operator(jurisdiction.operator),
        "location": _location(jurisdiction.place),
        "network": _network(jurisdiction.place),
        "control": list(jurisdiction.control),
        "powers": [power.id for power in jurisdiction.powers],
        "standing": jurisdiction.standing.value,
        "verdict": _verdict(verdict),
        "exception": _exception(verdict),
        "evidence": [asdict(item) for item in evidence_of(verdict)],
        "trace": [_step(step) for step in verdict.steps],
    }


def _step(step: Step) -> Json:
    """A step in English, and in parts for those who say it in another language."""
    note = step.note
    return {
        "rung": step.rung,
        "decided": step.decided,
        "detail": step.detail,
        "rule": step.rule,
        "action": step.action,
        "note": {"key": note.key, "values": dict(note.values)} if note else None,
    }


def _names(destination: Destination | Unreadable) -> Json:
    """The destination as it was read, or why it could not be."""
    if isinstance(destination, Unreadable):
        return {"host": "", "address": "", "error": f"{destination.text!r} {destination.problem}"}
    return {"host": destination.host, "address": destination.address, "error": None}


def _listing(listing: Listing | None) -> Json | None:
    """The catalogue's entry that recognised the destination; it may belong to no service."""
    return {"kind": listing.kind, "pattern": listing.pattern} if listing else None


def _service(service: Service | None) -> Json | None:
    if service is None:
        return None
    return {"id": service.id, "name": service.name, "category": service.category}


def _operator(operator: Operator | None) -> Json | None:
    if operator is None:
        return None
    parents = [
        {"id": item.id, "name": item.name, "country": item.country} for item in operator.parents
    ]
    return {
        "id": operator.id,
        "name": operator.name,
        "country": operator.country,
        "parents": parents,
    }


def _location(place: Place) -> Json | None:
    return {"country": place.country} if place.country else None


def _network(place: Place) -> Json | None:
    if not place.asn:
        return None
    return {
        "asn": place.asn,
        "organisation": place.organisation,
        "country": place.registered or None,
        "operator": _operator(place.operator),
    }


def _exception(verdict: Verdict) -> Json | None:
    """The exception that changed the verdict, and what it would be without; times in UTC."""
    grant, overruled = verdict.exception, verdict.overruled
    if grant is None or overruled is None:
        return None
    return {
        "id": grant.id,
        "number": grant.number,
        "scope": grant.scope.value,
        "until": utc_text(grant.until),
        "overrules": {"rule": overruled.rule, "action": overruled.action.value},
    }


def _verdict(verdict: Verdict) -> Json:
    alternative = verdict.alternative
    return {
        "action": verdict.action.value,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "alternative": {"id": alternative.id, "name": alternative.name, "url": alternative.url}
        if alternative
        else None,
        "policy": verdict.policy,
        "policy_version": verdict.policy_version,
        "softened": verdict.softened,
    }
