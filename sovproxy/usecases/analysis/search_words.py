"""A search as words: what a URL, a saved view and the search box say, read into one filter.

A URL holds the words as pairs: filters by field, `last=24h` or `since` and `until`, the order, the
columns, and whether suppressed values are shown. The search box takes the same in short:
`service:zoom -group:finance host:*.zoom.us since:2h`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from sovproxy.errors import SovproxyError
from sovproxy.events.text import visible
from sovproxy.store.filters import EXCLUDABLE
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable

type Pairs = tuple[tuple[str, str], ...]

NONE: Final = "-"
"""In a URL: the field has no value. (A form sends an empty text where nothing is asked for.)"""

MAY_BE_NONE: Final = frozenset({"service", "operator", "control", "group", "location", "asn"})
"""The fields that may have none; elsewhere, `-` is what it is."""

LOWER: Final = frozenset({"action", "standing", "kind", "outcome", "transport", "decrypted"})
"""The fields whose values have no capitals."""

COLUMNS: Final = (
    "time",
    "action",
    "host",
    "service",
    "control",
    "group",
    "rule",
    "operator",
    "standing",
    "location",
    "asn",
    "client",
    "node",
    "outcome",
    "transport",
    "decrypted",
    "port",
)
"""What a list of events can show of each."""

DEFAULT_COLUMNS: Final = COLUMNS[:7]
DEFAULT_SPAN: Final = "24h"
SHOWN: Final = "show"
MAX_QUERY: Final = 2000
MAX_TEXT: Final = 1000
TIMES: Final = ("since", "until")
OF_A_PAGE: Final = ("cursor", "sort", "facet")
FIELDS: Final = tuple(name for name in FilterInput.model_fields if name not in TIMES)
KNOWN: Final = frozenset({*FIELDS, *TIMES, *OF_A_PAGE, "last", "columns", "suppressed", "q"})
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_TOKEN: Final = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')
_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^"]+)')
_SPECIAL: Final = frozenset(' ,"*')
_ALIASES: Final = {"network": "asn", "country": "control", "verdict": "action"}


class InvalidSearch(SovproxyError):
    """A search that cannot be read. `token` is the word that is wrong, of the search box."""

    def __init__(self, message: str, token: str = "") -> None:
        self.token = token
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Words:
    """A search that was read: its own words, the filter, and `last` (empty if it has times)."""

    pairs: Pairs
    wanted: FilterInput
    span: str


def read_words(given: Iterable[tuple[str, str]], now: datetime) -> Words:
    """Read the pairs of a URL. Raises InvalidSearch, naming each field that cannot be read."""
    items = list(dict.fromkeys(given))
    unknown = sorted({name for name, _ in items} - KNOWN)
    if unknown:
        raise InvalidSearch(f"{unknown[0][:50]}: there is no such filter")
    pairs = tuple((name, value.strip()) for name, value in items if value.strip())
    names = {name for name, _ in pairs}
    span = "" if names & set(TIMES) else next((v for k, v in pairs if k == "last"), DEFAULT_SPAN)
    length = span_of(span) if span else timedelta(0)
    _check_choices(pairs)
    wanted = _read_filter(pairs)
    if length:
        wanted = wanted.model_copy(update={"since": now - length})
    return Words(pairs, wanted, span)


def read_query(query: str, now: datetime) -> Words:
    """Read a query string, such as a saved view's. Raises InvalidSearch."""
    if len(query) > MAX_QUERY or visible(query) != query:
        raise InvalidSearch(f"at most {MAX_QUERY} printable characters are wanted")
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise InvalidSearch("at most 200 filters are wanted") from None
    return read_words(pairs, now)


def span_of(text: str) -> timedelta:
    """Read how long ago: `90m`, `24h`, `7d`; zero stands for `all`. Raises InvalidSearch."""
    match = _SPAN.fullmatch(text)
    if text == "all" or not match:
        if text == "all":
            return timedelta(0)
        raise InvalidSearch(f"last: such as 90m, 24h, 7d or all is wanted, got {text[:20]}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def read_text(text: str, now: datetime) -> Pairs:
    """Read the search box into the pairs of a URL. Raises InvalidSearch with the wrong token."""
    if len(text) > MAX_TEXT or visible(text) != text:
        raise InvalidSearch(f"at most {MAX_TEXT} printable characters are wanted")
    pairs: list[tuple[str, str]] = []
    for token in _TOKEN.findall(text):
        if token.count('"') % 2:
            raise InvalidSearch('a closing `"` is missing', token)
        try:
            found = _read_token(token, now)
            read_words(found, now)
        except InvalidSearch as error:
            raise InvalidSearch(str(error), token) from None
        pairs += found
    return tuple(dict.fromkeys(pairs))


def to_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Write the pairs of a URL as they would stand in the search box."""
    return " ".join(word for name, value in pairs if (word := _spelled(name, value)))


def _spelled(name: str, value: str) -> str:
    if name == "without":
        field, _, rest = value.partition(":")
        return f"-{_spelled(field, rest or NONE)}"
    if name == "host_contains":
        plain = ":" not in value and value[:1] != "-"
        return _quoted(value, always=not plain)  # in quotes it is no field
    if name == "last":
        return f"last:{value}" if value != DEFAULT_SPAN else ""
    if name == "host" and value.startswith(".") and _SPECIAL.isdisjoint(value):
        return f"host:*{value}"
    literal = value == NONE and name not in MAY_BE_NONE
    return f"{name}:{_quoted(value, always=literal)}" if name in {*FIELDS, *TIMES} else ""


def _quoted(value: str, *, always: bool = False) -> str:
    """In quotes where it would be read as something else; a quote within them is doubled."""
    plain = _SPECIAL.isdisjoint(value) and not any(character.isspace() for character in value)
    if plain and not always:
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def _unquoted(text: str) -> str:
    """What stands in quotes and beside them, as one text."""
    return "".join(
        inner.replace('""', '"') if inner else plain for inner, plain in _PART.findall(text)
    )


def _read_token(token: str, now: datetime) -> list[tuple[str, str]]:
    excluded = token.startswith("-")
    name, separator, value = token.removeprefix("-").partition(":")
    if not separator or name.startswith('"'):
        if excluded:
            raise InvalidSearch("what is left out needs its field: -service:zoom", token)
        return [("host_contains", _unquoted(token))]
    name = _ALIASES.get(name, name)
    if name not in {*FIELDS, *TIMES, "last"} or name == "without":
        wanted = ", ".join((*FIELDS[:-1], *TIMES, "last"))
        raise InvalidSearch(f"there is no field `{name[:40]}`; there are {wanted}", token)
    if excluded and name not in EXCLUDABLE:
        raise InvalidSearch(f"`{name}` cannot be left out, only {', '.join(EXCLUDABLE)}", token)
    if '"' in value:  # in quotes everything is what it is
        text = _unquoted(value)
        return [("without", f"{name}:{text}") if excluded else (name, text)]
    return [_pair(name, one, now, excluded=excluded) for one in value.split(",")]


def _pair(name: str, value: str, now: datetime, *, excluded: bool) -> tuple[str, str]:
    value = _usual(name, value) or NONE
    if excluded:
        inner = value.removeprefix("*") if name == "host" else value
        return "without", f"{name}:{'' if inner == NONE else inner}"
    if name == "since" and _SPAN.fullmatch(value):
        return "last", value
    if name == "until" and _SPAN.fullmatch(value):
        moment = (now - span_of(value)).astimezone(UTC)
        return "until", moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    if name == "host" and "*" in value:
        return _wildcard(value)
    return name, value


def _usual(name: str, value: str) -> str:
    """As events have it: people write `AS8075` and `us`, and pages show `Block`."""
    if name == "asn":
        return value[2:] if value[:2].upper() == "AS" else value
    if name in {"control", "location"}:
        return value.upper()
    return value.lower() if name in LOWER else value


def _wildcard(value: str) -> tuple[str, str]:
    """`*.zoom.us` is every host below, `*zoom*` every host with it; nothing else is understood."""
    inner = value.removeprefix("*").removesuffix("*")
    if inner and "*" not in inner:
        if value.startswith("*.") and not value.endswith("*"):
            return "host", inner
        if value.startswith("*") and value.endswith("*"):
            return "host_contains", inner
    raise InvalidSearch("`*.zoom.us` or `*zoom*` is understood, no other place of `*`")


def _check_choices(pairs: Pairs) -> None:
    for name, value in pairs:
        if name == "columns" and set(value.split(",")) - set(COLUMNS):
            raise InvalidSearch(f"columns: some of {', '.join(COLUMNS)} are wanted")
        if name == "suppressed" and value != SHOWN:
            raise InvalidSearch(f"suppressed: `{SHOWN}` is wanted, or nothing")


def _read_filter(pairs: Pairs) -> FilterInput:
    values: dict[str, list[str] | str] = {
        name: [_read(name, value) for key, value in pairs if key == name]
        for name in FIELDS
        if any(key == name for key, _ in pairs)
    }
    values |= {name: _with_zone(value) for name, value in pairs if name in TIMES}
    try:
        return FilterInput.model_validate(values)
    except ValidationError as error:
        raise InvalidSearch("; ".join(_said(item) for item in error.errors()[:5])) from None


def _said(item: object) -> str:
    assert isinstance(item, dict)  # noqa: S101  # for the type checker
    message = str(item["msg"]).removeprefix("Value error, ")
    where = path_text(item["loc"])
    return f"{where}: {message}" if where else message


def _read(name: str, value: str) -> str:
    if value != NONE or name not in MAY_BE_NONE:
        return value
    return "0" if name == "asn" else ""


def _with_zone(value: str) -> str:
    """A browser's date-and-time field knows no zone; the console's times are in UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if moment.tzinfo else f"{value}Z" if "T" in value else f"{value}T00:00:00Z"
