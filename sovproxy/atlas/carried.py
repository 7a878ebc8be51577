"""Entries that the API told this machine: each version in a folder of its own.

A link names the one in use, so that nobody ever reads half of one version and half of another.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from sovproxy.atlas.entries import is_path
from sovproxy.events.files import make_private_folder, replace_private, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.atlas.entries import Entries

_DIGEST: Final = re.compile(r"^[0-9a-f]{64}$")


def carried_folder(data_dir: Path) -> Path:
    """Where entries that the API told lie on this machine, if there are any."""
    return data_dir / "fleet" / "catalogue"


def carried_digest(data_dir: Path) -> str:
    """The version of the entries that lie here; empty if there are none."""
    try:
        return os.readlink(carried_folder(data_dir)).rpartition("/")[2]  # noqa: PTH115  # text
    except OSError:
        return ""


def write_carried(data_dir: Path, entries: Entries) -> None:
    """Put entries in force on this machine, in one step and durably. Raises OSError, ValueError.

    The version before stays beside it, for whoever is reading it now.
    """
    if not all(is_path(name) for name in entries.files):
        raise ValueError("a file of the catalogue has a name that none may have")
    if not _DIGEST.fullmatch(entries.digest):
        raise ValueError(f"the version {entries.digest[:70]!r} is no digest")
    link, before = carried_folder(data_dir), carried_digest(data_dir)
    versions = _versions(data_dir)
    folder, draft = versions / entries.digest, versions / ".draft"
    if not folder.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
        try:
            for name, text in entries.files.items():
                make_private_folder((draft / name).parent)
                replace_private(draft / name, text.encode())
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)  # gives a full disk its room back
            raise
        sync_folder(versions)
    new = link.with_name(".catalogue.new")
    new.unlink(missing_ok=True)
    new.symlink_to(f"{versions.name}/{entries.digest}")
    new.replace(link)
    sync_folder(link.parent)
    for old in versions.iterdir():
        if old.name not in {entries.digest, before}:
            shutil.rmtree(old, ignore_errors=True)


def remove_carried(data_dir: Path) -> None:
    """Go back to the shipped catalogue. Raises OSError."""
    link = carried_folder(data_dir)
    if link.is_symlink():
        link.unlink()
        sync_folder(link.parent)
        shutil.rmtree(_versions(data_dir), ignore_errors=True)


def _versions(data_dir: Path) -> Path:
    return carried_folder(data_dir).with_name("catalogues")
