"""Countries as policies write them: ISO codes, groups such as `EEA`, and what is taken out again.

Membership as of 2026-11-23. EU: the 27 members listed by the European Union since the United
Kingdom left (31 January 2020), with the territories of members that belong to the Union and have
an ISO code of their own (Article 349 TFEU; Protocol 2 to the Act of Accession of 1994 for Åland):
databases say RE for a server in Réunion. EEA: Agreement on the European Economic Area. EFTA:
Convention establishing the European Free Trade Association.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.atlas.countries import ISO_3166

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COUNTRIES = ISO_3166 | {"XK"}
"""ISO 3166-1 codes, and XK: user-assigned, and what databases say for Kosovo."""

_EU_MEMBERS = frozenset(
    """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
    """.split()  # noqa: SIM905 (a table of codes is read at a glance)
)
_EU_TERRITORIES = frozenset({"AX", "GF", "GP", "MF", "MQ", "RE", "YT"})
_EU = _EU_MEMBERS | _EU_TERRITORIES

GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "EU": _EU,
        "EEA": _EU | {"IS", "LI", "NO"},
        "EFTA": frozenset({"CH", "IS", "LI", "NO"}),
    }
)

FOREIGN = "foreign"
"""In rules: every country outside the trust zone."""
TRUSTED = "trusted"
"""In rules: every country of the trust zone."""
RELATIVE = (FOREIGN, TRUSTED)

_USUAL_MISTAKES = {"UK": "GB", "EL": "GR", "EUROPE": "EU", "AELE": "EFTA", "EEE": "EEA"}


def problem_with(word: str, *, relative: bool) -> str:
    """What is wrong with one word of a list of countries, or empty; `relative` admits `foreign`."""
    name = word.removeprefix("-")
    if name in COUNTRIES or name in GROUPS or (relative and word in RELATIVE):
        return ""
    if name in RELATIVE:
        return "stands for a set that depends on the trust zone, and cannot be used here"
    wanted = f"an ISO 3166-1 country code, or one of {', '.join(GROUPS)}"
    wanted += f", {', '.join(RELATIVE)}" if relative else ""
    upper = name.upper()
    meant = _USUAL_MISTAKES.get(upper, upper)
    hint = f"; did you mean `{meant}`?" if meant in COUNTRIES or meant in GROUPS else ""
    return f"is not {wanted}{hint}"


def expand(words: Iterable[str], trust_zone: frozenset[str] = frozenset()) -> frozenset[str]:
    """The countries that words such as `EEA`, `CH`, `-HU`, `foreign` stand for.

    Whatever has a minus is taken out at the end, wherever it stands. Raises KeyError for a word
    that `problem_with` refuses.
    """
    sets = {**GROUPS, FOREIGN: COUNTRIES - trust_zone, TRUSTED: trust_zone}
    kept: set[str] = set()
    removed: set[str] = set()
    for word in words:
        name = word.removeprefix("-")
        target = removed if word.startswith("-") else kept
        target |= sets[name] if name in sets else {_checked(name)}
    return frozenset(kept - removed)


def _checked(code: str) -> str:
    if code not in COUNTRIES:
        raise KeyError(code)
    return code
