"""What the page promises, in every language, and what it never does."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sovproxy.decide.verdict import UNKNOWN_JURISDICTION
from sovproxy.decide.words import Action
from sovproxy.prompt import (
    REASONS,
    GoOn,
    Mishap,
    MishapFacts,
    Recorded,
    is_reason,
    languages,
    render_mishap,
    render_page,
)
from sovproxy.prompt.headers import source_hash

every_language = pytest.mark.parametrize("language", languages(), ids=lambda each: each.code)
FRENCH = next(language for language in languages() if language.code == "fr")

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.zoom.us"


@pytest.fixture
def read(elements):
    def _read(facts, language=FRENCH):
        return elements(render_page(facts, language).html)

    return _read


def by_id(found, name):
    return next((element for element in found if element.attributes.get("id") == name), None)


def body_text(found):
    return next(element for element in found if element.tag == "main").text


@every_language
def test_the_primary_button_opens_the_alternative(read, facts, language):
    button = by_id(read(facts(), language), "way-out")
    assert button.attributes["href"] == "https://visio.numerique.gouv.fr"
    assert button.attributes["rel"] == "noopener noreferrer"
    assert "Visio" in button.text


@every_language
def test_the_page_is_wholly_in_its_language(read, facts, language):
    found = read(facts(Action.WARN), language)
    assert found[0].attributes["lang"] == language.code
    assert language.say("What is recorded?") in body_text(found)
    assert language.say("Go on all the same") in body_text(found)


@every_language
def test_a_reply_in_every_language_names_alternative_service_and_place(read, facts, language):
    found = read(facts(), language)
    replies = [element for element in found if element.tag == "textarea"]
    assert {reply.attributes["lang"] for reply in replies} == {each.code for each in languages()}
    assert replies[0].attributes["lang"] == language.code
    for reply in replies:
        assert "Visio" in reply.text
        assert "Zoom" in reply.text
        assert "https://visio.numerique.gouv.fr/abc-defg-hij" in reply.text
        assert reply.text.count(reply.attributes["data-placeholder"]) == 1


def test_a_known_meeting_place_stands_in_the_reply(read, facts):
    room = "https://visio.numerique.gouv.fr/xyz-abcd-efg"
    replies = [e for e in read(facts(meeting_place=room)) if e.tag == "textarea"]
    assert all(room in reply.text and "abc-defg-hij" not in reply.text for reply in replies)


def test_messaging_is_answered_with_messaging(read, facts, world):
    found = read(facts(service=world.WHATSAPP, alternative=world.TCHAP))
    assert by_id(found, "way-out").attributes["href"] == "https://www.tchap.gouv.fr"
    assert "[mon lien ou mon adresse sur Tchap]" in by_id(found, "reply-text-fr").text
    assert "data-host" not in by_id(found, "room").attributes


def test_what_people_use_alone_has_nobody_to_reply_to(read, facts, world):
    assistant = replace(world.ZOOM, name="ChatGPT", category="ai-assistant")
    mistral = replace(world.VISIO, name="Le Chat", category="ai-assistant")
    found = read(facts(Action.WARN, service=assistant, alternative=mistral))
    assert by_id(found, "way-out").text == "Ouvrir Le Chat"
    assert by_id(found, "reply") is None
    assert [e for e in found if e.tag == "form"]


def test_a_title_that_repeats_the_organisation_is_left_out(read, facts, world):
    policy = replace(world.POLICY, title=world.ORGANISATION.name)
    found = read(facts(policy=policy))
    classes = [e.attributes.get("class") for e in found]
    assert "organisation-name" in classes
    assert "organisation-title" not in classes


def test_without_alternative_there_is_no_button_and_the_reply_proposes_another_way(read, facts):
    found = read(facts(alternative=None))
    assert by_id(found, "way-out") is None
    assert "par téléphone" in by_id(found, "reply-text-fr").text


def test_an_alternative_with_an_unsafe_link_gets_no_button(read, facts, world):
    unsafe = replace(world.VISIO, url="javascript:alert(1)")
    found = read(facts(alternative=unsafe))
    assert by_id(found, "way-out") is None
    assert not [e for e in found if e.attributes.get("href", "").startswith("javascript")]


def test_a_warning_offers_to_go_on_with_token_and_reasons(read, facts):
    found = read(facts(Action.WARN))
    form = next(element for element in found if element.tag == "form")
    assert form.attributes["method"] == "post"
    assert form.attributes["action"] == "/.well-known/sovproxy/go-on"
    fields = {
        e.attributes["name"]: e for e in found if e.attributes.get("name") and e.tag != "meta"
    }
    assert fields["token"].attributes["value"] == "c2lnbmVk.dG9rZW4"
    assert "required" in fields["reason"].attributes
    values = [e.attributes["value"] for e in found if e.tag == "option"]
    assert values == ["", *REASONS]
    assert fields["detail"].attributes["maxlength"] == "300"


def test_only_listed_reasons_count():
    assert is_reason("partner")
    assert not is_reason("")
    assert not is_reason("because")


def test_a_block_has_no_way_through_but_says_whom_to_ask(read, facts, world):
    """Not even when a token is handed over by mistake."""
    offer = GoOn("/go-on", "token", world.NOW)
    found = read(facts(go_on=offer))
    assert not [e for e in found if e.tag in {"form", "select"}]
    links = {e.attributes["href"] for e in found if e.tag == "a"}
    assert "tel:+33140000000" in links
    event = "019a3f1c-7d2e-7c11-9a55-6f0e4b1d2c3a"
    assert f"mailto:assistance@numerique.example?subject=sovproxy%20{event}" in links


@pytest.mark.parametrize("action", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_a_form_that_would_leave_the_origin_is_not_offered(read, facts, world, action):
    found = read(facts(Action.WARN, go_on=GoOn(action, "token", world.NOW)))
    assert not [e for e in found if e.tag == "form"]


def test_why_shows_rule_evidence_and_dates(read, facts):
    text = body_text(read(facts()))
    for part in (
        "visio-2027 – Visio à la place de Zoom",
        "Politique de souveraineté numérique de l’État (fr-etat, sha256:4f1d2c9a)",
        "*.zoom.us → Zoom",
        "Zoom KB0060561, ipranges/*.txt, 17 avril 2026 (vérifié)",
        "Zoom Communications, Inc. (États-Unis)",
        "AS30103 Zoom Communications, Inc. (États-Unis)",
        "CLOUD Act (États-Unis, 2018) – peut imposer la communication de données",
        "18 U.S.C. § 2713",
    ):
        assert part in text


def test_a_power_in_force_says_so_once(read, facts):
    text = body_text(read(facts()))
    assert "État\u00a0: en vigueur (23 March 2018)." in text


def test_why_shows_a_lapsed_power_as_it_is(read, facts):
    text = body_text(read(facts()))
    assert "État\u00a0: caduc – statute lapsed 12 June 2026" in text


def test_why_admits_what_is_doubtful(read, facts, world):
    plain = body_text(read(facts()))
    stale = replace(world.ABROAD, place=replace(world.PLACE, stale=True))
    doubtful = body_text(read(facts(Action.WARN, softened=True, jurisdiction=stale)))
    for note in ("plus de 90 jours", "La règle bloquerait."):
        assert note in doubtful
        assert note not in plain


def test_what_is_recorded_is_said_with_its_end_and_a_shortened_pseudonym(read, facts):
    text = body_text(read(facts()))
    assert "2026-11.k7qm…" in text
    assert "k7qm2" not in text
    assert "Conservé jusqu’au 25 mai 2027" in text
    assert "Rien n’a été transmis à zoom.us." in text


def test_an_unrecorded_prompt_says_so(read, facts):
    text = body_text(read(facts(recorded=Recorded())))
    assert "Rien n’est conservé au sujet de cette page." in text


def test_the_rules_own_message_is_shown_in_the_nearest_language(read, facts):
    found = read(facts(message={"de": "Bitte Visio nutzen.", "en": "Use Visio."}))
    message = next(e for e in found if e.attributes.get("class") == "from-rule")
    assert (message.text, message.attributes["lang"]) == ("Bitte Visio nutzen.", "de")


def test_other_languages_get_the_essence_with_the_way_out(read, facts):
    found = read(facts())
    gists = [e for e in found if e.attributes.get("class") == "gist"]
    assert {gist.attributes["lang"] for gist in gists} == {e.code for e in languages()} - {"fr"}
    assert all("Visio" in gist.text and "Zoom Communications" in gist.text for gist in gists)


@every_language
@pytest.mark.parametrize("action", [Action.WARN, Action.BLOCK])
def test_nothing_is_loaded_from_anywhere(read, facts, language, action):
    found = read(facts(action), language)
    assert not [e for e in found if "src" in e.attributes or "srcset" in e.attributes]
    linked = [e.attributes for e in found if e.tag == "link"]
    assert all(attributes["href"].startswith("data:") for attributes in linked)
    styles = "".join(e.text for e in found if e.tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles


@pytest.mark.parametrize("action", [Action.WARN, Action.BLOCK])
def test_no_inline_handler_or_style_attribute_is_used(read, facts, action):
    """The Content-Security-Policy would refuse them."""
    for element in read(facts(action)):
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]


def test_a_hostile_host_stays_text_everywhere(read, facts):
    found = read(facts(Action.WARN, host=HOSTILE, service=None, listing=None))
    assert len([e for e in found if e.tag == "script"]) == 1
    assert not [e for e in found if e.tag == "img"]
    assert "<script>alert(1)" in body_text(found)


def test_hostile_texts_of_verdict_and_policy_stay_text(read, facts, world):
    service = replace(world.ZOOM, name=HOSTILE)
    organisation = replace(world.ORGANISATION, name={"fr": HOSTILE}, contact_email=HOSTILE)
    policy = replace(world.POLICY, organisation=organisation, title={'"><img>': HOSTILE})
    found = read(
        facts(
            Action.WARN,
            service=service,
            alternative=replace(world.VISIO, name="</textarea><img>"),
            rule=HOSTILE,
            message={"fr": HOSTILE},
            policy=policy,
            node=HOSTILE,
            recorded=Recorded(HOSTILE, HOSTILE, 3),
            go_on=GoOn("/x", HOSTILE, world.NOW),
        )
    )
    assert len([e for e in found if e.tag == "script"]) == 1
    assert not [e for e in found if e.tag == "img"]


def test_the_policys_colours_reach_the_style_readable(facts, world):
    organisation = replace(world.ORGANISATION, primary_colour="#ffff00")
    policy = replace(world.POLICY, organisation=organisation)
    html = render_page(facts(policy=policy), FRENCH).html.decode()
    assert "--primary:#ffff00;--accent" not in html.split("prefers-color-scheme:dark){:root{--p")[0]
    assert "prefers-color-scheme:dark){:root{--primary:#ffff00" in html


def test_the_security_policy_permits_exactly_what_stands_in_the_page(facts):
    page = render_page(facts(), FRENCH)
    html, headers = page.html.decode(), dict(page.headers)
    csp = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert csp["style-src"].split() == [source_hash(style) for style in styles]
    assert csp["script-src"].split() == [source_hash(script) for script in scripts]
    for directive in ("default-src", "base-uri", "frame-ancestors"):
        assert csp[directive] == "'none'"
    assert csp["form-action"] == "'self'"


def test_the_header_fields_keep_the_page_to_itself(facts):
    page = render_page(facts(), FRENCH)
    headers = dict(page.headers)
    assert page.status == 451
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-language"] == "fr"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["link"].endswith('rel="blocked-by"')
    assert "set-cookie" not in headers
    assert all("\n" not in value and value.isascii() for value in headers.values())


def test_no_header_field_can_be_split_by_a_node_name(facts, world):
    policy = replace(world.POLICY, organisation=type(world.ORGANISATION)())
    headers = dict(render_page(facts(node="n\r\nset-cookie: x=é", policy=policy), FRENCH).headers)
    assert headers["link"] == '<dns:n%0D%0Aset-cookie%3A%20x%3D%C3%A9>; rel="blocked-by"'


@every_language
def test_a_bare_policy_and_verdict_still_make_a_page(read, facts, world, language):
    bare = replace(world.POLICY, organisation=type(world.ORGANISATION)(), title={}, rules=())
    found = read(
        facts(
            policy=bare,
            service=None,
            listing=None,
            alternative=None,
            jurisdiction=UNKNOWN_JURISDICTION,
            recorded=Recorded(),
            node="",
        ),
        language,
    )
    assert language.say("This site cannot be opened here") in body_text(found)
    assert language.say("Ask your IT department.") in body_text(found)


@pytest.mark.parametrize(
    ("mishap", "status"),
    [
        (Mishap.EXPIRED, 403),
        (Mishap.USED, 403),
        (Mishap.FORGED, 403),
        (Mishap.REASON_MISSING, 400),
        (Mishap.UNREADABLE, 400),
        (Mishap.FAILED, 503),
    ],
)
@every_language
def test_a_mishap_is_explained_with_its_own_status(elements, world, language, mishap, status):
    facts = MishapFacts(mishap, world.POLICY, world.NOW, "node-1", HOSTILE, "event-1", "/j/1")
    page = render_mishap(facts, language)
    found = elements(page.html)
    headlines = [e.text for e in found if e.tag == "h1"]
    assert page.status == status
    assert len(headlines) == 1
    assert headlines[0]
    assert not [e for e in found if e.tag == "img"]
    assert "/j/1" in {e.attributes["href"] for e in found if e.tag == "a"}


def test_a_mishap_offers_no_way_back_to_another_origin(elements, world):
    facts = MishapFacts(Mishap.FORGED, world.POLICY, world.NOW, "node-1", again="//evil.example/x")
    found = elements(render_mishap(facts, FRENCH).html)
    assert not [e for e in found if "evil.example" in e.attributes.get("href", "")]
