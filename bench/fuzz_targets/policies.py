"""Policies: YAML that an admin pastes, and the small changes that the console makes to it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml

from sovproxy.atlas.load import load_atlas
from sovproxy.errors import InvalidFile
from sovproxy.policy.edit import CannotEdit, rule_ids, value_of, with_value
from sovproxy.policy.known import Known
from sovproxy.policy.load import PROFILES, Checked, check_bytes
from sovproxy.policy.schema import PhasesText, PolicyText, RuleText, WhenText

from .target import Target, require, text_of

_SMALL = b"""\
id: ours
title: {en: Ours, fr: Le n\xc3\xb4tre}
trust_zone: [EEA, -HU]
inspection: prompt
groups:
  finance: {networks: [10.1.0.0/16]}
internal: {domains: [intra.example], networks: [10.0.0.0/8]}
rules:
  # keep
  - id: keep
    when: {stance: keep}
    action: allow
  - id: zoom
    when: {service: [zoom], group: [finance]}
    phases: {observe: 2026-01-01, warn: 2026-06-01, block: 2027-01-01}
    alternative: visio
    message: {en: "Use Visio."}
  - id: cloud
    when:
      power: [us-cloud-act]
      host: ["*.example.com"]
    action: warn
"""


@cache
def _known() -> Known:
    atlas = load_atlas()
    return Known.of_atlas(atlas)


def check(data: bytes) -> None:
    """A policy or reasons come out; a policy that is printed reads as itself."""
    checked = _read(data)
    if checked is None:
        return
    require(bool(checked.policy.trust_zone), "a policy trusts somebody", data)
    values = checked.text.model_dump(mode="json", by_alias=True, exclude_unset=True)
    again = _read(yaml.safe_dump(values, allow_unicode=True).encode())
    require(again is not None, "a policy that is printed is a policy", values)
    if again:
        same = replace(again.policy, version=checked.policy.version) == checked.policy
        require(same, "a policy that is printed reads as itself", values)


def _read(data: bytes) -> Checked | None:
    try:
        return check_bytes(data, "policy.yaml", _known())
    except InvalidFile as error:
        require(bool(error.problems), "a refusal has reasons", data)
        require(all(item.message for item in error.problems), "each reason has words", data)
        return None


def check_edit(data: bytes) -> None:
    """A change comes out as it was wanted, with every other rule as before, or is refused."""
    text = text_of(data)
    try:
        ids = rule_ids(text)
        for rule_id in ids[:2]:
            _check_change(text, rule_id, ids)
    except (InvalidFile, CannotEdit):
        return


def _check_change(text: str, rule_id: str, ids: list[str]) -> None:
    new = with_value(text, rule_id, ("action",), "block")
    require(value_of(new, rule_id, ("action",)) == "block", "the change is made", text)
    require(rule_ids(new) == ids, "the rules stay", text)


def _words() -> tuple[bytes, ...]:
    parts = (PolicyText, RuleText, WhenText, PhasesText)
    names = {name for part in parts for name in part.model_fields}
    more = (
        "EEA",
        "-HU",
        "US",
        "zoom",
        "visio",
        "block",
        "2026-01-01",
        "&a ",
        "*a",
        "!!python/x ",
        "- ",
    )
    return tuple(f"{name}: ".encode() for name in sorted(names)) + tuple(map(str.encode, more))


def _profiles() -> tuple[bytes, ...]:
    return tuple(Path(path).read_bytes() for path in sorted(PROFILES.glob("*.yaml")))


_BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
_SEEDS = (_SMALL, _BOMB, b"id: x\n", b"[" * 100, *_profiles())
TARGETS = (
    Target("policy", check, _SEEDS, 35, _words(), 4096),
    Target("policy-edit", check_edit, (_SMALL, b"rules: [{id: a, action: warn}]\n"), 25, _words()),
)
