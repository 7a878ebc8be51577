"""Build the GeoIP and ASN databases that ship with sovproxy, from two packages of ip-location-db.

Run by `make baseline`. The packages are pinned by version and checked by sha512, so every run
gives the same databases byte for byte (the build date is the data's own, not today's).
"""

from __future__ import annotations

import base64
import bisect
import csv
import hashlib
import io
import ipaddress
import json
import lzma
import random
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import maxminddb
from mmdb_writer import METADATA_MAGIC, Encoder, MMDBWriter
from netaddr import IPRange, IPSet

BASELINE = Path(__file__).parents[1] / "sovproxy" / "atlas" / "baseline"
SAMPLE = 20_000
RECORD_SIZE = 24

type Row = tuple[int, int, int, str]
"""First and last address as integers, ASN, organisation."""


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package, pinned. `stamp` is the hour (UTC) of its data, as its version tells it."""

    name: str
    version: str
    sha512: str
    licence: str
    stamp: datetime


STAMP = datetime(2026, 6, 17, 19, tzinfo=UTC)
NETWORK = Package(
    "@ip-location-db/asn",
    "2.3.2026061719",
    "PpqYi7wyEyWwunXBtl+y3Vi403SvNywotWwvmiYCOUtE0SVol/Sf492Ee+eErEznmGapxEQB2SAfrpXuZ9a+vQ==",
    "CC BY 4.0: RouteViews, DB-IP (IP to ASN Lite), NRO; merged by ip-location-db",
    STAMP,
)
LOCATION = Package(
    "@ip-location-db/geo-whois-asn-country-mmdb",
    "2.3.2026061719",
    "xemBDNQl4mCYDuVbqe3jKGKsVDykZGkfvebhtOh/3VGLadq8vsp7t7ontpMUt3hH7sAGT0eLDyJ99SV+0waxZg==",
    "CC BY 4.0: NRO; merged by ip-location-db from geofeeds, whois and ASN records",
    STAMP,
)


class DatedWriter(MMDBWriter):
    """An MMDB writer whose build date is the data's, so that a rebuild gives the same bytes."""

    built: datetime

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": int(self.built.timestamp())}


def main() -> int:
    """Fetch, build, check against the source, compress, write the manifest."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        location = bytearray(fetch(LOCATION, folder)["geo-whois-asn-country.mmdb"])
        blank_reserved(location, folder)
        location = label(location, folder)
        files = fetch(NETWORK, folder)
        rows = [*read_rows(files["asn-ipv4.csv"]), *read_rows(files["asn-ipv6.csv"])]
        network = write_network(rows, NETWORK.stamp, folder / "network.mmdb")
        compare(rows, folder / "network.mmdb")
    packed = {"location": compress(location), "network": compress(network)}
    entries = {
        "location": entry("location", location, packed["location"], LOCATION),
        "network": entry("network", network, packed["network"], NETWORK),
    }
    BASELINE.mkdir(exist_ok=True)
    for kind, content in packed.items():
        (BASELINE / f"{kind}.mmdb.xz").write_bytes(content)
    manifest = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    (BASELINE / "baseline.json").write_text(manifest, encoding="utf-8")
    print(manifest, end="")
    return 0


def fetch(package: Package, folder: Path) -> dict[str, bytes]:
    """Fetch a package with npm and check it; give its files by name."""
    target = f"{package.name}@{package.version}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), target]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    packed = (folder / name).read_bytes()
    found = base64.b64encode(hashlib.sha512(packed).digest()).decode()
    if found != package.sha512:
        sys.exit(f"{target}: sha512 is {found}, wanted {package.sha512}; not used")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = [member for member in archive if member.isfile()]
        return {Path(m.name).name: _content(archive, m) for m in members}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def read_rows(content: bytes) -> list[Row]:
    """Read `first,last,asn,organisation` and join neighbours that say the same."""
    joined: list[Row] = []
    for first, last, asn, organisation in csv.reader(io.StringIO(content.decode("utf-8"))):
        row = (_number(first), _number(last), int(asn), organisation)
        if joined and joined[-1][1] + 1 == row[0] and joined[-1][2:] == row[2:]:
            row = (joined.pop()[0], *row[1:])
        joined.append(row)
    return joined


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def _version(row: Row) -> int:
    """IP version of a row. No IPv6 range of the source lies below 2^32."""
    return 4 if row[1] < 2**32 else 6


def _text(row: Row, number: int) -> str:
    """Write an address of, or next to, a row."""
    kind = ipaddress.IPv4Address if _version(row) == 4 else ipaddress.IPv6Address
    return str(kind(number))


def _record(asn: int, organisation: str) -> dict[str, object]:
    return {"autonomous_system_number": asn, "autonomous_system_organization": organisation}


def write_network(rows: list[Row], built: datetime, path: Path) -> bytes:
    """Write the ASN database with the field names of GeoLite2-ASN; give its bytes."""
    writer = DatedWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type="sovproxy-asn",
        languages=["en"],
        description={"en": "ip-location-db asn (RouteViews, DB-IP, NRO; CC BY 4.0)"},
    )
    writer.built = built
    groups: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[2:]].append(IPRange(_text(row, row[0]), _text(row, row[1])))
    for (asn, organisation), ranges in groups.items():
        writer.insert_network(IPSet(ranges), _record(asn, organisation))
    writer.to_db_file(str(path))
    return path.read_bytes()


def compare(rows: list[Row], path: Path) -> None:
    """Act up addresses in, at the edges of and just beyond random rows; stop at a difference."""
    chance = random.Random(20260617)  # noqa: S311 - a sample, not a secret
    ordered = {4: sorted(r for r in rows if _version(r) == 4)}
    ordered[6] = sorted(r for r in rows if _version(r) == 6)
    with maxminddb.open_database(path) as reader:
        for row in chance.choices(rows, k=SAMPLE):
            number = chance.choice((*row[:2], chance.randint(*row[:2]), row[0] - 1, row[1] + 1))
            address, wanted = _text(row, number), _expected(ordered[_version(row)], number)
            found = reader.get(address)
            if found != wanted:
                sys.exit(f"{address}: the database says {found}, the source {wanted}; not used")


def _expected(ordered: list[Row], number: int) -> dict[str, object] | None:
    """Say by the source alone what stands at an address."""
    index = bisect.bisect_right(ordered, number, key=lambda row: row[0]) - 1
    if index < 0 or ordered[index][1] < number:
        return None
    return _record(*ordered[index][2:])


def blank_reserved(content: bytearray, folder: Path) -> None:
    """Take out what the source says about addresses that are nobody's: private, documentation…

    The package has 192.168.0.0/16 and 172.16.0.0/12 in Australia.
    """
    path = folder / "upstream.mmdb"
    path.write_bytes(content)
    with maxminddb.open_database(path) as reader:
        nodes, size = reader.metadata().node_count, reader.metadata().record_size
        reserved = [net for net, _ in reader if not net.is_global or net.is_multicast]
    if size != RECORD_SIZE:
        sys.exit(f"the country database has records of {size} bits, wanted {RECORD_SIZE}")
    for network in reserved:
        print(f"taken out: {network}")
        at = _record_of(content, network)
        content[at : at + 3] = nodes.to_bytes(3)


def _record_of(content: bytearray, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> int:
    """Walk the search tree (MaxMind DB format 2.0) to a network; give its record's offset."""
    length = network.prefixlen + 128 - network.max_prefixlen  # IPv4 stands under ::/96
    bits = f"{int(network.network_address):0128b}"[:length]
    node = at = 0
    for bit in bits:
        at = node * 6 + 3 * int(bit)
        node = int.from_bytes(content[at : at + 3])
    return at


def label(content: bytearray, folder: Path) -> bytearray:
    """Give the country database a type and a description; the package has none that says much."""
    path = folder / "location.mmdb"
    path.write_bytes(content)
    with maxminddb.open_database(path) as reader:
        old = reader.metadata()
    meta = {
        "node_count": old.node_count,
        "record_size": old.record_size,
        "ip_version": old.ip_version,
        "database_type": "sovproxy-country",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": old.build_epoch,
        "description": {"en": "ip-location-db geo-whois-asn-country (NRO; CC BY 4.0)"},
    }
    body = content[: content.rindex(METADATA_MAGIC)]
    return body + METADATA_MAGIC + bytearray(Encoder(cache=False).encode_meta(meta))


def compress(content: bytes | bytearray) -> bytes:
    """Compress as far as xz goes."""
    return lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)


def entry(
    kind: str, content: bytes | bytearray, packed: bytes, package: Package
) -> dict[str, object]:
    """Describe one database for the manifest."""
    return {
        "file": f"{kind}.mmdb.xz",
        "source": f"ip-location-db {package.name.partition('/')[2]} {package.version}",
        "licence": package.licence,
        "as_of": package.stamp.date().isoformat(),
        "sha256_compressed": hashlib.sha256(packed).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


if __name__ == "__main__":
    sys.exit(main())
