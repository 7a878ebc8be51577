"""Where the passphrase of the root's key comes from: a file or the environment, never arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.usecases.ca.life import CannotSign

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.settings import Settings

MAX_PASSPHRASE = 1024


def known_passphrase(settings: Settings) -> str:
    """The passphrase that this installation knows; empty if it knows none. Raises CannotSign."""
    if settings.ca_passphrase_file:
        return read_passphrase(settings.ca_passphrase_file)
    return settings.ca_passphrase.get_secret_value()


def read_passphrase(file: Path) -> str:
    """The first line of a file. Raises CannotSign when there is none that can be read."""
    try:
        with file.open(encoding="utf-8") as stream:
            line = stream.readline(MAX_PASSPHRASE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotSign(f"the passphrase cannot be read from {file}: {error}") from None
    if not line:
        raise CannotSign(f"{file}: the first line is empty; wanted is the passphrase")
    return line
