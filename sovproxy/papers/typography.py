"""French as it is set: spaces that a line must not break at."""

from __future__ import annotations

import re
from typing import Final

NBSP: Final = "\u00a0"
NARROW: Final = "\u202f"

_HIGH: Final = re.compile(r" (?=[;?!])")
_LOW: Final = re.compile(r" (?=[:»])|(?<=«) ")


def typographic(text: str, code: str) -> str:
    """Our own text with unbreakable spaces where French wants them; other languages as they are."""
    return _LOW.sub(NBSP, _HIGH.sub(NARROW, text)) if code == "fr" else text
