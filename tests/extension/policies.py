"""Enterprise policy as real files: where Chromium and Firefox look for it."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.extension.firefoxes import FIREFOX

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM: Final = Path("/etc/chromium/policies/managed")


def extension_id(folder: Path) -> str:
    """The id that Chromium gives an unpacked extension: it follows from its folder alone."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:32]
    return "".join(chr(ord("a") + int(digit, 16)) for digit in digest)


@contextmanager
def chromium_policy_file(policy: dict[str, Any]) -> Iterator[Path]:
    """A policy for every Chromium of this machine, until it is left; only what names one extension
    may be in it, for others run beside."""
    assert policy.keys() == {"3rdparty"}
    file = CHROMIUM / f"sovproxy-test-{uuid.uuid4().hex}.json"
    try:
        CHROMIUM.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(policy))
    except OSError as error:
        pytest.skip(f"{CHROMIUM} cannot be written here: {error.strerror}")
    try:
        yield file
    finally:
        file.unlink()


def firefox_with_policy(folder: Path, policies: dict[str, Any]) -> Path:
    """A Firefox with a policy of its own: linked file by file, with another `distribution`."""
    home = Path(FIREFOX).resolve().parent
    folder.mkdir()
    for item in home.iterdir():
        if item.name not in {"distribution", "firefox-esr"}:
            (folder / item.name).symlink_to(item)
    shutil.copy(home / "firefox-esr", folder)  # it looks for its files beside itself
    (folder / "distribution").mkdir()
    (folder / "distribution" / "policies.json").write_text(json.dumps(policies))
    return folder / "firefox-esr"
