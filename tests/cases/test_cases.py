"""One decision, many doors: the table of cases through decider, command line, API and proxy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
import yaml

from sovproxy.decide.describe import describe
from sovproxy.decide.destination import ChosenBy
from sovproxy.decide.normalise import read_destination
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished
from tests.lab.certificates import make_authority
from tests.lab.clients import connect, read_all
from tests.lab.namespaces import Namespace, open_any_address
from tests.lab.origins import Origin
from tests.lab.proxies import BIN, Proxy, free_port, listens, wait_until
from tests.lab.test_lab_tunnels import client_hello

FOLDER = Path(__file__).parent
POLICY = str(FOLDER / "policy.yaml")
SOMEWHERE = "192.0.2.10"
"""Where a name leads to when the table does not say: an address for documentation (RFC 5737)."""


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    query: str
    action: str
    rule: str
    standing: str
    control: list = field(default_factory=list)
    service: str | None = None
    alternative: str | None = None
    ip: str = ""
    at: str = ""
    closed: bool = False
    """Stopped for its address: our CA may not speak for the name, so the connection just ends."""
    profile: str = ""
    date: date | None = None

    @property
    def passes(self) -> bool:
        return self.action in {"allow", "observe"}

    @property
    def target(self) -> str:
        """What a client puts into its CONNECT."""
        destination = read_destination(self.query)
        if any(mark in self.query for mark in "/\\@"):
            host = destination.label
            return f"{host}:{getattr(destination, 'port', 0) or 443}"
        if self.query.count(":") > 1 and not self.query.startswith("["):
            return f"[{self.query}]:443"
        return self.query if self.query.endswith(":443") else f"{self.query}:443"


CASES = [Case(**row) for row in yaml.safe_load((FOLDER / "cases.yaml").read_text("utf-8"))]
EVERYWHERE = [case for case in CASES if not case.profile and not case.at]
AT = [case for case in CASES if case.at]
DATED = [case for case in CASES if case.profile]


def table(cases: list[Case]):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case: Case, answer: dict) -> None:
    """Compare a door's answer with the row."""
    verdict, service, alternative = (
        answer["verdict"],
        answer["service"],
        answer["verdict"]["alternative"],
    )
    found = Case(
        name=case.name,
        query=case.query,
        action=verdict["action"],
        rule=verdict["rule"],
        standing=answer["standing"],
        control=answer["control"],
        service=service and service["id"],
        alternative=alternative and alternative["id"],
        ip=case.ip,
        at=case.at,
        closed=case.closed,
        profile=case.profile,
        date=case.date,
    )
    assert found == case


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now

    def put(self, day: date) -> None:
        self.now = datetime.combine(day, time(12), UTC).timestamp()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """One data directory, so that the databases are unpacked once."""
    return furnished(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def judges(data):
    """Judges by policy, each with a clock."""
    made: dict[str, tuple[Judge, Clock]] = {}

    def judge(policy: str) -> tuple[Judge, Clock]:
        if policy not in made:
            clock = Clock()
            made[policy] = Judge(Settings(data_dir=data, policy=policy), clock), clock
        return made[policy]

    return judge


def test_every_case_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 120


@table(EVERYWHERE)
def test_the_decider_gives_the_verdict(judges, case):
    judge, _ = judges(POLICY)
    check(case, judge.check(case.query, case.ip))


@table(AT)
def test_the_decider_judges_the_address_that_the_client_chose(judges, case):
    judge, _ = judges(POLICY)
    destination = read_destination(case.query)
    destination = destination._replace(address=case.at, chosen_by=ChosenBy.CLIENT)
    check(case, describe(case.query, destination, judge.judge(destination)))


@table(DATED)
def test_a_profile_gives_the_verdict_of_its_day(judges, case):
    judge, clock = judges(case.profile)
    clock.put(case.date)
    check(case, judge.check(case.query, case.ip))


def by_address(cases: list[Case]) -> dict[str, list[Case]]:
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.ip].append(case)
    return groups


def environment(data: Path, **more: str) -> dict[str, str]:
    settings = {"SOVPROXY_DATA_DIR": str(data), "SOVPROXY_POLICY": POLICY, **more}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **settings}


@pytest.fixture(scope="module")
def said(data) -> dict[str, dict]:
    """What the real command line says about every case, by name."""
    answers: dict[str, dict] = {}
    for ip, cases in by_address(EVERYWHERE).items():
        done = subprocess.run(
            [str(BIN / "sovproxy"), "check", "--json", "--ip", ip, "-"],
            input="\n".join(case.query for case in cases),
            env=environment(data),
            capture_output=True,
            text=True,
            check=False,
        )
        unread = any(case.rule == "unreadable-destination" for case in cases)
        assert done.returncode == (1 if unread else 0), done.stderr
        lines = map(json.loads, done.stdout.splitlines())
        answers |= {case.name: line for case, line in zip(cases, lines, strict=True)}
    return answers


@pytest.mark.xdist_group("cases-cli")
@table(EVERYWHERE)
def test_the_command_line_gives_the_same_verdict(said, case):
    check(case, said[case.name])


@pytest.fixture(scope="module")
def answered(data) -> dict[str, dict]:
    """What the real API answers about every case, by name."""
    port = free_port()
    settings = environment(data, SOVPROXY_API_PORT=str(port))
    token = subprocess.run(
        [str(BIN / "sovproxy"), "tokens", "create", "--role", "analyst", "--name", "cases"],
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-1]
    process = subprocess.Popen([str(BIN / "sovproxy"), "api"], env=settings)
    try:
        wait_until(lambda: listens(port), "the API listens")
        answers: dict[str, dict] = {}
        for ip, cases in by_address(EVERYWHERE).items():
            for start in range(0, len(cases), 100):
                part = cases[start : start + 100]
                items = _post(port, token, {"queries": [case.query for case in part], "ip": ip})
                answers |= {case.name: item for case, item in zip(part, items, strict=True)}
        return answers
    finally:
        process.terminate()
        process.wait(20)


def _post(port: int, token: str, body: dict) -> list[dict]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/check",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)["items"]


@pytest.mark.xdist_group("cases-api")
@table(EVERYWHERE)
def test_the_api_gives_the_same_verdict(answered, case):
    check(case, answered[case.name])


@dataclass
class Field:
    """A network namespace in which every address of the world is this machine."""

    space: Namespace
    proxy: Proxy
    gateway: Proxy
    hosts: Path
    origins: tuple[Origin, ...]

    def lead(self, case: Case) -> None:
        """Let the case's name resolve to its address."""
        host = getattr(read_destination(case.query), "host", "")
        self.hosts.write_text(f"{case.ip or case.at or SOMEWHERE} {host}\n" if host else "")

    def reaches(self, case: Case) -> bool:
        """Whether a client gets through to the origin, by CONNECT."""
        client, answer = connect(self.proxy, case.target)
        if answer.status != 200:
            client.close()
            return False
        client.sendall(b"\x05hello")
        echo = read_all(client) if not case.passes else client.recv(100)
        client.close()
        return echo == b"\x05hello"

    def reaches_at(self, case: Case, me: str) -> bool:
        """Whether a ClientHello gets through to the origin that the client connects to."""
        hello, *_ = client_hello(case.query)
        client = socket.create_connection((case.at, 443), 20, (me, 0))
        client.sendall(hello)
        if case.passes:
            wait_until(lambda: any(call.first_bytes == hello for call in self.calls), "the hello")
        else:
            assert client.recv(5)[:1] == (b"" if case.closed else b"\x16")
        client.close()
        return any(call.first_bytes == hello for call in self.calls)

    @property
    def calls(self):
        return [call for origin in self.origins for call in origin.calls]


@pytest.fixture(scope="module")
def field_of_all_addresses(tmp_path_factory):
    """Real proxies among real addresses, none of which leaves the namespace."""
    folder = tmp_path_factory.mktemp("field")
    hosts = folder / "hosts"
    hosts.write_text("192.0.2.98 closed.example\n")
    settings = {"SOVPROXY_POLICY": POLICY, "SOVPROXY_HOSTS_FILE": str(hosts)}
    proxy = Proxy(folder / "explicit", settings, probe="192.0.2.98")
    gateway = Proxy(folder / "transparent", settings, probe="192.0.2.98")
    gateway.arguments, gateway.redirected_from = ("--mode", "transparent"), "127.77.250.1"
    identity = make_authority(folder / "ca").issue("example.org")
    space = Namespace()
    space.run(open_any_address)
    space.redirect_to(gateway.port)
    origins = tuple(
        space.run(lambda at=at: Origin(*at, identity=identity))
        for at in (("0.0.0.0", "IPv4", 443), ("0.0.0.0", "IPv4", 8443), ("::", "IPv6", 443))  # noqa: S104
    )
    try:
        space.run(proxy.start)
        space.run(gateway.start)
        yield Field(space, proxy, gateway, hosts, origins)
    finally:
        proxy.stop()
        gateway.stop()
        space.close()


@pytest.mark.lab
@pytest.mark.xdist_group("cases-proxy")
@table(EVERYWHERE)
def test_the_proxy_carries_the_verdict_out(field_of_all_addresses, case):
    there = field_of_all_addresses
    there.lead(case)
    before = len(there.proxy.events())
    assert there.space.run(there.reaches, case) == case.passes
    if not case.passes and case.rule != "unreadable-destination" and case.query.isascii():
        wait_until(lambda: len(there.proxy.events()) > before, "its event")
        event = there.proxy.events()[-1]
        assert (event["action"], event["rule"]) == (case.action, case.rule)
        assert event["service"] == (case.service or "")


@pytest.mark.lab
@pytest.mark.xdist_group("cases-proxy")
@table(AT)
def test_the_transparent_proxy_carries_the_verdict_out(field_of_all_addresses, case):
    there = field_of_all_addresses
    # The name resolves elsewhere, so that it excuses nothing.
    host = read_destination(case.query).host
    there.hosts.write_text(f"{SOMEWHERE} {host}\n")
    assert there.space.run(there.reaches_at, case, "127.77.0.1") == case.passes
