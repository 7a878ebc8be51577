"""An acknowledgement is for one client, one service, a limited time; an offer is good once."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.events.files import load_secret
from sovproxy.usecases.worker import acknowledging
from sovproxy.usecases.worker.acknowledging import (
    MAX_PATH,
    MAX_TOKEN,
    Acknowledgements,
    Offer,
    Offers,
    Refusal,
    is_local_path,
)

ME, YOU = "2026-11.aaaabbbbccccdddd", "2026-11.ddddccccbbbbaaaa"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "node" / "acknowledgements.json"


def offer(nonce: str, client: str = ME, subject: str = "slack") -> Offer:
    return Offer(client, subject, "/", nonce)


def test_nothing_is_acknowledged_at_first(file, clock):
    assert not Acknowledgements(file, clock).holds(ME, "slack")


def test_it_holds_for_that_client_and_service_until_the_time_is_over(file, clock):
    kept = Acknowledgements(file, clock)
    assert kept.grant(offer("1"), 3600)
    assert kept.holds(ME, "slack")
    assert not kept.holds(YOU, "slack")
    assert not kept.holds(ME, "whatsapp")
    clock.now += 3600
    assert not kept.holds(ME, "slack")


def test_an_offer_is_good_once_even_after_a_restart(file, clock):
    assert Acknowledgements(file, clock).grant(offer("1"), 60)
    clock.now += 120
    again = Acknowledgements(file, clock)
    assert not again.grant(offer("1"), 60)
    assert not again.holds(ME, "slack")


def test_of_many_at_once_one_redeems_the_offer(file, clock):
    kept = Acknowledgements(file, clock)
    granted: list[bool] = []
    threads = [
        threading.Thread(target=lambda: granted.append(kept.grant(offer("1"), 60)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted.count(True) == 1


def test_a_restart_forgets_none(file, clock):
    Acknowledgements(file, clock).grant(offer("1"), 3600)
    assert Acknowledgements(file, clock).holds(ME, "slack")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"until": 7, "used": {}}', b'{"until":{"a":"b"}}', b"\xff"],
)
def test_a_damaged_file_acknowledges_nothing_and_is_no_obstacle(file, clock, content):
    file.parent.mkdir()
    file.write_bytes(content)
    kept = Acknowledgements(file, clock)
    assert not kept.holds(ME, "slack")
    assert kept.grant(offer("1"), 60)


def test_what_cannot_be_written_is_not_granted(file, clock):
    file.parent.write_text("a file is in the way")
    kept = Acknowledgements(file, clock)
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system gives
        kept.grant(offer("1"), 60)
    assert not kept.holds(ME, "slack")


def test_what_is_over_is_forgotten_and_the_rest_is_bounded(file, clock, monkeypatch):
    monkeypatch.setattr(acknowledging, "MAX_KEPT", 10)
    kept = Acknowledgements(file, clock)
    for number in range(30):
        clock.now += 1
        assert kept.grant(offer(str(number), subject=f"service-{number}"), 3600)
    assert kept.holds(ME, "service-29")
    assert not kept.holds(ME, "service-0")
    assert file.stat().st_size < 2000


def test_an_offer_is_read_back_as_it_was_made():
    offers = Offers(b"s" * 32)
    found = offers.check(offers.make(ME, "slack", "/archives?a=b"), ME, "slack")
    assert isinstance(found, Offer)
    assert (found.client, found.subject, found.to) == (ME, "slack", "/archives?a=b")


def test_two_offers_are_never_the_same():
    offers = Offers(b"s" * 32)
    assert offers.make(ME, "slack", "/") != offers.make(ME, "slack", "/")


@pytest.mark.parametrize(("client", "subject"), [(YOU, "slack"), (ME, "whatsapp"), ("", "")])
def test_an_offer_to_somebody_else_is_no_offer(client, subject):
    offers = Offers(b"s" * 32)
    assert offers.check(offers.make(ME, "slack", "/"), client, subject) is Refusal.FORGED


def test_client_and_subject_cannot_be_shifted_into_each_other():
    offers = Offers(b"s" * 32)
    token = offers.make("a", "b c", "/")
    assert offers.check(token, "a b", "c") is Refusal.FORGED


def test_another_nodes_offer_is_forged():
    token = Offers(b"s" * 32).make(ME, "slack", "/")
    assert Offers(b"t" * 32).check(token, ME, "slack") is Refusal.FORGED


@given(st.text(max_size=MAX_TOKEN + 10))
def test_no_text_is_an_offer_and_none_raises(text):
    assert Offers(b"s" * 32).check(text, ME, "slack") is Refusal.FORGED


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "evil", "https://evil.example", "", "/a\r\nb", "/\x00"],
)
def test_a_way_back_that_leaves_the_origin_is_replaced(path):
    offers = Offers(b"s" * 32)
    found = offers.check(offers.make(ME, "slack", path), ME, "slack")
    assert isinstance(found, Offer)
    assert found.to == "/"


def test_a_way_back_that_is_too_long_is_replaced():
    offers = Offers(b"s" * 32)
    found = offers.check(offers.make(ME, "slack", "/" + "a" * MAX_PATH), ME, "slack")
    assert isinstance(found, Offer)
    assert found.to == "/"


@given(st.text())
def test_a_local_path_has_one_slash_and_nothing_that_is_not_shown(text):
    if is_local_path(text):
        assert text[0] == "/"
        assert not text.startswith(("//", "/\\"))
        assert "\r" not in text
        assert "\n" not in text


def test_the_secret_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "node" / "secret"
    secret = load_secret(path)
    assert len(secret) == 32
    assert load_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    assert len(load_secret(path)) == 32
