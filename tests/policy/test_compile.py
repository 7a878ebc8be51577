"""What a policy's text becomes for the ladder."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from sovproxy.decide.policy import Condition, Policy
from sovproxy.policy.compile import INTERNAL_NETWORKS, REFUSED_NETWORKS
from sovproxy.policy.load import check_bytes, check_policy, load_policy
from sovproxy.policy.zones import COUNTRIES

CASES = Path(__file__).parent / "cases"
HEAD = "id: ours\ntitle: {en: Ours}\ntrust_zone: EEA\n"


def compiled(known, text: str) -> Policy:
    return check_bytes((HEAD + text).encode(), "policy.yaml", known).policy


def a_condition(known, when: str) -> Condition:
    rule = f"  - {{id: a, when: {when}, action: observe}}\n"
    return compiled(known, f"rules:\n{rule}").rules[0].condition


def test_a_policy_that_uses_every_key_leaves_no_condition_empty(known):
    text = (CASES / "good-every-key.txt").read_text(encoding="utf-8").partition("-----")[0]
    policy = check_bytes(text.encode(), "policy.yaml", known).policy
    condition = policy.rules[0].condition
    assert [part.name for part in fields(Condition) if not getattr(condition, part.name)] == []
    assert policy.acknowledgement_seconds == 1800
    assert policy.retention_days == 90
    assert policy.exception_days == 7
    assert policy.groups[0].members == {"alice"}
    assert (policy.on_error, policy.default, policy.inspection) == ("allow", "observe", "full")


def test_what_is_left_out_has_the_documented_defaults(known):
    policy = compiled(known, "")
    assert (policy.default, policy.on_error, policy.inspection) == ("allow", "block", "prompt")
    assert policy.acknowledgement_seconds == 8 * 3600
    assert policy.retention_days == 183
    assert policy.exception_days == 30
    assert policy.refused_networks == REFUSED_NETWORKS
    assert not policy.trust_recalled


def test_foreign_becomes_every_country_outside_the_trust_zone(known):
    condition = a_condition(known, "{control: foreign, stance: replace}")
    assert condition.control == COUNTRIES - compiled(known, "").trust_zone
    assert {"US", "GB", "CH"} < condition.control


@pytest.mark.parametrize("value", ["zoom", "[zoom]", '["zoom"]'])
def test_a_lone_value_is_a_list_of_one(known, value):
    assert a_condition(known, f"{{service: {value}}}").services == {"zoom"}


def test_networks_and_hosts_have_one_spelling(known):
    condition = a_condition(
        known, '{network: [AS3215, 3215], host: ["*.BÜCHER.example", Zoom.US.]}'
    )
    assert condition.networks == {3215}
    assert condition.hosts == {"*.xn--bcher-kva.example", "zoom.us"}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.255",
        "::1",
        "0.0.0.1",
        "::",
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_by_default_the_proxy_is_no_way_in(address, known):
    """The longest prefix counts, so that metadata inside internal networks is refused too."""
    policy = compiled(known, "")
    found = ip_address(address)
    refused = [net for net in map(ip_network, policy.refused_networks) if found in net]
    internal = [net for net in map(ip_network, policy.internal_networks) if found in net]
    assert refused
    assert all(refused[0].prefixlen > net.prefixlen for net in internal)


def test_full_inspection_leaves_every_category_alone_unless_a_list_says_otherwise(known):
    terms = "inspection: full\nfull: {purpose: {en: Hidden names.}%s}"
    assert compiled(known, terms % "").full.never == ("health", "unions")
    assert compiled(known, terms % ", never: unions").full.never == ("unions",)
    assert compiled(known, "").full is None


def test_a_list_replaces_the_default_networks_unless_it_names_them(known):
    assert compiled(known, "refused: {networks: []}").refused_networks == ()
    both = compiled(known, "internal: {networks: [203.0.113.0/24, default]}").internal_networks
    assert both == ("203.0.113.0/24", *INTERNAL_NETWORKS)


def test_refusing_a_network_outranks_trusting_a_part_of_it(known):
    text = "internal: {networks: [10.0.0.0/8, 10.1.0.0/16, 192.168.0.0/16]}\n"
    text += "refused: {networks: [10.0.0.0/8]}\n"
    assert compiled(known, text).internal_networks == ("192.168.0.0/16",)


def test_the_version_is_what_sha256sum_says_of_the_file(known, tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_bytes(HEAD.encode())
    first = load_policy(file, known).version
    assert first == hashlib.sha256(HEAD.encode()).hexdigest()[:12]
    file.write_bytes(f"{HEAD}# a comment\n".encode())
    assert load_policy(str(file), known).version != first


def test_a_file_is_named_in_its_warnings(known, tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_text(HEAD + "rules:\n  - {id: a, when: {location: US}, action: block}\n")
    (warning,) = check_policy(file, known).warnings
    assert (warning.file, warning.line) == (str(file), 5)
