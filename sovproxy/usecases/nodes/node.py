"""A running node without its proxy: who the client is, what is judged, what goes on record."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sovproxy.decide.destination import ChosenBy, Destination, Unreadable
from sovproxy.decide.normalise import read_address, read_host
from sovproxy.decide.verdict import Verdict
from sovproxy.decide.words import Action
from sovproxy.events.delivery import Delivery
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.events.files import load_secret
from sovproxy.events.from_verdict import Carried, event_of, rollup_key_of
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.events.reader import SpoolReader
from sovproxy.events.recorder import open_recorder
from sovproxy.events.spool import SpoolUnwritable
from sovproxy.fleet.counters import Counters
from sovproxy.prompt.goon import DESK_PORT
from sovproxy.usecases.access.tokens import read_token
from sovproxy.usecases.access.workers import mint
from sovproxy.usecases.ca.authority import Authority
from sovproxy.usecases.nodes.membership import Member
from sovproxy.usecases.nodes.resolving import Resolver
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.worker.acknowledging import Acknowledgements, Offers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sovproxy.decide.policy import Policy
    from sovproxy.events.event import Event
    from sovproxy.settings import Settings
    from sovproxy.usecases.worker.acknowledging import Offer


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: its address, its group or empty, its pseudonym, its name if it signed in."""

    address: str
    group: str
    pseudonym: str
    name: str = ""

    @property
    def identity(self) -> str:
        """What pseudonyms are made from: the name that it signed in with, else its address."""
        return self.name or self.address


@dataclass(frozen=True, slots=True)
class Passage:
    """A destination that a client wants to reach, and the verdict on it."""

    destination: Destination | Unreadable
    verdict: Verdict

    @property
    def passes(self) -> bool:
        """Whether the connection is let through."""
        return self.verdict.passes

    @property
    def address(self) -> str:
        """The address that was judged and may be connected to; empty when there is none."""
        return self.destination.address if isinstance(self.destination, Destination) else ""

    @property
    def subject(self) -> str:
        """What an acknowledgement is for: the service, or the name when no service is known."""
        return self.verdict.service.id if self.verdict.service else self.destination.label


@dataclass(frozen=True, slots=True)
class Introduction:
    """A worker's token with what it says, until when it is good, and where the API is."""

    token: str
    client: str
    group: str
    until: datetime
    api: str


def node_folder(settings: Settings) -> Path:
    """Where a node keeps what is its own: keys, spool, acknowledgements."""
    return settings.data_dir / "node"


class Node:
    """Judges for clients and puts on record what was carried out."""

    def __init__(self, settings: Settings) -> None:
        """Open everything. Raises SovproxyError when something cannot be used."""
        folder = node_folder(settings)
        self.name = settings.node
        self.api_port = settings.api_port
        self.tunnel_grace = settings.tunnel_grace
        self.upstream_ca = settings.upstream_ca_file
        self._api_url = settings.fleet_api_url
        self.judge = Judge(settings)
        self.authority = Authority(settings, self.judge)
        self.resolver = Resolver(settings.hosts_file)
        secret = load_secret(folder / "secret")
        self.offers = Offers(secret)
        self.asking = Offers(secret, "asking")
        self.acknowledgements = Acknowledgements(folder / "acknowledgements.json")
        self.recorder = open_recorder(folder / "spool", self.name)
        self._pseudonyms = Pseudonyms(folder / "pseudonym-keys.json", self.policy.retention_days)
        self.delivery = Delivery(
            SpoolReader(folder / "spool"),
            settings.fleet_api_url,
            lambda: read_token(settings.node_token_file),
            authority=settings.fleet_ca_file,
        )
        self.counters = Counters()
        self.member = Member(
            settings,
            folder,
            judge=self.judge,
            pseudonyms=self._pseudonyms,
            counters=self.counters,
            delivery=self.delivery,
            spool=self.recorder.spool.counters,
        )

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.judge.policy

    def refresh(self) -> None:
        """Follow changes of policy, catalogue, databases, and of the CA with them."""
        self.judge.refresh()
        self.authority.refresh()

    def start(self) -> None:
        """Begin to deliver events to the API, and to follow it."""
        self.delivery.start()
        self.member.start()

    def close(self) -> None:
        """Put what was counted on disk and stop; what is not delivered stays in the spool."""
        self.recorder.close()
        self.member.close()
        self.delivery.stop()

    def client(self, address: str, name: str = "") -> Client:
        """Who asks from `address`, signed in at the proxy as `name` if it is."""
        return Client(
            address=address,
            group=self.judge.group_of(address, name),
            pseudonym=self._pseudonyms.of(name or address),
            name=name,
        )

    def aliases(self, client: Client) -> tuple[str, ...]:
        """Every pseudonym that the client has or had, as far as keys are kept."""
        return self._pseudonyms.aliases(client.identity)

    def introduce(self, client: Client) -> Introduction | None:
        """What the client may show to the API; None as long as no key for it has come."""
        keys = {
            month: base64.b64decode(key) for month, key in self.member.common.worker_keys.items()
        }
        now = datetime.now(UTC)
        made = mint(keys, client.pseudonym, client.group, self.aliases(client), now)
        if made is None:
            return None
        self.member.directory.note(client.identity)
        api = self.member.common.api_url or self._api_url
        return Introduction(made[0], client.pseudonym, client.group, made[1], api)

    def look(self, destination: Destination | Unreadable, client: Client) -> Passage:
        """Judge a destination as it stands, without resolving its name.

        At the desk, where forms are answered, nothing passes by acknowledgement or exception.
        """
        clients = self.aliases(client) if self.judge.exceptions.exist else ()
        verdict = self.judge.judge(destination, client.group, clients)
        if isinstance(destination, Destination) and destination.port == DESK_PORT:
            return Passage(destination, verdict.overruled or verdict)
        passage = Passage(destination, verdict)
        if verdict.action is Action.WARN and self.has_acknowledged(client, passage.subject):
            return Passage(destination, verdict.acknowledge())
        return passage

    def has_acknowledged(self, client: Client, subject: str) -> bool:
        """Whether the client went on to `subject`, here or at another node, and may still."""
        clients = self.aliases(client)
        here = any(self.acknowledgements.holds(one, subject) for one in clients)
        return here or self.member.holds(clients, subject)

    def acknowledge(self, offer: Offer) -> bool:
        """Redeem an offer, and tell the other nodes; False when it was used before.

        On disk before it returns. Raises OSError when it cannot be written: nothing is granted.
        """
        seconds = self.policy.acknowledgement_seconds
        until = time.time() + seconds
        granted = self.acknowledgements.grant(offer, seconds)
        if granted:
            self.member.tell_acknowledged(offer.client, offer.subject, until)
        return granted

    async def seek(self, host: str, port: int, client: Client) -> Passage:
        """Judge a host, and if its name may pass, the addresses that it resolves to.

        The first address that may pass is chosen; if none may, the verdict on the first counts.
        A passage that passes without an address leads nowhere: the name does not resolve.
        """
        passage = self.look(read_host(host, port), client)
        destination = passage.destination
        if not passage.passes or not isinstance(destination, Destination) or passage.address:
            return passage
        found = [
            self.look(destination.at(address, ChosenBy.NODE), client)
            for address in await self.resolver.resolve(destination.host)
        ]
        passing = (option for option in found if option.passes)
        return next(passing, found[0] if found else passage)

    async def seek_at(self, host: str, address: str, port: int, client: Client) -> Passage:
        """Judge a host at the address that the client chose (transparent mode).

        A name is believed when it resolves to that very address; otherwise the address counts.
        """
        named = read_host(host, port) if host else Destination(port=port)
        if not isinstance(named, Destination):
            return self.look(named, client)
        if named.address:  # an address instead of a name: it may stop, but leads nowhere else
            given = self.look(named, client)
            if not given.passes:
                return given
            named = Destination(port=port)
        place = read_address(address)
        at = named.at(place, ChosenBy.CLIENT)
        passage = self.look(at, client)
        if passage.passes or not named.host or not self.look(named, client).passes:
            return passage
        if place in await self.resolver.resolve(named.host):
            return self.look(at._replace(chosen_by=ChosenBy.NODE), client)
        return passage

    def count(self, passage: Passage, client: Client, *, decrypted: bool = False) -> None:
        """Count a connection that was let through and needs no event."""
        if passage.verdict.action is Action.OBSERVE:
            self.counters.observed += 1
        else:
            self.counters.passed += 1
        self.counters.decrypted += decrypted
        self.recorder.count(rollup_key_of(passage.verdict, client.group, decrypted=decrypted))

    def event(
        self,
        passage: Passage,
        client: Client,
        outcome: Outcome,
        transport: Transport,
        *,
        kind: EventKind,
        decrypted: bool = False,
    ) -> Event:
        """Make the event of a passage that is about to be carried out."""
        carried = Carried(
            time=datetime.now(UTC),
            node=self.name,
            client=client.pseudonym,
            group=client.group,
            outcome=outcome,
            transport=transport,
            decrypted=decrypted,
            kind=kind,
        )
        self.member.directory.note(client.identity)
        if kind is EventKind.DECISION:
            self.counters.note(passage.verdict, outcome, decrypted=decrypted)
        return event_of(passage.verdict, passage.destination, carried)

    async def fall_back(
        self,
        hook: str,
        names: Iterable[str],
        port: int,
        client: Client,
        stopped_as: Outcome,
        *,
        sure_stop: bool = False,
    ) -> Passage:
        """Judge by `on_error` what could not be judged because `hook` failed; it is on record.

        `names` are all that the client gave, first the one that is connected to. What the catalogue
        lists is stopped in any case, as is what cannot be read or does not resolve.
        """
        lenient = self.policy.on_error is Action.ALLOW and not sure_stop
        read = [read_host(name, port) for name in names if name] or [Unreadable("", "is empty")]
        passing = await self._unlisted(read) if lenient else None
        verdict = Verdict(
            action=Action.ALLOW if passing else Action.BLOCK,
            rule="on-error",
            policy=self.policy.id,
            policy_version=self.policy.version,
            why=f"The node failed in {hook}.",
        )
        passage = Passage(passing or read[0], verdict)
        outcome = Outcome.TUNNELLED if passing else stopped_as
        await self.record(self.event(passage, client, outcome, Transport.TCP, kind=EventKind.ERROR))
        return passage

    async def _unlisted(self, read: list[Destination | Unreadable]) -> Destination | None:
        """The first destination at an address that nothing is known of, if none is listed."""
        if any(isinstance(one, Unreadable) or self.judge.is_listed(one.label) for one in read):
            return None
        first = read[0]
        if not isinstance(first, Destination):
            return None
        found = (first.address,) if first.address else await self.resolver.resolve(first.host)
        address = next((one for one in found if not self.judge.is_listed(one)), "")
        return first._replace(address=address) if address else None

    async def record(self, event: Event) -> None:
        """Return when the event is on disk. Raises SpoolUnwritable: it must not be carried out.

        What must be stopped stays stopped then, and nobody is told a verdict that is not on record.
        """
        try:
            await self.recorder.record(event)
        except SpoolUnwritable:
            self.counters.unwritable_records += 1
            raise
