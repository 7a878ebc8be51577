"""What several people may change at once: a change says which version it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from datetime import datetime


class Changed(SovproxyError):
    """Somebody has changed it since the caller read it."""

    def __init__(self) -> None:
        super().__init__("somebody has changed it since you read it; read it again, then change it")


def etag(number: int, changed: datetime) -> str:
    """What changes whenever the thing with this number does, as an ETag."""
    return f'"{number}-{microseconds(changed)}"'


def names_one(match: str) -> bool:
    """Whether If-Match asks for certain versions; empty and `*` take any."""
    return match.strip() not in {"", "*"}


def matches(match: str, tag: str) -> bool:
    """Whether If-Match (tags, `*`, or empty) takes the version that is there."""
    return not names_one(match) or tag in {one.strip() for one in match.split(",")}
