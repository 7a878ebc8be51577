"""Which names a policy may stop, derived from its rules and the catalogue."""

from __future__ import annotations

import time

import pytest

from sovproxy.ca.names import Scope, is_below, is_name, shortest
from sovproxy.ca.wanted import MAX_NAMES, find_wanted
from sovproxy.decide.normalise import read_host
from sovproxy.policy.load import check_bytes, load_policy, profile_names
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished

NOW = time.time()
HEAD = """\
id: t
title: {{en: Trial}}
language: en
trust_zone: [EEA]
inspection: {}
internal: {{domains: [{}]}}
rules:
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(Settings(data_dir=furnished(tmp_path_factory.mktemp("data"))))


@pytest.fixture
def wanted(judge):
    def find(*rules: str, default="allow", inspection="prompt", internal="in.example"):
        text = HEAD.format(inspection, internal) + "".join(rules) + f"default: {default}\n"
        policy = check_bytes(text.encode(), "t.yaml", judge.known).policy
        return find_wanted(policy, judge.atlas.listings, judge.catalogue.powers, NOW)

    return find


def rule(when: str, action: str = "block", name: str = "r", phases: str = "") -> str:
    taken = f"phases: {phases}" if phases else f"action: {action}"
    return f"  - id: {name}\n    when: {{{when}}}\n    {taken}\n"


def test_a_rule_about_a_service_wants_its_names_and_no_others(wanted):
    found = wanted(rule("service: zoom"))
    assert {scope.label for scope in found.scopes} == {"Zoom"}
    assert "zoom.us" in found.names
    assert "us02web.zoom.us" not in found.names  # the base name stands for it
    assert not any("google" in name for name in found.names)


def test_what_an_earlier_rule_lets_pass_for_sure_is_not_wanted(wanted):
    assert not wanted(rule("service: zoom", "allow", "a"), rule("service: zoom")).names


def test_what_an_earlier_rule_lets_pass_only_for_some_is_wanted(wanted):
    groups = "service: zoom, location: FR"
    assert "zoom.us" in wanted(rule(groups, "allow", "a"), rule("service: zoom")).names


def test_a_later_phase_counts_from_now_on_and_observing_does_not(wanted):
    later = {"phases": "{observe: 2025-01-01, block: 2099-01-01}"}
    over = {"phases": "{observe: 2025-01-01}"}
    assert "zoom.us" in wanted(rule("service: zoom", **later)).names
    assert not wanted(rule("service: zoom", **over)).names


def test_a_host_of_a_rule_is_wanted_with_what_lies_below_it(wanted):
    found = wanted(rule("host: ['*.chat.example', tool.example]"))
    assert found.names == {"chat.example", "tool.example"}


def test_names_that_no_certificate_should_hold_are_left_out(wanted):
    found = wanted(rule("host: ['*.test', good.example]"))
    assert found.names == {"good.example"}
    assert found.left_out == ("test",)


def test_internal_domains_and_policies_without_prompts_want_nothing(wanted):
    assert not wanted(rule("host: tool.in.example")).names
    assert not wanted(rule("service: zoom"), inspection="none").names


def test_rules_that_may_stop_hosts_that_nobody_lists_are_told(wanted):
    assert wanted(rule("location: US", name="far")).by_address == ("far",)
    assert wanted(rule("service: zoom"), default="block").by_address == ("default",)
    assert wanted(rule("service: zoom")).by_address == ()


def test_what_is_spared_below_a_stopped_name_is_excluded(wanted):
    found = wanted(
        rule("host: [open.chat.example, '*.open.chat.example']", "allow", "a"),
        rule("host: '*.chat.example'"),
    )
    (scope,) = found.scopes
    assert (scope.permitted, scope.excluded) == (("chat.example",), ("open.chat.example",))
    assert scope.covers("x.chat.example")
    assert not scope.covers("x.open.chat.example")


@pytest.mark.parametrize("profile", sorted(profile_names()))
def test_every_host_that_a_shipped_profile_stops_by_name_is_permitted(profile, judge):
    """The decider is asked about every pattern of the catalogue: the derivation must agree."""
    policy = load_policy(profile, judge.known)
    found = find_wanted(policy, judge.atlas.listings, judge.catalogue.powers, NOW)
    decider = judge.under(policy)
    for item in (one for one in judge.atlas.listings if one.kind == "host"):
        host = item.pattern.replace("*.", "below.")
        stopped = not decider.decide(read_host(host), now=NOW).passes
        assert is_below(host, found.names) or not stopped, host
    assert all(len(scope.permitted) <= MAX_NAMES for scope in found.scopes)


@pytest.mark.parametrize(
    "name",
    [
        "com",
        "",
        ".zoom.us",
        "zoom.us.",
        "*.zoom.us",
        "a b.c",
        "1.2.3.4",
        "-a.example",
        "a" * 250 + ".example",
    ],
)
def test_no_such_base_name(name):
    assert not is_name(name)


def test_base_names_stand_for_what_lies_below_them_and_not_for_what_looks_alike():
    assert shortest(["zoom.us", "a.zoom.us", "b.a.zoom.us", "notzoom.us"]) == {
        "zoom.us",
        "notzoom.us",
    }
    assert not Scope("Zoom", ("zoom.us",)).covers("notzoom.us")
    assert not Scope("Zoom", ("zoom.us",)).covers("zoom.us.evil.example")
