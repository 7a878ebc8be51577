"""One decision, many doors: the judge that proxy, CLI and API share.

It joins catalogue, databases and policy into a decider, and follows their changes on disk.
"""

from __future__ import annotations

import logging
import time
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from sovproxy.atlas.databases import Databases
from sovproxy.atlas.follow import CatalogueFolder
from sovproxy.decide.catalogue import Catalogue, PrefixIndex, address_number
from sovproxy.decide.decider import Decider
from sovproxy.decide.describe import Json, describe
from sovproxy.decide.destination import ChosenBy, Destination, Unreadable
from sovproxy.decide.exceptions import NO_EXCEPTIONS
from sovproxy.decide.facts import NOWHERE
from sovproxy.decide.normalise import read_address, read_destination
from sovproxy.errors import SovproxyError
from sovproxy.policy.applied import applied_path
from sovproxy.policy.known import Known
from sovproxy.policy.watch import PolicyFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sovproxy.atlas.geo import Geo
    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.settings import Settings

log = logging.getLogger(__name__)


class Judge:
    """Judges destinations by the policy in force. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Load everything. Raises InvalidFile or UnusableDatabase when something is not good."""
        self._clock = clock
        self.exceptions = NO_EXCEPTIONS
        """Those in force, from whoever knows them: the store in the API, the fleet on a node."""
        self.entries = CatalogueFolder.of(settings)
        self.atlas = self.entries.load()
        known = Known.of_atlas(self.atlas)
        applied = applied_path(settings.data_dir)
        self.policy_file = PolicyFile(settings.policy, known, applied=applied)
        self.databases = Databases.of(settings)
        self._catalogue = _index(self.atlas)
        self._generation = self.databases.generation()
        self.geo = self._open_geo()
        self._categories: dict[str, frozenset[str]] = {}
        self._enforce(self.policy_file.policy)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.decider.policy

    def judge(
        self,
        destination: Destination | Unreadable,
        group: str = "",
        clients: Collection[str] = (),
    ) -> Verdict:
        """The verdict on one destination, now, for a client of `group` (or of none).

        `clients` are the pseudonyms of the client, for exceptions: its own of this month, and those
        of months before.
        """
        address = "" if isinstance(destination, Unreadable) else destination.address
        place, now = self.geo.place(address) if address else NOWHERE, self._clock()
        verdict = self.decider.decide(destination, place, now, group)
        if not self.exceptions.exist:
            return verdict
        return self.exceptions.lift(verdict, destination, clients, group, now)

    @property
    def undecrypted(self) -> frozenset[str]:
        """Names that full inspection leaves alone, each with everything below it."""
        return self._undecrypted

    @property
    def known(self) -> Known:
        """The names that policies may use."""
        return self.policy_file.known

    @property
    def catalogue(self) -> Catalogue:
        """What is listed."""
        return self._catalogue

    def under(self, policy: Policy) -> Decider:
        """A decider for another policy over the same catalogue; nothing changes here."""
        return Decider(self._catalogue, policy)

    def check(self, query: str, ip: str = "", group: str = "", client: str = "") -> Json:
        """The whole answer about a host, URL or address, as DESIGN.md §7 has it.

        `ip` is the address that the name would resolve to; nothing is resolved here. `client` is a
        pseudonym: its exceptions count.
        """
        destination = _asked(query, ip)
        return describe(query, destination, self.judge(destination, group, (client,)))

    def check_under(self, policy: Policy, query: str, ip: str = "", group: str = "") -> Json:
        """The whole answer as it would be with another policy in force; no exceptions count."""
        destination = _asked(query, ip)
        address = "" if isinstance(destination, Unreadable) else destination.address
        place = self.geo.place(address) if address else NOWHERE
        verdict = self.under(policy).decide(destination, place, self._clock(), group)
        return describe(query, destination, verdict)

    def group_of(self, address: str, name: str = "") -> str:
        """The group of a client, by its name if it has one, else by its network; or empty."""
        if name:
            for group in self.policy.groups:
                if name in group.members:
                    return group.id
        if not self._has_group_networks or not address:
            return ""
        try:
            return self._group_networks.find(address_number(_plain(address))) or ""
        except ValueError:
            return ""

    def is_listed(self, name: str) -> bool:
        """Whether the catalogue lists a host or address as a service's, or the policy refuses it.

        Needed where deciding has failed, so it asks nothing but the lists themselves.
        """
        address = read_address(name)
        if not address:
            listing = self._catalogue.hosts.find(name)
            return listing is not None and listing.service is not None
        number = address_number(address)
        by_prefix = self._catalogue.prefixes.find(number) or self._refused.find(number)
        return bool(by_prefix) or self._is_in_a_listed_network(address)

    def _is_in_a_listed_network(self, address: str) -> bool:
        try:
            return self.geo.place(address).asn in self._catalogue.networks
        except Exception:
            log.exception("the databases fail; networks that belong to one service are not told")
            return False

    def refresh(self) -> bool:
        """Follow changes of policy file, databases and local catalogue; true when there are some.

        Nothing is raised: what is not good is logged, and the last good state stays in force.
        """
        changed, said = self._refresh_atlas(), self.policy_file.last_error
        changed |= self._refresh_geo()
        if self.policy_file.refresh():
            self._enforce(self.policy_file.policy)
            log.info("policy %s %s is in force", self.policy.id, self.policy.version)
            changed = True
        problem = self.policy_file.last_error
        if problem and problem != said:
            log.warning(
                "policy %s stays in force; the new one is refused:\n%s",
                self.policy.version,
                problem,
            )
        return changed

    def _refresh_atlas(self) -> bool:
        try:
            atlas = self.entries.changed()
            if atlas is None:
                return False
            geo = self.databases.open_geo(atlas.operators_by_asn, self._clock())
        except (SovproxyError, OSError) as error:
            log.warning("catalogue: the last good one stays in use:\n%s", error)
            return False
        self.atlas, self.geo, self._catalogue = atlas, geo, _index(atlas)
        self.policy_file.refresh(Known.of_atlas(atlas))
        self._enforce(self.policy_file.policy)
        log.info("a changed catalogue is in use: %d services", len(atlas.services))
        return True

    def _refresh_geo(self) -> bool:
        generation = self.databases.generation()
        if generation == self._generation:
            self.geo = self.geo.refreshed(self._clock())
            return False
        self._generation = generation
        try:
            self.geo = self._open_geo()
        except SovproxyError as error:
            log.warning("databases: the last good ones stay in use: %s", error)
            return False
        self._enforce(self.policy)
        return True

    def _open_geo(self) -> Geo:
        return self.databases.open_geo(self.atlas.operators_by_asn, self._clock())

    def _enforce(self, policy: Policy) -> None:
        self._undecrypted = self._left_alone(policy)  # before the policy that may decrypt the rest
        self.decider = Decider(self._catalogue, policy)
        networks = [(net, group.id) for group in policy.groups for net in group.networks]
        self._group_networks = PrefixIndex(networks)
        self._has_group_networks = bool(networks)
        self._refused = PrefixIndex((network, True) for network in policy.refused_networks)

    def _left_alone(self, policy: Policy) -> frozenset[str]:
        """The names that full inspection leaves alone; a category that vanished keeps its names."""
        self._categories |= self.atlas.undecrypted
        if policy.full is None:
            return frozenset()
        listed = (self._categories[category] for category in policy.full.never)
        return frozenset().union(policy.full.domains, policy.internal_domains, *listed)


def _index(atlas: Atlas) -> Catalogue:
    return Catalogue.build(
        atlas.listings,
        atlas.services,
        atlas.operators_by_asn,
        atlas.powers,
        atlas.port_listings,
    )


def _asked(query: str, ip: str) -> Destination | Unreadable:
    """What is asked about, at the address that the node would find if one is given."""
    destination = read_destination(query)
    if not ip or isinstance(destination, Unreadable):
        return destination
    address = read_address(ip)
    if not address:
        return Unreadable(ip[:256], "is not an IP address")
    return destination.at(address, ChosenBy.NODE)


def _plain(address: str) -> str:
    """A client's address without zone, and an IPv4-mapped one as the IPv4 address it is."""
    text = address.partition("%")[0]
    mapped = IPv6Address(text).ipv4_mapped if ":" in text else None
    return str(mapped) if mapped else text
