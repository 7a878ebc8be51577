"""Every sentence of a paper is made from facts, cites exactly those, and changes with them."""

from __future__ import annotations

import itertools
import re
from datetime import date, timedelta

import pytest

from sovproxy.papers.compose import (
    UnbackedSentence,
    compose,
    pieces_of,
    readings,
)
from sovproxy.papers.compose import _write as write_sentence
from sovproxy.papers.facts import Fact, Facts, UnknownFact
from sovproxy.papers.texts import (
    Both,
    PaperKind,
    PaperLanguage,
    Sentence,
    checks_text,
    paper_text,
    words,
)
from sovproxy.prompt.languages import language_named

CASES = list(itertools.product(PaperKind, PaperLanguage))
PLACE = re.compile(r"\{([^{}]+)\}")
BAD_SPACES = re.compile(r" [;:?!»]|« ")


def all_sentences():
    return [
        sentence
        for kind in PaperKind
        for section in paper_text(kind).sections
        for sentence in section.sentences
    ]


def mutations(value):
    """Other values of the same kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value + 200, 0, -1]
    if isinstance(value, date):
        return [value + timedelta(days=1), ""]
    if isinstance(value, tuple):
        return [(), (*value, "further")]
    if isinstance(value, dict):
        return [{code: f"{text} otherwise" for code, text in value.items()}, {}]
    return [f"{value}x", ""]


# What the words of a closed vocabulary may become.
CHOICES = {
    "policy.inspection": ["none", "full"],
    "policy.on_error": ["allow"],
    "policy.default": ["block"],
    "papers.legal_basis.article": ["6.1.f", "6.1.c"],
    "machine.ca": ["none", "constrained", "unreadable"],
    "machine.ca.key": ["here", "locked", "elsewhere", "none"],
    "settings.store.kind": ["postgresql"],
}


def changed(fact: Fact):
    choices = [item for item in CHOICES.get(fact.key, ()) if item != fact.value]
    return choices or mutations(fact.value)


def lists_of_items(facts: Facts):
    """Lists whose items have facts of their own: other items would need other facts."""
    texts = (*all_sentences(), *checks_text().checks)
    return {item.each for item in texts if item.each}


def said(paper):
    """What the paper says, by sentence and sources; repeated ones have different sources."""
    return {
        (sentence.id, tuple(fact.key for fact in sentence.sources)): sentence.text
        for sentence in paper.sentences
    }


@pytest.mark.parametrize(("kind", "lang"), CASES)
def test_every_sentence_has_a_source(kind, lang, whole, bare):
    for facts in (whole, bare):
        paper = compose(kind, facts, lang)
        assert len(paper.sentences) > 20
        for sentence in paper.sentences:
            assert sentence.sources, sentence.text
            assert all(paper.sources[fact.key] for fact in sentence.sources)


def test_a_sentence_that_reports_nothing_is_refused(whole):
    claim = Sentence(id="claim", en="We are lawful.", fr="Nous sommes licites.")
    with pytest.raises(UnbackedSentence, match="claim"):
        list(write_sentence(claim, whole, language_named("en")))


def test_a_sentence_that_names_an_unknown_fact_is_refused(whole):
    claim = Sentence(id="claim", en="We keep {policy.nothing}.", fr="Gardé : {policy.nothing}.")
    with pytest.raises(UnknownFact, match=r"policy\.nothing"):
        list(write_sentence(claim, whole, language_named("en")))


@pytest.mark.parametrize(("kind", "lang"), CASES)
def test_changing_a_fact_changes_what_cites_it_and_nothing_else(kind, lang, whole):
    before = compose(kind, whole, lang)
    was, items = said(before), lists_of_items(whole)
    moved = set()
    for fact in before.facts:
        idle = True
        for value in changed(fact):
            if fact.key in items and value:
                continue
            now = said(compose(kind, whole.with_value(fact.key, value), lang))
            idle &= now == was
            for (name, sources), text in was.items():
                if fact.key not in sources:
                    assert now.get((name, sources)) == text, (fact.key, value)
                elif now.get((name, sources)) != text:
                    moved.add((name, sources))
        assert not idle, f"{fact.key} is cited, and changing it changes nothing"
    stiff = set(was) - moved
    assert not stiff, "no change of its facts changes these sentences"


def test_sentences_that_are_not_said_today_can_be_said(whole):
    """Every placeholder and condition of every text names a fact, also where nothing is found."""
    found = whole.with_value("policy.full.never", ("health",))
    found = found.with_value("policy.full.read", ("press",))
    texts = [(item, item.en, item.fr) for item in all_sentences()]
    texts += [
        (item, f"{item.finds.en}{item.why.en}{item.do.en}", f"{item.finds.fr}{item.why.fr}")
        for item in checks_text().checks
    ]
    for item, english, french in texts:
        asked = list(readings(item, found))
        assert asked, f"{item.id}: {item.each} is empty here"
        for reading in asked:
            for key in item.when:
                reading.fact(key)
            for code, text in (("en", english), ("fr", french)):
                assert pieces_of(text, reading, language_named(code)), item.id


def test_no_fact_is_gathered_for_nothing(whole):
    named = {key for item in (*all_sentences(), *checks_text().checks) for key in named_by(item)}
    for fact in whole:
        assert fact.key in named or any(
            fact.key.startswith(f"{base}.") and f"{base}.*{fact.key.rpartition('.')[2]}" in named
            for base in lists_of_items(whole)
        ), fact.key


def named_by(item):
    """The facts that a text names; of items, the list and the last part of the key."""
    texts = (item.en,) if isinstance(item, Sentence) else (item.finds.en, item.why.en, item.do.en)
    keys = {place.partition(":")[0] for text in texts for place in PLACE.findall(text)}
    keys |= set(item.when) | {item.each}
    return {key.replace("it.", f"{item.each}.*") if key[:3] == "it." else key for key in keys}


def test_both_languages_report_the_same_facts():
    for sentence in all_sentences():
        keys = [
            sorted(place.partition(":")[0] for place in PLACE.findall(text))
            for text in (sentence.en, sentence.fr)
        ]
        assert keys[0] == keys[1], sentence.id
    for check in checks_text().checks:
        for both in (check.finds, check.why, check.do):
            assert sorted(key.partition(":")[0] for key in PLACE.findall(both.en)) == sorted(
                key.partition(":")[0] for key in PLACE.findall(both.fr)
            ), check.id


def test_ids_name_one_sentence_each():
    for kind in PaperKind:
        sections = paper_text(kind).sections
        ids = [sentence.id for section in sections for sentence in section.sentences]
        assert len(ids) == len(set(ids)), kind
    ids = [check.id for check in checks_text().checks]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", PaperKind)
def test_french_is_set_as_french(kind, whole, bare):
    for facts in (whole, bare):
        paper = compose(kind, facts, "fr")
        headings = [paper.title, *(chapter.title for chapter in paper.chapters)]
        for text in (*headings, *(sentence.text for sentence in paper.sentences)):
            assert not BAD_SPACES.search(text), text
            assert "'" not in text, text


def test_no_text_has_a_straight_quote():
    texts = [text for item in all_sentences() for text in (item.en, item.fr)]
    for item in checks_text().checks:
        texts += [text for both in (item.finds, item.why, item.do) for text in (both.en, both.fr)]
    for vocabulary in words().vocabularies.values():
        texts += [text for both in vocabulary.values() for text in (both.en, both.fr)]
    assert not [text for text in texts if "'" in text or '"' in text]


def test_every_gap_says_what_belongs_there(bare, whole):
    for facts in (bare, whole.with_value("papers.legal_basis.article", "6.1.f")):
        emptied = facts
        for fact in list(facts):
            if fact.key.startswith("papers.") and not fact.key.startswith("papers.recipients"):
                if isinstance(fact.value, bool):
                    continue
                emptied = emptied.with_value(fact.key, "")
        for kind, lang in CASES:
            for gap in compose(kind, emptied, lang).gaps:
                assert "." not in gap, f"{gap}: no words for this gap"


def test_what_is_there_in_one_language_only_is_shown_in_it(whole):
    facts = whole.with_value("papers.purpose", {"fr": "Protéger les échanges."})
    paper = compose(PaperKind.NOTICE, facts, "en")
    pieces = [piece for sentence in paper.sentences for piece in sentence.pieces]
    assert [piece.text for piece in pieces if piece.lang == "fr"] == ["Protéger les échanges."]
    assert not paper.gaps


def test_the_whole_installation_leaves_no_gap(whole):
    for kind, lang in CASES:
        assert compose(kind, whole, lang).gaps == ()


@pytest.mark.parametrize(
    ("form", "value", "english", "french"),
    [
        ("days", 1, "1 day", "1 jour"),
        ("days", 183, "183 days", "183 jours"),
        ("seconds", 8 * 3600, "8 hours", "8 heures"),
        ("seconds", 86400, "24 hours", "24 heures"),
        ("seconds", 7 * 86400, "7 days", "7 jours"),
        ("seconds", 90, "90 seconds", "90 secondes"),
        ("service|services", ("a",), "1 service", "1 service"),
        ("", date(2027, 9, 1), "1 September 2027", "1er septembre 2027"),
        ("either role-one", ("admin", "analyst"), "an administrator or an analyst",
         "un administrateur ou un analyste"),
        ("zone", ("EEA", "-HU", "CH"), "European Economic Area and Switzerland, without Hungary",
         "Espace économique européen et Suisse, sans Hongrie"),
    ],
)  # fmt: skip
def test_values_read_as_people_write_them(form, value, english, french):
    from sovproxy.papers.forms import shape  # noqa: PLC0415  # only here

    for code, wanted in (("en", english), ("fr", french)):
        text = shape(value, form, language_named(code), words())
        assert text.replace("\u00a0", " ") == wanted


def test_none_is_an_answer_to_how_many(whole):
    paper = compose(PaperKind.ASSESSMENT, whole.with_value("policy.block", ()), "en")
    assert "0\u00a0services are blocked" in "".join(item.text for item in paper.sentences)


def test_a_word_without_translation_is_said_as_it_is():
    assert words().say("kept", "odd\u202eness", "fr") == "odd⟨U+202E⟩ness"
    assert words().say("kept", "events", "fr") == "Événements"
    assert Both(en="a", fr="b").get("fr") == "b"
