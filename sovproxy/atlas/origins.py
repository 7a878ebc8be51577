"""Does a prefix of the catalogue still belong to whom the catalogue says?

Vendors give ranges back, and the next owner is innocent. So every prefix names the networks (ASNs)
that may announce it, and an ASN database is asked at build time: parts that another network
announces today are not used. The answer is a file in the data, `unused_prefixes.yaml`, which the
loader honours; tools/check_atlas.py makes it.
"""

from __future__ import annotations

import io
import json
import lzma
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import maxminddb
import yaml

from sovproxy.atlas.schema import UnusedPrefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maxminddb.reader import Reader

    from sovproxy.atlas.files import Collection

type Network = IPv4Network | IPv6Network

BASELINE = Path(__file__).parent / "baseline"
SHOWN_NETWORKS = 8

HEADER = """\
# Made by tools/check_atlas.py; never edited. Prefixes of the catalogue that are not used as they
# are listed, because another network announces them today, or nobody does.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A prefix that a service lists, and the ASNs that may announce it."""

    service: str
    prefix: str
    origins: frozenset[int]


def claims_of(collection: Collection) -> list[Claim]:
    """All prefixes of a catalogue; a prefix in two groups of a service may use the ASNs of both."""
    origins: dict[tuple[str, str], set[int]] = {}
    for key, item in collection.services.items():
        for group in item.value.prefixes:
            for name in group.names:
                origins.setdefault((key, name), set()).update(group.origins)
    return [Claim(service, name, frozenset(asns)) for (service, name), asns in origins.items()]


def open_baseline() -> Reader:
    """Open the ASN database that ships with the project."""
    packed = (BASELINE / "network.mmdb.xz").read_bytes()
    return maxminddb.open_database(io.BytesIO(lzma.decompress(packed)), maxminddb.MODE_FD)


def baseline_source() -> tuple[str, str]:
    """Name and date (ISO) of the ASN database that ships with the project."""
    about = json.loads((BASELINE / "baseline.json").read_text())["network"]
    return about["source"], about["as_of"]


def announcements(reader: Reader, prefix: str) -> Iterator[tuple[Network, int, str]]:
    """Cut a prefix by who announces its parts: the part, ASN (0: nobody) and organisation."""
    whole = ip_network(prefix)
    number, last = int(whole.network_address), int(whole.broadcast_address)
    while number <= last:
        address = ip_address(number) if whole.version == 4 else ip_address(number.to_bytes(16))
        record, length = reader.get_with_prefix_len(address)
        found = ip_network((address, max(length, whole.prefixlen)), strict=False)
        facts = record if isinstance(record, dict) else {}
        asn = int(str(facts.get("autonomous_system_number") or 0))
        yield found, asn, str(facts.get("autonomous_system_organization") or "")
        number = int(found.broadcast_address) + 1


def judge(reader: Reader, claim: Claim) -> UnusedPrefix | None:
    """Say why a prefix is not used as listed, or None if it is: nothing foreign lives in it."""
    kept: list[Network] = []
    foreign: Counter[str] = Counter()
    for part, asn, organisation in announcements(reader, claim.prefix):
        if asn in claim.origins:
            kept.append(part)
        elif asn:
            foreign[f"AS{asn} {organisation}".strip()] += part.num_addresses
    if kept and not foreign:
        return None
    return UnusedPrefix(
        prefix=claim.prefix,
        service=claim.service,
        reason=_reason(kept, foreign),
        announced_by=_names(foreign),
        still_used=_joined(kept),
    )


def _reason(kept: list[Network], foreign: Counter[str]) -> str:
    if not foreign:
        return "nobody announces it"
    return "other networks announce a part of it" if kept else "only other networks announce it"


def _names(foreign: Counter[str]) -> list[str]:
    """The foreign networks, those with most addresses first."""
    names = [name for name, _ in sorted(foreign.items(), key=lambda pair: (-pair[1], pair[0]))]
    more = len(names) - SHOWN_NETWORKS
    return [*names[:SHOWN_NETWORKS], f"and {more} more"] if more > 0 else names


def _joined(parts: list[Network]) -> list[str]:
    """The parts joined where they touch, in canonical spelling."""
    old = collapse_addresses(part for part in parts if isinstance(part, IPv4Network))
    new = collapse_addresses(part for part in parts if isinstance(part, IPv6Network))
    return [str(part) for part in (*old, *new)]


def unused_prefixes(reader: Reader, claims: Iterable[Claim]) -> list[UnusedPrefix]:
    """All prefixes that are not used as listed, by service and prefix."""
    found = [unused for claim in claims if (unused := judge(reader, claim))]
    return sorted(found, key=lambda unused: (unused.service, unused.prefix))


def render(unused: Iterable[UnusedPrefix], database: str, as_of: str) -> str:
    """The text of `unused_prefixes.yaml`."""
    parts = [HEADER, _yaml({"database": database}), f"as_of: {as_of}\n"]
    prefixes = [item.model_dump(exclude_defaults=True) for item in unused]
    return "".join([*parts, _yaml({"prefixes": prefixes})])


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=96)
