"""The extension says what the proxy's prompt says, word for word, in every language."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sovproxy.decide.normalise import read_destination
from sovproxy.enforce.bundle import make_bundle
from sovproxy.prompt.export import texts_of
from sovproxy.prompt.facts import PromptFacts
from sovproxy.prompt.languages import languages
from sovproxy.prompt.page import headline
from sovproxy.prompt.reply import Use, make_reply, use_of
from sovproxy.prompt.sentences import in_whose_hands
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished

RUNNER = Path(__file__).with_name("words.mjs")
NOW = datetime(2028, 1, 1, 12, tzinfo=UTC)
"""When every phase of the shipped profiles has begun."""


def said_by_the_proxy(judge: Judge, host: str) -> list[list[str]]:
    verdict = judge.decider.decide(read_destination(host), now=NOW.timestamp())
    facts = PromptFacts(host, verdict, judge.policy, NOW, "node")
    use = use_of(verdict.service, verdict.alternative)
    return [
        [
            language.name,
            headline(verdict, language),
            in_whose_hands(verdict, judge.policy, language),
            use,
            "" if use is Use.ALONE else make_reply(facts, language).text,
        ]
        for language in languages()
    ]


@pytest.mark.parametrize("profile", ["fr-etat", "de-sh"])
def test_every_service_is_spoken_of_in_the_same_words(tmp_path, profile):
    judge = Judge(Settings(data_dir=furnished(tmp_path), policy=profile))
    listings = judge.atlas.listings
    by_service = {item.service: item.pattern for item in listings if item.kind == "host"}
    hosts = [pattern.replace("*", "a") for pattern in by_service.values()]
    hosts += ["nobody-knows.example", "127.0.0.1"]
    sent = {
        "bundle": make_bundle(judge.atlas, judge.policy),
        "languages": [texts_of(language) for language in languages()],
        "hosts": hosts,
        "now": NOW.timestamp(),
    }
    done = subprocess.run(
        ["node", RUNNER], input=json.dumps(sent), capture_output=True, text=True, check=True
    )
    assert len(hosts) > 150
    for host, answer in zip(hosts, json.loads(done.stdout), strict=True):
        assert answer == said_by_the_proxy(judge, host), host
