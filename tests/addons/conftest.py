"""The lab's fixtures, for tests of what a review of the addon found."""

from __future__ import annotations

from tests.lab.conftest import (  # noqa: F401 - fixtures are found by name
    _fresh_origins,
    authority,
    me,
    origins,
    proxy,
    start_proxy,
)
