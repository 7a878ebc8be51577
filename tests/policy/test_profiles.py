"""The shipped profiles keep what they promise, on the shipped catalogue, by the real decider."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sovproxy.decide.catalogue import Catalogue
from sovproxy.decide.decider import Decider
from sovproxy.decide.normalise import read_destination
from sovproxy.decide.words import Action
from sovproxy.policy.load import check_policy, load_policy, profile_names

TODAY = "2026-11-23"
LANGUAGES = {
    "at-bmlv": {"de", "en"},
    "de-sh": {"de", "en"},
    "dk": {"da", "en"},
    "eu": {"da", "de", "en", "fr"},
    "fr-etat": {"en", "fr"},
    "fr-lyon": {"en", "fr"},
    "icc": {"en", "fr"},
}
COLLABORATION = {
    "videoconference",
    "videoconference-infra",
    "messaging",
    "office-suite",
    "collaboration",
    "file-sharing",
    "email",
    "e-signature",
    "ai-assistant",
    "ai-notetaker",
    "remote-access",
}


@pytest.fixture(scope="session")
def catalogue(atlas):
    return Catalogue.build(atlas.listings, atlas.services, atlas.operators_by_asn, atlas.powers)


@pytest.fixture(scope="session")
def deciders(catalogue, all_known):
    return {name: Decider(catalogue, load_policy(name, all_known)) for name in profile_names()}


def judged(decider, host, day=TODAY):
    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    return decider.decide(read_destination(host), now=noon.timestamp())


def a_host_of(pattern):
    return pattern.replace("*", "some")


def hosts_of(atlas, wanted):
    """A host for each listing of the services that `wanted` picks."""
    return [
        (a_host_of(listing.pattern), listing.service)
        for listing in atlas.listings
        if listing.kind == "host" and listing.service and wanted(listing.service)
    ]


def test_the_profiles_are_the_seven_that_the_documentation_names():
    assert set(profile_names()) == set(LANGUAGES)


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_profile_is_valid_without_any_warning(name, all_known):
    assert check_policy(name, all_known).warnings == ()


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_profile_speaks_all_its_languages_everywhere(name, all_known):
    text = check_policy(name, all_known).text
    messages = [rule.message for rule in text.rules if rule.message]
    for texts in [text.title, text.about, text.organisation.name, *messages]:
        assert set(texts) == LANGUAGES[name]
    assert all(rule.about for rule in text.rules)


@pytest.mark.parametrize("name", LANGUAGES)
def test_foreign_collaboration_that_is_to_be_replaced_is_stopped_today(name, deciders, atlas):
    """Whatever the profile: no videoconference, messenger or collaboration tool slips through."""
    zone = deciders[name].policy.trust_zone
    replaced = hosts_of(
        atlas,
        lambda service: (
            service.stance == "replace"
            and service.category in COLLABORATION
            and not zone.issuperset(service.operator.control)
        ),
    )
    assert len({service.id for _, service in replaced}) > 50
    verdicts = [(host, service, judged(deciders[name], host)) for host, service in replaced]
    assert not [
        (host, verdict.rule)
        for host, service, verdict in verdicts
        if verdict.service is service and not verdict.action.stops
    ]


@pytest.mark.parametrize("name", LANGUAGES)
def test_sovereign_services_pass_in_every_profile(name, deciders, atlas):
    kept = hosts_of(atlas, lambda service: service.stance == "keep")
    assert len({service.id for _, service in kept}) > 50
    stopped = [host for host, _ in kept if judged(deciders[name], host).action is not Action.ALLOW]
    assert stopped == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_clouds_and_delivery_networks_are_never_stopped(name, deciders, atlas):
    infrastructure = hosts_of(
        atlas,
        lambda service: service.category in {"cdn", "cloud"} and service.stance == "label",
    )
    assert len({service.id for _, service in infrastructure}) >= 7
    assert not [host for host, _ in infrastructure if judged(deciders[name], host).action.stops]


@pytest.mark.parametrize("name", LANGUAGES)
def test_shared_hosts_are_never_stopped(name, deciders, atlas):
    """Certificates, and the push services that wake Tchap on telephones."""
    shared = [
        a_host_of(item.pattern)
        for item in atlas.listings
        if item.kind == "host" and item.service is None
    ]
    verdicts = {host: judged(deciders[name], host) for host in shared}
    assert not [host for host, verdict in verdicts.items() if verdict.action.stops]
    assert {"ocsp.digicert.com", "fcm.googleapis.com"} <= set(shared)


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("host", ["mask.icloud.com", "mask-h2.icloud.com"])
def test_a_relay_that_would_evade_the_rules_is_blocked(name, host, deciders):
    verdict = judged(deciders[name], host)
    assert (verdict.action, verdict.rule) == (Action.BLOCK, "private-relay")
    assert verdict.alternative is None


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("host", ["unknown.example", "cloudflare.com"])
def test_what_nobody_knows_passes(name, host, deciders):
    assert not judged(deciders[name], host).action.stops


PROMISES = [
    # profile, host, action today, rule, alternative
    ("fr-etat", "zoom.us", "block", "videoconference", "visio"),
    ("fr-etat", "teams.microsoft.com", "block", "videoconference", "visio"),
    ("fr-etat", "meet.google.com", "block", "videoconference", "visio"),
    ("fr-etat", "meet.jit.si", "block", "videoconference", "visio"),
    ("fr-etat", "some.livekit.cloud", "block", "videoconference", "visio"),
    ("fr-etat", "web.whatsapp.com", "block", "messaging", "tchap"),
    ("fr-etat", "chat.signal.org", "block", "messaging", "tchap"),
    ("fr-etat", "slack.com", "block", "messaging", "tchap"),
    ("fr-etat", "server.olvid.io", "allow", "olvid", None),
    ("fr-etat", "visio.numerique.gouv.fr", "allow", "sovereign", None),
    ("fr-etat", "matrix.agent.finances.tchap.gouv.fr", "allow", "sovereign", None),
    ("fr-etat", "proconnect.gouv.fr", "allow", "sovereign", None),
    ("fr-etat", "docs.google.com", "warn", "collaboration", "docs-lasuite"),
    ("fr-etat", "dropbox.com", "warn", "collaboration", "fichiers-lasuite"),
    ("fr-etat", "chatgpt.com", "warn", "collaboration", "mistral"),
    ("fr-etat", "www.facebook.com", "observe", "social-media", "tchap"),
    ("fr-etat", "s3.amazonaws.com", "observe", "infrastructure", "scaleway"),
    ("fr-etat", "github.com", "observe", "abroad", None),
    ("fr-lyon", "zoom.us", "warn", "videoconference", "tno-lyon"),
    ("fr-lyon", "web.whatsapp.com", "warn", "messaging", "tno-lyon"),
    ("fr-lyon", "docs.google.com", "warn", "office", "tno-lyon"),
    ("fr-lyon", "www.onlyoffice.com", "allow", "onlyoffice", None),
    ("de-sh", "zoom.us", "block", "videoconference", "opentalk"),
    ("de-sh", "outlook.office.com", "block", "email", "open-xchange"),
    ("de-sh", "dropbox.com", "warn", "files", "nextcloud"),
    ("de-sh", "docs.google.com", "warn", "office", "libreoffice"),
    ("de-sh", "slack.com", "warn", "messaging", "wire"),
    ("at-bmlv", "docs.google.com", "block", "office", "libreoffice"),
    ("at-bmlv", "dropbox.com", "block", "cloud-tools", None),
    ("at-bmlv", "chatgpt.com", "block", "cloud-tools", None),
    ("at-bmlv", "www.icloud.com", "warn", "undecided", None),
    ("dk", "docs.google.com", "warn", "office", "libreoffice"),
    ("dk", "zoom.us", "warn", "videoconference", "opentalk"),
    ("icc", "outlook.office.com", "block", "cut-off", "opendesk"),
    ("icc", "zoom.us", "block", "videoconference", "opendesk"),
    ("icc", "www.salesforce.com", "warn", "cut-off-undecided", "opendesk"),
    ("icc", "www.larksuite.com", "warn", "other-tools", "opendesk"),
    ("icc", "www.facebook.com", "observe", "social-media", "tchap"),
    ("eu", "zoom.us", "warn", "videoconference", "opentalk"),
    ("eu", "web.whatsapp.com", "warn", "messaging", "wire"),
    ("eu", "docs.google.com", "warn", "office", "opendesk"),
    ("eu", "chatgpt.com", "warn", "other-tools", "mistral"),
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: f"{promise[0]}-{promise[1]}")
def test_a_profile_keeps_its_promise_on_a_host(promise, deciders):
    name, host, *expected = promise
    verdict = judged(deciders[name], host)
    offered = verdict.alternative.id if verdict.alternative else None
    assert [verdict.action, verdict.rule, offered] == expected


TIMELINE = [
    ("zoom.us", "2026-01-25", "observe", "abroad"),
    ("zoom.us", "2026-01-26", "observe", "videoconference"),
    ("zoom.us", "2026-04-01", "warn", "videoconference"),
    ("zoom.us", "2026-08-31", "warn", "videoconference"),
    ("zoom.us", "2026-09-01", "block", "videoconference"),
    ("web.whatsapp.com", "2025-08-31", "observe", "abroad"),
    ("web.whatsapp.com", "2025-09-01", "warn", "messaging"),
    ("web.whatsapp.com", "2026-09-01", "block", "messaging"),
    ("docs.google.com", "2026-09-30", "observe", "collaboration"),
    ("docs.google.com", "2026-10-01", "warn", "collaboration"),
    ("docs.google.com", "2027-09-01", "block", "collaboration"),
]


@pytest.mark.parametrize(("host", "day", "action", "rule"), TIMELINE)
def test_the_french_state_goes_from_counting_to_blocking(host, day, action, rule, deciders):
    verdict = judged(deciders["fr-etat"], host, day)
    assert (verdict.action, verdict.rule) == (action, rule)


@pytest.mark.parametrize("name", LANGUAGES)
def test_an_alternative_can_be_opened_and_is_controlled_from_the_trust_zone(name, all_known):
    policy = load_policy(name, all_known)
    for rule in policy.rules:
        if rule.alternative and rule.alternative != "none":
            service = all_known.services[rule.alternative]
            assert service.url.startswith("https://")
            assert policy.trust_zone.issuperset(service.operator.control)
