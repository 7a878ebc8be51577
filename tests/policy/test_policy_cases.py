"""Golden files: a policy above a line, what is said about it below. A new case needs no code."""

from __future__ import annotations

from pathlib import Path

import pytest

from sovproxy.errors import InvalidFile
from sovproxy.policy.load import check_bytes

CASES = sorted(Path(__file__).parent.glob("cases/*.txt"))
LINE = "----------\n"


def what_is_said(text: str, known) -> str:
    try:
        checked = check_bytes(text.encode(), "policy.yaml", known)
    except InvalidFile as error:
        return "".join(f"error {problem}\n" for problem in error.problems)
    return "".join(f"warning {problem}\n" for problem in checked.warnings) or "valid\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_policy_is_answered_as_its_case_says(case, known):
    policy, _, expected = case.read_text(encoding="utf-8").partition(LINE)
    assert what_is_said(policy, known) == expected


def test_there_are_cases_for_errors_warnings_and_good_policies():
    kinds = {path.read_text(encoding="utf-8").partition(LINE)[2].split(" ")[0] for path in CASES}
    assert kinds == {"error", "warning", "valid\n"}
