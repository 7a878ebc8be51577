"""Facts come from where they say: a changed policy, setting or particular moves them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from sovproxy.api.access import access_rows
from sovproxy.api.app import ROUTERS
from sovproxy.errors import InvalidFile
from sovproxy.events.event import Event
from sovproxy.papers.particulars import Particulars, first_text, read_particulars
from sovproxy.papers.texts import PaperKind, PaperLanguage, words
from sovproxy.policy.applied import write_applied
from sovproxy.usecases.upkeep import paper_facts
from sovproxy.usecases.upkeep.keeping import kept

ROOT = Path(__file__).parent.parent.parent

# What is changed in the policy's text, and the facts that have to move.
POLICY_CHANGES = {
    ("id: ours", "id: theirs"): ["policy.id", "policy.version"],
    ("en: Our policy", "en: Their policy"): ["policy.title"],
    ("en: Ministry", "en: Agency"): ["policy.organisation.name"],
    ("email: aide@", "email: help@"): ["policy.organisation.contact"],
    ("[EEA, -HU, CH]", "[EEA]"): ["policy.trust_zone"],
    ("inspection: prompt", "inspection: none"): ["policy.inspection"],
    ("on_error: block", "on_error: allow"): ["policy.on_error"],
    ("default: allow", "default: observe"): ["policy.default"],
    ("trust_recalled: true", "trust_recalled: false"): ["policy.trust_recalled"],
    ("lasts: 8h", "lasts: 1h"): ["policy.acknowledgement.lasts"],
    ("longest: 30d", "longest: 7d"): ["policy.exceptions.longest"],
    ("events: 183d", "events: 90d"): [
        "policy.retention.events",
        "program.kept.events.days",
        "program.kept.exceptions.days",
    ],
    ("[exemple.fr]", "[exemple.fr, autre.fr]"): ["policy.internal.domains"],
    ("press: {members: [ada, grace]}", "press: {networks: [10.0.0.0/24]}"): [
        "policy.groups.small",
        "policy.groups.named",
    ],
    ("  press: {members", "  other: {members: [eve]}\n  press: {members"): ["policy.groups"],
    (", group: press}", "}"): ["policy.groups.rules"],
    ("block: 2026-09-01", "block: 2027-03-01"): [
        "policy.block",
        "policy.warn",
        "policy.phases.next",
    ],
    ("service: [outlook, slack]", "service: [outlook]"): ["policy.warn", "policy.stopped"],
}

SETTINGS_CHANGES = {
    "store_url": ("postgresql://sov:secret@db.exemple.fr/x", [
        "settings.store.kind", "settings.store.host"]),
    "visio_url": ("", ["settings.visio_url"]),
    "visio_email_domains": ((), ["settings.visio_email_domains"]),
    "proxy_mode": ("transparent", ["settings.proxy_mode"]),
    "oidc_issuer": ("https://other.exemple.fr", ["settings.oidc_issuer"]),
    "oidc_acr_values": ("", ["settings.oidc_acr_values"]),
    "fleet_url": ("http://api.exemple.fr", ["settings.fleet_url.plain"]),
    "public_url": ("http://sovproxy.exemple.fr", ["settings.public_url.plain"]),
    "forward": ([{"name": "siem", "kind": "syslog", "host": "10.9.9.9", "tls": False}], [
        "settings.forward", "settings.forward.siem.protected", "settings.forward.siem.where",
        "settings.forward.siem.action"]),
}  # fmt: skip

# Each installation has its own folder; a policy that is applied, and `full`, have their own tests.
ELSEWHERE = {"settings.data_dir", "policy.number", "policy.full.purpose", "policy.full.never",
             "policy.full.read"}  # fmt: skip


SERVING = ("POST", "/api/v1/persons/requests/{request_id}/erase")


def values(facts):
    return {fact.key: fact.value for fact in facts}


def moved(before, after):
    """Keys whose values differ, or that are on one side only."""
    one, other = values(before), values(after)
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


@pytest.mark.parametrize("change", POLICY_CHANGES, ids=lambda change: change[0][:30])
def test_changing_the_policy_moves_its_facts(change, texts, whole, installation):
    assert change[0] in texts.policy
    changed = installation(texts.policy.replace(*change)).facts()
    assert set(POLICY_CHANGES[change]) <= moved(whole, changed)


@pytest.mark.parametrize("name", SETTINGS_CHANGES)
def test_changing_a_setting_moves_its_facts(name, whole, installation):
    value, keys = SETTINGS_CHANGES[name]
    assert set(keys) <= moved(whole, installation(**{name: value}).facts())


def test_every_fact_of_policy_and_settings_is_moved_by_something(whole):
    """A new fact needs a row above."""
    moving = {key for keys in POLICY_CHANGES.values() for key in keys}
    moving |= {key for _, keys in SETTINGS_CHANGES.values() for key in keys}
    facts = {fact.key for fact in whole if fact.origin in {"policy", "settings"}}
    items = {key for key in facts if key.startswith("settings.forward.")}
    assert facts - items <= moving | ELSEWHERE


def particulars_of(folder):
    found = read_particulars(folder / "papers.yaml", needed=True)
    return list(paper_facts.particulars_facts(found, date(2026, 11, 23)))


def test_every_particular_reaches_a_fact(tmp_path, texts):
    """Each line of the particulars, changed, moves a fact."""
    (tmp_path / "papers.yaml").write_text(texts.particulars)
    before = particulars_of(tmp_path)
    lines = texts.particulars.splitlines()
    for number, line in enumerate(lines):
        if line.rstrip().endswith(":"):
            continue  # a heading
        changed = _other(line)
        assert changed != line, f"no other value for {line!r}"
        text = "\n".join([*lines[:number], changed, *lines[number + 1 :]])
        (tmp_path / "papers.yaml").write_text(text)
        found = moved(before, particulars_of(tmp_path))
        assert found, line
        assert all(key.startswith("papers.") for key in found), (line, found)


def _other(line: str) -> str:
    """The line with another value of the same kind."""
    swaps = (
        ("2026-", "2025-"), ("2027-", "2028-"), ("limited", "maximum"), ("6.1.e", "6.1.c"),
        ("negligible", "limited"), ("country: FR", "country: DE"), ("{fr: ", "{fr: Z"),
        ("exemple.fr", "autre.fr"), ("name: ", "name: Z"), ("rue", "quai"),
        ("dossier", "acte"), ("plaintes", "x"), ("marché", "contrat"),
    )  # fmt: skip
    old, new = next((pair for pair in swaps if pair[0] in line), ("", ""))
    return line.replace(old, new, 1) if old else line


def test_an_applied_policy_is_reported_instead_of_the_settings(texts, installation):
    papers = installation()
    write_applied(papers.settings.data_dir, texts.policy.replace("events: 183d", "events: 30d"), 4)
    papers.judge.refresh()
    found = values(papers.facts())
    assert (found["policy.retention.events"], found["policy.number"]) == (30, 4)


def test_a_password_in_a_setting_is_in_no_paper(installation):
    papers = installation(store_url="postgresql://sov:hunter22@db.exemple.fr/x")
    facts = papers.facts()
    assert not [fact for fact in facts if "hunter22" in str(fact)]
    shown = "".join(fact.shown("fr") for fact in facts)
    assert "db.exemple.fr" in shown


def test_who_may_see_is_what_the_routes_allow():
    rows = access_rows(ROUTERS)
    allowed = {path: roles for method, path, roles in rows if method == "GET"}
    serving = [roles for method, path, roles in rows if (method, path) == SERVING]
    said = values(paper_facts.program_facts())
    for key, path in (
        ("program.roles.events", "/api/v1/events"),
        ("program.roles.exceptions", "/api/v1/exceptions"),
        ("program.roles.audit", "/api/v1/audit"),
    ):
        assert set(said[key]) == {str(role) for role in allowed[path]}, path
    assert {frozenset(said["program.roles.persons"])} == {frozenset(map(str, serving[0]))}


def test_what_the_extension_sends_is_what_its_code_asks_the_api():
    """A new call to the API in the extension needs its words here, and in the papers."""
    known = {
        "/my/permissions": None,  # by itself, and names no page
        "/my/acknowledgements": "acknowledgement",
        "/my/contests": "contest",
        "/exceptions": "exception",
        "/my": "my-data",
        "/check": "question",
        "/rooms": "room",
        "/meetings": "meetings",  # without a click, where the managed settings ask for it
    }
    code = [path.read_text("utf-8") for path in (ROOT / "extension").glob("*/*.js")]
    called = {
        found for text in code for found in re.findall(r"""\bcall\([^,()]+, ["`](/[a-z/]+)""", text)
    }
    assert called >= {"/my", "/exceptions", "/check"}
    assert called <= known.keys()
    said = {*paper_facts.EXTENSION_SENDS, *paper_facts.EXTENSION_REPORTS}
    assert {known[path] for path in called} - {None} <= said


def test_an_event_has_no_field_for_contents():
    said = values(paper_facts.program_facts())
    assert said["program.contents"] == ()
    assert set(said["program.event_fields"]) == Event.model_fields.keys() - {"id"}


def test_every_word_that_facts_use_is_translated(whole):
    said = values(whole)
    vocabularies = words().vocabularies
    assert vocabularies["field"].keys() >= set(said["program.event_fields"])
    assert vocabularies["sends"].keys() >= set(said["program.extension_sends"])
    assert vocabularies["reports"].keys() >= set(said["program.extension_reports"])
    assert vocabularies["category"].keys() >= set(said["policy.stopped"])
    assert vocabularies["kept"].keys() >= {item.kind for item in kept(183)}
    assert vocabularies["kept"].keys() >= set(said["program.kept_by_hand"])
    assert vocabularies["inspection"].keys() == {"none", "prompt", "full"}


def test_all_categories_of_the_catalogue_have_words(installation):
    categories = {item.category for item in installation().judge.atlas.services.values()}
    assert words().vocabularies["category"].keys() >= categories


def test_the_first_file_is_good_and_leaves_everything_open(texts, installation):
    papers = installation(texts.policy, first_text())
    assert len(papers.paper(PaperKind.NOTICE, PaperLanguage.FR).gaps) > 10


def test_the_first_file_names_every_key():
    text = first_text()
    for name, field in Particulars.model_fields.items():
        assert re.search(rf"^(# )?{name}:", text, re.MULTILINE), name
        inner = getattr(field.annotation, "model_fields", {})
        for key in inner:
            assert re.search(rf"^\s+# {key}:", text, re.MULTILINE), f"{name}.{key}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("controler: {}", "controler"),
        ("purpose: Protect", "language"),
        ("notice: {date: tomorrow}", "notice.date"),
        ("notice: {date: 3026-01-01}", "2199"),
        ("legal_basis: {article: 6.1.a}", "legal_basis.article"),
        ("authority: {url: 'javascript:alert(1)'}", "authority.url"),
        ("hosting: {country: France}", "hosting.country"),
        ("controller: &x {address: a}\ndpo: *x", "anchors"),
        ("dpo: {name: \"a\\u0007b\"}", "dpo.name"),
    ],
)  # fmt: skip
def test_particulars_that_are_wrong_are_refused_with_their_place(text, wanted, texts, installation):
    with pytest.raises(InvalidFile, match=re.escape(wanted)):
        installation(texts.policy, text).facts()


def test_a_file_of_particulars_that_is_named_has_to_be_there(texts, installation, tmp_path):
    papers = installation(papers_file=tmp_path / "nowhere.yaml")
    with pytest.raises(InvalidFile, match="nowhere"):
        papers.facts()
