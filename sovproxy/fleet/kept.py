"""The last good state, on the node's disk: a node that starts without the API knows what holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from sovproxy.events.files import make_private_folder, replace_private
from sovproxy.fleet.messages import Acknowledged, Common, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

MAX_KEPT: Final = 500_000


@dataclass(slots=True)
class Known:
    """What a node knows: the version, what holds for all, and who acknowledged what until when.

    `until` maps client and subject to Unix seconds.
    """

    version: str = ""
    common: Common = field(default_factory=Common)
    until: dict[tuple[str, str], float] = field(default_factory=dict)

    def after(self, state: State, now: float) -> Known:
        """What is known once `state` is taken in; acknowledgements that are over are left out."""
        until = dict(self.until) if state.since else {}
        until.update(_pairs(state.acknowledgements))
        living = {key: end for key, end in until.items() if end > now}
        if len(living) > MAX_KEPT:
            living = dict(sorted(living.items(), key=lambda item: -item[1])[:MAX_KEPT])
        return Known(state.version, state.common or self.common, living)


def _pairs(given: Iterable[Acknowledged]) -> Iterable[tuple[tuple[str, str], float]]:
    return (((item.client, item.subject), item.until) for item in given)


class _Kept(BaseModel):
    """The file: a state without bounds on acknowledgements, which came in parts."""

    model_config = ConfigDict(extra="forbid")

    version: str
    common: Common
    acknowledgements: list[Acknowledged] = []


def load_known(path: Path) -> Known:
    """Read what is kept; nothing if there is no file, or it cannot be understood."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Known()
    except (OSError, ValidationError) as error:
        log.warning("fleet: %s cannot be read, the API is asked for everything: %s", path, error)
        return Known()
    return Known(kept.version, kept.common, dict(_pairs(kept.acknowledgements)))


def save_known(path: Path, known: Known) -> None:
    """Keep what is known, mode 0600, in one step. Raises OSError."""
    acknowledgements = [
        Acknowledged(client=client, subject=subject, until=until)
        for (client, subject), until in known.until.items()
    ]
    kept = _Kept(version=known.version, common=known.common, acknowledgements=acknowledgements)
    make_private_folder(path.parent)
    replace_private(path, kept.model_dump_json().encode())
