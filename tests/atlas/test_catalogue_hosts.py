"""What the catalogue recognises, and what it must leave alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sovproxy.atlas.load import load_atlas
from sovproxy.decide.catalogue import Catalogue
from sovproxy.decide.words import Verification

HERE = Path(__file__).parent
FACTS = json.loads((HERE / "starting_facts.json").read_text(encoding="utf-8"))
PUBLIC_LISTS = json.loads((HERE / "public_lists.json").read_text(encoding="utf-8"))
RANK = {Verification.RECALLED: 0, Verification.MIXED: 1, Verification.VERIFIED: 2}


@pytest.fixture(scope="module")
def atlas():
    return load_atlas()


@pytest.fixture(scope="module")
def hosts(atlas):
    return Catalogue.build(
        atlas.listings, atlas.services, atlas.operators_by_asn, atlas.powers
    ).hosts


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("zoom", "zoom.us us02web.zoom.us zoomgov.com eu01web.zoom.us zoom.com.cn dgw.zoom-x.de"),
        ("ms-teams", "teams.microsoft.com teams.cloud.microsoft teams.live.com api.lync.com"),
        ("ms-teams", "eu-api.asm.skype.com trouter.teams.microsoft.com statics.teams.cdn.live.net"),
        ("webex", "acme.webex.com idbroker.webex.com wdm-a.wbx2.com api.ciscospark.com sli.do"),
        ("goto", "meet.goto.com global.gotomeeting.com x.goto-rtc.com www.gotowebinar.com join.me"),
        ("google-meet", "meet.google.com stream.meet.google.com workspace.turns.goog"),
        ("slack", "slack.com acme.slack.com wss-primary.slack.com files.slack.com"),
        ("whatsapp", "web.whatsapp.com g.whatsapp.net wa.me mmg.whatsapp.net"),
        ("signal", "chat.signal.org cdn2.signal.org cdsi.signal.org sfu.voip.signal.org"),
        ("telegram", "web.telegram.org t.me telegra.ph cdn4.cdn-telegram.org"),
        ("discord", "discord.com gateway.discord.gg cdn.discordapp.com media.discordapp.net"),
        ("skype", "skype.com skypeassets.com"),
        ("facebook-messenger", "messenger.com www.messenger.com m.me"),
        ("facebook", "facebook.com www.facebook.com static.xx.fbcdn.net"),
        ("8x8-jitsi", "meet.jit.si 8x8.vc acme.8x8.com"),
        ("livekit-cloud", "acme.livekit.cloud eu.turn.livekit.cloud"),
        ("bluejeans", "bluejeans.com acme.bluejeans.com"),
        ("dropbox", "www.dropbox.com uc1.dl.dropboxusercontent.com"),
        ("onedrive-sharepoint", "acme.sharepoint.com onedrive.live.com 1drv.ms"),
        ("notion", "notion.so acme.notion.site www.notion.com"),
        ("chatgpt", "chatgpt.com api.openai.com files.oaiusercontent.com"),
    ],
)
def test_hosts_of_services_to_be_replaced_are_recognised(atlas, hosts, service, names):
    for name in names.split():
        listing = hosts.find(name)
        assert listing is not None, name
        assert listing.service is atlas.services[service], name
        assert listing.service.stance == "replace"


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("visio", "visio.numerique.gouv.fr visio.suite.anct.gouv.fr"),
        ("visio", "visio-sandbox.beta.numerique.gouv.fr"),
        ("tchap", "www.tchap.gouv.fr tchap.gouv.fr matrix.agent.tchap.gouv.fr"),
        ("tchap", "matrix.agent.intradef.tchap.gouv.fr matrix.agent.finances.tchap.rie.gouv.fr"),
        ("tchap", "matrix.agent.tchap.rie.gouv.fr a1.turn.tchap.gouv.fr sygnal.tchap.gouv.fr"),
        ("tchap", "status.tchap.numerique.gouv.fr openmaptiles.geo.data.gouv.fr"),
        ("proconnect", "proconnect.gouv.fr www.proconnect.gouv.fr agentconnect.gouv.fr"),
        ("proconnect", "auth.agentconnect.gouv.fr partenaires.proconnect.gouv.fr"),
        ("docs-lasuite", "docs.numerique.gouv.fr docs.suite.anct.gouv.fr"),
        ("fichiers-lasuite", "fichiers.numerique.gouv.fr fichiers.suite.anct.gouv.fr"),
        ("grist-lasuite", "grist.numerique.gouv.fr"),
        ("francetransfert", "francetransfert.numerique.gouv.fr"),
        ("resana", "resana.numerique.gouv.fr"),
        ("messagerie-lasuite", "webmail.numerique.gouv.fr messages.suite.anct.gouv.fr"),
        ("webinaire-etat", "webinaire.numerique.gouv.fr"),
        ("lasuite-portal", "lasuite.numerique.gouv.fr rdv.anct.gouv.fr pad.numerique.gouv.fr"),
        ("lasuite-portal", "demarche.numerique.gouv.fr audioconf.numerique.gouv.fr"),
        ("lasuite-portal", "projets.suite.anct.gouv.fr suiteterritoriale.anct.gouv.fr"),
        ("rendezvous-renater", "rendez-vous.renater.fr"),
        ("tno-lyon", "territoirenumeriqueouvert.org forger.sitiv.fr"),
        ("opentalk", "opentalk.eu meet.opentalk.eu"),
        ("opendesk", "opendesk.eu zendis.de"),
        ("open-xchange", "www.open-xchange.com"),
        ("libreoffice", "www.libreoffice.org download.documentfoundation.org"),
        ("nextcloud", "nextcloud.com push-notifications.nextcloud.com"),
    ],
)
def test_hosts_of_the_sovereign_tools_are_kept(atlas, hosts, service, names):
    for name in names.split():
        listing = hosts.find(name)
        assert listing is not None, name
        assert listing.service is atlas.services[service], name
        assert listing.service.stance == "keep"


def _innocents() -> list[str]:
    lines = (HERE / "innocent_hosts.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_no_innocent_host_is_recognised_as_a_service_to_be_replaced(hosts):
    found = {name: hosts.find(name) for name in _innocents()}
    wrong = {
        name: listing.pattern
        for name, listing in found.items()
        if listing and listing.service and listing.service.stance == "replace"
    }
    assert len(found) > 500
    assert wrong == {}


@pytest.mark.parametrize(
    "name",
    [
        "ocsp.digicert.com", "r3.o.lencr.org", "1-courier.push.apple.com", "fcm.googleapis.com",
        "mtalk.google.com", "login.microsoftonline.com", "login.live.com", "accounts.google.com",
        "www.gstatic.com", "graph.microsoft.com", "config.edge.skype.com", "stun.l.google.com",
        "www.microsoft.com", "ctldl.windowsupdate.com", "browser.events.data.microsoft.com",
    ],
)  # fmt: skip
def test_shared_hosts_are_known_and_belong_to_no_service(hosts, name):
    listing = hosts.find(name)
    assert listing is not None
    assert listing.service is None


def test_every_service_of_the_starting_facts_is_here_with_all_its_domains(atlas):
    by_pattern = {listing.pattern: listing for listing in atlas.listings if listing.kind == "host"}
    lost = []
    for service, facts in FACTS["services"].items():
        for domain in facts["domains"]:
            elsewhere = FACTS["moved"].get(f"{service} {domain}", service)
            pattern = elsewhere.removeprefix("as ") if elsewhere.startswith("as ") else domain
            listing = by_pattern.get(pattern)
            owner = listing.service.id if listing and listing.service else "shared"
            if listing is None or (pattern == domain and owner != elsewhere):
                lost.append((service, domain, elsewhere, owner))
    assert lost == []
    assert set(FACTS["services"]) <= set(atlas.services)


def test_no_domain_is_less_verified_than_in_the_starting_facts(atlas):
    """Domains of services that the facts verified as a whole stay so; recalled ones may rise."""
    levels = {listing.pattern: listing.verification for listing in atlas.listings}
    worse = [
        (service, domain)
        for service, facts in FACTS["services"].items()
        for domain in facts["domains"]
        if facts["verification"] == "verified"
        and domain not in facts["recalled"]
        and domain in levels
        and RANK[levels[domain]] < RANK[Verification.VERIFIED]
        and f"{service} {domain}" not in FACTS["moved"]
    ]
    assert worse == []


def test_derived_control_contains_the_country_that_the_facts_give(atlas):
    for service, facts in FACTS["services"].items():
        assert facts["control"] in atlas.services[service].operator.control, service
    for asn, country in FACTS["operators"].items():
        assert country in atlas.operators_by_asn[int(asn)].control, asn


def test_every_power_of_the_facts_is_kept_as_what_it_is(atlas):
    abroad = {key for key, kind in FACTS["powers"].items() if kind.startswith("foreign_")}
    assert {power.id for power in atlas.powers} == abroad


def test_every_alternative_opens_with_a_link_to_itself(atlas, hosts):
    offered = {name for service in atlas.services.values() for name in service.alternatives}
    assert {"visio", "tchap", "docs-lasuite", "nextcloud"} <= offered
    for name in offered:
        service = atlas.services[name]
        listing = hosts.find(service.url.removeprefix("https://").partition("/")[0])
        assert listing is not None, name
        assert listing.service is service


def test_every_fact_has_a_source_and_nearly_all_a_date(atlas):
    assert all(listing.source.title for listing in atlas.listings)
    undated = [listing for listing in atlas.listings if not listing.source.as_of]
    assert undated == []


def test_no_service_claims_a_whole_operator_or_cloud(atlas):
    wide = {
        "*.microsoft.com", "*.google.com", "*.apple.com", "*.live.com", "*.cisco.com",
        "*.amazonaws.com", "*.cloudfront.net", "*.googleapis.com", "*.windows.net",
        "*.akamaized.net", "*.fastly.net", "*.co.uk", "*.com.cn", "*.gouv.fr",
    }  # fmt: skip
    claimed = [
        (listing.pattern, listing.service.id)
        for listing in atlas.listings
        if listing.pattern in wide and listing.service and listing.service.stance == "replace"
    ]
    assert claimed == []


def test_what_the_console_will_show_is_kept_with_the_service(atlas):
    zoom = atlas.details["zoom"]
    assert any("8801" in line for line in zoom.ports)
    assert ("macos", "us.zoom.xos") in {(app.os, app.id) for app in zoom.apps}
    headers = {header.name for header in atlas.details["slack"].tenant_headers}
    assert "X-Slack-Allowed-Workspaces" in headers
    assert atlas.details["webex"].covers.startswith("Cisco Webex")
    assert "Dutch by name" in atlas.operator_notes["akamai-international"]


def test_ways_around_a_policy_are_services_of_their_own(atlas, hosts):
    assert hosts.find("protonvpn.com").service is atlas.services["proton-vpn"]
    assert hosts.find("account.proton.me").service is atlas.services["proton"]
    assert hosts.find("a.trycloudflare.com").service is atlas.services["cloudflare-warp"]
    assert hosts.find("a.pages.dev").service is atlas.services["cloudflare"]


def _public_names() -> dict[str, set[str]]:
    """Names that public lists give to each service; `*.` became a name below it."""
    names: dict[str, set[str]] = {}
    for one in PUBLIC_LISTS:
        for service, listed in one["services"].items():
            found = {name.replace("*.", "below.") for name in listed.split()}
            names.setdefault(service, set()).update(found)
    return names


SIX = ("zoom", "ms-teams", "webex", "goto", "whatsapp", "signal")


@pytest.mark.parametrize("service", SIX)
def test_public_lists_of_the_six_are_covered_to_95_percent(hosts, service):
    names = _public_names()[service]
    missing = sorted(name for name in names if not _stopped(hosts, name))
    assert len(missing) <= len(names) * 0.05, missing


def test_public_lists_of_every_other_service_are_covered_to_80_percent(hosts):
    short = {}
    for service, names in _public_names().items():
        missing = sorted(name for name in names if not _stopped(hosts, name))
        if len(names) >= 5 and len(missing) > len(names) * 0.2:
            short[service] = missing
    assert short == {}


def _stopped(hosts, name: str) -> bool:
    listing = hosts.find(name)
    return bool(listing and listing.service and listing.service.stance in {"replace", "choose"})


def test_no_third_party_of_a_public_list_is_stopped_on_behalf_of_a_service(hosts):
    """Lists of a vendor name CDNs, log collectors and look-alikes, too."""
    others = {name for one in PUBLIC_LISTS for name in one["not_the_services"].split()}
    names = {name.replace("*.", "below.") for name in others}
    assert len(names) > 40
    assert {name for name in names if _stopped(hosts, name)} == set()
