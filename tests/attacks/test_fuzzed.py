"""Claims about parsers of bytes from outside, on some thousands of inputs, and on what was found.

The targets are those of `bench/fuzz.py`, which runs a million inputs and is guided by coverage.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from fuzz_targets.all_targets import TARGETS
from fuzz_targets.bundles import bundle_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BUNDLES = Path(__file__).parents[2] / "bench" / "fuzz_targets" / "bundles.mjs"
PIECES = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 4096), st.integers(1, 40), st.just(b"")),
    st.tuples(st.just("put"), st.integers(0, 4096), st.just(0), st.binary(max_size=6)),
    st.tuples(st.just("set"), st.integers(0, 4096), st.just(1), st.binary(min_size=1, max_size=1)),
)

TIMELY = b'{"iss":"https://id.example","aud":"sovproxy","exp":1795435200,"iat":1795435200,'

# Each of them was a hole or a disagreement once; the fuzzer found it.
FOUND = {
    "the extension took control characters behind a name": (
        "hosts-as-browsers",
        b"1.1.1.1\x01\x01:53",
    ),
    "the extension took an address with half a bracket": (
        "hosts-as-browsers",
        b"ws:/[::ffff:\x16\x00",
    ),
    "the extension took numbers with two dots at the end for an address": (
        "hosts-as-browsers",
        b"1.1..",
    ),
    "a greeting of SOCKS in two packets was none": ("first-bytes", b"\x05\x01\x00"),
    "a greeting of SOCKS with a request was none": ("first-bytes", b"\x05\x01\x00\x05\x01\x00\x01"),
    "an offer with half a surrogate pair raised": ("offer", b"\xed\xa0\x80.x.y"),
    "a policy with half a surrogate pair raised": ("policy-edit", b"rules: [{id: \x8b}]"),
    "a rule without an id was changed and not found": ("policy-edit", b"rules: [{action: warn}]"),
    "what the box found was spelled as fields": ("search-box", b'"kind: b"'),
    "what the box found was spelled with a star": ("search-box", b'"service:zoom *.zo" a'),
    "userinfo with half a surrogate pair raised": ("userinfo", b'{"sub": "\xed\xa0\x80"}'),
    "a nonce with half a surrogate pair raised": (
        "id-claims",
        TIMELY + b'"nonce":"\\ud800"}',
    ),
    "a time long before numbers end raised": (
        "id-claims",
        b'{"iss": "https://id.example", "aud": "sovproxy", "exp": 1795435200, "nonce": "'
        + b"n" * 43
        + b'", "sub": "ada", "iat": -1'
        + b"0" * 400
        + b"}",
    ),
}


def edited(seed: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for _, at, length, put in edits:
        place = at % (len(seed) + 1)
        seed = seed[:place] + put + seed[place + length :]
    return seed


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_keeps_its_claims(name):
    target = TARGETS[name]
    for seed in target.seeds:
        target.check(seed)

    @settings(
        max_examples=20 + 3 * target.share // 2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from(target.seeds),
        st.lists(PIECES | words(target), max_size=6),
        st.binary(max_size=64) | st.none(),
    )
    def holds(seed, edits, instead):
        data = instead if instead is not None and not edits else edited(seed, edits)
        target.check(data[: target.max_length])

    holds()


def words(target):
    """Pieces of the format, put somewhere."""
    if not target.words:
        return st.nothing()
    put = st.sampled_from(target.words)
    return st.tuples(st.just("word"), st.integers(0, 4096), st.just(0), put)


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_stays_mended(found):
    name, data = FOUND[found]
    TARGETS[name].check(data)


@pytest.mark.parametrize("name", ["bundle", "bundle-token"])
def test_the_extension_reads_or_refuses_any_bundle(name, tmp_path):
    material = bundle_file(tmp_path)
    command = ["node", BUNDLES, name, material, "1500", "7", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Done 15")


def test_a_forged_bundle_would_be_noticed(tmp_path):
    """The same check, given another bundle than the one that was signed, fails: it can."""
    material = bundle_file(tmp_path)
    values = json.loads(material.read_text())
    values["bundle"]["version"] = "another"
    material.write_text(json.dumps(values))
    command = ["node", BUNDLES, "bundle-token", material, "50", "7", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a forged bundle was opened" in done.stderr
