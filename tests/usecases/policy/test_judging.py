"""The judge joins catalogue, databases and policy, and follows their changes on disk."""

from __future__ import annotations

import pytest

from sovproxy.decide.words import Action
from sovproxy.errors import InvalidFile
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.lab.world import ZOOM, make_world, write_database

GROUPS = """\
groups:
  staff:
    networks: [10.1.0.0/16, "fd00:1::/32"]
    members: [alice]
  guests:
    networks: [10.1.2.0/24]
    members: [bob]
rules:
  - id: guests-zoom
    when: {service: zoom, group: guests}
    action: warn
"""


def settings_of(world, data) -> Settings:
    return Settings(
        data_dir=data,
        policy=str(world.policy),
        catalogue_dir=world.catalogue,
        location_database=world.database,
        network_database=world.database,
    )


def replace_whole(path, content: bytes) -> None:
    """Put another file in its place, as updaters do; what is open stays what it was."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path / "world")


@pytest.fixture
def judge(world, tmp_path):
    return Judge(settings_of(world, tmp_path / "data"))


@pytest.fixture
def with_groups(world, tmp_path):
    world.write_policy("rules:\n", GROUPS)
    return Judge(settings_of(world, tmp_path / "data"))


def verdict(judge, query, **more) -> tuple[str, str]:
    answer = judge.check(query, **more)["verdict"]
    return answer["action"], answer["rule"]


def test_a_new_policy_takes_force_at_the_next_look(judge, world):
    assert verdict(judge, "zoom.us") == ("block", "video")
    world.write_policy("    action: block\n", "    action: warn\n")
    assert verdict(judge, "zoom.us") == ("block", "video")
    assert judge.refresh()
    assert verdict(judge, "zoom.us") == ("warn", "video")


def test_a_broken_policy_changes_nothing_and_is_told(judge, world):
    version = judge.policy.version
    world.policy.write_text("rules: 7\n")
    assert not judge.refresh()
    assert judge.policy.version == version
    assert "policy.yaml:1" in judge.policy_file.last_error
    world.write_policy()
    judge.refresh()
    assert judge.policy_file.last_error == ""


def test_swapped_databases_are_looked_up_at_the_next_look(judge, world):
    assert judge.check(ZOOM)["location"] == {"country": "US"}
    write_database(world.database, AS30103="BR")
    assert judge.refresh()
    assert judge.check(ZOOM)["location"] == {"country": "BR"}


def test_a_broken_database_leaves_the_last_good_one(judge, world):
    replace_whole(world.database, b"no database")
    assert not judge.refresh()
    assert judge.check(ZOOM)["location"] == {"country": "US"}
    write_database(world.database, AS30103="BR")
    judge.refresh()
    assert judge.check(ZOOM)["location"] == {"country": "BR"}


def test_nothing_changes_when_nothing_changed(judge):
    decider = judge.decider
    assert not judge.refresh()
    assert judge.decider is decider


def test_a_bad_policy_is_refused_at_the_start(world, tmp_path):
    world.policy.write_text("rules: 7\n")
    with pytest.raises(InvalidFile, match="policy.yaml:1"):  # noqa: RUF043 - any character will do
        Judge(settings_of(world, tmp_path / "data"))


CLIENTS = {
    "by network": ("10.1.9.9", "", "staff"),
    "by the narrower network": ("10.1.2.9", "", "guests"),
    "by IPv6": ("fd00:1::7", "", "staff"),
    "by IPv6 with a zone": ("fd00:1::7%eth0", "", "staff"),
    "by IPv4 in IPv6": ("::ffff:10.1.9.9", "", "staff"),
    "by name": ("192.0.2.1", "alice", "staff"),
    "by name before network": ("10.1.9.9", "bob", "guests"),
    "a stranger's name": ("10.1.9.9", "mallory", "staff"),
    "a stranger": ("192.0.2.1", "", ""),
    "no address": ("", "", ""),
    "no real address": ("somewhere", "", ""),
    "a strange IPv6 address": ("fe80::zz", "", ""),
}


@pytest.mark.parametrize(("address", "name", "group"), CLIENTS.values(), ids=CLIENTS.keys())
def test_a_client_belongs_to_its_group(with_groups, address, name, group):
    assert with_groups.group_of(address, name) == group


def test_without_groups_nobody_belongs_to_any(judge):
    assert judge.group_of("10.1.9.9", "alice") == ""


def test_a_rule_for_a_group_counts_for_it_alone(with_groups):
    assert verdict(with_groups, "zoom.us", group="guests") == ("warn", "guests-zoom")
    assert verdict(with_groups, "zoom.us") == ("block", "video")


LISTED = {
    "zoom.us": True,
    "us02web.zoom.us": True,
    ZOOM: True,
    "127.52.0.1": True,  # a prefix that Teams shares
    "127.99.0.1": True,  # WhatsApp's own network
    "127.10.0.1": True,  # refused by the policy
    "127.20.0.1": False,
    "neutral.example": False,
    "mobile.pipe.aria.microsoft.com": False,  # shared: never stopped on behalf of one service
}


@pytest.mark.parametrize(("name", "listed"), LISTED.items())
def test_what_is_listed_is_told_without_deciding(judge, name, listed):
    assert judge.is_listed(name) is listed


def test_an_address_that_is_none_is_unreadable(judge):
    answer = judge.check("zoom.us", ip="not an address")
    assert "is not an IP address" in answer["error"]
    assert answer["verdict"]["action"] == Action.BLOCK
