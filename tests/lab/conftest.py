"""Fixtures of the lab: a world of its own, its origins, and proxies that several tests share."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.lab import world as places
from tests.lab.certificates import make_authority
from tests.lab.origins import Origin
from tests.lab.proxies import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.certificates import Authority

_clients = count()

GREETING = b"220 mail.neutral.example ESMTP\r\n"


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """The CA that signs the origins' certificates."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def origins(authority: Authority) -> Iterator[SimpleNamespace]:
    """Every origin of the lab, by name."""

    def at(address: str, name: str, **more) -> Origin:
        names = [host for host, found in places.NAMES.items() if address in found]
        return Origin(address, name, identity=authority.issue(*names, address), **more)

    made = SimpleNamespace(
        zoom=at(places.ZOOM, "Zoom"),
        teams=at(places.TEAMS, "Teams"),
        telemetry=at(places.TELEMETRY, "Telemetry"),
        visio=at(places.VISIO, "Visio"),
        whatsapp=at(places.META, "WhatsApp"),
        slack=at(places.AMAZON_PARIS, "Slack"),
        facebook=at(places.FACEBOOK, "Facebook"),
        neutral=at(places.NEUTRAL, "Neutral"),
        mail=at(places.NEUTRAL, "Mail", greeting=GREETING),
        refused=at(places.REFUSED, "Refused"),
    )
    yield made
    for origin in vars(made).values():
        origin.close()


@pytest.fixture(autouse=True)
def _fresh_origins(origins: SimpleNamespace) -> None:
    """Every test begins with origins that nobody has reached yet."""
    for origin in vars(origins).values():
        origin.calls = []


@pytest.fixture
def me() -> str:
    """An address that no other test connects from: a client of its own."""
    number = next(_clients)
    return f"127.1.{number // 250}.{number % 250 + 1}"


@contextmanager
def starting(folders: pytest.TempPathFactory) -> Iterator[Callable[..., Proxy]]:
    """Gives a function that starts proxies, and ends them all when nobody needs them any more.

    `enrol` is called with a proxy that is about to start, to make it a node of a fleet.
    """
    started: list[Proxy] = []

    def start(world: places.World | None = None, **more) -> Proxy:
        folder: Path = folders.mktemp("proxy")
        world = world or places.make_world(folder / "world")
        settings = {**world.settings, **more.pop("settings", {})}
        enrol = more.pop("enrol", None)
        proxy = Proxy(folder / "data", settings, world=world, **more)
        started.append(proxy)
        if enrol:
            enrol(proxy)
        proxy.start()
        return proxy

    try:
        yield start
    finally:
        for proxy in started:
            proxy.stop()


@pytest.fixture
def start_proxy(tmp_path_factory) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy with a world of its own, for one test; `scripts` are added to it."""
    with starting(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_proxy(tmp_path_factory) -> Iterator[Callable[..., Proxy]]:
    """The same, for all tests of a file."""
    with starting(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def proxy(tmp_path_factory) -> Iterator[Proxy]:
    """The proxy that most tests share; they must leave its policy and hosts as they are."""
    with starting(tmp_path_factory) as start:
        yield start()
