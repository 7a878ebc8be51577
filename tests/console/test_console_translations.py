"""Every language says the same things, with the same values in them."""

from __future__ import annotations

import re

import pytest

from sovproxy.console.languages import languages, pick_language

PLACES = re.compile(r"%\(\w+\)s|\{\w+\}")
OTHERS = languages()[1:]


def test_the_console_speaks_the_languages_of_the_design():
    assert [language.code for language in languages()] == ["en", "da", "de", "fr"]
    assert [language.name for language in languages()] == [
        "English",
        "Dansk",
        "Deutsch",
        "Français",
    ]
    assert pick_language("", "de-AT,de;q=0.9,en;q=0.5", "fr").code == "de"


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_translations_keep_the_places_of_values(language):
    odd = [
        (message, text)
        for (_, message), text in language.messages.items()
        if sorted(PLACES.findall(message)) != sorted(PLACES.findall(text))
    ]
    assert odd == []


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_all_languages_translate_the_same_texts(language):
    assert set(language.messages) == set(OTHERS[0].messages)
