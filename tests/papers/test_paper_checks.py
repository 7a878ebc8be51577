"""The self-check finds what departs, says why and from what, and falls silent when it is mended."""

from __future__ import annotations

import json

import pytest

from sovproxy.papers.checks import check
from sovproxy.papers.markdown import to_markdown
from sovproxy.papers.texts import checks_text
from sovproxy.usecases.ca.folder import CaFolder
from sovproxy.usecases.ca.life import RootTerms, make_root_in, renew
from sovproxy.usecases.ca.state import wanted_by

FULL = ("inspection: prompt", "inspection: full\nfull: {purpose: {fr: Fouille., en: A search.}}")

# For each look, what brings it about: changes of policy, of particulars, of settings.
CHANGES = {
    "retention-over-a-year": (("events: 183d", "events: 400d"), None, {}),
    "retention-over-six-months": (("events: 183d", "events: 200d"), None, {}),
    "forward-without-tls": (None, None, {"forward": [
        {"name": "siem", "kind": "syslog", "host": "siem.exemple.fr", "tls": False}]}),
    "forward-everything": (None, None, {"forward": [
        {"name": "siem", "kind": "syslog", "host": "siem.exemple.fr"}]}),
    "forward-file-endless": (None, None, {"forward": [
        {"name": "log", "kind": "file", "path": "/var/log/x", "max_hours": 0}]}),
    "forward-file-longer": (None, None, {"forward": [
        {"name": "log", "kind": "file", "path": "/var/log/x", "keep": 400}]}),
    "full-inspection": (FULL, None, {}),
    "full-reads-protected": ((FULL[0], FULL[1].replace("}}", "}, never: [health]}")), None, {}),
    "small-group": (None, None, {}),
    "names-in-policy": (None, None, {}),
    "blocks-on-recalled-facts": (None, None, {}),
    "accounts-unknown": (None, None, {}),
    "provider-level-not-asked": (None, None, {"oidc_acr_values": ""}),
    "fleet-without-tls": (None, None, {"fleet_url": "http://api.exemple.fr"}),
    "console-without-tls": (None, None, {"public_url": "", "api_host": "0.0.0.0"}),  # noqa: S104
    "controller-missing": (None, ("  name: {fr: Ministère", "  # name: {fr: M"), {}),
    "dpo-missing": (None, ("email: dpd@exemple.fr, ", ""), {}),
    "purpose-missing": (None, ("purpose: {fr: Protéger", "# purpose: {fr: P"), {}),
    "basis-missing": (None, ("  article: 6.1.e\n", ""), {}),
    "legitimate-interest": (None, ("6.1.e", "6.1.f"), {}),
    "balancing-missing": (None, ("6.1.e", "6.1.f\n  # "), {}),
    "notice-not-dated": (None, ("  date: 2026-04-01\n", ""), {}),
    "notice-in-the-future": (None, ("2026-04-01", "2026-12-24"), {}),
    "staff-not-consulted": (None, ("  date: 2026-03-02\n", ""), {}),
    "personal-use-unsaid": (None, ("personal_use: {fr: Toléré., en: Tolerated.}\n", ""), {}),
    "assessment-missing": (None, ("  date: 2026-02-01\n", ""), {}),
    "assessment-late": (None, ("2027-02-01", "2026-11-22"), {}),
    "hosting-outside": (None, ("Room A}\n  country: FR", "Room A}\n  country: US"), {}),
    "recipient-outside": (None, ("    country: FR\n", "    country: US\n"), {}),
    "recipient-without-contract": (None, ("    contract: marché 7\n", ""), {}),
    "transfers-unsaid": (None, ("transfers: {fr: Aucun., en: None.}\n", ""), {}),
}  # fmt: skip

# What the machine or a fact alone brings about, each in a test below.
BY_ITSELF = {
    "ca-missing",
    "ca-unusable",
    "ca-of-an-earlier-version",
    "root-key-without-passphrase",
    "keys-kept-too-long",
    "keys-readable",
    "one-factor-accounts",
}

# What the whole installation of the tests has on purpose, so that its sentences are said.
ALWAYS = {
    "ca-missing",
    "small-group",
    "names-in-policy",
    "blocks-on-recalled-facts",
    "accounts-unknown",
}


def ids(papers, code="en"):
    return {finding.id for finding in papers.check(code)}


def test_every_look_has_a_case():
    assert {item.id for item in checks_text().checks} == CHANGES.keys() | BY_ITSELF


def test_a_well_kept_installation_is_only_told_what_it_chose(installation):
    assert ids(installation()) <= ALWAYS


@pytest.mark.parametrize("look", CHANGES)
def test_a_look_finds_what_it_is_for(look, texts, installation):
    policy, particulars, settings = CHANGES[look]
    texts_of = [texts.policy, texts.particulars]
    for number, change in enumerate((policy, particulars)):
        if change:
            assert change[0] in texts_of[number], look
            texts_of[number] = texts_of[number].replace(*change)
    if look == "balancing-missing":
        texts_of[1] = texts_of[1].replace("  balancing: dossier 12\n", "")
    assert look in ids(installation(*texts_of, **settings))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"api_host": "127.0.0.1", "public_url": ""}, False),
        ({"api_host": "::1", "public_url": ""}, False),
        ({"api_host": "0.0.0.0", "public_url": "https://x.exemple.fr"}, False),  # noqa: S104
        ({"api_host": "127.0.0.1", "public_url": "http://127.0.0.1:8889"}, False),
        ({"api_host": "10.0.0.1", "public_url": ""}, True),
    ],
)
def test_the_console_without_tls_is_found_where_others_reach_it(settings, found, installation):
    assert ("console-without-tls" in ids(installation(**settings))) is found


def test_a_receiver_on_this_machine_needs_no_tls(installation):
    local = [{"name": "siem", "kind": "syslog", "host": "127.0.0.1", "tls": False}]
    assert "forward-without-tls" not in ids(installation(forward=local))


def test_full_inspection_is_told_with_its_purpose_and_what_is_spared(texts, installation):
    papers = installation(texts.policy.replace(*FULL), texts.particulars)
    assert "full-reads-protected" not in ids(papers)
    notices = {code: to_markdown(papers.paper("notice", code)) for code in ("en", "fr")}
    for code, words in (("en", ("A search.", "banking, trade")), ("fr", ("Fouille.", "syndicats"))):
        assert all(word in notices[code] for word in words), notices[code]


CA_LOOKS = {
    "ca-missing",
    "ca-unusable",
    "ca-of-an-earlier-version",
    "root-key-without-passphrase",
}


def make_ca(papers, passphrase="", damage=b""):
    """A real root and real issuing CAs for what the policy stops."""
    folder, now = CaFolder(papers.settings.ca_folder), papers.clock()
    make_root_in(folder, RootTerms("root", passphrase=passphrase), now)
    renew(folder, wanted_by(papers.judge, now).scopes, 30, now, passphrase)
    if damage:
        folder.issuing_file.write_bytes(damage)
    return folder


@pytest.mark.parametrize(
    ("passphrase", "damage", "looks"),
    [
        ("a passphrase of some length", b"", set()),
        ("", b"", {"root-key-without-passphrase"}),
        ("a passphrase of some length", b"no certificate", {"ca-unusable"}),
    ],
    ids=["locked", "in the clear", "damaged"],
)
def test_the_certificate_authority_is_looked_at(passphrase, damage, looks, installation):
    papers = installation()
    assert ids(papers) & CA_LOOKS == {"ca-missing"}
    make_ca(papers, passphrase, damage)
    assert ids(papers) & CA_LOOKS == looks


def test_an_authority_of_an_earlier_version_is_found(installation):
    papers = installation()
    make_ca(papers, "a passphrase of some length").old_authority.write_bytes(b"x")
    assert ids(papers) & CA_LOOKS == {"ca-of-an-earlier-version"}


def test_papers_tell_how_the_authority_is_limited(installation):
    papers = installation()
    make_ca(papers, "a passphrase of some length")
    said = [item.text for item in papers.paper("record", "en").sentences]
    found = next(text for text in said if "permit" in text)
    assert found.endswith("and end on 23\u00a0December\u00a02026.")
    assert any("encrypted with a passphrase" in text for text in said)


@pytest.mark.parametrize(
    ("months", "mode", "looks"),
    [
        (["2026-11"], 0o600, set()),
        (["2026-04", "2026-11"], 0o600, {"keys-kept-too-long"}),
        (["2026-05", "2026-11"], 0o600, set()),  # May ended 176 days before
        (["2026-11"], 0o640, {"keys-readable"}),
        (["../../etc"], 0o600, set()),
    ],
    ids=["fine", "too old", "just within", "readable", "no month"],
)
def test_pseudonym_keys_are_looked_at(months, mode, looks, installation):
    papers = installation()
    path = papers.settings.data_dir / "node" / "pseudonym-keys.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"keys": dict.fromkeys(months, "c2VjcmV0")}))
    path.chmod(mode)
    assert ids(papers) & {"keys-kept-too-long", "keys-readable"} == looks
    assert "c2VjcmV0" not in str(list(papers.facts()))


@pytest.mark.parametrize("content", [b"[]", b"\xff", b"{", b'{"keys": 3}', b""])
def test_a_damaged_key_file_does_not_stop_the_check(content, installation):
    papers = installation()
    path = papers.settings.data_dir / "fleet" / "pseudonym-keys.json"
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    assert "keys-kept-too-long" not in ids(papers)


def test_accounts_with_a_password_alone_are_counted(installation):
    from sovproxy.store.tables import ACCOUNTS, AccountRow  # noqa: PLC0415  # only here

    papers = installation(with_store=True)
    assert "one-factor-accounts" not in ids(papers)
    people = [
        AccountRow(id="a", login="ada", name="Ada", role="admin", password="x", created=1),
        AccountRow(
            id="b", login="bob", name="B", role="analyst", password="x", totp="S", created=1
        ),
        AccountRow(
            id="c", login="eve", name="E", role="admin", password="x", disabled=2, created=1
        ),
        AccountRow(id="d", login="idp", name="I", role="admin", issuer="i", subject="s", created=1),
    ]
    with papers.store.writing() as connection:
        for row in people:
            connection.execute(ACCOUNTS.insert().values(row.model_dump()))
    found = next(item for item in papers.check("en") if item.id == "one-factor-accounts")
    assert found.finds == "1\u00a0account signs in with a password alone."
    assert found.sources[0].value == ("ada",)


@pytest.mark.parametrize("code", ["fr", "en"])
def test_each_finding_says_what_why_what_next_and_from_what(code, bare, whole):
    findings = [*check(bare, code), *check(whole, code)]
    assert len(findings) > 12
    for finding in findings:
        assert all((finding.finds, finding.why, finding.do, finding.sources)), finding.id
        assert all(
            item.known in {"primary", "secondary", "ours"} for item in finding.recommendations
        )
        assert finding.recommendations


def test_departures_come_first(bare):
    levels = [finding.level for finding in check(bare, "en")]
    assert levels == sorted(levels, key=lambda level: level != "departs")
    assert set(levels) == {"departs", "look"}


def test_a_source_that_was_not_read_itself_is_not_called_law():
    for name, reference in checks_text().references.items():
        assert (reference.known == "primary") is name.startswith("gdpr-"), name


def test_references_are_named_and_used():
    named = {name for item in checks_text().checks for name in item.references}
    assert named == checks_text().references.keys()
