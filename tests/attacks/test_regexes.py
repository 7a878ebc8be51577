"""No regular expression of ours can be made to work without end by a text that somebody sends.

Every pattern of the package is taken from its source. Texts are made from the pattern itself: what
leads to each of its loops, what goes round in it many times, and an end that does not fit. Python
has no count of steps, so each pattern gets seconds of the processor's time in a process of its own,
where milliseconds are enough; quadratic work on such texts takes minutes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import resource
import subprocess
import sys
from pathlib import Path

import sovproxy_addons

import sovproxy

ROOT = Path(__file__).parents[2]
LONG = 20_000
"""Characters: ten times what a host, a search or a header may have."""

ENDS = ("", "\0", "!", "\n")
CPU_SECONDS = 30
parser = re._parser  # type: ignore[attr-defined]  # Python's own, which compiles the pattern


def patterns() -> dict[str, re.Pattern]:
    """Every pattern that the modules hold by name, and every literal one that they use."""
    found = {}
    for package in (sovproxy, sovproxy_addons):
        for item in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "__main__" in item.name or ".migrations" in item.name:
                continue
            module = importlib.import_module(item.name)
            for name, value in vars(module).items():
                owner = getattr(value, "__self__", value)  # `fullmatch` of a pattern
                if isinstance(owner, re.Pattern):
                    found[f"{item.name}.{name}"] = owner
            found |= literals(item.name, inspect.getsource(module))
    return found


def literals(module: str, source: str) -> dict[str, re.Pattern]:
    """Patterns that stand where they are used: `re.sub("…", …)`, `pattern=r"…"`."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        ours = name.startswith("re.") and name != "re.compile"  # those are held by name
        given = [*node.args[:1]] if ours else []
        given += [one.value for one in node.keywords if one.arg == "pattern"]
        for one in given:
            if isinstance(one, ast.Constant) and isinstance(one.value, str | bytes):
                found[f"{module}:{node.lineno}"] = re.compile(one.value)
    return found


def shortest(item) -> str:  # noqa: PLR0911  # a table
    """A short text that a part of a pattern takes."""
    op, value = item
    match str(op):
        case "LITERAL":
            return chr(value)
        case "NOT_LITERAL":
            return "a" if value != ord("a") else "b"
        case "IN":
            return of_class(value)
        case "ANY":
            return "a"
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return joined(value[2]) * value[0]
        case "SUBPATTERN":
            return joined(value[3])
        case "ATOMIC_GROUP":
            return joined(value)
        case "BRANCH":
            return joined(value[1][0])
        case _:
            return ""  # places and what looks ahead


def joined(items) -> str:
    return "".join(shortest(item) for item in items)


def of_class(members) -> str:
    """One character of a class."""
    negated = str(members[0][0]) == "NEGATE"
    text = "".join(chr(code) for code in (97, 48, 65, 45, 46, 32, *range(33, 0x250)))
    return next(one for one in text if one_of(one, members) != negated)


def one_of(letter: str, members) -> bool:
    code = ord(letter)
    for op, value in members:
        if str(op) == "LITERAL" and value == code:
            return True
        if str(op) == "RANGE" and value[0] <= code <= value[1]:
            return True
        if str(op) == "CATEGORY":
            name = str(value).removeprefix("CATEGORY_")
            kind = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[name.removeprefix("NOT_")]
            if bool(re.match(kind, letter)) != name.startswith("NOT_"):
                return True
    return False


def loops(items, before: str = ""):
    """What leads to each loop, and the ways round in it."""
    for item in items:
        op, value = str(item[0]), item[1]
        if op.endswith("_REPEAT"):
            if value[1] > 60:
                yield before, rounds(value[2])
            yield from loops(value[2], before)
        elif op == "SUBPATTERN":
            yield from loops(value[3], before)
        elif op == "ATOMIC_GROUP":
            yield from loops(value, before)
        elif op == "BRANCH":
            for branch in value[1]:
                yield from loops(branch, before)
        before += shortest(item)


def rounds(items) -> list[str]:
    """Once round, by each of the first choices."""
    only = items[0] if len(items) == 1 else None
    if only and str(only[0]) == "SUBPATTERN":
        return rounds(only[1][3])
    if only and str(only[0]) == "BRANCH":
        return [text for branch in only[1][1] for text in rounds(branch)]
    doubled = joined(items)
    return [doubled, doubled * 2]


def texts(pattern: re.Pattern) -> list[str]:
    """Long texts that go round in each loop and then do not fit, and some of one letter."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    found = [letter * LONG + end for letter in ("a", "0", ".", " ", "-", "<") for end in ENDS]
    for before, ways in loops(tree):
        for way in ways:
            found += [before + way * (LONG // max(len(way), 1)) + end for end in ENDS if way]
    return found


def try_all() -> None:
    """Match every pattern against its texts, at every place and whole."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    for name, pattern in patterns().items():
        print(name, flush=True)
        for text in texts(pattern):
            data = text if isinstance(pattern.pattern, str) else text.encode()
            pattern.fullmatch(data)
            pattern.match(data)


def test_every_pattern_comes_to_an_end():
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r});"]
    command[-1] += "from tests.attacks.test_regexes import try_all; try_all()"
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    tried = done.stdout.split()
    assert done.returncode == 0, (tried[-1:], done.stderr[-500:])
    assert len(tried) > 60
    assert "sovproxy.decide.normalise._AUTHORITY" in tried


def test_a_pattern_that_works_without_end_would_be_found():
    """The loops of the classic are found, and what goes round in it."""
    assert ("", ["a", "aa"]) in list(loops(parser.parse("(a+)+$")))
    assert "b" * LONG + "!" in texts(re.compile("(b|b)*c"))
