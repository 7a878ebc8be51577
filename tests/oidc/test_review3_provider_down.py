"""A provider that hangs holds up one request at a time, and not all that ask meanwhile."""

from __future__ import annotations

import threading

import httpx
import pytest

from sovproxy.usecases.access.oidc_http import ProviderHttp, ProviderUnavailable

ISSUER = "https://login.example"


class Hanging(httpx.BaseTransport):
    """Answers nothing until told to, and counts who asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.give_up = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        self.give_up.wait(30)
        raise httpx.ReadTimeout("the provider hangs", request=request)


def test_a_hanging_provider_is_asked_once_for_all_who_wait():
    provider, found = Hanging(), []
    http = ProviderHttp(ISSUER, httpx.Client(transport=provider))

    def start():
        with pytest.raises(ProviderUnavailable):
            http.metadata()
        found.append(1)

    waiting = [threading.Thread(target=start) for _ in range(20)]
    for thread in waiting:
        thread.start()
    provider.give_up.set()
    for thread in waiting:
        thread.join(30)
    assert (len(found), provider.asked) == (20, 1)


def test_a_provider_that_is_back_is_asked_again(monkeypatch):
    provider = Hanging()
    provider.give_up.set()
    http = ProviderHttp(ISSUER, httpx.Client(transport=provider))
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            http.metadata()
    assert provider.asked == 1
    monkeypatch.setattr("sovproxy.usecases.access.oidc_http.PAUSE_SECONDS", 0)
    with pytest.raises(ProviderUnavailable):
        http.metadata()
    assert provider.asked == 2
