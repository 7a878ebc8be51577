"""What tests of faults share: a disk that can really be full, and the lab's world."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.lab.conftest import authority, me, origins, start_proxy  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 4096


@dataclass
class Disk:
    """A disk of a few MiB in memory, mounted at `folder`."""

    folder: Path

    def fill(self) -> None:
        """Take all the room there is."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * BLOCK)
            except OSError:
                return

    def make_room(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def mount() -> Iterator[Callable[..., Disk]]:
    """Mount disks of `size` bytes; needs the rights for that (root, as in CI)."""
    mounted: list[Path] = []

    def make(folder: Path, size: int) -> Disk:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        mounted.append(folder)
        return Disk(folder)

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
