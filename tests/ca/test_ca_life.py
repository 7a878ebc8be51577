"""The life of a CA: made, renewed, signed elsewhere; and what is refused on the way."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.certificates import Signer, issuing_name
from sovproxy.ca.issuing import UnusableCertificate, read_issuing
from sovproxy.ca.keys import KeyKind, UnusableKey, key_pem, kind_of, read_key
from sovproxy.ca.names import Scope
from sovproxy.ca.requests import read_requests
from sovproxy.settings import Settings
from sovproxy.usecases.ca import life
from sovproxy.usecases.ca.authority import Authority
from sovproxy.usecases.ca.folder import CaFolder, ensure_confdir
from sovproxy.usecases.ca.life import CannotSign
from sovproxy.usecases.ca.passphrase import known_passphrase
from sovproxy.usecases.policy.judging import Judge
from tests.baseline import furnished
from tests.ca.forging import forge_authority, make_ours, pem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "correct horse battery"
ZOOM = Scope("Zoom", ("zoom.us",))
SLACK = Scope("Slack", ("slack.com",))
POLICY = """\
id: t
title: {en: Trial}
language: en
trust_zone: [EEA]
rules:
  - id: own
    when: {host: [one.example]}
    action: block
default: allow
"""


@pytest.fixture
def folder(tmp_path):
    return CaFolder(tmp_path / "ca")


@pytest.fixture
def made(folder):
    life.make_root_in(folder, life.RootTerms("Root", passphrase=SECRET), NOW)
    return folder


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_root_of_either_kind_signs_issuing_cas_of_its_kind(folder, kind):
    life.make_root_in(folder, life.RootTerms("Root", kind, passphrase=SECRET), NOW)
    issuing = life.renew(folder, [ZOOM, SLACK], 30, NOW, SECRET)
    assert kind_of(issuing.key) is kind
    assert issuing.find("us02web.zoom.us").certificate != issuing.find("slack.com").certificate
    assert issuing.find("bank.example") is None
    assert issuing.ends == NOW + timedelta(days=30)


def test_the_roots_key_is_encrypted_and_files_are_the_owners_alone(made):
    life.renew(made, [ZOOM], 30, NOW, SECRET)
    assert b"ENCRYPTED" in made.root_key_file.read_bytes()
    for file in (made.root_key_file, made.issuing_file, made.root_file):
        assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UnusableKey, match="no passphrase is given"):
        life.renew(made, [ZOOM], 30, NOW)
    with pytest.raises(UnusableKey, match="does not open it"):
        life.renew(made, [ZOOM], 30, NOW, "wrong horse battery")


def test_a_second_root_is_refused(made):
    with pytest.raises(CannotSign, match="holds a root already"):
        life.make_root_in(made, life.RootTerms("Other"), NOW)


def test_an_issuing_ca_never_outlives_its_root(folder):
    life.make_root_in(folder, life.RootTerms("Root", years=1), NOW)
    later = NOW + timedelta(days=360)
    assert life.renew(folder, [ZOOM], 30, later).ends == NOW + timedelta(days=365)


def test_a_bound_root_signs_only_within_its_bounds(folder):
    life.make_root_in(folder, life.RootTerms("Root", bounds=ZOOM), NOW)
    issuing = life.renew(folder, [ZOOM, SLACK], 30, NOW)
    assert [scope.label for scope in issuing.scopes] == ["Zoom"]


def test_a_write_that_fails_leaves_the_last_good(made, monkeypatch):
    life.renew(made, [ZOOM], 30, NOW, SECRET)
    before = made.issuing_file.read_bytes()

    def no_room(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space"):
        life.renew(made, [SLACK], 30, NOW, SECRET)
    assert made.issuing_file.read_bytes() == before


def _broken(good: bytes, other: bytes) -> dict[str, bytes]:
    head, mark, tail = good.partition(b"-----BEGIN CERT")
    return {
        "cut off": good[: len(good) // 2],
        "empty": b"",
        "no key": mark + tail,
        "no certificate": head,
        "another root's": other,
        "too large": good + b"\n" * (17 * 1024 * 1024),
    }


WAYS = tuple(_broken(b"", b""))


@pytest.mark.parametrize("way", WAYS)
def test_a_broken_or_foreign_file_is_refused_with_its_name(made, tmp_path, way):
    life.renew(made, [ZOOM], 30, NOW, SECRET)
    other = CaFolder(tmp_path / "other")
    life.make_root_in(other, life.RootTerms("Other"), NOW)
    life.renew(other, [ZOOM], 30, NOW)
    ways = _broken(made.issuing_file.read_bytes(), other.issuing_file.read_bytes())
    made.issuing_file.write_bytes(ways[way])
    with pytest.raises((UnusableCertificate, UnusableKey), match=r"issuing\.pem"):
        made.issuing(made.root())


def test_a_ca_without_bounds_or_with_room_for_more_cas_is_refused(made, tmp_path):
    ours = make_ours()
    loose = forge_authority(Signer(ours.root, ours.root_key), "Loose", path_length=0)
    deep = forge_authority(Signer(ours.root, ours.root_key), "Deep", path_length=None)
    for signer, why in ((loose, "is not bound"), (deep, "pathLen 0")):
        with pytest.raises(UnusableCertificate, match=why):
            read_issuing(key_pem(signer.key) + pem(signer.certificate), tmp_path, ours.root)


# -- the root elsewhere ---------------------------------------------------------------------


@pytest.fixture
def node(tmp_path, made):
    """A node that knows the root's certificate and not its key."""
    found = CaFolder(tmp_path / "node")
    life.take_root(found, made.root_file)
    return found


def signed_by(root: CaFolder, asked: bytes, file) -> None:
    requests = read_requests(asked, file)
    file.write_bytes(life.sign_requests(root, requests, 30, NOW, SECRET))


def test_an_offline_root_signs_what_a_node_asks_for(made, node, tmp_path):
    signed_by(made, life.ask(node, [ZOOM, SLACK]), tmp_path / "answer.pem")
    issuing = life.install(node, tmp_path / "answer.pem")
    assert [scope.permitted for scope in issuing.scopes] == [("zoom.us",), ("slack.com",)]
    assert not node.key_is_here
    assert not node.request_key_file.exists()
    with pytest.raises(CannotSign, match="lives elsewhere"):
        life.renew(node, [ZOOM], 30, NOW)
    with pytest.raises(CannotSign, match="nothing was asked"):
        life.install(node, tmp_path / "answer.pem")


def test_an_answer_to_another_request_is_refused_and_the_last_good_stays(made, node, tmp_path):
    signed_by(made, life.ask(node, [ZOOM]), tmp_path / "first.pem")
    life.install(node, tmp_path / "first.pem")
    before = node.issuing_file.read_bytes()
    life.ask(node, [SLACK])
    with pytest.raises(UnusableCertificate, match="for another key"):
        life.install(node, tmp_path / "first.pem")
    assert node.issuing_file.read_bytes() == before


def test_another_root_is_not_taken_over(made, node, tmp_path):
    other = CaFolder(tmp_path / "other")
    life.make_root_in(other, life.RootTerms("Other"), NOW)
    with pytest.raises(CannotSign, match="is not the root"):
        life.take_root(node, other.root_file)


def _request(**changes) -> bytes:
    """A request as an attacker writes it."""
    bounds = {"permitted_subtrees": [x509.DNSName("zoom.us")], "excluded_subtrees": None, **changes}
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(issuing_name(key, ZOOM, 1))
    if bounds["permitted_subtrees"] or bounds["excluded_subtrees"]:
        builder = builder.add_extension(x509.NameConstraints(**bounds), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


HOSTILE = {
    "no bounds": {"permitted_subtrees": None},
    "a top-level domain": {"permitted_subtrees": [x509.DNSName("com")]},
    "everything": {"permitted_subtrees": [x509.DNSName("")]},
    "addresses free": {},
    "a directory name too": {
        "permitted_subtrees": [x509.DNSName("zoom.us"), x509.DirectoryName(x509.Name([]))]
    },
}


@pytest.mark.parametrize("way", HOSTILE)
def test_a_request_that_is_not_like_ours_is_refused(way, tmp_path):
    with pytest.raises(UnusableCertificate, match="nameConstraints"):
        read_requests(_request(**HOSTILE[way]), tmp_path / "r.pem")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"junk",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ],
)
def test_junk_is_no_request(junk, tmp_path):
    with pytest.raises(UnusableCertificate):
        read_requests(junk, tmp_path / "r.pem")


# -- the node's authority ----------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY)
    return Settings(data_dir=furnished(tmp_path / "data"), policy=str(tmp_path / "p.yaml"))


@pytest.fixture
def clock():
    return SimpleNamespace(now=NOW)


def start(settings, clock):
    judge = Judge(settings)
    return Authority(settings, judge, lambda: clock.now), judge


def change_policy(settings, judge, text: str) -> None:
    Path(settings.policy).write_text(text)
    judge.refresh()


def test_a_node_without_a_ca_makes_one_that_is_bound_itself(settings, clock):
    authority, _ = start(settings, clock)
    assert authority.may_name("one.example")
    assert not authority.may_name("bank.example")
    root = CaFolder(settings.ca_folder).root()
    bounds = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert bounds.critical
    assert x509.DNSName("bank.example") not in bounds.value.permitted_subtrees


def test_it_renews_by_itself_before_the_end_with_a_new_key(settings, clock):
    authority, _ = start(settings, clock)
    first = authority.identity("one.example")
    clock.now += timedelta(days=15)
    authority.refresh()
    assert authority.identity("one.example").chain == first.chain
    clock.now += timedelta(days=6)
    authority.refresh()
    assert authority.identity("one.example").chain[0].public_key() != first.chain[0].public_key()


def test_leaves_are_short_and_made_anew_in_time(settings, clock):
    authority, _ = start(settings, clock)
    first = authority.identity("one.example").certificate
    assert first.not_valid_after_utc == NOW + timedelta(days=3)
    assert authority.identity("one.example").certificate == first
    clock.now += timedelta(days=2, hours=1)
    assert authority.identity("one.example").certificate != first


def offline(settings, clock, tmp_path):
    """A node whose root is elsewhere, with everything signed."""
    root, node = CaFolder(tmp_path / "root"), CaFolder(settings.ca_folder)
    life.make_root_in(root, life.RootTerms("Offline", passphrase=SECRET), NOW)
    life.take_root(node, root.root_file)
    own = Scope("rules' hosts", ("one.example",))
    signed_by(root, life.ask(node, [own]), tmp_path / "a.pem")
    life.install(node, tmp_path / "a.pem")
    return start(settings, clock)


def test_with_the_root_offline_a_new_name_is_warned_of_and_not_spoken_for(
    settings, clock, tmp_path, caplog
):
    authority, judge = offline(settings, clock, tmp_path)
    change_policy(settings, judge, POLICY.replace("[one.example]", "[one.example, two.example]"))
    with caplog.at_level(logging.WARNING):
        authority.refresh()
        authority.refresh()
    (told,) = [record.message for record in caplog.records if "two.example" in record.message]
    assert "refused CONNECT" in told
    assert "sovproxy ca renew" in told or "sovproxy ca request" in told
    assert authority.may_name("one.example")
    assert authority.identity("two.example") is None


def test_issuing_cas_that_ended_speak_for_nobody(settings, clock, tmp_path):
    authority, _ = offline(settings, clock, tmp_path)
    clock.now += timedelta(days=31)
    authority.refresh()
    assert not authority.may_name("one.example")
    assert authority.identity("one.example") is None


@pytest.mark.parametrize("content", [b"junk", b""])
def test_a_broken_file_is_told_and_the_last_good_stays(settings, clock, tmp_path, caplog, content):
    authority, _ = offline(settings, clock, tmp_path)
    CaFolder(settings.ca_folder).issuing_file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        authority.refresh()
    assert "issuing.pem" in caplog.text
    assert authority.identity("one.example")


def test_with_the_roots_key_here_a_broken_file_is_told_and_healed(settings, clock, caplog):
    authority, _ = start(settings, clock)
    file = CaFolder(settings.ca_folder).issuing_file
    file.write_bytes(b"junk")
    with caplog.at_level(logging.WARNING):
        authority.refresh()
    assert "issuing.pem" in caplog.text
    assert file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY")
    assert authority.identity("one.example")


def test_no_key_or_passphrase_is_ever_in_what_is_logged_or_shown(settings, clock, caplog, tmp_path):
    secret_file = tmp_path / "secret"
    secret_file.write_text(f"{SECRET}\nsecond line\n")
    known = settings.model_copy(update={"ca_passphrase_file": secret_file})
    assert known_passphrase(known) == SECRET
    folder = CaFolder(settings.ca_folder)
    life.make_root_in(folder, life.RootTerms("Root", passphrase=SECRET), NOW)
    with caplog.at_level(logging.DEBUG):
        authority, _ = start(known, clock)
    assert authority.may_name("one.example")
    assert SECRET not in caplog.text
    assert "PRIVATE" not in caplog.text
    assert SECRET not in repr(Settings(ca_passphrase=SECRET))
    assert read_key(folder.root_key_file.read_bytes(), folder.root_key_file, SECRET)


def test_mitmproxys_own_folder_holds_a_ca_that_names_nobody(tmp_path):
    ensure_confdir(tmp_path)
    file = tmp_path / "mitmproxy-ca.pem"
    before = file.read_bytes()
    ensure_confdir(tmp_path)
    assert file.read_bytes() == before
    certificate = x509.load_pem_x509_certificates(before)[0]
    bounds = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert bounds.critical
    assert list(bounds.value.permitted_subtrees) == [x509.DNSName("nobody.invalid")]
