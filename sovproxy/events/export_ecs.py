"""An event in the Elastic Common Schema.

Field names and allowed values: the ECS reference 8.17, "ECS field reference" and "Categorization
fields" (elastic.co/docs/reference/ecs). Of the category `network` only the types access, allowed,
connection, denied, end, info, protocol and start are allowed, so a failure is told by the outcome
and by `error.message`. What ECS has no field for stands under `sovproxy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind, Outcome, Transport

if TYPE_CHECKING:
    from sovproxy.events.event import Event

ECS_VERSION: Final = "8.17.0"

_PROTOCOL: Final = {Transport.HTTPS: "tls", Transport.HTTP: "http"}
_OBSERVER: Final = {"product": "sovproxy", "vendor": "sovproxy", "type": "proxy"}
_SEVERITY: Final = {Action.ALLOW: 1, Action.OBSERVE: 1, Action.WARN: 2, Action.BLOCK: 3}


def ecs_document(event: Event) -> dict[str, Any]:
    """Write the event as one ECS document; what is not known is left out."""
    document = {
        "@timestamp": event.time.isoformat(timespec="microseconds"),
        "ecs": {"version": ECS_VERSION},
        "event": _event(event),
        "message": event.reason,
        "error": {"message": event.reason if event.kind is EventKind.ERROR else ""},
        "source": {"user": {"hash": event.client, "group": {"name": event.group}}},
        "destination": _destination(event),
        "network": _network(event),
        "observer": _OBSERVER | {"name": event.node},
        "rule": {"id": event.rule, "ruleset": event.policy, "version": event.policy_version},
        "related": {
            "hash": [event.client] if event.client else [],
            "hosts": [event.host] if event.host else [],
            "ip": [event.address] if event.address else [],
        },
        "sovproxy": _own(event),
    }
    return without_empty(document)


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, at every depth; False and 0 stay."""
    result = {}
    for name, item in value.items():
        kept = without_empty(item) if isinstance(item, dict) else item
        if kept not in (None, "", [], {}):
            result[name] = kept
    return result


def _event(event: Event) -> dict[str, Any]:
    failed = event.kind is EventKind.ERROR
    return {
        "id": str(event.id),
        "kind": "event",
        "category": ["network"],
        "type": ["connection", "denied" if failed else _allowed(event)],
        "action": event.action.value,
        "outcome": "failure" if failed else "success",
        "reason": event.reason,
        "severity": _SEVERITY[event.action],
        "module": "sovproxy",
        "dataset": f"sovproxy.{event.kind.value}",
        "provider": "sovproxy",
    }


def _allowed(event: Event) -> str:
    """`event.type`: a warning denies until the worker goes on, and then the outcome is a tunnel."""
    passed = event.outcome is Outcome.TUNNELLED or event.kind is EventKind.ACKNOWLEDGEMENT
    return "allowed" if passed or event.action in {Action.ALLOW, Action.OBSERVE} else "denied"


def _destination(event: Event) -> dict[str, Any]:
    return {
        "address": event.host or event.address,
        "domain": event.host,
        "ip": event.address,
        "port": event.port or None,
        "geo": {"country_iso_code": event.location},
        "as": {"number": event.asn or None},
    }


def _network(event: Event) -> dict[str, Any]:
    return {
        "transport": "tcp",
        "protocol": _PROTOCOL.get(event.transport),
        "application": event.service,
        "direction": "egress",
        "type": ("ipv6" if ":" in event.address else "ipv4") if event.address else "",
    }


def _own(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind.value,
        "operator": event.operator,
        "control": list(event.control),
        "standing": event.standing.value,
        "alternative": event.alternative,
        "outcome": event.outcome.value,
        "decrypted": event.decrypted,
    }
