"""Loads a policy: a file or a shipped profile becomes a frozen policy, or is refused whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sovproxy.errors import InvalidFile, Problem
from sovproxy.policy.compile import compile_policy
from sovproxy.policy.explain import explained
from sovproxy.policy.known import near_miss
from sovproxy.policy.lint import lint
from sovproxy.policy.references import check_blanks, check_references
from sovproxy.policy.schema import PolicyText
from sovproxy.yamlfile import MAX_BYTES, Document, parse, validate

if TYPE_CHECKING:
    from sovproxy.decide.policy import Policy
    from sovproxy.policy.known import Known

PROFILES = Path(__file__).parent / "profiles"
"""Folder of the shipped profiles."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A policy that is fit for use: its text, the frozen policy, and what looks odd in it."""

    file: str
    text: PolicyText
    policy: Policy
    warnings: tuple[Problem, ...] = ()


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.yaml")))


def load_policy(source: str | Path, known: Known) -> Policy:
    """Load a profile by name, or a file by path. Raises InvalidFile with every problem in it."""
    return check_policy(source, known).policy


def check_policy(source: str | Path, known: Known) -> Checked:
    """The same, with the text and the warnings. Raises InvalidFile."""
    path = find_policy(source)
    return check_bytes(read_bytes(path), str(path), known)


def find_policy(source: str | Path) -> Path:
    """The file behind a profile's name or a path. Raises InvalidFile if a name is neither."""
    if str(source) in profile_names():
        return PROFILES / f"{source}.yaml"
    path = Path(source)
    if len(path.parts) == 1 and not path.suffix and not path.exists():
        hint = near_miss(str(source), profile_names())
        message = f"is neither a file nor one of the profiles {', '.join(profile_names())}{hint}"
        raise InvalidFile([Problem(str(path), 0, 0, "", message)])
    return path


def read_bytes(path: Path) -> bytes:
    """What stands in the file, at most one byte more than allowed. Raises InvalidFile."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot be read: {reason}"
        raise InvalidFile([Problem(str(path), 0, 0, "", message)]) from None


def version_of(data: bytes) -> str:
    """The version of a policy: the first 12 digits of its file's SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def check_bytes(data: bytes, file: str, known: Known) -> Checked:
    """Check the bytes of a policy file; `file` is named in problems. Raises InvalidFile."""
    try:
        document = parse(data.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start})"
        raise InvalidFile([Problem(file, 0, 0, "", message)]) from None
    text = _validated(document, known)
    policy = compile_policy(text, version_of(data), known.undecrypted)
    return Checked(file, text, policy, tuple(lint(document, text, policy, known)))


def _validated(document: Document, known: Known) -> PolicyText:
    """The model, or one InvalidFile with the problems of its shape and of its names together."""
    problems = [*check_blanks(document), *check_references(document, known)]
    try:
        text = validate(document, PolicyText)
    except InvalidFile as error:
        said = {problem.where for problem in problems}
        shape = (explained(problem, document) for problem in error.problems)
        problems += [problem for problem in shape if problem.where not in said]
    else:
        if not problems:
            return text
    raise InvalidFile(sorted(problems, key=lambda item: (item.line, item.column)))
