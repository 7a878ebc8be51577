"""A room on Visio for a worker: what is asked of Visio, and what is believed of its answers."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from sovproxy.api.routes.rooms import ROOMS
from sovproxy.settings import Settings
from sovproxy.store.tables import AUDIT
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import WorkerKeys, mint
from sovproxy.usecases.worker import rooms
from sovproxy.usecases.worker.rooms import UnusableVisio, read_visio
from tests.api.conftest import NOW
from tests.extension.visios import CLIENT_ID, OWNER, SECRET, SLUG, TOKEN, Visio

ME = "2026-11.aaaabbbbccccdddd"
_numbers = itertools.count()


def fresh_client() -> str:
    """Another worker each time: the bound on rooms is not what is asked about."""
    return f"2026-11.{'abcdefghij'[next(_numbers) % 10]}{'k' * 15}"


@pytest.fixture
def visio():
    with Visio() as running:
        yield running


class Place:
    """An API whose administration has set up Visio, and a worker."""

    def __init__(self, serve, visio, folder, **settings) -> None:
        self.now = NOW
        self.keys = WorkerKeys(folder / "worker-key", lambda: self.now)
        secret = folder / "visio-secret"
        secret.write_text(f"{SECRET}\n")
        values = {
            "visio_url": visio.url,
            "visio_client_id": CLIENT_ID,
            "visio_client_secret_file": secret,
            "visio_owner": OWNER,
        }
        found = read_visio(Settings(data_dir=folder, **(values | settings)))
        self.server = serve(clock=lambda: self.now, workers=self.keys, visio=found)

    def make(self, client=ME, **body):
        made = mint(self.keys.hand_out(self.now), client, "legal", (), self.now)
        headers = {"authorization": f"Bearer {made[0]}"}
        return self.server.client.post("/api/v1/rooms", json=body, headers=headers)

    def audit(self):
        with self.server.services.store.reading() as connection:
            return connection.execute(select(AUDIT.c.what, AUDIT.c.name, AUDIT.c.details)).all()


@pytest.fixture
def place(serve, visio, tmp_path):
    return Place(serve, visio, tmp_path)


def test_a_worker_gets_the_link_of_a_new_room(place, visio):
    answer = place.make()
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"url": f"{visio.url}/{SLUG}"}
    token, room = visio.asked
    assert token[2] == {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": OWNER,
    }
    assert room[1:] == ("/external-api/v1.0/rooms/", {})


def test_the_audit_tells_that_a_room_was_made_and_nothing_of_it(place):
    place.make()
    assert place.audit() == [("room_create", "worker", "{}")]


def test_the_administration_chooses_who_enters_without_waiting(serve, visio, tmp_path):
    place = Place(serve, visio, tmp_path, visio_access_level="public")
    assert place.make().status_code == 201
    assert visio.asked[1][2] == {"access_level": "public"}


# -- whose room it is -----------------------------------------------------------------------------


def test_a_workers_address_counts_only_in_the_known_domains(serve, visio, tmp_path):
    place = Place(serve, visio, tmp_path, visio_email_domains=("Ministere.example",))
    owners = {
        "": OWNER,
        "ada@ministere.example": "ada@ministere.example",
        "ada@elsewhere.example": OWNER,
        "ada@ministere.example.elsewhere.example": OWNER,
    }
    for email, owner in owners.items():
        visio.asked.clear()
        assert place.make(email=email).status_code == 201
        assert visio.asked[0][2]["scope"] == owner


def test_without_known_domains_no_address_of_a_worker_is_passed_on(place, visio):
    assert place.make(email="ada@ministere.example").status_code == 201
    assert visio.asked[0][2]["scope"] == OWNER


def test_without_any_address_visio_is_not_asked(serve, visio, tmp_path, assert_problem):
    domains = ("ministere.example",)
    place = Place(serve, visio, tmp_path, visio_owner="", visio_email_domains=domains)
    assert_problem(place.make(), 409, "no-owner")
    assert visio.asked == []
    assert place.audit() == []


def test_what_is_no_address_is_refused(place, visio, assert_problem):
    long = "a" * 300 + "@c.example"
    for email in ("ada", "a@b@c.example", "a b@c.example", "<a>@c.example", "a@c.example\n", long):
        assert_problem(place.make(email=email), 422, "invalid-request")
    assert visio.asked == []


def test_a_person_whom_visio_does_not_know_is_told_what_to_do(
    serve, visio, tmp_path, assert_problem
):
    place = Place(serve, visio, tmp_path, visio_email_domains=("ministere.example",))
    problem = assert_problem(place.make(email="new@ministere.example"), 409, "unknown-to-visio")
    assert "sign in to Visio once" in problem["detail"]


# -- who may ask, and how often -------------------------------------------------------------------


def test_where_nothing_is_set_up_there_are_no_rooms(serve, visio, tmp_path, assert_problem):
    place = Place(serve, visio, tmp_path, visio_url="")
    assert_problem(place.make(), 404, "no-rooms")


def test_only_workers_have_rooms_made(place, visio, assert_problem):
    for role in set(Role) - {Role.WORKER}:
        headers = place.server.as_role(role)
        answer = place.server.client.post("/api/v1/rooms", json={}, headers=headers)
        assert_problem(answer, 403, "forbidden")
    assert visio.asked == []


def test_ten_rooms_an_hour_are_enough_for_one_worker(place, visio, assert_problem):
    assert {place.make().status_code for _ in range(ROOMS)} == {201}
    answer = place.make()
    assert_problem(answer, 429, "too-many-requests")
    assert int(answer.headers["retry-after"]) > 0
    assert place.make("2026-11.eeeeffffgggghhhh").status_code == 201
    place.now += timedelta(hours=1, seconds=1)
    assert place.make().status_code == 201


# -- what Visio may answer ------------------------------------------------------------------------

FOREIGN_ROOMS = [
    "https://evil.example/abc-defg-hij",
    "https://visio.numerique.gouv.fr.evil.example/abc-defg-hij",
    "javascript:alert(1)//abc-defg-hij",
    "{own}@evil.example/abc-defg-hij",
    "{own}/abc-defg-hij?next=https://evil.example",
    "{own}/abc-defg-hij#x",
    "{own}/other-room",
    "{own}//evil.example",
    "",
    None,
    7,
    ["{own}/abc-defg-hij"],
]


def test_only_a_room_on_the_configured_visio_is_believed(place, visio, assert_problem):
    for url in FOREIGN_ROOMS:
        visio.room = {"url": url.format(own=visio.url) if isinstance(url, str) else url}
        assert_problem(place.make(fresh_client()), 502, "visio-unavailable")
    visio.room = {}
    assert place.make().status_code == 201


def test_only_a_rooms_name_is_believed_to_be_one(place, visio, assert_problem):
    for slug in ("", "../admin", "ABC-DEFG-HIJ", "abc-defg-hij\n", "é00-0000-000", None, {}):
        visio.room = {"slug": slug, "url": f"{visio.url}/{slug}"}
        assert_problem(place.make(fresh_client()), 502, "visio-unavailable")


ODD_ANSWERS = [
    ("tokens", (401, {"error": "Invalid credentials"})),
    ("tokens", (500, b"<html>")),
    ("tokens", (200, b"[" * 100_000)),
    ("tokens", (200, {"access_token": ""})),
    ("tokens", (200, {"access_token": "a\r\nx: y"})),
    ("tokens", (200, {"access_token": ["a"]})),
    ("tokens", (200, [1])),
    ("rooms", (200, {"slug": SLUG})),
    ("rooms", (403, {"detail": "Insufficient permissions"})),
    ("rooms", (201, b"no json")),
    ("rooms", (201, b'"abc-defg-hij"')),
    ("rooms", (201, b"[" * 50_000)),
]


def test_whatever_else_visio_answers_is_one_clear_problem(place, visio, assert_problem):
    for field, answer in ODD_ANSWERS:
        visio.tokens = visio.rooms = None
        setattr(visio, field, answer)
        problem = assert_problem(place.make(fresh_client()), 502, "visio-unavailable")
        assert problem["detail"] == "Visio could not make a room; open it and make one there"
        assert SECRET not in json.dumps(problem)
        assert TOKEN not in json.dumps(problem)


def test_the_secret_follows_no_redirect(place, visio, assert_problem):
    with Visio() as elsewhere:
        for status in (301, 302, 307, 308):
            visio.tokens = (status, f"{elsewhere.url}{rooms.TOKEN_PATH}".encode())
            assert_problem(place.make(), 502, "visio-unavailable")
        assert elsewhere.asked == []


def test_a_slow_visio_is_given_up(place, visio, assert_problem, monkeypatch):
    monkeypatch.setattr(rooms, "MAX_SECONDS", 0.2)
    visio.wait = 1.0
    assert_problem(place.make(), 502, "visio-unavailable")
    assert [path for _, path, _ in visio.asked] == [rooms.TOKEN_PATH]


def test_a_visio_that_is_away_is_one_clear_problem(place, visio, assert_problem):
    visio.__exit__()
    assert_problem(place.make(), 502, "visio-unavailable")


# -- the settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"visio_url": "http://visio.example"}, "SOVPROXY_VISIO_URL: an https://"),
        ({"visio_url": "https://visio.example/rooms"}, "without path"),
        ({"visio_url": "https://a:b@visio.example"}, "SOVPROXY_VISIO_URL"),
        ({"visio_client_id": ""}, "SOVPROXY_VISIO_CLIENT_ID"),
        ({"visio_client_secret_file": None}, "SOVPROXY_VISIO_CLIENT_SECRET_FILE"),
        ({"visio_owner": ""}, "whose rooms are they"),
        ({"visio_owner": "nobody"}, "SOVPROXY_VISIO_OWNER"),
        ({"visio_access_level": "open"}, "public, trusted, restricted"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_settings_that_do_not_fit_together_are_refused_at_the_start(tmp_path, change, said):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    values = {
        "visio_url": "https://visio.example",
        "visio_client_id": CLIENT_ID,
        "visio_client_secret_file": secret,
        "visio_owner": OWNER,
    }
    with pytest.raises(UnusableVisio, match=said):
        read_visio(Settings(data_dir=tmp_path, **(values | change)))
