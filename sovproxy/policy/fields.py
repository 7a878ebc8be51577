"""The spellings that a policy accepts for instants, durations, networks and hosts.

Each function gives back what it read, or raises ValueError saying what was wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from sovproxy.atlas.names import link
from sovproxy.decide.destination import Destination
from sovproxy.decide.normalise import read_host

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

DEFAULT = "default"
"""In a list of networks: the networks that stand there when the policy says nothing."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2199
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d)?([Zz]|[+-]\d\d:\d\d))?")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ASN = re.compile(r"AS([1-9][0-9]{0,9})")
_LAST_ASN = 4_294_967_294


def read_instant(value: object) -> datetime:
    """Read a date (00:00 UTC on that day) or a timestamp with its offset from UTC."""
    wanted = "is not a date such as 2026-09-01, nor a time such as 2026-09-01T08:00:00+02:00"
    if isinstance(value, str):
        if not _INSTANT.fullmatch(value):
            raise ValueError(wanted)
        value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    if not isinstance(value, date):
        raise ValueError(wanted)  # noqa: TRY004 (pydantic reports ValueErrors only)
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        raise ValueError("needs its offset from UTC, as in 2026-09-01T08:00:00+02:00")
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


def seconds_of(duration: str) -> int:
    """The seconds in `30m`, `8h` or `183d`."""
    match = _DURATION.fullmatch(duration)
    if not match:
        raise ValueError("is not a duration such as 30m, 8h or 183d")
    return int(match[1]) * _UNITS[match[2]]


def duration_between(least: str, most: str) -> AfterValidator:
    """A check that a duration is readable and within bounds, both included."""

    def check(text: str) -> str:
        if not seconds_of(least) <= seconds_of(text) <= seconds_of(most):
            raise ValueError(f"is not between {least} and {most}")
        return text

    return AfterValidator(check)


def whole_days(text: str) -> str:
    """Accept a duration that is written in days."""
    if not text.endswith("d"):
        raise ValueError("is not a number of days such as 183d")
    return text


def read_network(text: str) -> str:
    """The canonical text of a network in CIDR notation; a lone address is a network of one."""
    try:
        network = ip_network(text.replace("%", "?"), strict=False)
    except ValueError:
        raise ValueError("is not a network such as 10.0.0.0/8 or fd00::/8") from None
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"has bits set behind its prefix length; write {network}")
    return str(network)


def network_or_default(text: str) -> str:
    """A network, or the word that stands for the ones we ship."""
    return text if text == DEFAULT else read_network(text)


def read_domain(text: str) -> str:
    """The canonical text of a domain name: lower case, ASCII, no trailing dot."""
    found = read_host(text)
    if isinstance(found, Destination) and _HOST.fullmatch(found.host):
        return found.host
    raise ValueError("is not a domain name such as example.org")


def read_host_pattern(text: str) -> str:
    """`example.org` for that name alone, `*.example.org` for every name below it."""
    name = text.removeprefix("*.")
    try:
        return text[: len(text) - len(name)] + read_domain(name)
    except ValueError:
        message = "is not a host such as example.org, nor all below it: *.example.org"
        raise ValueError(message) from None


def read_asn(value: object) -> int:
    """The number of a network, written `AS3215` or 3215."""
    match = _ASN.fullmatch(value) if isinstance(value, str) else None
    number = int(match[1]) if match else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LAST_ASN:
        raise ValueError("is not the number of a network such as AS3215")
    return number


def one_or_many(value: object) -> object:
    """A lone value counts as a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def not_empty[V](values: tuple[V, ...]) -> tuple[V, ...]:
    """Refuse an empty list of conditions: to the ladder it would mean that anything fits."""
    if not values:
        raise ValueError("is an empty list, which would fit nothing; leave the key out")
    return values


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that fits a pattern as a whole; `wanted` says in words what that is."""

    pattern: str
    wanted: str

    def check(self, text: str) -> str:
        """Give the text back, or raise ValueError with what was wanted."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"is not {self.wanted}")
        return text

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), "pattern": f"^({self.pattern})$"}


class _OneOrManySchema:
    """Tells the JSON Schema that a lone value may stand for a list of one."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = {**handler(core_schema), "minItems": 1}
        return {"anyOf": [many["items"], many]}


def by_language(value: object) -> object:
    """Point out that texts stand by language; the rest is left to the type."""
    if isinstance(value, str):
        raise ValueError("has to say its language: `{en: …}`")  # noqa: TRY004 (for pydantic)
    return value


T = TypeVar("T")
OneOrMany = Annotated[
    tuple[T, ...],
    Field(max_length=5000),
    BeforeValidator(one_or_many),
    AfterValidator(not_empty),
    _OneOrManySchema(),
]
"""A value, or a list of values of which one has to fit. An empty list fits nothing: refused."""

Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}"}),
]
Name = Annotated[
    str,
    Field(max_length=64),
    Matching(r"[a-z0-9]+([_-][a-z0-9]+)*", "a name such as `press-office` (a-z, 0-9, hyphens)"),
]
Line = Annotated[
    str,
    Field(max_length=200),
    Matching(r"[^\x00-\x1f\x7f]+", "one line of text without control characters"),
]
Prose = Annotated[
    str,
    Field(max_length=1000),
    Matching(r"[^\x00-\x09\x0b-\x1f\x7f]+", "text without control characters"),
]
Language = Annotated[str, Matching(r"[a-z]{2}", "a language code of ISO 639-1 such as `fr`")]
Texts = Annotated[
    dict[Language, Line], Field(min_length=1, max_length=30), BeforeValidator(by_language)
]
Proses = Annotated[dict[Language, Prose], Field(max_length=30), BeforeValidator(by_language)]
Colour = Annotated[str, Matching(r"#[0-9a-fA-F]{6}", "a colour such as `#1b3a6b`")]
Email = Annotated[
    str,
    Field(max_length=254),
    Matching(r"[^\s@<>\"']+@[^\s@<>\"']+", "a mail address such as help@example.org"),
]
Phone = Annotated[
    str, Matching(r"[+0-9][0-9 ()./-]{1,30}", "a telephone number such as `+33 1 23 45 67 89`")
]
Link = Annotated[str, Field(max_length=2000), AfterValidator(link)]
Word = Annotated[str, Field(min_length=1, max_length=64)]
Spelling = Annotated[str, Field(min_length=1, max_length=300)]
Network = Annotated[Spelling, AfterValidator(read_network)]
NetworkOrDefault = Annotated[Spelling, AfterValidator(network_or_default)]
Domain = Annotated[Spelling, AfterValidator(read_domain)]
HostPattern = Annotated[Spelling, AfterValidator(read_host_pattern)]
Asn = Annotated[
    int,
    BeforeValidator(read_asn),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^AS[1-9][0-9]{0,9}$"},
                {"type": "integer", "minimum": 1, "maximum": _LAST_ASN},
            ]
        }
    ),
]
