"""What a node has to tell the API and must not forget: one small file each, until it is taken.

Every message has an id that the API knows it by, so sending twice does no harm.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sovproxy.errors import SovproxyError
from sovproxy.events.files import make_private_folder, replace_private, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

MAX_MESSAGES: Final = 20_000
MAX_BYTES: Final = 16 * 1024

_NAME = re.compile(r"[0-9a-zA-Z-]{1,64}\.json")


class OutboxFull(SovproxyError):
    """Too much waits for the API already, of all or of one client, or the message is too large."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be posted: what it is (`kind`), its id, its content, and what it is `about`."""

    kind: str
    id: str
    body: dict[str, Any]
    about: str = ""


class Outbox:
    """Messages in `folder`, oldest first by their ids (UUIDv7). Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Make the folder. Raises OSError."""
        make_private_folder(folder)
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting = {path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, message_id: str) -> bool:
        return f"{message_id}.json" in self._waiting

    def put(self, message: Message) -> None:
        """Keep a message; it is on disk when this returns. Raises OutboxFull, OSError."""
        name, data = f"{message.id}.json", _dump(message)
        if not _NAME.fullmatch(name) or len(data) > MAX_BYTES:
            raise OutboxFull(f"a message of at most {MAX_BYTES} bytes is wanted, got {len(data)}")
        with self._lock:
            if len(self._waiting) >= MAX_MESSAGES:
                raise OutboxFull(f"{MAX_MESSAGES} messages wait for the API in {self._folder}")
            replace_private(self._folder / name, data)
            self._waiting.add(name)

    def oldest(self, number: int) -> list[Message]:
        """The oldest messages, at most `number`; one that cannot be read is dropped."""
        with self._lock:
            names = sorted(self._waiting)[:number]
        found = ((name, self._read(name)) for name in names)
        return [message for _, message in found if message]

    def done(self, message: Message) -> None:
        """Forget a message that was taken. Raises OSError."""
        self._drop(f"{message.id}.json")

    def _read(self, name: str) -> Message | None:
        try:
            content = json.loads((self._folder / name).read_bytes())
            kind, body, about = content["kind"], dict(content["body"]), str(content["about"])
            return Message(str(kind), name.removesuffix(".json"), body, about)
        except (OSError, ValueError, TypeError, KeyError):
            log.error("outbox: %s cannot be read and is dropped", self._folder / name)  # noqa: TRY400  # the trace says no more
            self._drop(name)
            return None

    def _drop(self, name: str) -> None:
        with self._lock:
            (self._folder / name).unlink(missing_ok=True)
            self._waiting.discard(name)
        sync_folder(self._folder)


def _dump(message: Message) -> bytes:
    content = {"kind": message.kind, "about": message.about, "body": message.body}
    return json.dumps(content).encode()
