"""What the extension's tests need from npm, installed once, outside the repository.

`python tests/extension/node_tools.py` installs it; `tools/install-test-tools` does so.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

WANTED: Final = Path(__file__).with_name("package.json")
CACHE: Final = Path.home() / ".cache" / "sovproxy-tests"


def installed() -> Path:
    """The folder whose `node_modules` holds exactly what package.json names."""
    mark = hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"extension-{mark}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "extension.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(WANTED, folder)
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit"]
    subprocess.run([*command, "--no-fund", "--silent"], cwd=folder, check=True)
    (folder / "whole").touch()


if __name__ == "__main__":
    installed()
