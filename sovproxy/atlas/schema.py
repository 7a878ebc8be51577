"""The format of the atlas's files. An unknown key is an error; every fact has a source.

The descriptions here are the documentation of the keys: docs/catalogue.md is made from them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints

from sovproxy.atlas import names

# pydantic reads the annotations when the classes are made, so these are needed at run time.
from sovproxy.decide.words import Effect, PowerStatus, Verification  # noqa: TC001

type Id = Annotated[str, AfterValidator(names.identifier)]
type HostPattern = Annotated[str, AfterValidator(names.host_pattern)]
type BaseName = Annotated[str, AfterValidator(names.base_name)]
type Prefix = Annotated[str, AfterValidator(names.prefix)]
type Country = Annotated[str, AfterValidator(names.country)]
type Lawmaker = Annotated[str, AfterValidator(names.lawmaker)]
type Link = Annotated[str, AfterValidator(names.link)]
type PortRange = Annotated[str, AfterValidator(names.port_range)]
type Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
type Asn = Annotated[int, Strict(), Field(ge=1, le=4_294_967_294)]
type Flag = Annotated[bool, Strict()]
type Day = Annotated[dt.date, Strict()]

type Stance = Literal["keep", "replace", "choose", "watch", "label"]
type Category = Literal[
    "ai-api",
    "ai-assistant",
    "ai-notetaker",
    "ai-research",
    "anonymiser",
    "cdn",
    "cloud",
    "collaboration",
    "connectivity",
    "creative",
    "crm",
    "dev-platform",
    "e-signature",
    "email",
    "erp",
    "file-sharing",
    "identity",
    "media",
    "messaging",
    "office-suite",
    "portal",
    "remote-access",
    "search",
    "social-network",
    "tracker",
    "translation",
    "video-hosting",
    "videoconference",
    "videoconference-infra",
]
type SharedKind = Literal[
    "captcha",
    "cdn",
    "certificate",
    "cloud",
    "identity",
    "library",
    "media",
    "operator",
    "push",
    "telemetry",
    "time",
    "update",
]
type PowerKind = Literal["power", "protection", "policy"]


class Strictest(BaseModel):
    """The base of all parts: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Strictest):
    """What every group of facts carries."""

    source: Text = Field(description="Where this was read. `recalled` if from memory.")
    as_of: Day | None = Field(
        default=None, description="The day (YYYY-MM-DD) on which it was true there, if known."
    )
    verification: Verification = Field(
        description="`verified` (vendor's own document or a registry), `mixed` (independent public"
        " lists, or verified in part) or `recalled` (from memory, or one list; never blocks by"
        " itself)."
    )


class HostGroup(Fact):
    """Hosts of the service that come from one source."""

    names: list[HostPattern] = Field(
        min_length=1,
        description="`zoom.us` is that name alone; `*.zoom.us` is every depth below it, not itself."
        " Nothing else may contain a star.",
    )


class PrefixGroup(Fact):
    """Addresses of the service that come from one source."""

    names: list[Prefix] = Field(min_length=1, description="Prefixes in CIDR notation.")
    exclusive: Flag = Field(
        description="`true` if nothing else lives there. Where `false`, a name that is known to be"
        " something else outranks the prefix."
    )
    origins: list[Asn] = Field(
        min_length=1,
        description="ASNs that may announce the prefixes. What another network announces today is"
        " not used (tools/check_atlas.py).",
    )
    ports: list[PortRange] = Field(
        default=[],
        description="Ports such as `tcp/5222` or `udp/3478-3481`, where only address and port"
        " together tell the service from others that live there.",
    )


class NetworkClaim(Fact):
    """A network whose bare addresses are this service's."""

    asn: Asn = Field(description="Its number. Only networks that one operator alone uses.")
    exclusive: Flag = Field(description="`true` if no other service lives in the network.")


class App(Strictest):
    """How the service's application is called on one system."""

    os: Literal["android", "ios", "linux", "macos", "windows"] = Field(description="The system.")
    kind: Literal[
        "bundle_id", "package", "package_family", "process", "process_or_flatpak", "winget_id"
    ] = Field(description="What the id is.")
    id: Text = Field(description="The id itself.")


class TenantHeader(Fact):
    """A header by which a decrypting proxy can restrict the service to approved tenants."""

    name: Text = Field(description="Name of the header.")
    hosts: list[HostPattern] = Field(default=[], description="Hosts on which it is read.")
    about: Text = Field(description="What it does.")


class ServiceFile(Strictest):
    """`services/<id>.yaml`: one service."""

    id: Id = Field(description="The file's name without `.yaml`. Policies name services by it.")
    name: Text = Field(description="The name people know; prompts show it.")
    covers: Text | None = Field(
        default=None, description="What belongs to it, where the name does not say."
    )
    category: Category = Field(description="What it is for; policies name categories.")
    operator: Id = Field(description="Id of the legal entity that runs it (see operators).")
    stance: Stance = Field(
        description="`keep` (sovereign), `replace`, `choose` (the admin's decision), `watch`, or"
        " `label` (infrastructure that others build on: named, not stopped)."
    )
    url: Link | None = Field(
        default=None, description="Opens it; needed where it is offered as an alternative."
    )
    alternatives: list[Id] = Field(
        default=[], description="Ids of services to offer instead, best first."
    )
    hosts: list[HostGroup] = Field(default=[], description="Its hosts, in groups by source.")
    prefixes: list[PrefixGroup] = Field(
        default=[], description="Its addresses, in groups by source."
    )
    networks: list[NetworkClaim] = Field(default=[], description="Networks that are its own.")
    seen_in: list[Asn] = Field(
        default=[], description="Networks it was seen in. Shown, never used to recognise it."
    )
    ports: list[Text] = Field(default=[], description="Ports it uses, as the vendor writes them.")
    apps: list[App] = Field(default=[], description="Its applications.")
    tenant_headers: list[TenantHeader] = Field(
        default=[], description="Headers that restrict it to approved tenants."
    )
    notes: Text | None = Field(default=None, description="What a reviewer should know.")


class OperatorNetwork(Strictest):
    """One ASN of an operator."""

    asn: Asn = Field(description="Its number.")
    name: Text = Field(description="Its name in the source.")
    ipv4: Annotated[int, Strict(), Field(ge=0)] = Field(
        default=0, description="IPv4 addresses it announced at that date."
    )


class OperatorNetworks(Fact):
    """ASNs of an operator that come from one source."""

    asns: list[OperatorNetwork] = Field(min_length=1, description="The ASNs.")


class OperatorEntry(Fact):
    """A legal entity."""

    id: Id = Field(description="Services, shared hosts and other entities name it by this.")
    name: Text = Field(description="Its registered name.")
    country: Country = Field(description="Country of its own seat, never of its parent's.")
    parents: list[Id] = Field(
        default=[],
        description="The entities that own it directly: usually one, several for joint ventures."
        " Control is derived from them.",
    )
    technology: list[Country] = Field(
        default=[],
        description="Countries whose technology the offer depends on without being controlled from"
        " there. Shown, never counted as control.",
    )
    networks: list[OperatorNetworks] = Field(default=[], description="Its ASNs.")
    notes: Text | None = Field(default=None, description="What a reviewer should know.")


class OperatorFile(Strictest):
    """`operators/<group>.yaml`: the legal entities of one corporate group."""

    group: Id = Field(description="The file's name without `.yaml`.")
    operators: list[OperatorEntry] = Field(min_length=1, description="The entities.")
    notes: Text | None = Field(default=None, description="What a reviewer should know.")


class PowerEntry(Fact):
    """A law."""

    id: Id = Field(description="Policies and verdicts name it by this.")
    name: Text = Field(description="What the law is called.")
    kind: PowerKind = Field(
        description="`power` reaches abroad. `protection` and `policy` are kept for the record and"
        " are no powers."
    )
    effect: Effect | None = Field(
        default=None, description="Of a power: `disclose` or `cut_off`; of others: nothing."
    )
    citation: Text = Field(description="Where the text stands.")
    year: Annotated[int, Strict(), Field(ge=1900, le=2100)] = Field(description="Year of the text.")
    status: PowerStatus = Field(description="`in_force`, `lapsed` or `proposed`.")
    status_text: Text = Field(description="The status in words, with its nuances.")
    compels: Text = Field(description="What it compels whom to do.")
    reach: Text = Field(description="How far it reaches beyond the country.")


class PowerFile(Strictest):
    """`powers/<country>.yaml`: the laws of one country."""

    country: Lawmaker = Field(description="ISO 3166-1 code, or `EU`; the file's name in capitals.")
    powers: list[PowerEntry] = Field(min_length=1, description="The laws.")


class SharedGroup(Fact):
    """Hosts that belong to no service and are never stopped on behalf of one."""

    names: list[HostPattern] = Field(min_length=1, description="Host patterns, as in a service.")
    kind: SharedKind = Field(
        description="`certificate`, `push`, `cdn`, `identity`, `telemetry`, …; `operator` for what"
        " else stands under an operator's own domain."
    )
    operator: Id | None = Field(default=None, description="Who runs them, if known.")
    why: Text = Field(description="What would break if they were stopped.")


class SharedFile(Strictest):
    """`shared_hosts.yaml`: known hosts that belong to no service."""

    hosts: list[SharedGroup] = Field(description="The hosts, in groups.")


class UndecryptedCategory(Fact):
    """Domains that `inspection: full` leaves alone, because what is said there is nobody's."""

    id: Id = Field(description="Policies name it by this, in `full.never`.")
    names: list[BaseName] = Field(
        min_length=1, description="Domains, each with everything below it."
    )
    why: Text = Field(description="What protects it, or what would break.")


class UndecryptedFile(Strictest):
    """`undecrypted.yaml`: what is never decrypted, whatever else the policy says."""

    categories: list[UndecryptedCategory] = Field(description="The categories.")


class UnusedPrefix(Strictest):
    """A prefix of the catalogue of which a part or all is announced by somebody else, or nobody."""

    prefix: Prefix = Field(description="The prefix as it stands in the catalogue.")
    service: Id = Field(description="The service that lists it.")
    reason: Text = Field(description="Why it is not used.")
    announced_by: list[Text] = Field(default=[], description="Who announces it today.")
    still_used: list[Prefix] = Field(
        default=[], description="The parts that an expected network still announces."
    )


class UnusedFile(Strictest):
    """`unused_prefixes.yaml`: made by tools/check_atlas.py, never edited."""

    database: Text = Field(description="The database that was asked.")
    as_of: Day = Field(description="Its date.")
    prefixes: list[UnusedPrefix] = Field(description="The prefixes that are not used as listed.")
