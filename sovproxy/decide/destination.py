"""What a client wants to reach, in one canonical spelling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ChosenBy(StrEnum):
    """Who chose the address that is judged: it decides what a shared prefix is worth."""

    NOBODY = ""
    CLIENT = "client"
    NODE = "node"

    __hash__ = str.__hash__  # that of enumerations is slow, and this is part of a key


class Destination(NamedTuple):
    """A destination that could be read. (A named tuple: it is made for every connection.)

    `host` is the lower-case ASCII name without trailing dot, or empty when the client named only
    an address. `address` is the canonical text of the address that would be connected to, or
    empty while it is not known. `port` is 0 when unknown.
    """

    host: str = ""
    address: str = ""
    port: int = 0
    chosen_by: ChosenBy = ChosenBy.NOBODY

    def at(self, address: str, chosen_by: ChosenBy) -> Destination:
        """The same destination at an address (canonical text) and by whom it was chosen."""
        # tuple.__new__ takes half the time of Destination(…) and a third of that of _replace(…).
        return tuple.__new__(Destination, (self.host, address, self.port, chosen_by))

    @property
    def label(self) -> str:
        """The name to show: the host, or the address when there is no host."""
        return self.host or self.address


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Input that names no destination. `text` is cut to 256 characters; `problem` says why."""

    text: str
    problem: str

    @property
    def label(self) -> str:
        """The name to show."""
        return self.text
