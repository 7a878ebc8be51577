"""The machine answer: RFC 9457 JSON, status 451, and who carries out the blocking."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sovproxy.decide.words import Action
from sovproxy.prompt import language_named, render_problem


def test_the_problem_has_the_members_of_rfc_9457(facts):
    problem = render_problem(facts())
    body = json.loads(problem.json)
    assert body["status"] == problem.status == 451
    assert body["type"].startswith("urn:")
    assert body["title"] == "Zoom cannot be opened here"
    assert body["detail"].startswith("Zoom is operated by Zoom Communications, Inc.")
    assert body["instance"] == "urn:uuid:019a3f1c-7d2e-7c11-9a55-6f0e4b1d2c3a"


def test_the_problem_tells_a_program_what_to_do(facts):
    body = json.loads(render_problem(facts()).json)
    assert (body["host"], body["action"], body["rule"]) == ("zoom.us", "block", "visio-2027")
    assert body["alternative"] == {
        "id": "visio",
        "name": "Visio",
        "url": "https://visio.numerique.gouv.fr",
    }
    assert body["policy_version"] == "sha256:4f1d2c9a"


def test_a_warning_is_a_451_too_and_carries_no_token(facts):
    problem = render_problem(facts(Action.WARN))
    assert problem.status == 451
    assert b"c2lnbmVk" not in problem.json


def test_a_problem_without_event_has_no_instance(facts):
    plain = facts()
    assert "instance" not in json.loads(
        render_problem(replace(plain, recorded=type(plain.recorded)())).json
    )


def test_the_header_fields_keep_it_machine_readable_and_uncached(facts):
    headers = dict(render_problem(facts()).headers)
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["link"].endswith('; rel="blocked-by"')
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "https://intranet.numerique.example/souverainete"),
        ({"contact_url": ""}, "mailto:assistance@numerique.example"),
        ({"contact_url": "javascript:x"}, "mailto:assistance@numerique.example"),
        ({"contact_url": "", "contact_email": ""}, "dns:proxy-paris-2"),
        ({"contact_url": "", "contact_email": "a>; rel=x"}, "dns:proxy-paris-2"),
        ({"contact_url": "https://x.example/a>b"}, "https://x.example/a%3Eb"),
    ],
)
def test_blocked_by_names_the_organisation_or_the_node(facts, world, changes, target):
    policy = replace(world.POLICY, organisation=replace(world.ORGANISATION, **changes))
    headers = dict(render_problem(facts(policy=policy)).headers)
    assert headers["link"] == f'<{target}>; rel="blocked-by"'


def test_a_problem_can_speak_another_language(facts):
    problem = render_problem(facts(), language_named("da"))
    assert json.loads(problem.json)["title"] == "Zoom kan ikke åbnes her"
    assert dict(problem.headers)["content-language"] == "da"


def test_a_hostile_host_stays_a_json_string(facts):
    problem = render_problem(facts(host='","action":"allow\u202e\n'))
    assert json.loads(problem.json)["action"] == "block"
    assert "⟨U+202E⟩⟨U+000A⟩" in json.loads(problem.json)["host"]


def test_a_service_without_alternative_offers_none(facts):
    assert json.loads(render_problem(facts(alternative=None)).json)["alternative"] is None
