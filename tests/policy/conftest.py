"""A small atlas for policies: a few services of every kind, with their operators and powers."""

from __future__ import annotations

import pytest

from sovproxy.atlas.load import Atlas, load_atlas
from sovproxy.decide.facts import Operator, Power, Service, Source
from sovproxy.decide.words import Effect, PowerStatus, Verification
from sovproxy.policy.known import Known

SOURCE = Source("made for tests", "2026-11-23")


def an_operator(name: str, country: str, *parents: Operator) -> Operator:
    return Operator(name, name.title(), country, SOURCE, Verification.VERIFIED, parents)


def a_service(name: str, category: str, stance: str, operator: Operator, url: str = "") -> Service:
    return Service(name, name.title(), category, operator, stance, url)


@pytest.fixture(scope="session")
def known() -> Known:
    microsoft = an_operator("microsoft", "US")
    ireland = an_operator("microsoft-ireland", "IE", microsoft)
    zoom, state = an_operator("zoom-inc", "US"), an_operator("french-state", "FR")
    wire, twin = an_operator("wire-swiss", "CH"), an_operator("heinlein", "DE")
    services = [
        a_service("zoom", "videoconference", "replace", zoom),
        a_service("ms-teams", "videoconference", "replace", ireland),
        a_service("ms-365", "office-suite", "replace", ireland),
        a_service("visio", "videoconference", "keep", state, "https://visio.numerique.gouv.fr"),
        a_service("tchap", "messaging", "keep", state, "https://www.tchap.gouv.fr"),
        a_service("opentalk", "videoconference", "keep", twin),
        a_service("wire", "messaging", "keep", wire, "https://app.wire.com"),
    ]
    power = Power(
        id="us-cloud-act",
        country="US",
        name="CLOUD Act",
        citation="18 U.S.C. § 2713",
        year=2018,
        effect=Effect.DISCLOSE,
        status=PowerStatus.IN_FORCE,
        status_text="in force",
        source=SOURCE,
        verification=Verification.VERIFIED,
    )
    return Known.of(services, [an_operator("amazon", "US")], [power], ["health", "unions"])


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    """The shipped catalogue."""
    return load_atlas()


@pytest.fixture(scope="session")
def all_known(atlas: Atlas) -> Known:
    """The names in the shipped catalogue."""
    return Known.of_atlas(atlas)
