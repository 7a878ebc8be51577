"""How an event is written for a receiver: a syslog message (RFC 5424), or a line of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind
from sovproxy.events.export import WRITERS, ExportFormat, document_json
from sovproxy.receivers import Body, SyslogReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sovproxy.events.event import Event
    from sovproxy.receivers import FileReceiver

type Writer = Callable[[int, Event], bytes]
"""Writes the event of one arrival as the bytes that are sent."""

_BODIES: Final = {
    Body.ECS: WRITERS[ExportFormat.ECS],
    Body.OCSF: WRITERS[ExportFormat.OCSF],
    Body.JSON: WRITERS[ExportFormat.JSONL],
}
_ERROR, _WARNING, _NOTICE, _INFORMATIONAL = 3, 4, 5, 6  # RFC 5424, table 2
_SEVERITY: Final = {Action.BLOCK: _WARNING, Action.WARN: _NOTICE}
_MAX_SEQUENCE: Final = 2**31 - 1  # RFC 5424 §7.3.1: after it comes 1 again
_MAX_HOSTNAME: Final = 255
_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]"})


def writer_for(receiver: SyslogReceiver | FileReceiver) -> Writer:
    """Make what writes events for a receiver."""
    body = _BODIES[receiver.body]
    if isinstance(receiver, SyslogReceiver):
        syslog = receiver
        return lambda seq, event: counted(_of_event(syslog, seq, event, body(event)))
    return lambda _seq, event: (body(event) + "\n").encode()


def trial_message(receiver: SyslogReceiver | FileReceiver, node: str, now: datetime) -> bytes:
    """A message that says that it is a test, and nothing of an event."""
    text = document_json(
        {
            "@timestamp": now.isoformat(),
            "message": "This is a test message of sovproxy; nothing has happened.",
            "sovproxy": {"kind": "test", "receiver": receiver.name},
        }
    )
    if not isinstance(receiver, SyslogReceiver):
        return (text + "\n").encode()
    own = _element(f"sovproxy@{receiver.enterprise}", {"kind": "test", "receiver": receiver.name})
    head = _Head(receiver.facility * 8 + _INFORMATIONAL, now, node, "test")
    return counted(_message(head, own, text))


def counted(message: bytes) -> bytes:
    """A frame of RFC 6587 §3.4.1: the number of octets, a space, the message."""
    return b"%d %b" % (len(message), message)


@dataclass(frozen=True, slots=True)
class _Head:
    """What a syslog message begins with. `msgid` is a word of ours."""

    priority: int
    time: datetime
    host: str
    msgid: str

    def to_text(self) -> str:
        """PRI, VERSION, TIMESTAMP, HOSTNAME, APP-NAME, PROCID (none) and MSGID."""
        time = self.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"<{self.priority}>1 {time} {_hostname(self.host)} sovproxy - {self.msgid}"


def _of_event(receiver: SyslogReceiver, seq: int, event: Event, body: str) -> bytes:
    priority = receiver.facility * 8 + _severity(event)
    head = _Head(priority, event.time, event.node, event.kind.value)
    own = {
        "id": str(event.id),
        "action": event.action.value,
        "rule": event.rule,
        "service": event.service,
        "control": ",".join(event.control),
        "standing": event.standing.value,
        "group": event.group,
    }
    number = (seq - 1) % _MAX_SEQUENCE + 1
    data = _element("meta", {"sequenceId": str(number)})
    data += _ORIGIN
    data += _element(f"sovproxy@{receiver.enterprise}", own)
    return _message(head, data, body)


def _severity(event: Event) -> int:
    if event.kind is EventKind.ERROR:
        return _ERROR
    return _SEVERITY.get(event.action, _INFORMATIONAL)


def _message(head: _Head, data: str, body: str) -> bytes:
    """The body is ASCII, so that no mark of UTF-8 has to come before it."""
    return f"{head.to_text()} {data} {body}".encode()


def _element(name: str, values: Mapping[str, str]) -> str:
    params = "".join(
        f' {key}="{value.translate(_ESCAPED)}"' for key, value in values.items() if value
    )
    return f"[{name}{params}]"


_ORIGIN: Final = _element("origin", {"software": "sovproxy", "swVersion": version("sovproxy")})


def _hostname(text: str) -> str:
    """Printable ASCII without spaces, as §6.2.4 has it; others become `?`."""
    name = "".join(letter if "!" <= letter <= "~" else "?" for letter in text)
    return name[:_MAX_HOSTNAME] or "-"
