"""Installations whose papers are written: a bare one, and one where everything is set."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sovproxy.policy.applied import applied_path
from sovproxy.policy.watch import PolicyFile
from sovproxy.settings import Settings
from sovproxy.store.database import open_store
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.upkeep.papers import Papers

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

POLICY = """\
id: ours
title: {fr: Notre politique, en: Our policy}
language: fr
organisation:
  name: {fr: Ministère, en: Ministry}
  contact: {email: aide@exemple.fr}
trust_zone: [EEA, -HU, CH]
inspection: prompt
on_error: block
trust_recalled: true
acknowledgement: {lasts: 8h}
exceptions: {longest: 30d}
retention: {events: 183d}
internal: {domains: [exemple.fr]}
groups:
  press: {members: [ada, grace]}
rules:
  - {id: press, when: {category: social-network, group: press}, action: allow}
  - {id: video, when: {service: zoom}, phases: {warn: 2026-01-01, block: 2026-09-01}}
  - {id: mail, when: {service: [outlook, slack]}, action: warn}
  - {id: later, when: {service: webex}, phases: {block: 2027-09-01}}
default: allow
"""

PARTICULARS = """\
controller:
  name: {fr: Ministère d’essai, en: Ministry of Trial}
  address: 1 rue de l’Essai, Paris
  email: contact@exemple.fr
dpo: {name: Le DPD, email: dpd@exemple.fr, phone: "+33 1 23 45 67 89"}
purpose: {fr: Protéger les échanges., en: To protect exchanges.}
legal_basis:
  article: 6.1.e
  why: {fr: Mission confiée., en: Task conferred.}
  balancing: dossier 12
consultation:
  body: {fr: le CSA, en: the committee}
  date: 2026-03-02
  opinion: {fr: Favorable., en: In favour.}
notice:
  date: 2026-04-01
  how: {fr: par courriel, en: by mail}
personal_use: {fr: Toléré., en: Tolerated.}
authority:
  name: {fr: CNIL, en: CNIL}
  url: https://www.example.org/plaintes
hosting:
  place: {fr: Salle A, en: Room A}
  country: FR
recipients:
  - name: Hébergeur
    purpose: {fr: hébergement, en: hosting}
    country: FR
    contract: marché 7
transfers: {fr: Aucun., en: None.}
assessment:
  date: 2026-02-01
  review: 2027-02-01
  opinion: {fr: Sans réserve., en: No reservation.}
  views: {fr: Recueillis., en: Heard.}
  decision: {fr: Mise en œuvre., en: To be carried out.}
  risks:
    identified: {severity: limited, likelihood: negligible}
    stolen: {severity: limited, likelihood: negligible}
    decrypted: {severity: significant, likelihood: negligible}
    forged: {severity: maximum, likelihood: negligible}
    stopped: {severity: limited, likelihood: limited}
    watched: {severity: limited, likelihood: significant}
"""

SETTINGS: dict[str, Any] = {
    "oidc_issuer": "https://idp.exemple.fr",
    "oidc_acr_values": "eidas2",
    "public_url": "https://sovproxy.exemple.fr",
    "fleet_url": "https://api.exemple.fr",
    "store_url": "",
    "visio_url": "https://visio.exemple.fr",
    "visio_email_domains": ("exemple.fr",),
    "forward": [
        {"name": "siem", "kind": "syslog", "host": "siem.exemple.fr", "action": ["block"]},
        {"name": "log", "kind": "file", "path": "/var/log/sovproxy.jsonl", "action": ["block"]},
    ],
}


def papers_of(
    folder: Path,
    policy: str = POLICY,
    particulars: str = PARTICULARS,
    *,
    with_store: bool = False,
    **settings: Any,
) -> Papers:
    """The papers of an installation in `folder`, as it stands at NOW."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(policy)
    (folder / "papers.yaml").write_text(particulars)
    values = SETTINGS | {"data_dir": folder, "policy": str(folder / "policy.yaml")} | settings
    chosen = Settings(**values)
    store = open_store(chosen.effective_store_url) if with_store else None
    return Papers(chosen, judge_of(chosen), store, lambda: NOW)


@cache
def first_judge() -> Judge:
    """A judge with the shipped catalogue: reading it takes a second of work."""
    return Judge(Settings(policy="fr-etat", data_dir="/nonexistent"))


def judge_of(settings: Settings) -> Judge:
    """The judge of an installation: its own policy over the catalogue that is read once."""
    judge = copy(first_judge())
    applied = applied_path(settings.data_dir)
    judge.policy_file = PolicyFile(settings.policy, judge.known, applied=applied)
    return judge


@pytest.fixture
def installation(tmp_path):
    """Makes installations; stores are closed at the end."""
    made = []

    def make(*arguments: Any, **settings: Any) -> Papers:
        papers = papers_of(tmp_path / f"data{len(made)}", *arguments, **settings)
        made.append(papers)
        return papers

    yield make
    for papers in made:
        if papers.store:
            papers.store.close()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The facts of an installation where everything is set."""
    return papers_of(tmp_path_factory.mktemp("whole") / "data").facts()


@pytest.fixture(scope="session")
def texts():
    """The policy and the particulars of the whole installation, and its settings."""
    return SimpleNamespace(policy=POLICY, particulars=PARTICULARS, settings=SETTINGS, now=NOW)


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """The facts of an installation as it comes, with a shipped policy and no particulars."""
    folder = tmp_path_factory.mktemp("bare") / "data"
    settings = Settings(data_dir=folder, policy="fr-etat")
    return Papers(settings, judge_of(settings), None, lambda: NOW).facts()
