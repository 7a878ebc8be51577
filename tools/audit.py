"""Look for known holes in what we depend on: `make audit`. It never says "none" without looking.

pip-audit asks a source of advisories over the network about the versions in the lock files. Where
the source cannot be reached, pip-audit skips packages and still ends with status 0; that is no
answer, so each package has to be answered for.

Exit status: 0 every package was looked up and none has a known hole; 1 some have; 3 some could not
be looked up, so nothing is known about them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
SECONDS = 600


def ask(lock: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each package of a lock file. Raises LookupError if it says nothing."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), *options]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS, cwd=ROOT
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise LookupError(f"no answer within {SECONDS} seconds") from None
    except (ValueError, KeyError):
        last = done.stderr.strip().splitlines()[-1:] or ["pip-audit said nothing"]
        raise LookupError(last[0][:300]) from None
    return found


def report(lock: str, found: list[dict[str, Any]]) -> int:
    """Print what is known of a lock file's packages, and give the exit status."""
    holes = [(item, hole) for item in found for hole in item.get("vulns", ())]
    unknown = [item["name"] for item in found if "skip_reason" in item]
    for item, hole in holes:
        mended = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{lock}: {item['name']} {item['version']}: {hole['id']}, mended in {mended}")
    if unknown or not found:
        print(f"{lock}: {len(unknown)} of {len(found)} packages could NOT be looked up: the source")
        print('of advisories cannot be reached from here. This is no "nothing found".')
    known = len(found) - len(unknown)
    print(f"{lock}: {known} packages looked up, {len(holes)} known holes")
    return 1 if holes else 3 if unknown or not found else 0


def main() -> int:
    """Ask about every lock file; the worst answer is the exit status (a hole counts most)."""
    answers = []
    for name in LOCKS:
        try:
            answers.append(report(name, ask(ROOT / name)))
        except LookupError as error:
            print(f'{name}: nothing could be looked up ({error}). This is no "nothing found".')
            answers.append(3)
    return 1 if 1 in answers else max(answers)


if __name__ == "__main__":
    sys.exit(main())
