"""The policy file as pydantic models. Unknown keys are errors; values never change.

The descriptions here are the documentation: `docs/policy.schema.json` and the table of keys in
`docs/policy.md` are made from them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

from sovproxy.decide.words import Action, Standing, Verification
from sovproxy.policy.fields import (
    DEFAULT,
    Asn,
    Colour,
    Domain,
    Email,
    HostPattern,
    Instant,
    Language,
    Line,
    Link,
    Name,
    Network,
    NetworkOrDefault,
    OneOrMany,
    Phone,
    Prose,
    Proses,
    Texts,
    Word,
    duration_between,
    whole_days,
)

Stance = Literal["keep", "replace", "choose", "watch", "label"]
Countries = OneOrMany[Word]


class Part(BaseModel):
    """The base of all parts of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContactText(Part):
    """Who helps a worker who is stopped."""

    name: Texts | None = Field(default=None, description="Name of the desk, by language.")
    email: Email | None = Field(default=None, description="Its mail address.")
    phone: Phone | None = Field(default=None, description="Its telephone number.")
    url: Link | None = Field(default=None, description="Its page (https).")


class ColoursText(Part):
    """The two colours of the prompt."""

    primary: Colour = Field(default="#1b3a6b", description="Of buttons and links, as `#rrggbb`.")
    accent: Colour = Field(default="#c9191e", description="Of the band at the top, as `#rrggbb`.")


class OrganisationText(Part):
    """Who speaks on the prompt."""

    name: Texts = Field(description="Name of the administration, by language.")
    contact: ContactText = Field(default=ContactText(), description="Who helps.")
    colours: ColoursText = Field(default=ColoursText(), description="Colours of the prompt.")


class AcknowledgementText(Part):
    """A worker's "go on" after a warning."""

    lasts: Annotated[str, duration_between("1m", "31d")] = Field(
        default="8h", description="How long it holds for that service: `30m`, `8h`, `7d`."
    )


class ExceptionsText(Part):
    """Permissions that people grant for a limited time."""

    longest: Annotated[str, AfterValidator(whole_days), duration_between("1d", "366d")] = Field(
        default="30d", description="How long one may last at most, in days."
    )


class RetentionText(Part):
    """How long data is kept."""

    events: Annotated[str, AfterValidator(whole_days), duration_between("1d", "1096d")] = Field(
        default="183d", description="Age at which events are deleted, in days."
    )


class FullText(Part):
    """Decryption of connections that pass: why, and of which never."""

    purpose: Proses = Field(
        min_length=1,
        description="What it is for, by language. Staff read it in the notice, auditors in the"
        " record.",
    )
    never: OneOrMany[Word] = Field(
        default=(DEFAULT,),
        description="Categories of the catalogue that are never decrypted. `default`: all of them."
        " A list replaces it unless it says `default` too.",
    )
    domains: Annotated[tuple[Domain, ...], Field(max_length=1000)] = Field(
        default=(), description="Further names that are left alone, each with everything below it."
    )


class InternalText(Part):
    """The administration's own: passed without being judged."""

    domains: Annotated[tuple[Domain, ...], Field(max_length=5000)] = Field(
        default=(), description="Names that pass unjudged, each with everything below it."
    )
    networks: Annotated[tuple[NetworkOrDefault, ...], Field(max_length=5000)] = Field(
        default=(DEFAULT,),
        description="Networks that pass unjudged. `default`: RFC 1918, unique local IPv6, and"
        " carrier-grade NAT. A list replaces it unless it says `default` too.",
    )


class RefusedText(Part):
    """Where the proxy never connects to, whoever asks."""

    networks: Annotated[tuple[NetworkOrDefault, ...], Field(max_length=5000)] = Field(
        default=(DEFAULT,),
        description="Networks that are always refused, also inside internal ones. `default`:"
        " loopback, link-local, cloud metadata, multicast, unspecified. A list replaces it unless"
        " it says `default` too.",
    )


class GroupText(Part):
    """Workers or machines that rules can name."""

    networks: Annotated[tuple[Network, ...], Field(max_length=5000)] = Field(
        default=(), description="Networks of the group's clients."
    )
    members: Annotated[tuple[Line, ...], Field(max_length=100_000)] = Field(
        default=(), description="Names of the group's members, as the proxy authenticates them."
    )

    @model_validator(mode="after")
    def _has_somebody(self) -> Self:
        if not self.networks and not self.members:
            raise ValueError("names nobody: give `networks`, `members` or both")
        return self


class WhenText(Part):
    """What a rule looks at. Every key that is given has to fit; of a list, one value."""

    service: OneOrMany[Word] | None = Field(
        default=None, description="Id of a service: `zoom`, `[zoom, webex]`."
    )
    category: OneOrMany[Word] | None = Field(
        default=None, description="Category of the service: `videoconference`."
    )
    stance: OneOrMany[Stance] | None = Field(
        default=None,
        description="The catalogue's hint on the service: `keep` (sovereign), `replace`, `choose`,"
        " `watch`, `label` (infrastructure).",
    )
    operator: OneOrMany[Word] | None = Field(
        default=None, description="Id of the operator, or of any of its parents."
    )
    control: Countries | None = Field(
        default=None,
        description="A country from which it is controlled: a code, a group, `foreign` (outside"
        " the trust zone) or `trusted`. `-CH` takes a country out of the list.",
    )
    location: Countries | None = Field(
        default=None, description="Country where the server stands, written like `control`."
    )
    network: OneOrMany[Asn] | None = Field(
        default=None, description="Number of the network that holds the address: `AS3215`."
    )
    power: OneOrMany[Word] | None = Field(
        default=None, description="Id of a foreign power that reaches it: `us-cloud-act`."
    )
    standing: OneOrMany[Standing] | None = Field(
        default=None, description="Standing of the destination, relative to the trust zone."
    )
    verification: OneOrMany[Verification] | None = Field(
        default=None, description="How well the catalogue's fact is established."
    )
    group: OneOrMany[Word] | None = Field(
        default=None, description="Id of a group of clients, from `groups`."
    )
    host: OneOrMany[HostPattern] | None = Field(
        default=None,
        description="`example.org` for that name alone, `*.example.org` for all below it.",
    )

    @model_validator(mode="after")
    def _looks_at_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("is empty and would fit everything; that is what `default` is for")
        return self


class PhasesText(Part):
    """The instants from which each action holds. Before the first, the rule does not apply."""

    allow: Instant | None = Field(default=None, description="When `allow` begins.")
    observe: Instant | None = Field(default=None, description="When `observe` begins.")
    warn: Instant | None = Field(default=None, description="When `warn` begins.")
    block: Instant | None = Field(
        default=None,
        description="When `block` begins. A date means 00:00 UTC on that day; a time needs its"
        " offset.",
    )

    @model_validator(mode="after")
    def _each_after_the_other(self) -> Self:
        given = [(action, at) for action in Action if (at := getattr(self, action)) is not None]
        if not given:
            raise ValueError("is empty; give at least one of allow, observe, warn, block")
        for (milder, first), (stricter, then) in pairwise(given):
            if then <= first:
                message = f"`{stricter}` begins {then:%Y-%m-%d}, which is not after `{milder}`"
                raise ValueError(f"{message} ({first:%Y-%m-%d}); phases go from mild to strict")
        return self


class RuleText(Part):
    """One rule. Rules are read in order and the first that fits wins."""

    id: Name = Field(description="Shown to everybody and kept in events.")
    about: Prose | None = Field(
        default=None, description="Why the rule is there, in the policy's language. Shown."
    )
    when: WhenText = Field(description="What it looks at.")
    action: Action | None = Field(
        default=None, description="`allow`, `observe`, `warn` or `block`. Either this or `phases`."
    )
    phases: PhasesText | None = Field(
        default=None, description="Actions by date: `{observe: 2026-01-26, warn: 2026-04-01}`."
    )
    alternative: Word | None = Field(
        default=None,
        description="Id of the service to offer. Without it: the first of the service's own that"
        " the trust zone controls. `none`: nothing is offered.",
    )
    message: Texts | None = Field(
        default=None, description="What the prompt says about this rule, by language."
    )
    trust_recalled: StrictBool = Field(
        default=False,
        description="`true`: may block on facts that are only recalled; otherwise such a block"
        " becomes a warning.",
    )

    @model_validator(mode="after")
    def _acts_once(self) -> Self:
        if (self.action is None) == (self.phases is None):
            raise ValueError("needs either `action` or `phases`, and not both")
        return self


class PolicyText(Part):
    """A policy file."""

    id: Name = Field(description="Short name of the policy, kept in verdicts and events.")
    title: Texts = Field(description="What people call it, by language.")
    about: Proses = Field(
        default={}, description="What it promises, by language. Shown in lists of policies."
    )
    language: Language = Field(
        default="en", description="First language of prompts (ISO 639-1), such as `fr`."
    )
    organisation: OrganisationText | None = Field(
        default=None, description="Who speaks on the prompt."
    )
    trust_zone: Countries = Field(
        description="Countries whose law is accepted: ISO codes and groups (`EU`, `EEA`, `EFTA`);"
        " `-XX` takes one out."
    )
    inspection: Literal["none", "prompt", "full"] = Field(
        default="prompt",
        description="How far decryption may go. `none`: nothing, the extension shows the"
        " prompts. `prompt`: only what is answered with a prompt. `full`: what passes too, under"
        " the terms of `full`.",
    )
    full: FullText | None = Field(
        default=None, description="The terms of `inspection: full`, which cannot do without."
    )
    on_error: Literal["allow", "block"] = Field(
        default="block",
        description="`allow` or `block` what is not in the catalogue when sovproxy itself fails.",
    )
    trust_recalled: StrictBool = Field(
        default=False, description="The same as in a rule, for all rules at once."
    )
    acknowledgement: AcknowledgementText = Field(
        default=AcknowledgementText(), description="Going on after a warning."
    )
    exceptions: ExceptionsText = Field(
        default=ExceptionsText(), description="Permissions that are granted on request."
    )
    retention: RetentionText = Field(default=RetentionText(), description="How long data is kept.")
    internal: InternalText = Field(
        default=InternalText(), description="What passes without being judged."
    )
    refused: RefusedText = Field(
        default=RefusedText(), description="Where the proxy never connects to."
    )
    groups: Annotated[dict[Name, GroupText], Field(max_length=1000)] = Field(
        default={}, description="Groups of clients by id."
    )
    rules: Annotated[tuple[RuleText, ...], Field(max_length=2000)] = Field(
        default=(), description="The rules in their order."
    )
    default: Action = Field(default=Action.ALLOW, description="What happens where no rule fits.")
