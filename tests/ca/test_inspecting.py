"""The CA of full inspection: made, kept, renewed, refused, and what it may not speak for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sovproxy.ca.certificates import Signer, make_inspecting
from sovproxy.ca.inspecting import read_inspecting
from sovproxy.ca.issuing import UnusableCertificate, certificates_pem
from sovproxy.ca.keys import KeyKind, UnusableKey, key_pem, make_key
from sovproxy.ca.names import Scope
from sovproxy.settings import Settings
from sovproxy.usecases.ca import life
from sovproxy.usecases.ca.folder import CaFolder
from sovproxy.usecases.ca.inspection import find_inspecting, forget_inspecting
from tests.ca.forging import make_ours

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "correct horse battery"
NEVER = frozenset({"ameli.fr", "www.ameli.fr", "bank.example"})


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, ca_passphrase=SECRET)


@pytest.fixture
def folder(settings):
    made = CaFolder.of(settings)
    life.make_root_in(made, life.RootTerms("Root", passphrase=SECRET), NOW)
    return made


def own_file(tmp_path, *certificates, key):
    file = tmp_path / "own.pem"
    file.write_bytes(key_pem(key) + certificates_pem(certificates))
    return file


def test_it_speaks_for_all_but_what_is_never_decrypted(settings, folder):
    found = find_inspecting(settings, folder, NEVER, NOW)
    assert found.find("other.example")
    assert found.find("notameli.fr")
    for host in ("ameli.fr", "deep.www.ameli.fr", "bank.example", "192.0.2.1", "intranet", ""):
        assert found.find(host) is None, host
    bounds = found.certificates[0].extensions.get_extension_for_class(x509.NameConstraints)
    excluded = {str(item.value) for item in bounds.value.excluded_subtrees}
    assert excluded == {"ameli.fr", "bank.example", "0.0.0.0/0", "::/0"}
    assert folder.inspection_file.stat().st_mode & 0o777 == 0o600


def test_it_stays_until_a_third_is_left_or_the_list_changes(settings, folder):
    first = find_inspecting(settings, folder, NEVER, NOW)
    assert find_inspecting(settings, folder, NEVER, NOW + 19 * DAY).to_pem() == first.to_pem()
    later = find_inspecting(settings, folder, NEVER, NOW + 21 * DAY)
    assert later.ends > first.ends
    other = find_inspecting(settings, folder, NEVER | {"union.example"}, NOW + 21 * DAY)
    assert other.find("union.example") is None
    assert other.key.public_key() != later.key.public_key()


def test_one_that_cannot_be_renewed_is_used_to_its_end_and_no_longer(settings, folder, tmp_path):
    first = find_inspecting(settings, folder, NEVER, NOW)
    forgetful = Settings(data_dir=tmp_path)
    kept = find_inspecting(forgetful, folder, NEVER, NOW + 25 * DAY)
    assert kept.to_pem() == first.to_pem()
    with pytest.raises(UnusableKey, match="no passphrase is given"):
        find_inspecting(forgetful, folder, NEVER, NOW + 31 * DAY)
    with pytest.raises(UnusableCertificate, match="another list"):
        find_inspecting(forgetful, folder, NEVER | {"union.example"}, NOW)


def test_another_root_of_the_same_name_has_another_one(settings, folder, tmp_path):
    first = find_inspecting(settings, folder, NEVER, NOW)
    for file in (folder.root_file, folder.root_key_file):
        file.rename(tmp_path / file.name)
    life.make_root_in(folder, life.RootTerms("Root", passphrase=SECRET), NOW)
    second = find_inspecting(settings, folder, NEVER, NOW)
    second.certificates[0].verify_directly_issued_by(folder.root())
    assert second.to_pem() != first.to_pem()


def test_a_bound_root_makes_none(tmp_path):
    settings = Settings(data_dir=tmp_path)
    folder = CaFolder.of(settings)
    with pytest.raises(life.CannotSign, match="there is no root"):
        find_inspecting(settings, folder, NEVER, NOW)
    life.make_root_in(folder, life.RootTerms("Root", bounds=Scope("x", ("zoom.us",))), NOW)
    with pytest.raises(life.CannotSign, match=r"is bound .* SOVPROXY_CA_INSPECTION_FILE"):
        find_inspecting(settings, folder, NEVER, NOW)
    assert not folder.inspection_file.exists()


def test_one_of_an_own_pki_is_read_and_keeps_its_own_bounds(settings, folder, tmp_path):
    find_inspecting(settings, folder, NEVER, NOW)
    ours, key = make_ours(), make_key(KeyKind.EC_P256)
    signer = Signer(ours.root, ours.root_key)
    made = make_inspecting(signer, key, ["court.example"], (NOW - DAY, NOW + 300 * DAY))
    own = Settings(data_dir=tmp_path, ca_inspection_file=own_file(tmp_path, made, key=key))
    found = find_inspecting(own, CaFolder.of(own), NEVER, NOW)
    assert found.find("other.example").certificate == made
    assert found.find("court.example") is None
    assert found.find("ameli.fr") is None
    forget_inspecting(CaFolder.of(own))
    assert not folder.made_inspection_file.exists()  # the one that was made here
    assert own.ca_inspection_file.exists()


def test_a_file_that_will_not_do_is_named_with_the_reason(tmp_path):
    ours, key = make_ours(), make_key(KeyKind.EC_P256)
    times = (NOW - DAY, NOW + DAY)
    made = make_inspecting(Signer(ours.root, ours.root_key), key, [], times)
    other = make_ours(name="Another root").root
    for certificates, of, why in (
        ((made,), make_key(KeyKind.EC_P256), "is for another key"),
        ((made, other), key, "is not signed by 'Another root'"),
        ((made,) * 5, key, "holds 5 certificates"),
        ((made, made), key, "is no CA with room for 1 below it"),
    ):
        file = own_file(tmp_path, *certificates, key=of)
        with pytest.raises(UnusableCertificate, match=why):
            read_inspecting(file.read_bytes(), file, NEVER)
    (tmp_path / "own.pem").write_text("no key")
    with pytest.raises(UnusableKey, match=r"own\.pem"):
        read_inspecting(b"no key", tmp_path / "own.pem", NEVER)
