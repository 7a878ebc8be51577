"""Nothing that a client saw is lost or stored twice, whatever is killed and whenever."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.faults.kills_report import compare
from tests.lab.proxies import ROOT

pytestmark = pytest.mark.lab


def test_what_clients_saw_is_stored_once_after_eight_kills():
    """The long version is `python bench/kills.py`: 200 kills, SQLite and PostgreSQL."""
    command = [sys.executable, str(ROOT / "bench" / "kills.py"), "--kills", "8", "--seed", "7"]
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert sum(report["kills"].values()) >= 8
    assert report["kills"].keys() == {"node", "API", "database"}
    assert report["gave_up"] == 0
    assert report["stored"] >= report["seen"] > 20
    assert report["lost"] == report["doubled"] == report["miscounted"] == 0


def test_the_comparison_finds_what_was_lost_and_what_was_doubled():
    report = compare(["a", "b", "c"], {"a": 1, "b": 2, "d": 1})
    assert (report.lost, report.doubled, report.unseen) == (1, 1, 1)
    assert (report.seen, report.stored) == (3, 4)
    assert not report.ok
    assert report.examples == ["lost c", "doubled b"]
    assert compare(["a"], {"a": 1, "b": 1}).ok
    assert not compare(["a"], {}).ok
    assert not compare([], {"a": 2}).ok
