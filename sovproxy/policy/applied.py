"""The policy that was applied, as a file of this machine: it wins over the one of the settings.

Whoever brings an applied policy here (the API on its own machine, the fleet on the others) writes
it through this module; whoever judges on this machine reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sovproxy.events.files import make_private_folder, replace_private, sync_folder
from sovproxy.policy.load import version_of

if TYPE_CHECKING:
    from pathlib import Path

MAX_TEXT_BYTES: Final = 256 * 1024
"""How large an applied policy may be, in UTF-8."""

_FOLDER: Final = "fleet"


class _Note(BaseModel):
    """What stands beside the text: the number of the version with this digest."""

    model_config = ConfigDict(extra="forbid", strict=True)

    number: int = Field(ge=1)
    digest: str


@dataclass(frozen=True, slots=True)
class Applied:
    """An applied policy: its text as written, and its number; 0 if that is not known."""

    text: str
    number: int = 0

    @property
    def digest(self) -> str:
        """The version that verdicts name."""
        return version_of(self.text.encode())


def applied_path(data_dir: Path) -> Path:
    """Where the applied policy lies, if there is one."""
    return data_dir / _FOLDER / "policy.yaml"


def _note_path(data_dir: Path) -> Path:
    return data_dir / _FOLDER / "policy.json"


def write_applied(data_dir: Path, text: str, number: int) -> None:
    """Put a policy in force on this machine, in one step and durably. Raises OSError.

    The number stands in a second file with the text's digest: should the power fail between the
    two, the text is in force and its number unknown until it is written again.
    """
    note = _Note(number=number, digest=version_of(text.encode()))
    make_private_folder(data_dir / _FOLDER)
    replace_private(applied_path(data_dir), text.encode())
    replace_private(_note_path(data_dir), note.model_dump_json().encode())


def read_applied(data_dir: Path) -> Applied | None:
    """The policy that is applied on this machine; None if there is none. Raises OSError."""
    try:
        text = applied_path(data_dir).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    return Applied(text, _number_of(data_dir, version_of(text.encode())))


def remove_applied(data_dir: Path) -> bool:
    """Go back to the policy of the settings; False if none was applied. Raises OSError."""
    found = applied_path(data_dir).exists()
    applied_path(data_dir).unlink(missing_ok=True)
    _note_path(data_dir).unlink(missing_ok=True)
    if found:
        sync_folder(data_dir / _FOLDER)
    return found


def _number_of(data_dir: Path, digest: str) -> int:
    try:
        note = _Note.model_validate_json(_note_path(data_dir).read_bytes())
    except (FileNotFoundError, ValidationError):
        return 0
    return note.number if note.digest == digest else 0
