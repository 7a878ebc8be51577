"""The answer to everything that is not a navigation: RFC 9457 JSON with status 451."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.prompt.headers import Headers, problem_headers
from sovproxy.prompt.languages import Language, languages
from sovproxy.prompt.page import STATUS_STOPPED, headline
from sovproxy.prompt.sentences import in_whose_hands
from sovproxy.prompt.shown import safe_link, show_host
from sovproxy.prompt.texts import contact_of

if TYPE_CHECKING:
    from sovproxy.prompt.facts import PromptFacts

PROBLEM_TYPE = "urn:sovproxy:problem:destination-stopped"
"""The problem type; it names the kind of problem and is not an address."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A machine answer, complete. `status` is 451 for warnings too: nothing was forwarded."""

    json: bytes
    headers: Headers
    status: int = STATUS_STOPPED


def render_problem(facts: PromptFacts, language: Language | None = None) -> Problem:
    """Render the machine answer, in English unless a language is given."""
    language = language or languages()[0]
    members = {
        "type": PROBLEM_TYPE,
        "title": headline(facts.verdict, language),
        "status": STATUS_STOPPED,
        "detail": in_whose_hands(facts.verdict, facts.policy, language),
        **({"instance": f"urn:uuid:{facts.recorded.event}"} if facts.recorded.event else {}),
        **_extensions(facts, language),
    }
    body = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    return Problem(body, problem_headers(facts.policy, facts.node, language))


def _extensions(facts: PromptFacts, language: Language) -> dict[str, object]:
    verdict = facts.verdict
    service, alternative = verdict.service, verdict.alternative
    contact = contact_of(facts.policy, "", language)
    return {
        "host": show_host(facts.host).full,
        "action": verdict.action.value,
        "rule": verdict.rule,
        "standing": verdict.jurisdiction.standing.value,
        "service": {"id": service.id, "name": service.name} if service else None,
        "alternative": {
            "id": alternative.id,
            "name": alternative.name,
            "url": safe_link(alternative.url),
        }
        if alternative
        else None,
        "policy": verdict.policy,
        "policy_version": verdict.policy_version,
        "contact": contact.url or contact.email or contact.phone,
    }
