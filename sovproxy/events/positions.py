"""How far the spool was delivered: one small file, replaced in one step."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from sovproxy.events.files import replace_private
from sovproxy.events.segments import Position, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "positions.json"


def load_positions(folder: Path) -> dict[Stream, Position]:
    """Read the positions; a stream that is missing was not delivered at all.

    A file that cannot be understood counts as missing: everything is delivered once more, and the
    API knows what it has already. Raises OSError.
    """
    path = folder / FILE_NAME
    try:
        data = json.loads(path.read_bytes())
        return {Stream(name): _position(value) for name, value in data.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        log.warning("spool: %s is damaged; everything is delivered once more", path)
        return {}


def save_positions(folder: Path, positions: Mapping[Stream, Position]) -> None:
    """Write the positions durably. Raises OSError."""
    data = {stream.value: [item.segment, item.offset] for stream, item in positions.items()}
    replace_private(folder / FILE_NAME, json.dumps(data).encode())


def _position(value: object) -> Position:
    match value:
        case [int(segment), int(offset)] if segment >= 0 and offset >= 0:
            return Position(segment, offset)
    raise ValueError(value)
