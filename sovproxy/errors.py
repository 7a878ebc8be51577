"""The errors that sovproxy raises on purpose; each says what was wanted, what arrived and where."""

from __future__ import annotations

from dataclasses import dataclass


class SovproxyError(Exception):
    """The root of all errors raised on purpose. Its text is fit to be shown to the admin."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place of a file.

    `line` and `column` count from 1; 0 means that the place is the file as a whole.
    `where` is the path inside the file, such as `rules[2].action`.
    """

    file: str
    line: int
    column: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return (
            f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"
        )


class InvalidFile(SovproxyError):
    """A policy, catalogue or settings file is refused whole; `problems` lists every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class UnusableDatabase(SovproxyError):
    """A GeoIP or ASN database cannot be read, or is not of a known schema."""
