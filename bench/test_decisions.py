"""Decisions per second on one core, from the text of a host to the whole verdict.

The mix is 50 % hosts that the catalogue lists, 40 % hosts it does not know, with the address they
resolved to, and 10 % address literals. Each decision reads the text, looks the address up in the
shipped GeoIP and ASN databases, and judges by the shipped catalogue and the profile `fr-etat`, as
`Judge` does for every door. No host and no address comes twice in a run, so that nothing is won by
remembering answers by name or address; addresses are drawn from everywhere, as a scanner would.

Measured in processor time: other processes on the machine do not count, everything done here does.
"""

from __future__ import annotations

import gc
import os
import random
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest

from sovproxy.decide.catalogue import Catalogue
from sovproxy.decide.decider import Decider
from sovproxy.decide.destination import ChosenBy, Destination
from sovproxy.decide.normalise import read_host
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.facts import Listing, Service

SIZES = (1_000, 1_000_000)
"""Made-up domains beside those of the shipped catalogue."""

MOST_SERVICES = 10_000
DOMAINS_PER_SERVICE = 10

DECISIONS = 20_000
IPV6_SHARE = float(os.environ.get("SOVPROXY_BENCH_IPV6_SHARE", "0.1"))
"""In one round; each round has hosts and addresses of its own."""

ROUNDS = 25
WARM_UP = 40
"""Rounds before measuring: a node that has run for a few minutes has seen most networks."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


type Asked = tuple[str, str]
"""One question: a host or address as text, and the address the host resolved to, or empty."""


def made_up_services(atlas: Atlas, count: int) -> list[Service]:
    """Services that differ in name from shipped ones and are like them in everything else."""
    models = list(atlas.services.values())
    return [replace(models[n % len(models)], id=f"made-up-{n}") for n in range(count)]


def made_up_listings(atlas: Atlas, domains: int) -> list[Listing]:
    """Two kinds of patterns, half `name` and half `*.name`, spread over the services."""
    services = made_up_services(atlas, min(MOST_SERVICES, domains // DOMAINS_PER_SERVICE))
    models = [item for item in atlas.listings if item.kind == "host" and item.service]
    listings = []
    for number in range(domains):
        service = services[number % len(services)]
        star = "*." if number % 2 else ""
        pattern = f"{star}domain-{number}.example"
        model = models[number % len(models)]
        listings.append(replace(model, pattern=pattern, service=service, operator=service.operator))
    return listings


class Traffic:
    """Makes questions that never repeat, from a seed, so that every run measures the same."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._random = random.Random(20_261_123)
        self._patterns = patterns
        self._asked: set[str] = set()

    def draw(self, count: int) -> list[Asked]:
        """Draw fresh questions in the mix, shuffled."""
        listed = [(self._fresh(self._listed), "") for _ in range(count * 5 // 10)]
        unknown = [
            (self._fresh(self._unknown), self._fresh(self._address)) for _ in range(count * 4 // 10)
        ]
        literal = [(self._fresh(self._address), "") for _ in range(count - count * 9 // 10)]
        questions = [*listed, *unknown, *literal]
        self._random.shuffle(questions)
        return questions

    def _fresh(self, make: Callable[[], str]) -> str:
        while (text := make()) in self._asked:
            pass
        self._asked.add(text)
        return text

    def _word(self) -> str:
        return "".join(self._random.choices(LETTERS, k=self._random.randint(3, 12)))

    def _listed(self) -> str:
        """A host below a starred pattern: only those have enough names for none to come twice."""
        return f"{self._word()}.{self._random.choice(self._patterns)}"

    def _unknown(self) -> str:
        return f"{self._word()}.{self._word()}.{self._random.choice(('fr', 'com', 'org', 'eu'))}"

    def _address(self) -> str:
        if self._random.random() < IPV6_SHARE:
            return str(IPv6Address(0x2A00 << 112 | self._random.getrandbits(116)))
        return str(IPv4Address(self._random.randrange(1 << 24, 224 << 24)))


class Bench:
    """A judge with a catalogue of one size, and traffic that fits it."""

    def __init__(self, judge: Judge, domains: int) -> None:
        listings = made_up_listings(judge.atlas, domains)
        starred = [
            item.pattern for item in [*judge.atlas.listings, *listings] if item.pattern[0] == "*"
        ]
        services = {item.service.id: item.service for item in listings if item.service}
        catalogue = Catalogue.build(
            [*judge.atlas.listings, *listings],
            {**judge.atlas.services, **services},
            judge.atlas.operators_by_asn,
            judge.atlas.powers,
        )
        judge.decider = Decider(catalogue, judge.policy)
        self.judge = judge
        self.traffic = Traffic([pattern[2:] for pattern in starred])

    def round(self, questions: list[Asked]) -> None:
        """Read and judge them all."""
        judge = self.judge.judge
        for text, resolved in questions:
            destination = read_host(text, 443)
            if resolved and isinstance(destination, Destination):
                destination = destination.at(resolved, ChosenBy.NODE)
            judge(destination)

    def fresh(self) -> tuple[tuple[list[Asked]], dict[str, object]]:
        """Arguments for one round."""
        return (self.traffic.draw(DECISIONS),), {}


@pytest.fixture(scope="module")
def medians(request: pytest.FixtureRequest) -> Iterator[dict[int, float]]:
    """Median decisions per second by catalogue size; printed with their ratio at the end."""
    found: dict[int, float] = {}
    yield found
    lines = [
        f"{speed:>12,.0f} decisions/s with {domains:,} made-up domains"
        for domains, speed in found.items()
    ]
    if len(found) > 1:
        ratio = found[SIZES[1]] / found[SIZES[0]]
        lines.append(f"{ratio:>12.2f} is the ratio of the larger catalogue to the smaller")
    plugins = request.config.pluginmanager
    with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
        plugins.get_plugin("terminalreporter").write("\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize("domains", SIZES)
@pytest.mark.benchmark(group="decisions", timer=time.process_time, disable_gc=False)
def test_decisions_with_a_catalogue_of(
    domains: int, benchmark: BenchmarkFixture, medians: dict[int, float], tmp_path: Path
) -> None:
    """From text to verdict, databases and all."""
    bench = Bench(Judge(Settings(data_dir=tmp_path)), domains)
    gc.collect()
    gc.freeze()  # as a running node does, and this too
    gc.set_threshold(20_000, 50, 100)
    benchmark.pedantic(bench.round, setup=bench.fresh, rounds=ROUNDS, warmup_rounds=WARM_UP)
    medians[domains] = DECISIONS / benchmark.stats.stats.median
    benchmark.extra_info["decisions_per_second"] = round(medians[domains])
