"""A real server with the console, over a real store that was filled by real ingest."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sovproxy.api.start import app_of
from sovproxy.events.event import Event, Rollup
from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role, create_token
from tests.baseline import furnished
from tests.serving import Serving, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e.example'

SORTS = (
    # service, operator, host, control, standing, action, rule, location, asn, weight
    *(
        tuple(line.split())
        for line in """
        zoom zoom-communications us02web.zoom.us US abroad block videoconference US 30103 30
        ms-teams microsoft-ireland-operations teams.microsoft.com IE,US abroad block videoconference IE 8075 44
        whatsapp whatsapp-ireland web.whatsapp.com IE,US abroad block messaging US 32934 22
        slack slack-technologies-limited app.slack.com IE,US hosted_here_controlled_abroad warn collaboration FR 16509 18
        google-workspace google-cloud-emea docs.google.com IE,US abroad warn collaboration IE 15169 16
        telegram telegram-fz-llc web.telegram.org AE abroad block messaging NL 62041 6
        chatgpt openai-ireland chatgpt.com IE,US abroad observe other-tools US 13335 25
        """.strip().splitlines()  # noqa: E501  # a table
    ),
)
PASSED = (
    ("visio", "FR", "sovereign", "allow", "sovereign", "FR", 12876, 260),
    ("tchap", "FR", "sovereign", "allow", "sovereign", "FR", 12876, 190),
    ("", "", "unknown", "allow", "default", "DE", 24940, 210),
    ("", "US", "abroad", "observe", "infrastructure", "IE", 16509, 90),
)
GROUPS = ("finance", "interior", "legal", "research", "")


def an_event(when: datetime, sort: tuple[Any, ...] = SORTS[0], **fields: Any) -> Event:
    """One event of a sort; whatever matters to a test is given by name."""
    service, operator, host, control, standing, action, rule, location, asn, _ = sort
    values = {
        "time": when,
        "node": "proxy-1",
        "kind": "decision",
        "client": "2026-11.aaaabbbbccccdddd",
        "group": "finance",
        "host": host,
        "address": "198.51.100.7",
        "port": 443,
        "action": action,
        "rule": rule,
        "reason": f"{service} is run by {operator}, controlled from {control}.",
        "service": service,
        "operator": operator,
        "control": tuple(control.split(",")),
        "standing": standing,
        "location": location,
        "asn": int(asn),
        "alternative": "visio" if action == "block" else "",
        "policy": "fr-etat",
        "policy_version": "0123456789ab",
        "outcome": "prompted" if action in {"warn", "block"} else "tunnelled",
        "transport": "https",
        "decrypted": action in {"warn", "block"},
    }
    return Event.model_validate(values | fields, strict=False)


def a_rollup(when: datetime, sort: tuple[Any, ...], count: int, group: str) -> Rollup:
    service, control, standing, action, rule, location, asn, _ = sort
    values = {
        "start": when,
        "seconds": 300,
        "node": "proxy-1",
        "group": group,
        "service": service,
        "control": (control,) if control else (),
        "standing": standing,
        "location": location,
        "asn": asn,
        "action": action,
        "rule": rule,
        "count": count,
    }
    return Rollup.model_validate(values, strict=False)


def traffic(now: datetime, days: int = 9, per_day: int = 120) -> tuple[list[Event], list[Rollup]]:
    """Some days of traffic of five groups, the same at every run."""
    chance = random.Random(7)  # noqa: S311  # the same traffic at every run
    events, rollups = [], []
    for day in range(days):
        for _ in range(per_day):
            back = timedelta(days=day, seconds=chance.betavariate(2, 2.5) * 86000)
            sort = chance.choices(SORTS, [int(item[-1]) for item in SORTS])[0]
            if sort[0] == "telegram" and day > 0:
                continue  # seen for the first time on the last day
            group = chance.choices(GROUPS, (9, 6, 4, 5, 1))[0]
            client = "2026-11." + "".join(chance.choices("abcdefghijklmnop", k=16))
            events.append(an_event(now - back, sort, group=group, client=client))
        for hour in range(24):
            when = now - timedelta(days=day, hours=hour)
            for sort in PASSED:
                count = 1 + int(sort[-1] * chance.random() / 8)
                rollups.append(a_rollup(when, sort, count, chance.choice(GROUPS)))
    return events, rollups


class Site:
    """The running console, and ways to come in."""

    def __init__(self, settings: Settings) -> None:
        furnished(settings.data_dir)
        self.app = app_of(settings)
        self.services = self.app.state.services
        self._serving = Serving(self.app)
        self.url = self._serving.url

    def stop(self) -> None:
        self._serving.stop()
        self.services.store.close()

    def token(self, role: Role) -> str:
        return create_token(self.services.store, role, f"Ada {role.value}")

    def deliver(self, events: list[Event], rollups: Any = ()) -> None:
        """Ingest as a node does, in batches."""
        headers = {"authorization": f"Bearer {self.token(Role.NODE)}"}
        with client_of(self.url, headers=headers, timeout=30) as node:
            for start in range(0, max(len(events), len(rollups)), 2000):
                parts = [items[start : start + 2000] for items in (events, rollups)]
                lists = [b",".join(item.to_json() for item in items) for items in parts]
                body = b'{"events":[%s],"rollups":[%s]}' % tuple(lists)
                answer = node.post("/api/v1/events", content=body)
                assert answer.status_code == 200, answer.text
                assert answer.json()["refused"] == []

    def client(self, role: Role | None = Role.ANALYST, **headers: str) -> httpx.Client:
        """A browser without scripts; signed in through the form if a role is given."""
        client = client_of(self.url, timeout=30, headers={"accept-language": "en"} | headers)
        if role:
            answer = client.post("/console/sign-in", data={"token": self.token(role)})
            assert answer.status_code == 303, answer.text
        return client


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with some days of traffic, and one event whose texts are hostile."""
    folder = tmp_path_factory.mktemp("console")
    found = Site(Settings(data_dir=folder, policy="fr-etat", node="proxy-1"))
    now = datetime.now(UTC)
    events, rollups = traffic(now)
    bad = dict.fromkeys(("host", "reason", "service", "operator", "group", "rule"), HOSTILE)
    events.append(an_event(now - timedelta(minutes=2), **bad))
    found.deliver(events, rollups)
    yield found
    found.stop()


@pytest.fixture
def empty_site(tmp_path: Any) -> Iterator[Site]:
    """A site where nothing has happened yet."""
    found = Site(Settings(data_dir=tmp_path, policy="eu", node="proxy-1"))
    yield found
    found.stop()


@pytest.fixture(name="an_event")
def an_event_fixture() -> Any:
    """Make one event; see `an_event`."""
    return an_event
