"""Exceptions in force: which stop is lifted for whom, until when.

They stand outside the decider and its memo: the ladder judges as if there were none, and what it
stops is then looked up here. Nodes and API give theirs to the `Judge`; when there are none, one
test of an empty index is all that they cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sovproxy.decide.catalogue import HostIndex
from sovproxy.decide.destination import ChosenBy, Destination

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sovproxy.decide.destination import Unreadable
    from sovproxy.decide.verdict import Verdict


class Scope(StrEnum):
    """For whom an exception holds."""

    CLIENT = "client"
    GROUP = "group"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Grant:
    """An exception as it was granted.

    It covers either a service (its id) or a host in canonical spelling, with all `below` it if that
    was asked. It holds from `start` on and before `until` (Unix seconds). `client` is a pseudonym,
    `group` a group's id; which of them counts, `scope` says. `number` is what people call it by.
    """

    id: str
    number: int
    until: float
    service: str = ""
    host: str = ""
    below: bool = False
    scope: Scope = Scope.CLIENT
    client: str = ""
    group: str = ""
    start: float = 0.0

    def holds(self, clients: Collection[str], group: str, now: float) -> bool:
        """Whether it is in force at `now` for a client with these pseudonyms, in this group."""
        if not self.start <= now < self.until:
            return False
        if self.scope is Scope.CLIENT:
            return bool(self.client) and self.client in clients
        return self.scope is Scope.EVERYBODY or (bool(self.group) and self.group == group)


class Exceptions:
    """Grants by what they cover. Frozen; safe to share between threads."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        by_service: dict[str, tuple[Grant, ...]] = {}
        by_pattern: dict[str, tuple[Grant, ...]] = {}
        self._grants = tuple(grants)
        self.exist = bool(self._grants)
        """Whether there are any: asked for every connection, so it is a plain attribute."""
        for grant in self._grants:
            if grant.service:
                by_service[grant.service] = (*by_service.get(grant.service, ()), grant)
            for pattern in _patterns(grant):
                by_pattern[pattern] = (*by_pattern.get(pattern, ()), grant)
        self._by_service = by_service
        self._hosts = HostIndex(by_pattern.items())

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> Exceptions:
        """Index grants; those that are over or not begun may be among them."""
        return cls(grants)

    def __len__(self) -> int:
        return len(self._grants)

    def covering(
        self, service_id: str, host: str, clients: Collection[str], group: str, now: float
    ) -> Grant | None:
        """The grant that lets this client pass at `now` (Unix seconds); of several the longest.

        `service_id` may be empty. `host` is a canonical name or address. `clients` are the
        pseudonyms that the client has or had: its present one, and those of months before.
        """
        if not self.exist:
            return None
        found = (*self._by_service.get(service_id, ()), *self._by_host(host))
        holding = (grant for grant in found if grant.holds(clients, group, now))
        return max(holding, key=lambda grant: (grant.until, -grant.number), default=None)

    def _by_host(self, host: str) -> Iterator[Grant]:
        if host and self._hosts:
            for grants in self._hosts.find_all(host):
                yield from grants

    def lift(
        self,
        verdict: Verdict,
        destination: Destination | Unreadable,
        clients: Collection[str],
        group: str,
        now: float,
    ) -> Verdict:
        """The verdict, or the one that an exception makes of it.

        A name that a client gives along with an address of its own choice proves nothing: then only
        the exception of the service that the address itself belongs to counts. (The node resolves
        the name and asks again.)
        """
        if not self.exist or not verdict.can_be_excepted:
            return verdict
        host, service = destination.label, verdict.service.id if verdict.service else ""
        if _is_a_claim(destination):
            by_address = verdict.listing is not None and verdict.listing.kind != "host"
            host, service = "", service if by_address else ""
        grant = self.covering(service, host, clients, group, now)
        return verdict.excepted(grant) if grant else verdict


NO_EXCEPTIONS = Exceptions()


def _patterns(grant: Grant) -> Iterator[str]:
    """What the index knows the grant's host by. Only `below` makes it more than one name: a star
    is a letter that browsers take in hosts, and would be a pattern of many here."""
    if grant.host and "*" not in grant.host:
        yield grant.host
        if grant.below:
            yield f"*.{grant.host}"


def _is_a_claim(destination: Destination | Unreadable) -> bool:
    """Whether the client chose the address and said besides which host is there."""
    if not isinstance(destination, Destination):
        return False
    named = bool(destination.host and destination.address)
    return named and destination.chosen_by is ChosenBy.CLIENT
