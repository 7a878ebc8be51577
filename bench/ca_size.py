"""How many bytes of certificates an answer carries, per shipped profile: `python bench/ca_size.py`.

Beside it stands what one issuing CA with all names would take.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.certificates import Signer, issuing_name, make_issuing, make_root
from sovproxy.ca.issuing import check_issuing
from sovproxy.ca.keys import KeyKind, make_key
from sovproxy.ca.leaves import Leaves
from sovproxy.ca.names import Scope
from sovproxy.ca.wanted import Wanted, find_wanted
from sovproxy.policy.load import load_policy, profile_names
from sovproxy.settings import Settings
from sovproxy.usecases.policy.judging import Judge

NOW = datetime.now(UTC)
TIMES = (NOW - timedelta(hours=12), NOW + timedelta(days=30))


def measure(wanted: Wanted, kind: KeyKind) -> tuple[int, list[int], int]:
    """Bytes of a leaf, of each issuing CA, and of one with all names."""
    key, own = make_key(kind), make_key(kind)
    root = Signer(make_root(key, "Bench", NOW, timedelta(days=365)), key)
    made = tuple(
        make_issuing(root, own.public_key(), issuing_name(own, scope, number), scope, TIMES)
        for number, scope in enumerate(wanted.scopes)
    )
    every = Scope("All", tuple(sorted(wanted.names)))
    single = make_issuing(root, own.public_key(), issuing_name(own, every, 0), every, TIMES)
    leaves = Leaves(check_issuing(own, made, Path("bench"), root.certificate))
    leaf = leaves.find(wanted.scopes[0].permitted[0], datetime.now(UTC))
    assert leaf
    return size(leaf.certificate), sorted(map(size, made)), size(single)


def size(certificate: object) -> int:
    """Bytes in DER, as they go over the wire."""
    return len(certificate.public_bytes(Encoding.DER))


def main() -> None:
    """Print a line per profile and kind of key."""
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Settings(data_dir=Path(folder)))
    for profile in profile_names():
        policy = load_policy(profile, judge.known)
        powers = judge.catalogue.powers
        wanted = find_wanted(policy, judge.atlas.listings, powers, NOW.timestamp())
        for kind in KeyKind:
            leaf, issuing, single = measure(wanted, kind)
            print(
                f"{profile:8} {kind.value:8} {len(wanted.names):5} names, {len(issuing):3} CAs: "
                f"leaf {leaf}, issuing {issuing[0]} to {issuing[-1]}, "
                f"median {median(issuing):.0f}; all in one {single} bytes"
            )


if __name__ == "__main__":
    main()
