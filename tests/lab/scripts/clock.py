"""Moves the clock of the process by the seconds that stand in the file $LAB_CLOCK."""

from __future__ import annotations

import os
import time
from pathlib import Path

_time = time.time
_file = Path(os.environ["LAB_CLOCK"])


def moved() -> float:
    """The time of this machine, moved."""
    return _time() + float(_file.read_text())


time.time = moved
