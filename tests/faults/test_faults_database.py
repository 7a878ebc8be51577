"""An MMDB that is damaged, cut short or overwritten while it is read: the last good one stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sovproxy.atlas.databases import Databases
from sovproxy.atlas.mmdb_copy import open_copy
from sovproxy.errors import UnusableDatabase
from tests.lab.clients import curl
from tests.lab.proxies import ROOT, wait_until
from tests.lab.world import write_database

pytestmark = pytest.mark.lab

CUT_SHORT = """
import sys
from pathlib import Path
from sovproxy.atlas.databases import Databases
path = Path(sys.argv[1])
geo = Databases(path.parent, {"location": path, "network": path}, {}).open_geo({}, 0.0)
path.write_bytes(b"")
print(geo.place("127.30.0.10").country, geo.place("127.66.0.1").country)
"""


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "lab.mmdb"
    write_database(path)
    return path


def test_a_database_that_is_cut_short_while_it_is_read_ends_nobody(database):
    """The reader alone would be ended by SIGBUS."""
    command = [sys.executable, "-c", CUT_SHORT, str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "US FR\n"), done.stderr


def test_a_copy_of_a_database_cannot_be_changed_by_anybody(database):
    reader = open_copy(database)
    maps = Path("/proc/self/maps").read_text()
    (place,) = [line.split() for line in maps.splitlines() if "sovproxy-mmdb" in line]
    assert place[1].startswith("r--")
    assert reader.get("127.66.0.10")["country"]["iso_code"] == "FR"
    database.write_bytes(b"")
    assert reader.get("127.30.0.10")["country"]["iso_code"] == "US"


def test_what_is_not_whole_is_refused_by_name(database, tmp_path):
    whole = database.read_bytes()
    databases = Databases(tmp_path, {"location": database, "network": database}, {})
    for content in (b"", whole[:100], whole[: len(whole) // 2], os.urandom(5000)):
        database.write_bytes(content)
        with pytest.raises(UnusableDatabase, match=r"lab\.mmdb"):
            databases.open_geo({}, 0.0)
        assert "lab.mmdb" in databases.status(0.0)[0].error


def test_a_node_lives_on_while_its_database_is_overwritten_in_place(start_proxy, origins, me):
    proxy = start_proxy()
    url = f"http://127.30.0.10:{origins.zoom.port}/"
    whole = proxy.world.database.read_bytes()

    def location():
        assert curl(proxy, url, me=me).status == 451
        return proxy.events(me)[-1]["location"]

    assert location() == "US"
    for content in (b"", whole[: len(whole) // 2], os.urandom(len(whole))):
        proxy.world.database.write_bytes(content)  # into the very file that is in use
        time.sleep(1.3)  # it looks every second
        assert location() == "US"
    part = proxy.world.folder / "new.mmdb"
    write_database(part, AS30103="BR")
    proxy.world.database.write_bytes(part.read_bytes())
    wait_until(lambda: location() == "BR", "the good one is taken up")
    assert not proxy.has_ended()
