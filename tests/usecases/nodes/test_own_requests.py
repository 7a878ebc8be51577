"""Pages do not wait for the API: it is asked what it knows briefly, seldom, and not kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from sovproxy.fleet.link import Unreachable
from sovproxy.fleet.messages import OwnRequest
from sovproxy.usecases.nodes import own_requests
from sovproxy.usecases.nodes.own_requests import OwnRequests, Wish

ME, FORMER = "2026-11.aaaabbbbccccdddd", "2026-10.eeeeffffgggghhhh"
ZOOM = Wish(service="zoom")


def request(number: int, service: str = "zoom", host: str = "") -> OwnRequest:
    return OwnRequest(
        id=f"01a20692-8621-70d7-a99f-{number:012}",
        number=number,
        state="waiting",
        asked="2026-11-23T08:00:00Z",
        wanted="2026-11-23T18:00:00Z",
        service=service,
        host=host,
    )


class Line:
    """A line to the API: `answer` is what it says; None, that it says nothing."""

    def __init__(self, answer) -> None:
        self.answer, self.asked, self.now = answer, [], 1000.0
        self.requests = OwnRequests(self.inquire, lambda: self.now)

    def inquire(self, clients):
        self.asked.append(tuple(clients))
        future = Future()
        if isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        elif self.answer is not None:
            future.set_result(self.answer)
        return future

    def newest(self, wish=ZOOM, clients=(FORMER, ME)):
        return asyncio.run(self.requests.newest(clients, wish))


def test_the_newest_request_for_the_same_thing_is_told():
    line = Line([request(4, service="", host="zoom"), request(3), request(2), request(1)])
    assert line.newest().number == 3
    assert line.newest(Wish(host="zoom")).number == 4
    assert line.newest(Wish(service="webex")) is None


def test_the_api_is_asked_once_for_all_that_a_client_opens_at_a_time():
    line = Line([request(1)])
    for wish in (ZOOM, Wish(host="a.example"), ZOOM):
        line.newest(wish)
    assert line.asked == [(FORMER, ME)]
    line.now += own_requests.REMEMBER_SECONDS
    line.newest()
    assert len(line.asked) == 2


def test_who_does_something_is_asked_about_anew():
    line = Line([])
    assert line.newest() is None
    line.answer = [request(1)]
    line.requests.forget(ME)
    assert line.newest().number == 1


@pytest.mark.parametrize("fault", [Unreachable("away"), None], ids=["away", "silent"])
def test_an_api_that_is_away_or_silent_is_left_alone_for_a_while(fault, monkeypatch):
    monkeypatch.setattr(own_requests, "ANSWER_SECONDS", 0.01)
    line = Line(fault)
    assert [line.newest(), line.newest(clients=(FORMER,))] == [None, None]
    assert len(line.asked) == 1
    line.now += own_requests.QUIET_SECONDS
    line.answer = [request(1)]
    assert line.newest().number == 1


def test_only_so_many_questions_are_under_way(monkeypatch):
    monkeypatch.setattr(own_requests, "ANSWER_SECONDS", 0.01)
    line = Line(None)

    async def many():
        crowd = (line.requests.newest((f"2026-11.{n:016}",), ZOOM) for n in range(40))
        return await asyncio.gather(*crowd)

    assert set(asyncio.run(many())) == {None}
    assert len(line.asked) == own_requests.MAX_AT_ONCE


def test_what_is_remembered_is_bounded_and_does_not_outlive_its_use(monkeypatch):
    monkeypatch.setattr(own_requests, "MAX_CLIENTS", 3)
    line = Line([request(1)])
    for number in range(9):
        line.newest(clients=(f"2026-11.{number:016}",))
    assert len(line.requests._learned) == 3
    line.now += own_requests.REMEMBER_SECONDS
    line.newest()
    assert list(line.requests._learned) == [ME]


def test_only_the_newest_pseudonyms_are_asked_about():
    line = Line([])
    line.newest(clients=[f"2026-11.{number:016}" for number in range(70)])
    assert line.asked[0] == tuple(f"2026-11.{number:016}" for number in range(20, 70))
