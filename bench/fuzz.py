"""Fuzz every parser of bytes from outside: `python bench/fuzz.py [--inputs 1000000]`.

atheris (libFuzzer) chooses the inputs by what they reach in our code; node's own coverage guides
those for the extension's reader. Exit status 1 says that a claim did not hold, or that something
raised what it should not; the input is kept in `--found`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzz_targets.all_targets import TARGETS
from fuzz_targets.bundles import bundle_file

HERE = Path(__file__).parent
SCRIPT = HERE / "fuzz_targets" / "bundles.mjs"
IN_NODE = {"bundle": 30, "bundle-token": 30}
"""What node fuzzes by itself, with its share."""

SHARES = {name: target.share for name, target in TARGETS.items()} | IN_NODE
_STATUS = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+)")
_DONE = re.compile(r"Done (\d+) (?:runs|in)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One target's run. `covered` are edges (or ranges of node) at the seeds and at the end."""

    name: str
    inputs: int
    covered: tuple[int, int]
    seconds: float
    crash: str = ""

    def line(self) -> str:
        """The run as a row of the table."""
        first, last = self.covered
        new, crash = last - first, " CRASH" if self.crash else ""
        reached = f"{first:>7,} {last:>7,} {new:>+6,}"
        return f"{self.name:18} {self.inputs:>9,} {reached} {self.seconds:>7.0f}{crash}"


def dictionary(words: tuple[bytes, ...], folder: Path) -> Path:
    """The words in libFuzzer's own form."""
    path = folder / "words"
    escaped = ["".join(f"\\x{byte:02x}" for byte in word) for word in words]
    path.write_text("".join(f'"{word}"\n' for word in escaped))
    return path


def run_target(name: str, inputs: int, seed: int, found: Path) -> Outcome:
    """Fuzz one target in a process of its own."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="sov-fuzz-") as temporary:
        folder = Path(temporary)
        corpus = folder / "corpus"
        corpus.mkdir()
        for number, one in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(one)
        options = [f"-runs={inputs}", f"-seed={seed}", f"-artifact_prefix={found}/{name}-"]
        options += [f"-dict={dictionary(target.words, folder)}", str(corpus)]
        command = [sys.executable, "-m", "fuzz_targets.one", name, *options]
        return finish(name, command, inputs)


def run_node(name: str, inputs: int, seed: int, found: Path) -> Outcome:
    """Fuzz the extension's reader in node."""
    with tempfile.TemporaryDirectory(prefix="sov-fuzz-") as temporary:
        material = bundle_file(Path(temporary))
        numbers = [str(inputs), str(seed)]
        return finish(
            name, ["node", str(SCRIPT), name, str(material), *numbers, str(found)], inputs
        )


def finish(name: str, command: list[str], inputs: int) -> Outcome:
    """Wait for a run, and read what it says of itself."""
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, errors="replace", check=False
    )
    said = done.stderr + done.stdout
    states = [tuple(map(int, match)) for match in _STATUS.findall(said)] or [(0, 0, 0)]
    ran = max(int(match) for match in [*_DONE.findall(said), states[-1][0]])
    whole = done.returncode == 0 and ran >= inputs
    covered = (states[0][1], states[-1][1])
    return Outcome(name, ran, covered, time.monotonic() - begun, "" if whole else said[-3000:])


def run(name: str, inputs: int, seed: int, found: Path) -> Outcome:
    """Fuzz one target, and tell at once."""
    outcome = (run_node if name in IN_NODE else run_target)(name, inputs, seed, found)
    print(outcome.line(), flush=True)
    return outcome


def parts(inputs: int, names: list[str]) -> dict[str, int]:
    """How many inputs each target gets: at least `inputs` altogether."""
    total = sum(SHARES[name] for name in names)
    return {name: -(-inputs * SHARES[name] // total) for name in names}


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="altogether, at least")
    parser.add_argument("--only", nargs="*", choices=sorted(SHARES), default=sorted(SHARES))
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="for what crashed")
    return parser.parse_args()


def main() -> int:
    """Run all, print the table, and give the exit status."""
    wanted = options()
    found = wanted.found.resolve()
    found.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYTHONHASHSEED", "0")  # the same seed chooses the same inputs
    print(f"{'target':18} {'inputs':>9} {'seeds':>7} {'end':>7} {'new':>6} {'seconds':>7}")
    share = parts(wanted.inputs, wanted.only)
    with ThreadPoolExecutor(wanted.jobs) as pool:
        jobs = [pool.submit(run, name, share[name], wanted.seed, found) for name in share]
        outcomes = [job.result() for job in jobs]
    crashes = [outcome for outcome in outcomes if outcome.crash]
    print(f"{sum(one.inputs for one in outcomes):,} inputs, {len(crashes)} targets with a crash")
    for outcome in crashes:
        print(f"\n{outcome.name}: the input is in {found}\n{outcome.crash}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
