#!/usr/bin/env python3
"""Check the shipped catalogue, and which of its prefixes still belong to whom it says.

tools/check_atlas.py            report; exit 1 if the committed file is not up to date
tools/check_atlas.py --write    write sovproxy/atlas/data/unused_prefixes.yaml
tools/check_atlas.py --database FILE.mmdb
                                ask another ASN database (MaxMind's or DB-IP's layout); report
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import maxminddb

from sovproxy.atlas import origins
from sovproxy.atlas.files import UNUSED, read_folders
from sovproxy.atlas.load import SHIPPED, load_atlas
from sovproxy.errors import InvalidFile


def main() -> int:
    """Run the check. Exit codes: 0 all well, 1 findings, 3 the catalogue is refused."""
    arguments = _arguments()
    target = SHIPPED / UNUSED
    try:
        text = _render(arguments.database)
        if arguments.write:
            target.write_text(text, encoding="utf-8")
        atlas = load_atlas()
    except InvalidFile as error:
        print(error, file=sys.stderr)
        return 3
    for item in origins_report(text):
        print(item)
    print(f"{len(atlas.services)} services, {len(atlas.listings)} listings in use")
    return 0 if target.exists() and target.read_text(encoding="utf-8") == text else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the shipped catalogue.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", action="store_true", help="write the file of unused prefixes")
    choice.add_argument("--database", type=Path, help="ASN database to ask instead of the baseline")
    return parser.parse_args()


def _render(database: Path | None) -> str:
    collection = read_folders([SHIPPED])
    if collection.problems:
        raise InvalidFile(collection.problems)
    if database:
        reader = maxminddb.open_database(database)
        built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC)
        source = (database.name, built.date().isoformat())
    else:
        reader, source = origins.open_baseline(), origins.baseline_source()
    unused = origins.unused_prefixes(reader, origins.claims_of(collection))
    return origins.render(unused, *source)


def origins_report(text: str) -> list[str]:
    """The rendered file without its comments, for people at a terminal."""
    return [line for line in text.splitlines() if not line.startswith("#")]


if __name__ == "__main__":
    sys.exit(main())
