"""What is sealed is read with the same key and for the same purpose only."""

from __future__ import annotations

import pytest

from sovproxy.store.sealing import START, BrokenSeal, Seal


def test_a_sealed_text_is_read_again_and_never_looks_the_same_twice():
    seal = Seal.passing()
    first, second = seal.close("JBSWY3DP", "a"), seal.close("JBSWY3DP", "a")
    assert first != second
    assert seal.open(first, "a") == seal.open(second, "a") == "JBSWY3DP"


@pytest.mark.parametrize(
    "change",
    [(0, ""), (len(START), ""), (-4, "AAAA"), (-4, "é"), (0, "JBSWY3DPEHPK3PXP")],
    ids=["nothing", "empty", "changed", "no base64", "never sealed"],
)
def test_what_was_changed_is_refused(change):
    seal = Seal.passing()
    kept, more = change
    with pytest.raises(BrokenSeal, match="'a' cannot be read with this key"):
        seal.open(seal.close("JBSWY3DP", "a")[:kept] + more, "a")


def test_it_cannot_be_moved_to_another_row():
    seal = Seal.passing()
    with pytest.raises(BrokenSeal):
        seal.open(seal.close("JBSWY3DP", "second factor of ada"), "second factor of eve")


def test_another_key_does_not_open_it_and_the_file_does_again(tmp_path):
    seal = Seal.of(tmp_path / "store.key")
    sealed = seal.close("JBSWY3DP", "a")
    assert Seal.of(tmp_path / "store.key").open(sealed, "a") == "JBSWY3DP"
    assert (tmp_path / "store.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "store.key").write_bytes(b"cut off")
    with pytest.raises(BrokenSeal, match=r"has 7 bytes; wanted are the 32"):
        Seal.of(tmp_path / "store.key")
    assert (tmp_path / "store.key").read_bytes() == b"cut off"
    with pytest.raises(BrokenSeal):
        Seal.of(tmp_path / "other.key").open(sealed, "a")
