"""The extension's core, run by node, gives the same verdicts as the decider, trace and all."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sovproxy.decide.destination import ChosenBy, Unreadable
from sovproxy.decide.normalise import read_address, read_destination
from sovproxy.enforce.bundle import make_bundle, to_bytes
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished

CASES = Path(__file__).parents[1] / "cases"
RUNNER = Path(__file__).with_name("judge.mjs")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Question:
    """What both are asked."""

    query: str
    address: str = ""
    chosen_by: ChosenBy = ChosenBy.NOBODY
    now: float = NOON
    group: str = ""


class Both:
    """The judge of a policy, and the core in node with the bundle of that judge."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.judge = Judge(Settings(data_dir=furnished(folder), policy=policy))
        self.bundle = make_bundle(self.judge.atlas, self.judge.policy)

    def ours(self, question: Question) -> dict:
        destination = read_destination(question.query)
        if question.address and not isinstance(destination, Unreadable):
            destination = destination.at(question.address, question.chosen_by)
        judge, address = self.judge, getattr(destination, "address", "")
        arguments = (judge.geo.place(address),) if address else ()
        now = {"now": question.now, "group": question.group}
        verdict = judge.decider.decide(destination, *arguments, **now)
        return {
            "host": getattr(destination, "host", ""),
            "address": address,
            "port": getattr(destination, "port", 0),
            "action": verdict.action,
            "rule": verdict.rule,
            "service": verdict.service.id if verdict.service else None,
            "alternative": verdict.alternative.id if verdict.alternative else None,
            "standing": verdict.jurisdiction.standing,
            "control": list(verdict.jurisdiction.control),
            "powers": [power.id for power in verdict.jurisdiction.powers],
            "softened": verdict.softened,
            "trace": []
            if isinstance(destination, Unreadable)
            else [
                {"rung": step.rung, "decided": step.decided, "detail": step.detail}
                for step in verdict.steps
            ],
        }

    def theirs(self, questions: list[Question]) -> list[dict]:
        sent = {"bundle": self.bundle, "questions": [self._sent(item) for item in questions]}
        done = subprocess.run(
            ["node", RUNNER], input=json.dumps(sent), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def _sent(self, question: Question) -> dict:
        destination = read_destination(question.query)
        address = question.address or getattr(destination, "address", "")
        place = self.judge.geo.place(address) if address else None
        return {
            "query": question.query,
            "at": {"address": question.address, "chosenBy": question.chosen_by}
            if question.address
            else None,
            "place": place
            and {
                "country": place.country,
                "asn": place.asn,
                "organisation": place.organisation,
                "operator": place.operator.id if place.operator else "",
            },
            "now": question.now,
            "group": question.group,
        }

    def compare(self, questions: list[Question]) -> None:
        answers = self.theirs(questions)
        for question, answer in zip(questions, answers, strict=True):
            assert answer == self.ours(question), question


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made: dict[str, Both] = {}
    return lambda policy: made.setdefault(policy, Both(folder, policy))


ROWS = yaml.safe_load((CASES / "cases.yaml").read_text("utf-8"))


def of_row(row: dict) -> Question:
    question = Question(row["query"])
    if "ip" in row:
        question = replace(question, address=read_address(row["ip"]), chosen_by=ChosenBy.NODE)
    if "at" in row:
        question = replace(question, address=row["at"], chosen_by=ChosenBy.CLIENT)
    if "date" in row:
        day = datetime.combine(row["date"], time(12), UTC)
        question = replace(question, now=day.timestamp())
    return question


def test_every_case_of_the_table_gets_the_same_verdict(both):
    plain = [row for row in ROWS if "profile" not in row]
    assert len(plain) > 120
    both(str(CASES / "policy.yaml")).compare([of_row(row) for row in plain])


@pytest.mark.parametrize("profile", sorted({row["profile"] for row in ROWS if "profile" in row}))
def test_every_dated_case_of_a_profile_gets_the_same_verdict(both, profile):
    both(profile).compare([of_row(row) for row in ROWS if row.get("profile") == profile])


def test_every_host_that_the_catalogue_lists_gets_the_same_verdict(both):
    pair = both("fr-etat")
    hosts = [item.pattern for item in pair.judge.atlas.listings if item.kind == "host"]
    assert len(hosts) > 4000
    pair.compare([Question(host.replace("*", "below")) for host in hosts])


def test_every_prefix_that_the_catalogue_lists_gets_the_same_verdict(both):
    pair = both("fr-etat")
    atlas = pair.judge.atlas
    prefixes = [item.pattern for item in atlas.listings if item.kind == "prefix"]
    ported = [item.listing.pattern for item in atlas.port_listings]
    addresses = [prefix.partition("/")[0] for prefix in (*prefixes, *ported)]
    questions = [
        Question("somewhere.example:443", address, chosen_by)
        for address in addresses
        for chosen_by in (ChosenBy.NODE, ChosenBy.CLIENT)
    ]
    pair.compare(questions)


LABELS = st.text(st.characters(codec="utf-8"), min_size=0, max_size=12)
NAMES = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    st.ip_addresses().map(str),
    st.integers(0, 2**33).map(str),
    st.integers(0, 2**33).map(hex),
    st.sampled_from(
        ["zoom.us", "TEAMS.microsoft.com.", "[::ffff:1.2.3.4]", "0x7f.1", "1.1.1.1:53"]
    ),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NAMES, min_size=50, max_size=80))
def test_whatever_a_link_holds_is_read_alike_or_refused_by_both(both, names):
    """The URL parser of browsers and ours follow one standard; they may differ on names that one
    release of Unicode knows and another does not."""
    pair = both("fr-etat")
    for name, answer in zip(names, pair.theirs([Question(name) for name in names]), strict=True):
        ours = pair.ours(Question(name))
        refused = {found["rule"] == "unreadable-destination" for found in (ours, answer)}
        if name.isascii() or refused == {False}:
            assert answer == ours, name


def test_the_bundle_names_no_person_and_no_network_of_a_group(both):
    text = to_bytes(both("fr-etat").bundle).decode()
    assert "members" not in text
    for group in both("fr-etat").judge.policy.groups:
        for network in group.networks:
            assert network not in text


def test_equal_catalogues_and_policies_make_equal_bundles(both):
    pair = both("fr-etat")
    assert to_bytes(make_bundle(pair.judge.atlas, pair.judge.policy)) == to_bytes(pair.bundle)
