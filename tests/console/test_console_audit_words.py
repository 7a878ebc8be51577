"""The audit says each act, and each detail that the code can write, in the reader's language."""

from __future__ import annotations

from contextlib import closing
from typing import Final

import pytest

from sovproxy.console.frame import Shown
from sovproxy.console.languages import languages
from sovproxy.console.names import Names
from sovproxy.console.told import VOCABULARIES, Told
from sovproxy.console.words import WORDS
from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.store.filters import Facet
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.analytics import Range
from sovproxy.usecases.analysis.findings import (
    FindingChange,
    FindingInput,
    FindingKind,
    FindingState,
)
from sovproxy.usecases.analysis.searching import FilterInput, Order
from sovproxy.usecases.analysis.suppressing import SuppressionInput, SuppressionKind
from sovproxy.usecases.analysis.views import ViewInput
from sovproxy.usecases.policy.local_catalogue import Kind as LocalKind
from sovproxy.usecases.worker.exception_models import Scope, State
from sovproxy.usecases.worker.persons import Kind as PersonKind
from tests.console.test_console_pages import cells

OTHERS = languages()[1:]
VALUES: Final = {
    "action": Action,
    "by": [*Facet, "link", "provider", "owner"],
    "field": Facet,
    "from": Role,
    "kind": [*EventKind, *FindingKind, *SuppressionKind, *LocalKind, *PersonKind],
    "of": ["audit"],
    "order": Order,
    "outcome": Outcome,
    "range": Range,
    "role": Role,
    "scope": Scope,
    "session": ["others"],
    "sort": Order,
    "standing": Standing,
    "state": [*State, *FindingState],
    "suppressed": ["show", "hide"],
    "to": [*Role, "on", "off"],
    "transport": Transport,
    "way": ["password", "token", "link", "oidc"],
    "what": Act,
}


GIVEN: Final = (FilterInput, SuppressionInput, FindingInput, FindingChange, ViewInput)
"""What people give, as entries repeat it."""


@pytest.mark.parametrize("model", GIVEN)
def test_what_people_give_has_words(model):
    assert set(model.model_fields) - set(WORDS["detail"]) == set()


def test_every_act_has_a_word():
    assert set(WORDS["act"]) == set(Act)


def test_every_value_of_a_closed_kind_has_a_word():
    assert set(VALUES) == set(VOCABULARIES)
    lacking = [
        (key, str(value))
        for key, values in VALUES.items()
        for value in values
        if not any(value in WORDS[name] for name in VOCABULARIES[key])
    ]
    assert lacking == []


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_all_words_of_the_audit_are_translated(language):
    names = {"act", "detail", *(name for several in VOCABULARIES.values() for name in several)}
    texts = {text for name in names for text in WORDS[name].values()}
    assert sorted(text for text in texts if ("", text) not in language.messages) == []


TOLD_OF = {
    "state": ["waiting"],
    "order": "oldest",
    "number": 1,
    "scope": "client",
    "kind": "host",
    "value": "a.example",
    "shared": True,
    "based_on": 0,
    "by": "link",
    "role": "analyst",
    "control": ["US"],
    "service": ["zoom", ""],
    "since": "2026-11-23T10:59:00Z",
    "until": "2026-11-24",
    "without": ["action:block"],
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "fr",
            (
                "état\xa0: En attente · ordre\xa0: Plus anciens d’abord · numéro\xa0: 1 · "
                "vaut pour\xa0: ce client seulement · nature\xa0: Hôte · valeur\xa0: a.example · "
                "partagée\xa0: oui · par\xa0: lien à usage unique · rôle\xa0: analyste · "
                "contrôle\xa0: États-Unis · service\xa0: Zoom, Aucun service du catalogue · "
                "depuis le 23/11/2026 10:59:00 · jusqu’au 24/11/2026 · "
                "sans\xa0: action\xa0: Bloquer"
            ),
        ),
        (
            "de",
            (
                "Status: Wartet · Reihenfolge: Älteste zuerst · Nummer: 1 · gilt für: nur dieser "
                "Client · Art: Host · Wert: a.example · geteilt: ja · durch: Einmal-Link · "
                "Rolle: Analyse · Kontrolle: Vereinigte Staaten · Dienst: Zoom, Kein Dienst des "
                "Katalogs · seit 23.11.2026 10:59:00 · bis 24.11.2026 · ohne: Maßnahme: Sperren"
            ),
        ),
    ],
)
def test_details_are_said_in_the_language_of_the_page(site, code, said):
    language = next(item for item in languages() if item.code == code)
    told = Told(Shown(language), Names(site.services.judge.atlas, language))
    assert " · ".join(f"{label} {value}" for label, value in told.pairs(TOLD_OF)) == said


def test_a_checkpoint_whose_time_no_calendar_has_is_shown_as_it_is(site):
    told = Told(Shown(OTHERS[0]), Names(site.services.judge.atlas, OTHERS[0]))
    assert [value for _, value in told.pairs({"until": 2**70, "since": "soon"})] == [
        str(2**70),
        "soon",
    ]


def test_the_page_says_acts_and_details_and_escapes_what_strangers_wrote(site):
    hostile = "<script>alert(1)</script>\u202e"
    ada = Principal("0123", "Ada", Role.ANALYST)
    details = {"state": ["granted"], "host": hostile, hostile: 1}
    record_act(site.services.store, ada, Act.EXCEPTIONS, details)
    with closing(site.client(Role.AUDITOR, **{"accept-language": "fr"})) as auditor:
        page = auditor.get("/console/audit?what=exceptions").text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    text = cells(page)
    assert "A consulté les exceptions" in text
    assert "état : Accordée" in text
    assert '<option value="exception_ask">A demandé une exception' in page
