"""Why a verdict is what it is, said in the language of the page."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from sovproxy.console.frame import Shown
from sovproxy.console.languages import languages
from sovproxy.console.reasons import RUNGS, reason, trace
from sovproxy.console.words import WORDS
from sovproxy.decide.describe import describe
from sovproxy.decide.destination import Unreadable
from sovproxy.decide.ladder import RUNGS as LADDER
from sovproxy.decide.normalise import read_destination
from sovproxy.decide.notes import NOTES
from tests.console.test_console_pages import cells

BY_CODE = {language.code: language for language in languages()}
UNREADABLE = (
    "", "a" * 3000, "a." * 140 + "fr", "a" * 64 + ".fr", "a..fr", "a b.fr", "%ff.fr", "\ufffd.fr",
    "a.fr:99999", "1.2.3.4.5", "0x1g.1", "256.256.256.256", "[::g]",
)  # fmt: skip


@pytest.mark.parametrize("code", ["fr", "de", "da"])
def test_every_note_and_every_rung_is_translated(code):
    said = BY_CODE[code].messages
    texts = [*NOTES.values(), *RUNGS.values()]
    texts += [*WORDS["unreadable"].values(), *WORDS["evidence"].values()]
    assert [text for text in texts if ("", text) not in said] == []


def test_every_rung_of_the_ladder_has_a_word():
    assert {name for name, _ in LADDER} <= set(RUNGS)


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: repr(text[:12]))
def test_whatever_cannot_be_read_is_said_in_every_language(site, text):
    destination = read_destination(text)
    assert isinstance(destination, Unreadable)
    assert destination.problem in WORDS["unreadable"]
    judge = site.services.judge
    answer = describe(text, destination, judge.judge(destination))
    said = [reason(Shown(language), answer) for language in languages()]
    assert len(set(said)) == len(said)


def test_the_french_page_says_nothing_of_it_in_english(site):
    page = site.client(**{"accept-language": "fr"}).get("/console/explain?q=teams.microsoft.com")
    text = cells(page.text)
    assert "Exploité par Microsoft Ireland Operations Ltd. Contrôlé depuis : " in text
    assert "Position : Étranger." in text
    assert re.search(r"Règle [\w-]+ : Bloquer\.", text)
    assert "Domaines et réseaux internes ni domaine ni réseau interne" in text
    for english in ("does not fit", "neither", "is run by", "standing:", "Rule "):
        assert english not in text


def test_parts_of_rules_and_their_values_are_words_of_the_language(site):
    answer = site.services.judge.check("visio.numerique.gouv.fr")
    steps = {code: trace(Shown(language), answer) for code, language in BY_CODE.items()}
    assert [step.decided for step in steps["fr"]] == [item["decided"] for item in answer["trace"]]
    for one, other in pairwise(steps.values()):
        assert all(a.detail != b.detail for a, b in zip(one, other, strict=True) if a.detail)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "en",
            "Shared host: cacerts.digicert.com. Nobody that we know runs it. ",
        ),
        (
            "fr",
            "Hôte partagé\xa0: cacerts.digicert.com. Personne que nous connaissions",
        ),
    ],
)
def test_a_shared_host_is_named_though_it_is_no_service(site, code, said):
    answer = site.services.judge.check("cacerts.digicert.com")
    assert reason(Shown(BY_CODE[code]), answer).startswith(said)


def test_an_exception_is_named_with_what_it_overrules():
    values = {"number": "3", "until": "2026-11-24 10:00 UTC", "rule": "video", "action": "block"}
    note = {"key": "exception", "values": values}
    step = {"rung": "exception", "decided": True, "action": "observe", "note": note}
    step |= {"rule": "exception"}
    (shown,) = trace(Shown(BY_CODE["fr"]), {"trace": [step]})
    assert shown.rung == "Exception"
    assert shown.detail == (
        "Règle exception\xa0: Observer. "
        "L’exception nᵒ 3 le laisse passer jusqu’au 2026-11-24 10:00 UTC\u202f; "
        "sans elle\xa0: règle video, Bloquer."
    )


def test_what_a_name_holds_is_shown_as_text(site):
    hostile = "<script>alert(1)</script>%(rule)s"
    page = site.client(**{"accept-language": "fr"}).get("/console/explain", params={"q": hostile})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "Illisible\xa0: la saisie a des caractères" in page.text


def test_what_is_invisible_in_a_name_is_made_visible():
    note = {"key": "other-value", "values": {"part": "group", "found": "fin\u202eance"}}
    step = {"rung": "rule a\u202eb", "decided": False, "rule": "", "action": "", "note": note}
    (shown,) = trace(Shown(BY_CODE["fr"]), {"trace": [step]})
    assert "\u202e" not in shown.rung + shown.detail
    assert "\xa0: fin" in shown.detail
