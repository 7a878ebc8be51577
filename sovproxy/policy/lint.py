"""What is allowed in a policy but hardly meant: rules that never fit, dead ends, missing words."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from sovproxy.decide.policy import NO_ALTERNATIVE, Condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.decide.facts import Service
    from sovproxy.decide.policy import Policy, Rule
    from sovproxy.errors import Problem
    from sovproxy.policy.known import Known
    from sovproxy.policy.schema import PhasesText, PolicyText
    from sovproxy.yamlfile import Document, Loc

LEAST_CONTRAST = 4.5
"""WCAG 2.2, criterion 1.4.3: contrast of text to its background, level AA."""

_BY_SERVICE = ("services", "categories", "stances", "hosts")

_YEAR = re.compile(r"(?<![0-9])20[0-9]{2}(?![0-9])")

type Found = Iterator[tuple[Loc, str]]


def lint(document: Document, text: PolicyText, policy: Policy, known: Known) -> list[Problem]:
    """The warnings about a policy that compiled, in the order of the file."""
    found = [*_about_words(text), *_about_dates(text), *_about_colours(text)]
    for index, rule in enumerate(policy.rules):
        where: Loc = ("rules", index)
        found += [(where, message) for message in _about_fit(rule, policy.rules[:index], known)]
        found += [((*where, "alternative"), m) for m in _about_alternative(rule, policy, known)]
    problems = [document.problem(loc, message) for loc, message in found]
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _about_words(text: PolicyText) -> Found:
    """Texts that a worker would not get in the policy's own language."""
    places: list[tuple[Loc, dict[str, str]]] = [(("title",), text.title)]
    if text.organisation:
        places.append((("organisation", "name"), text.organisation.name))
    for index, rule in enumerate(text.rules):
        if rule.message:
            places.append((("rules", index, "message"), rule.message))
    for loc, words in places:
        if text.language not in words:
            yield loc, f"has no text in the policy's language (`{text.language}`)"


def _about_dates(text: PolicyText) -> Found:
    """What is promised for a year in which no phase begins: most often the phases were changed,
    and the words were not. A rule's `about` may tell of the past, and is not looked at.
    """
    begun = [_years_of(rule.phases) for rule in text.rules]
    for language, words in text.about.items():
        for year in _years_in(words) - set().union(*begun):
            yield ("about", language), f"names {year}, but no phase of any rule begins then"
    for index, rule in enumerate(text.rules):
        for language, words in (rule.message or {}).items():
            for year in _years_in(words) - begun[index]:
                message = f"workers read of {year}, but no phase of `{rule.id}` begins then"
                yield ("rules", index, "message", language), message


def _years_in(words: str) -> set[str]:
    return set(_YEAR.findall(words))


def _years_of(phases: PhasesText | None) -> set[str]:
    if phases is None:
        return set()
    starts = (getattr(phases, name) for name in type(phases).model_fields)
    return {f"{start:%Y}" for start in starts if start is not None}


def _about_colours(text: PolicyText) -> Found:
    if text.organisation is None:
        return
    colour = text.organisation.colours.primary
    contrast = contrast_to_white(colour)
    if contrast < LEAST_CONTRAST:
        message = f"white text on {colour} has a contrast of {contrast:.1f}; WCAG asks for 4.5"
        yield ("organisation", "colours", "primary"), message


def contrast_to_white(colour: str) -> float:
    """Contrast ratio (1 to 21) of `#rrggbb` to white, as WCAG 2.2 defines it."""
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05)


def _about_fit(rule: Rule, earlier: tuple[Rule, ...], known: Known) -> Iterator[str]:
    condition = rule.condition
    if not any(getattr(condition, name) for name in _BY_SERVICE):
        if any(phase.action.stops for phase in rule.phases):
            yield (
                "stops shared hosts (certificates, push, CDNs) too, because it looks at no service;"
                " add `category`, `stance`, `service` or `host`"
            )
    elif not condition.hosts and not _candidates(condition, known):
        yield "can never fit: no service of the catalogue meets all of its conditions"
    for other in earlier:
        if _starts_first(other, rule) and covers(other.condition, condition, known):
            yield f"can never fit: the earlier rule `{other.id}` takes everything that it looks at"
            return


def _starts_first(one: Rule, other: Rule) -> bool:
    return one.phases[0].start <= other.phases[0].start


def _about_alternative(rule: Rule, policy: Policy, known: Known) -> Iterator[str]:
    if not rule.alternative or rule.alternative == NO_ALTERNATIVE:
        return
    service = known.services[rule.alternative]
    outside = sorted(set(service.operator.control) - policy.trust_zone)
    if outside:
        yield f"{service.name} is controlled from outside the trust zone: {', '.join(outside)}"
    if not service.url:
        yield f"{service.name} has no `url` in the catalogue: the prompt cannot open it"


def _candidates(condition: Condition, known: Known) -> list[Service]:
    return [service for service in known.services.values() if _fits(condition, service)]


def _fits(condition: Condition, service: Service) -> bool:
    """Whether the parts that the catalogue alone settles admit the service."""
    parts = _of_service(service)
    return all(
        not wanted or not wanted.isdisjoint(parts[name])
        for name in ("services", "categories", "stances", "operators")
        if (wanted := getattr(condition, name)) is not None
    )


def _of_service(service: Service) -> dict[str, tuple[str, ...]]:
    return {
        "services": (service.id,),
        "categories": (service.category,),
        "stances": (service.stance,),
        "operators": service.operator.chain,
        "control": service.operator.control,
    }


def covers(wider: Condition, narrower: Condition, known: Known) -> bool:
    """Whether `wider` fits everything that `narrower` fits, as far as the catalogue tells."""
    return all(_covers_part(part.name, wider, narrower, known) for part in fields(Condition))


def _covers_part(name: str, wider: Condition, narrower: Condition, known: Known) -> bool:
    wanted, given = getattr(wider, name), getattr(narrower, name)
    if not wanted:
        return True
    if name == "hosts":
        return bool(given) and all(_covers_host(wanted, host) for host in given)
    if given and given <= wanted:
        return True
    services = [known.services[item] for item in narrower.services if item in known.services]
    implied = [_of_service(service).get(name, ()) for service in services]
    return bool(implied) and all(not wanted.isdisjoint(values) for values in implied)


def _covers_host(patterns: frozenset[str], host: str) -> bool:
    if host in patterns:
        return True
    labels = host.removeprefix("*.").split(".")
    above = {".".join(labels[start:]) for start in range(1, len(labels))}
    return any(f"*.{name}" in patterns for name in above)
