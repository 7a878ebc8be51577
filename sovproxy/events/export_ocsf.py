"""An event in the Open Cybersecurity Schema Framework: class HTTP Activity (4002).

Source of ids and constraints: the OCSF schema 1.8.0, class `http_activity` (uid 2 in category 4;
activities; `http_request` or `http_response` is required, and a URL has a path or a text),
`network.json` (an endpoint is required) and the profiles `security_control` (action and
disposition) and `network_proxy`. `type_uid` is the class's uid times 100 plus the activity's id.
What OCSF has no field for stands under `unmapped`. The tests compare with that schema.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.events.export_ecs import without_empty

if TYPE_CHECKING:
    from sovproxy.events.event import Event

OCSF_VERSION: Final = "1.8.0"
CATEGORY: Final = 4
CLASS: Final = 4002

_UNKNOWN: Final = (0, "Unknown")
_CONNECT: Final = (1, "Connect")
_ALLOWED: Final = (1, "Allowed")
_DENIED: Final = (2, "Denied")
_DISPOSITION: Final = {
    Action.ALLOW: (1, "Allowed"),
    Action.OBSERVE: (17, "Logged"),
    Action.WARN: (23, "Challenge"),
    Action.BLOCK: (2, "Blocked"),
}
_ERROR: Final = (27, "Error")
_SUCCESS: Final = (1, "Success")
_FAILURE: Final = (2, "Failure")
_OUTBOUND: Final = {"direction_id": 2, "direction": "Outbound", "protocol_name": "tcp"}
_PRODUCT: Final = {
    "name": "sovproxy",
    "vendor_name": "sovproxy",
    "version": version("sovproxy"),
}
_HOSTNAME: Final = (1, "Hostname")
_ADDRESS: Final = (2, "IP Address")
_USER: Final = (21, "User")
_SEVERITY: Final = {
    Action.ALLOW: (1, "Informational"),
    Action.OBSERVE: (1, "Informational"),
    Action.WARN: (2, "Low"),
    Action.BLOCK: (3, "Medium"),
}


def ocsf_document(event: Event) -> dict[str, Any]:
    """Write the event as one OCSF event; what is not known is left out."""
    document = {
        "category_uid": CATEGORY,
        "category_name": "Network Activity",
        "class_uid": CLASS,
        "class_name": "HTTP Activity",
        **_activity(event),
        **_numbered("severity", _SEVERITY[event.action]),
        **_numbered("action", _ALLOWED if passed(event) else _DENIED),
        **_numbered("disposition", _disposition(event)),
        **_numbered("status", _FAILURE if event.kind is EventKind.ERROR else _SUCCESS),
        "time": int(event.time.timestamp() * 1000),
        "timezone_offset": 0,
        "message": event.reason,
        "metadata": _metadata(event),
        "http_request": {"url": _url(event)},
        "connection_info": _OUTBOUND,
        "src_endpoint": _source(event),
        "dst_endpoint": _destination(event),
        "proxy_endpoint": {"name": event.node},
        "firewall_rule": {"uid": event.rule},
        "policy": {"uid": event.policy, "name": event.policy, "version": event.policy_version},
        "observables": _observables(event),
        "unmapped": _unmapped(event),
    }
    return without_empty(document)


def passed(event: Event) -> bool:
    """Whether the connection was let through."""
    return event.outcome is Outcome.TUNNELLED or event.kind is EventKind.ACKNOWLEDGEMENT


def _activity(event: Event) -> dict[str, Any]:
    """A proxy sees a tunnel being asked for; what is asked for in plain HTTP is not recorded."""
    number, name = _UNKNOWN if event.transport is Transport.HTTP else _CONNECT
    type_name = f"HTTP Activity: {name}"
    return {
        "activity_id": number,
        "activity_name": name,
        "type_uid": CLASS * 100 + number,
        "type_name": type_name,
    }


def _disposition(event: Event) -> tuple[int, str]:
    if event.kind is EventKind.ERROR:
        return _ERROR
    if passed(event) and event.action in {Action.WARN, Action.BLOCK}:
        return _ALLOWED
    return _DISPOSITION[event.action]


def _numbered(name: str, value: tuple[int, str]) -> dict[str, Any]:
    number, caption = value
    return {f"{name}_id": number, name: caption}


def _metadata(event: Event) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": str(event.id),
        "profiles": ["security_control", "network_proxy"],
        "product": _PRODUCT,
        "log_name": event.kind.value,
    }


def _url(event: Event) -> dict[str, Any]:
    """The URL as far as it is known: a host, never a path."""
    scheme = "" if event.transport is Transport.TCP else event.transport.value
    host = _host(event)
    name = f"[{host}]" if ":" in host else host
    text = f"{name}:{event.port}" if event.port else name
    return {
        "scheme": scheme,
        "hostname": host,
        "port": event.port or None,
        "url_string": f"{scheme}://{text}" if scheme else text,
    }


def _host(event: Event) -> str:
    return event.host or event.address or "unknown"


def _source(event: Event) -> dict[str, Any]:
    groups = [{"name": event.group}] if event.group else []
    owner = {"uid": event.client, "groups": groups} if event.client else {}
    return {"uid": event.client, "owner": owner}


def _destination(event: Event) -> dict[str, Any]:
    return {
        "hostname": _host(event),
        "ip": event.address,
        "port": event.port or None,
        "svc_name": event.service,
        "location": {"country": event.location},
        "autonomous_system": {"number": event.asn or None},
    }


def _observables(event: Event) -> list[dict[str, Any]]:
    """What an analyst pivots on, with where it stands in the event."""
    found = (
        (_HOSTNAME, "dst_endpoint.hostname", event.host),
        (_ADDRESS, "dst_endpoint.ip", event.address),
        (_USER, "src_endpoint.owner", event.client),
    )
    return [
        {**_numbered("type", kind), "name": name, "value": value}
        for kind, name, value in found
        if value
    ]


def _unmapped(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind.value,
        "group": event.group,
        "operator": event.operator,
        "asn": event.asn or None,
        "control": list(event.control),
        "standing": event.standing.value,
        "alternative": event.alternative,
        "outcome": event.outcome.value,
        "decrypted": event.decrypted,
    }
