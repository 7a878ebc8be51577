"""Whatever stands in a policy file, the answer is a policy or an InvalidFile with its problems."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sovproxy.errors import InvalidFile
from sovproxy.policy.load import PROFILES, check_bytes
from sovproxy.policy.schema import PhasesText, PolicyText, RuleText, WhenText

KEYS = sorted(
    {name for part in (PolicyText, RuleText, WhenText, PhasesText) for name in part.model_fields}
)
WORDS = ["zoom", "visio", "foreign", "EEA", "-US", "US", "block", "warn", "keep", "default", "en"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)
PROFILE = (PROFILES / "fr-etat.yaml").read_text(encoding="utf-8")


def is_answered(data: bytes, known) -> None:
    """Any other exception fails the test; a refusal gives reasons, a policy trusts somebody."""
    problems = ()
    try:
        zone = check_bytes(data, "policy.yaml", known).policy.trust_zone
    except InvalidFile as error:
        problems, zone = error.problems, frozenset()
    assert bool(problems) != bool(zone)
    assert all(problem.message and problem.file for problem in problems)


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_read(data, known):
    is_answered(data, known)


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_arbitrary_text_is_refused_or_read(text, known):
    is_answered(text.encode("utf-8", "surrogatepass"), known)


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(st.sampled_from(sorted(PolicyText.model_fields)), VALUES))
def test_arbitrary_values_under_real_keys_are_refused_or_read(value, known):
    is_answered(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"), known)


@settings(max_examples=150, deadline=None)
@given(
    rule=st.dictionaries(st.sampled_from(sorted(RuleText.model_fields)), VALUES),
    when=st.dictionaries(st.sampled_from(sorted(WhenText.model_fields)), VALUES, min_size=1),
)
def test_arbitrary_rules_are_refused_or_read(rule, when, known):
    good = {"id": "a", "action": "warn"} | rule | {"when": when}
    policy = {"id": "ours", "title": {"en": "Ours"}, "trust_zone": ["EEA"], "rules": [good]}
    is_answered(yaml.safe_dump(policy).encode("utf-8", "surrogatepass"), known)


@settings(deadline=None, max_examples=50)
@given(
    at=st.integers(0, len(PROFILE)),
    length=st.integers(0, 40),
    put=st.text("-:[]{},'\" \na", max_size=5),
)
def test_a_profile_with_a_piece_torn_out_is_refused_or_read(at, length, put, known):
    is_answered((PROFILE[:at] + put + PROFILE[at + length :]).encode(), known)
