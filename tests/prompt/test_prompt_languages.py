"""Which language a worker gets, and that every language says everything."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import sovproxy.prompt
from sovproxy.prompt import language_for, language_named, languages

PACKAGE = Path(sovproxy.prompt.__file__).parent
FILES = sorted((PACKAGE / "translations").glob("*.po"))
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"say": None, "say_in": ((1, "c"), 2), "mark": None, "speak": None}


@pytest.mark.parametrize(
    ("header", "policy", "expected"),
    [
        ("", "fr", "fr"),
        ("fr-FR,fr;q=0.9,en-US;q=0.8", "fr", "fr"),
        ("en-US,en;q=0.9,fr;q=0.1", "fr", "fr"),
        ("en-US,en;q=0.9", "fr", "en"),
        ("de-AT, en;q=0.9", "fr", "de"),
        ("en;q=0.3, de;q=0.8", "fr", "de"),
        ("da,de", "fr", "da"),
        ("de,da", "fr", "de"),
        ("DE-de", "fr", "de"),
        ("*", "da", "da"),
        ("de, *;q=0.5", "fr", "de"),
        ("de;q=0.5, *", "fr", "fr"),
        ("fr;q=0, *", "fr", "en"),
        ("fr;q=0", "fr", "fr"),
        ("fr;q=0, de;q=0.1", "fr", "de"),
        ("it, es;q=0.9", "de", "de"),
        ("it, en;q=0.1", "de", "en"),
        ("en;q=1.5, da;q=0.2", "fr", "da"),
        ("en;q=abc, da", "fr", "da"),
        (",,;;q==,en", "fr", "en"),
        ("fr_FR", "de", "de"),
        ("en", "xx", "en"),
        ("it", "xx", "en"),
    ],
)
def test_the_language_follows_the_browser_and_the_policy(header, policy, expected):
    assert language_for(header, policy).code == expected


@given(st.text(max_size=3000))
def test_any_header_yields_a_language_we_have(header):
    assert language_for(header, "fr") in languages()


def test_only_the_beginning_of_a_huge_header_is_read():
    assert language_for("x-y," * 300 + "de", "fr").code == "fr"


def test_the_four_languages_are_there_under_their_own_names():
    names = {language.code: language.name for language in languages()}
    assert (
        names.items() >= {"en": "English", "fr": "Français", "de": "Deutsch", "da": "Dansk"}.items()
    )


def test_a_regional_code_finds_its_language_and_an_unknown_one_english():
    assert language_named("fr-CA").code == "fr"
    assert language_named("de_AT").code == "de"
    assert language_named("tlh").code == "en"


def texts_in_use() -> set[tuple[str, str]]:
    found = extract_from_dir(PACKAGE, METHODS, keywords=KEYWORDS)
    texts = set()
    for _file, _line, message, _comments, context in found:
        text = message[-1] if isinstance(message, tuple) else message
        texts.add((context or "", text))
    return texts


def entries(path: Path):
    catalog = read_po(BytesIO(path.read_bytes()), abort_invalid=True)
    assert not catalog.obsolete
    return {(entry.context or "", entry.id): entry for entry in catalog if entry.id}


def test_the_template_for_translators_holds_exactly_the_texts_in_use():
    """Regenerate it as docs/prompt.md says when this fails."""
    assert set(entries(PACKAGE / "translations" / "prompt.pot")) == texts_in_use()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_language_says_everything_and_nothing_else(path):
    found = entries(path)
    assert set(found) == texts_in_use()
    assert not [key for key, entry in found.items() if not entry.string or entry.fuzzy]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_translations_keep_every_placeholder(path):
    for (_, text), entry in entries(path).items():
        wanted = re.findall(r"%\(\w+\)s", text)
        assert sorted(re.findall(r"%\(\w+\)s", entry.string)) == sorted(wanted), text
        assert "%" not in re.sub(r"%\(\w+\)s", "", entry.string), text


def test_french_spaces_do_not_break_before_high_punctuation():
    """U+202F before ; ! ? and U+00A0 before a colon (Imprimerie nationale's rules)."""
    for language in languages():
        if language.code == "fr":
            assert not [text for text in language.messages.values() if re.search(r" [:;!?]", text)]
            assert "'" not in "".join(language.messages.values())


def test_dates_read_as_people_write_them(world):
    shown = {language.code: language.moment(world.NOW) for language in languages()}
    assert shown["fr"] == "23 novembre 2026, 09:59 (UTC+01:00)"
    assert shown["en"] == "23 November 2026, 09:59 (GMT+01:00)"
    assert shown["de"].startswith("23. November 2026, 09:59")
    assert shown["da"].startswith("23. november 2026, 09.59")
