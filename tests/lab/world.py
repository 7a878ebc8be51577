"""The lab's world: who lives at which loopback address, and what databases and catalogue say of it.

Nothing here leaves the machine: every name of the lab resolves to 127.x.y.z.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sovproxy.atlas.load import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

ZOOM = "127.30.0.10"
TEAMS = "127.52.0.10"
TELEMETRY = "127.52.0.20"
AMAZON_PARIS = "127.15.0.10"
VISIO = "127.66.0.10"
META = "127.99.0.10"
FACEBOOK = "127.99.0.20"
NEUTRAL = "127.20.0.10"
REFUSED = "127.10.0.10"

PLACES = {
    "127.30.0.0/16": ("US", 30103, "Zoom Video Communications, Inc"),
    "127.52.0.0/16": ("IE", 8075, "Microsoft Corporation"),
    "127.15.0.0/16": ("FR", 16509, "Amazon.com, Inc."),
    "127.66.0.0/16": ("FR", 50624, "Outscale SASU"),
    "127.99.0.0/16": ("IE", 32934, "Facebook, Inc."),
    "127.20.0.0/16": ("FR", 64500, "Nobody in particular"),
}
"""Country of the server, ASN and organisation, as the lab's databases have them."""

NAMES = {
    "zoom.us": (ZOOM,),
    "us02web.zoom.us": (ZOOM,),
    "teams.microsoft.com": (TEAMS,),
    "mobile.pipe.aria.microsoft.com": (TELEMETRY,),
    "visio.numerique.gouv.fr": (VISIO,),
    "web.whatsapp.com": (META,),
    "slack.com": (AMAZON_PARIS,),
    "app.slack.com": (AMAZON_PARIS,),
    "www.facebook.com": (FACEBOOK,),
    "neutral.example": (NEUTRAL,),
    "xn--bcher-kva.example": (NEUTRAL,),
    "xn--strae-oqa.example": (NEUTRAL,),
    "xn--nxasmm1c.example": (NEUTRAL,),
    "refused.example": (REFUSED,),
    "front.example": (ZOOM,),
    "two.example": (ZOOM, NEUTRAL),
    "silent.example": ("127.20.0.99", NEUTRAL),
    "closed.example": ("127.20.0.98",),
}
"""Names and the addresses they resolve to. `silent.example` has one where nobody listens."""

PREFIXES = {"zoom": ("127.30.0.0/24", 30103, True), "ms-teams": ("127.52.0.0/16", 8075, False)}
"""By service id: a prefix, the ASN that announces it, and whether nobody else lives there."""

POLICY = """\
id: lab
title: {fr: "Politique d'essai", en: Policy of the lab}
language: fr
organisation:
  name: {fr: Ministère des Essais, en: Ministry of Trials}
  contact: {email: assistance@lab.example}
trust_zone: [EEA]
inspection: prompt
on_error: block
acknowledgement: {lasts: 8h}
internal: {networks: []}
refused: {networks: [127.10.0.0/16]}
rules:
  - id: sovereign
    when: {stance: keep}
    action: allow
  - id: video
    when: {category: videoconference, stance: replace, control: foreign}
    action: block
    alternative: visio
  - id: messaging
    when: {category: messaging, stance: replace, control: foreign}
    action: warn
    alternative: tchap
  - id: social
    when: {category: social-network}
    action: observe
default: allow
"""


@dataclass(frozen=True)
class World:
    """The files that the proxy of the lab reads."""

    folder: Path

    @property
    def hosts(self) -> Path:
        return self.folder / "hosts"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.yaml"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue"

    @property
    def database(self) -> Path:
        return self.folder / "lab.mmdb"

    @property
    def settings(self) -> dict[str, str]:
        """The environment that points sovproxy at these files."""
        return {
            "SOVPROXY_POLICY": str(self.policy),
            "SOVPROXY_HOSTS_FILE": str(self.hosts),
            "SOVPROXY_CATALOGUE_DIR": str(self.catalogue),
            "SOVPROXY_LOCATION_DATABASE": str(self.database),
            "SOVPROXY_NETWORK_DATABASE": str(self.database),
            "SOVPROXY_NODE": "lab",
        }

    def write_policy(self, old: str = "", new: str = "") -> None:
        """Write the lab's policy, with one passage replaced."""
        assert old in POLICY
        self.policy.write_text(POLICY.replace(old, new) if old else POLICY)

    def write_hosts(self, **more: str) -> None:
        """Write the names of the lab, and more as `name=address`."""
        lines = [f"{address} {name}" for name, found in NAMES.items() for address in found]
        lines += [f"{address} {name.replace('_', '.')}" for name, address in more.items()]
        self.hosts.write_text("\n".join(lines) + "\n")


def make_world(folder: Path) -> World:
    """Write everything into `folder`."""
    world = World(folder)
    folder.mkdir(parents=True, exist_ok=True)
    world.write_hosts()
    world.write_policy()
    write_database(world.database)
    (world.catalogue / "services").mkdir(parents=True)
    for service in PREFIXES:
        text = yaml.safe_dump(_service_with_prefix(service), allow_unicode=True)
        (world.catalogue / "services" / f"{service}.yaml").write_text(text)
    return world


def write_database(path: Path, **countries: str) -> None:
    """Write one MMDB for both kinds of facts; `countries` replaces countries by ASN (`AS8075`)."""
    writer = MMDBWriter(4, "Lab-City-ASN", languages=["en"], description="The lab's own facts")
    for prefix, (country, asn, organisation) in PLACES.items():
        record = {
            "country": {"iso_code": countries.get(f"AS{asn}", country)},
            "autonomous_system_number": asn,
            "autonomous_system_organization": organisation,
        }
        writer.insert_network(IPSet([prefix]), record)
    part = path.with_suffix(".part")
    writer.to_db_file(str(part))
    part.replace(path)


@functools.cache
def _shipped_service(service: str) -> dict:
    return yaml.safe_load((SHIPPED / "services" / f"{service}.yaml").read_text())


def _service_with_prefix(service: str) -> dict:
    """The shipped entry of a service, with a prefix of the lab added."""
    prefix, asn, exclusive = PREFIXES[service]
    group = {
        "verification": "verified",
        "source": "the lab's own address plan",
        "exclusive": exclusive,
        "origins": [asn],
        "names": [prefix],
    }
    entry = dict(_shipped_service(service))
    return {**entry, "prefixes": [*entry.get("prefixes", []), group]}
