"""What the tests of attacks share: a running site, and the fuzzer's targets can be imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sovproxy.settings import Settings
from tests.console.conftest import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).parents[2] / "bench"))


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole app on loopback, over a store of its own."""
    folder = tmp_path_factory.mktemp("attacked")
    found = Site(Settings(data_dir=folder, policy="fr-etat", node="proxy-1"))
    yield found
    found.stop()
