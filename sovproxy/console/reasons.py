"""Why a verdict is what it is, in the language of the page: `sovproxy check` says it in English.

Names in it may come from strangers: what is invisible in them is made visible here, for sentences
have spaces that do not break.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sovproxy.decide.notes import NOTES
from sovproxy.prompt.languages import mark
from sovproxy.prompt.shown import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sovproxy.console.frame import Shown

RUNGS: Final = MappingProxyType(
    {
        "refused-network": mark("Refused networks"),
        "internal": mark("Internal domains and networks"),
        "rules": mark("Rules"),
        "default": mark("Default"),
        "exception": mark("Exception"),
        "unreadable-destination": mark("Reading"),
    }
)
_VOCABULARIES: Final = ("category", "stance", "standing", "verification")
"""Parts of a condition whose values are words of ours."""


class Step(NamedTuple):
    """One step of the trace as it is shown."""

    rung: str
    decided: bool
    detail: str


def reason(shown: Shown, answer: Mapping[str, Any]) -> str:
    """What it is, where it stands, which rule says so. `answer` is what `describe` made."""
    return " ".join(_sentences(shown, answer))


def trace(shown: Shown, answer: Mapping[str, Any]) -> list[Step]:
    """The steps of an answer, in their order."""
    return [
        Step(_rung(shown, step["rung"]), step["decided"], _detail(shown, step))
        for step in answer["trace"]
    ]


def _sentences(shown: Shown, answer: Mapping[str, Any]) -> Iterator[str]:
    say = shown.language.say
    service, operator, verdict = answer["service"], answer["operator"], answer["verdict"]
    if service:
        kind = shown.word("category", service["category"])
        yield say("%(name)s: %(kind)s.", name=printable(service["name"]), kind=kind)
    elif answer["listing"]:
        pattern = printable(answer["listing"]["pattern"])
        yield say("Shared host: %(pattern)s.", pattern=pattern)
    if operator:
        name = operator["name"].removesuffix(".")  # Inc. ends the sentence already
        yield say("Run by %(operator)s.", operator=printable(name))
    elif answer["listing"]:
        yield say("Nobody that we know runs it.")
    if answer["control"]:
        countries = ", ".join(map(shown.country, answer["control"]))
        yield say("Controlled from: %(countries)s.", countries=countries)
    if operator or answer["listing"]:
        yield say("Standing: %(standing)s.", standing=shown.word("standing", answer["standing"]))
    yield _ruled(shown, verdict["rule"], verdict["action"])
    why = answer["trace"][-1]["note"] if answer["trace"] else None
    if why:
        yield _note(shown, why)


def _ruled(shown: Shown, rule: str, action: str) -> str:
    action = shown.word("action", action)
    return shown.language.say("Rule %(rule)s: %(action)s.", rule=printable(rule), action=action)


def _rung(shown: Shown, rung: str) -> str:
    rule = rung.removeprefix("rule ")
    if rule != rung:
        return shown.language.say("Rule %(id)s", id=printable(rule))
    return shown.language.say(RUNGS[rung]) if rung in RUNGS else rung


def _detail(shown: Shown, step: Mapping[str, Any]) -> str:
    said = [_ruled(shown, step["rule"], step["action"])] if step["rule"] else []
    said += [_note(shown, step["note"])] if step["note"] else []
    return " ".join(said)


def _note(shown: Shown, note: Mapping[str, Any]) -> str:
    values = {key: _value(shown, note["values"], key) for key in note["values"]}
    return shown.language.say(NOTES[note["key"]], **values)


def _value(shown: Shown, values: Mapping[str, str], key: str) -> str:
    value = values[key]
    if key == "part":
        return shown.word("field", value)
    if key == "found":
        return ", ".join(_found(shown, values["part"], item) for item in value.split(", "))
    if key == "problem":
        return shown.word("unreadable", value)
    return shown.word("action", value) if key == "action" else printable(value)


def _found(shown: Shown, part: str, value: str) -> str:
    if part in {"control", "location"}:
        return shown.country(value)
    if part == "network":
        return f"AS{value}"
    return shown.word(part, value) if part in _VOCABULARIES else printable(value)
