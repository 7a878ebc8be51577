"""What two analysts may change at once: a change says which version it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from datetime import datetime


class Changed(SovproxyError):
    """Somebody has changed it since the caller read it."""


def etag(number: int, changed: datetime) -> str:
    """What changes whenever the thing with this number does, as an ETag."""
    return f'"{number}-{microseconds(changed)}"'


def require(match: str, tag: str) -> None:
    """Raise Changed unless `match` (If-Match: tags, `*`, or empty) has the tag of what is there."""
    if match not in {"", "*"} and tag not in {one.strip() for one in match.split(",")}:
        raise changed()


def changed() -> Changed:
    """What a caller is told whose version is not the one that is there."""
    return Changed("somebody has changed it since you read it; read it again, then change it")
