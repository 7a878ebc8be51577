"""From the checked text of a policy to the frozen values that the ladder reads."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.decide.catalogue import prefix_range
from sovproxy.decide.policy import (
    NO_TEXTS,
    Condition,
    FullInspection,
    Group,
    Organisation,
    Phase,
    Policy,
    Rule,
    Texts,
)
from sovproxy.decide.words import Action
from sovproxy.policy.fields import DEFAULT, seconds_of
from sovproxy.policy.zones import expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sovproxy.policy.schema import FullText, OrganisationText, PolicyText, RuleText, WhenText

ALWAYS = 0.0
"""The start (Unix seconds) of a rule without phases: before any clock that runs."""

INTERNAL_NETWORKS = (
    "10.0.0.0/8",  # RFC 1918
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
    "fc00::/7",  # unique local addresses, RFC 4193
)
"""What `default` means in `internal.networks`."""

REFUSED_NETWORKS = (
    "0.0.0.0/8",  # "this network", RFC 1122
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local, RFC 3927; cloud metadata at 169.254.169.254
    "100.100.100.200/32",  # cloud metadata of Alibaba, inside carrier-grade NAT
    "168.63.129.16/32",  # the host's own services on Azure
    "192.0.0.192/32",  # cloud metadata of Oracle's older machines
    "224.0.0.0/4",  # multicast
    "255.255.255.255/32",  # broadcast
    "::/128",  # unspecified
    "::1/128",  # loopback
    "fd00:ec2::254/128",  # cloud metadata of Amazon, inside unique local addresses
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
)
"""What `default` means in `refused.networks`: the proxy is no way into these."""


def compile_policy(text: PolicyText, version: str, undecrypted: tuple[str, ...] = ()) -> Policy:
    """Make the frozen policy. The names in `text` have been checked before.

    `undecrypted` are the categories that `default` means in `full.never`.
    """
    zone = expand(text.trust_zone)
    refused = _spelled_out(text.refused.networks, REFUSED_NETWORKS)
    return Policy(
        id=text.id,
        version=version,
        trust_zone=zone,
        rules=tuple(_rule(rule, zone) for rule in text.rules),
        default=text.default,
        on_error=Action(text.on_error),
        inspection=text.inspection,
        full=_full(text.full, undecrypted),
        language=text.language,
        title=_texts(text.title),
        about=_texts(text.about),
        organisation=_organisation(text.organisation),
        groups=_groups(text),
        trust_recalled=text.trust_recalled,
        acknowledgement_seconds=seconds_of(text.acknowledgement.lasts),
        exception_days=timedelta(seconds=seconds_of(text.exceptions.longest)).days,
        retention_days=timedelta(seconds=seconds_of(text.retention.events)).days,
        internal_domains=text.internal.domains,
        internal_networks=_outside(
            _spelled_out(text.internal.networks, INTERNAL_NETWORKS), refused
        ),
        refused_networks=refused,
    )


def _full(text: FullText | None, undecrypted: tuple[str, ...]) -> FullInspection | None:
    if text is None:
        return None
    never = _spelled_out(text.never, undecrypted)
    return FullInspection(_texts(text.purpose), never, text.domains)


def _texts(texts: Mapping[str, str] | None) -> Texts:
    return MappingProxyType(dict(texts)) if texts else NO_TEXTS


def _organisation(text: OrganisationText | None) -> Organisation:
    if text is None:
        return Organisation()
    return Organisation(
        name=_texts(text.name),
        contact_name=_texts(text.contact.name),
        contact_email=text.contact.email or "",
        contact_phone=text.contact.phone or "",
        contact_url=text.contact.url or "",
        primary_colour=text.colours.primary,
        accent_colour=text.colours.accent,
    )


def _groups(text: PolicyText) -> tuple[Group, ...]:
    return tuple(
        Group(name, group.networks, frozenset(group.members)) for name, group in text.groups.items()
    )


def _spelled_out(words: Iterable[str], default: tuple[str, ...]) -> tuple[str, ...]:
    spelled = (item for word in words for item in (default if word == DEFAULT else (word,)))
    return tuple(dict.fromkeys(spelled))


def _outside(networks: tuple[str, ...], refused: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what lies inside a refused network: refusing outranks trusting."""
    limits = [prefix_range(network) for network in refused]

    def is_free(network: str) -> bool:
        start, end = prefix_range(network)
        return not any(first <= start and end <= after for first, after in limits)

    return tuple(network for network in networks if is_free(network))


def _rule(text: RuleText, zone: frozenset[str]) -> Rule:
    return Rule(
        id=text.id,
        condition=_condition(text.when, zone),
        phases=_phases(text),
        about=text.about or "",
        alternative=text.alternative or "",
        message=_texts(text.message),
        trust_recalled=text.trust_recalled,
    )


def _phases(text: RuleText) -> tuple[Phase, ...]:
    if text.action is not None:
        return (Phase(ALWAYS, text.action),)
    starts = ((getattr(text.phases, action), action) for action in Action)
    return tuple(Phase(start.timestamp(), action) for start, action in starts if start)


def _condition(when: WhenText, zone: frozenset[str]) -> Condition:
    return Condition(
        services=frozenset(when.service or ()),
        categories=frozenset(when.category or ()),
        stances=frozenset(when.stance or ()),
        operators=frozenset(when.operator or ()),
        control=expand(when.control or (), zone),
        location=expand(when.location or (), zone),
        networks=frozenset(when.network or ()),
        powers=frozenset(when.power or ()),
        standing=frozenset(when.standing or ()),
        verification=frozenset(when.verification or ()),
        groups=frozenset(when.group or ()),
        hosts=frozenset(when.host or ()),
    )
