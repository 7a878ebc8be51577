"""The audit says each act, and each detail that the code can write, in the reader's language."""

from __future__ import annotations

import ast
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import BaseModel

import sovproxy
from sovproxy.console.frame import Shown
from sovproxy.console.languages import languages
from sovproxy.console.names import Names
from sovproxy.console.told import VOCABULARIES, Told
from sovproxy.console.words import WORDS
from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.store.filters import Facet
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.analytics import Range
from sovproxy.usecases.analysis.findings import FindingKind, FindingState
from sovproxy.usecases.analysis.searching import Order
from sovproxy.usecases.analysis.suppressing import SuppressionKind
from sovproxy.usecases.policy.local_catalogue import Kind as LocalKind
from sovproxy.usecases.worker.exception_models import Scope, State
from sovproxy.usecases.worker.persons import Kind as PersonKind
from tests.console.test_console_pages import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(sovproxy.__file__).parent
OTHERS = languages()[1:]
WRITERS: Final = {"record_act": 3, "record_if_personal": 3, "act_entry": 2}
"""The functions that write entries, and which of their arguments holds the details."""

ELSEWHERE: Final = {
    "asked": {"who", "what", "token", "since", "until"},  # the filters of the audit's own page
    "found": {"events", "acknowledgements", "exceptions", "resolutions", "contests", "views"},
    "details": {"number"},  # `_note_look` is handed the details of one exception, or a query
}
"""Keys that come from another module, by the name under which they come."""

VALUES: Final = {
    "action": Action,
    "by": [*Facet, "link", "provider", "owner"],
    "field": Facet,
    "from": Role,
    "kind": [*EventKind, *FindingKind, *SuppressionKind, *LocalKind, *PersonKind],
    "of": ["audit"],
    "order": Order,
    "outcome": Outcome,
    "range": Range,
    "role": Role,
    "scope": Scope,
    "session": ["others"],
    "sort": Order,
    "standing": Standing,
    "state": [*State, *FindingState],
    "suppressed": ["show", "hide"],
    "to": [*Role, "on", "off"],
    "transport": Transport,
    "way": ["password", "token", "link", "oidc"],
    "what": Act,
}


def models() -> dict[str, set[str]]:
    """The fields of every model of the package, by its name."""
    for module in walk_packages(sovproxy.__path__, "sovproxy."):
        if "__main__" not in module.name and ".migrations" not in module.name:
            import_module(module.name)
    found: dict[str, set[str]] = {}
    waiting = [BaseModel]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        found[one.__name__] = found.get(one.__name__, set()) | set(one.model_fields)
    return found


class Keys:
    """Reads in the source of one module which keys an expression has."""

    def __init__(self, tree: ast.Module, fields: dict[str, set[str]]) -> None:
        self.tree, self.fields = tree, fields
        self.functions = {
            node.name: node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    def written(self) -> Iterator[tuple[int, set[str]]]:
        """The line of each call that writes an entry, and its keys."""
        inner = {node for function in self.functions.values() for node in _below(function)}
        for function in self.functions.values():
            if function in inner:
                continue  # it is read with the function around it, whose names it uses
            for node in ast.walk(function):
                name = node.func.id if _calls_a_name(node) else ""
                if name in WRITERS and function.name not in WRITERS:
                    yield node.lineno, self.of(node.args[WRITERS[name]], function)

    def of(self, node: ast.expr, within: ast.AST) -> set[str]:
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Call():
                return self.called(node, within)
            case ast.Name(id=name):
                return self.named(name, within)
        return self.all(_parts(node), within)

    def all(self, nodes: Iterable[ast.expr], within: ast.AST) -> set[str]:
        return {key for node in nodes for key in self.of(node, within)}

    def called(self, node: ast.Call, within: ast.AST) -> set[str]:
        for option in node.keywords:
            if option.arg == "include":
                return {item.value for item in option.value.elts}
        if isinstance(node.func, ast.Attribute):  # query.model_dump()
            return self.named(node.func.value.id, within)
        if node.func.id in self.functions:
            inner = self.functions[node.func.id]
            returns = [item.value for item in ast.walk(inner) if isinstance(item, ast.Return)]
            return self.all(returns, inner)
        return self.all(node.args, within)  # given(query)

    def named(self, name: str, within: ast.AST) -> set[str]:
        found = set(ELSEWHERE.get(name, ()))
        for node in _assigned(name, within):
            found |= self.of_models(node) or self.of(node, within)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arg) and node.arg == name and node.annotation:
                found |= self.of_models(node.annotation)
        assert found, f"no way to tell the keys of {name}"
        return found

    def of_models(self, node: ast.expr) -> set[str]:
        """The fields of the models that are named in an expression or annotation."""
        names = [getattr(part, "id", "") for part in ast.walk(node)]
        return {field for name in names for field in self.fields.get(name, ())}


def _below(function: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(function) if node is not function)


def _calls_a_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _parts(node: ast.expr) -> Iterable[ast.expr]:
    """The expressions that an expression takes its keys from."""
    match node:
        case ast.Dict(keys=keys, values=values):
            return [key or value for key, value in zip(keys, values, strict=True)]
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            return [left, right]
        case ast.BoolOp(values=items) | ast.Tuple(elts=items):
            return items
        case ast.DictComp(generators=[ast.comprehension(iter=ast.Call(func=items))]):
            return [items.value]  # for name, value in told.items()
        case ast.DictComp(generators=[ast.comprehension(iter=items)]):
            return [items]
    pytest.fail(f"line {node.lineno}: no way to tell the keys of {ast.unparse(node)}")


def _assigned(name: str, within: ast.AST) -> Iterator[ast.expr]:
    """What is put under a name in a function; keys that are set one by one count, too."""
    for node in ast.walk(within):
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        for target in targets if getattr(node, "value", None) else []:
            match target:
                case ast.Name(id=found) if found == name:
                    yield node.value
                case ast.Tuple(elts=items) if name in [getattr(item, "id", "") for item in items]:
                    yield node.value.elts[[getattr(item, "id", "") for item in items].index(name)]
                case ast.Subscript(value=ast.Name(id=found), slice=key) if found == name:
                    yield key


def written_keys() -> dict[str, set[str]]:
    """The keys of details by the place that writes them."""
    fields = models()
    return {
        f"{path.relative_to(PACKAGE)}:{line}": keys
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, keys in Keys(ast.parse(path.read_text("utf-8")), fields).written()
    }


def test_every_key_that_the_code_writes_into_the_audit_has_a_word():
    places = written_keys()
    assert len(places) > 50
    missing = {place: keys - set(WORDS["detail"]) for place, keys in places.items()}
    assert {place: sorted(keys) for place, keys in missing.items() if keys} == {}


def test_every_act_has_a_word():
    assert set(WORDS["act"]) == set(Act)


def test_every_value_of_a_closed_kind_has_a_word():
    assert set(VALUES) == set(VOCABULARIES)
    lacking = [
        (key, str(value))
        for key, values in VALUES.items()
        for value in values
        if not any(value in WORDS[name] for name in VOCABULARIES[key])
    ]
    assert lacking == []


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_all_words_of_the_audit_are_translated(language):
    names = {"act", "detail", *(name for several in VOCABULARIES.values() for name in several)}
    texts = {text for name in names for text in WORDS[name].values()}
    assert sorted(text for text in texts if ("", text) not in language.messages) == []


TOLD_OF = {
    "state": ["waiting"],
    "order": "oldest",
    "number": 1,
    "scope": "client",
    "kind": "host",
    "value": "a.example",
    "shared": True,
    "based_on": 0,
    "by": "link",
    "role": "analyst",
    "control": ["US"],
    "service": ["zoom", ""],
    "since": "2026-11-23T10:59:00Z",
    "until": "2026-11-24",
    "without": ["action:block"],
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "fr",
            (
                "état\xa0: En attente · ordre\xa0: Plus anciens d’abord · numéro\xa0: 1 · "
                "vaut pour\xa0: ce client seulement · nature\xa0: Hôte · valeur\xa0: a.example · "
                "partagée\xa0: oui · par\xa0: lien à usage unique · rôle\xa0: analyste · "
                "contrôle\xa0: États-Unis · service\xa0: Zoom, Aucun service du catalogue · "
                "depuis le 23/11/2026 10:59:00 · jusqu’au 24/11/2026 · "
                "sans\xa0: action\xa0: Bloquer"
            ),
        ),
        (
            "de",
            (
                "Status: Wartet · Reihenfolge: Älteste zuerst · Nummer: 1 · gilt für: nur dieser "
                "Client · Art: Host · Wert: a.example · geteilt: ja · durch: Einmal-Link · "
                "Rolle: Analyse · Kontrolle: Vereinigte Staaten · Dienst: Zoom, Kein Dienst des "
                "Katalogs · seit 23.11.2026 10:59:00 · bis 24.11.2026 · ohne: Maßnahme: Sperren"
            ),
        ),
    ],
)
def test_details_are_said_in_the_language_of_the_page(site, code, said):
    language = next(item for item in languages() if item.code == code)
    told = Told(Shown(language), Names(site.services.judge.atlas, language))
    assert " · ".join(f"{label} {value}" for label, value in told.pairs(TOLD_OF)) == said


def test_a_checkpoint_whose_time_no_calendar_has_is_shown_as_it_is(site):
    told = Told(Shown(OTHERS[0]), Names(site.services.judge.atlas, OTHERS[0]))
    assert [value for _, value in told.pairs({"until": 2**70, "since": "soon"})] == [
        str(2**70),
        "soon",
    ]


def test_the_page_says_acts_and_details_and_escapes_what_strangers_wrote(site):
    hostile = "<script>alert(1)</script>\u202e"
    ada = Principal("0123", "Ada", Role.ANALYST)
    details = {"state": ["granted"], "host": hostile, hostile: 1}
    record_act(site.services.store, ada, Act.EXCEPTIONS, details)
    with closing(site.client(Role.AUDITOR, **{"accept-language": "fr"})) as auditor:
        page = auditor.get("/console/audit?what=exceptions").text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    text = cells(page)
    assert "A consulté les exceptions" in text
    assert "état : Accordée" in text
    assert '<option value="exception_ask">A demandé une exception' in page
