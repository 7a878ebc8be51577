"""A small bundle, signed, for the fuzzer of the extension's reader."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from joserfc import jws
from joserfc.jwk import ECKey

from sovproxy.atlas.load import Atlas, load_atlas
from sovproxy.enforce.bundle import make_bundle, to_bytes
from sovproxy.policy.known import Known
from sovproxy.policy.load import load_policy
from sovproxy.usecases.policy.bundles import ALGORITHM, TYPE, key_set

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = frozenset({"zoom", "visio", "ms-teams"})


def small_atlas() -> tuple[Atlas, Known]:
    """The shipped catalogue with few listings, and all names that policies use."""
    atlas = load_atlas()
    known = Known.of_atlas(atlas)
    services = {name: one for name, one in atlas.services.items() if name in _KEPT}
    listings = [one for one in atlas.listings if one.service and one.service.id in _KEPT]
    ports = [one for one in atlas.port_listings if one.listing.service in services.values()]
    chains = {name for one in services.values() for name in one.operator.chain}
    chains |= {one.operator.id for one in listings if one.operator}
    chains |= {name for one in listings if one.operator for name in one.operator.chain}
    operators = {name: one for name, one in atlas.operators.items() if name in chains}
    changes = {"services": services, "operators": operators}
    return replace(atlas, listings=listings[:60], port_listings=ports[:3], **changes), known


def bundle_file(folder: Path) -> Path:
    """Write a bundle, its signed form, the key, and a token by another key."""
    atlas, known = small_atlas()
    bundle = to_bytes(make_bundle(atlas, load_policy("fr-etat", known)))
    key, other = (ECKey.generate_key("P-256") for _ in range(2))
    for one in (key, other):
        one.ensure_kid()
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
    tokens = [jws.serialize_compact(header, bundle, one) for one in (key, other)]
    values = {"bundle": json.loads(bundle), "tokens": tokens, "keys": key_set(key)}
    path = folder / "material.json"
    path.write_text(json.dumps(values))
    return path
