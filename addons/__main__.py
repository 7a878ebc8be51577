"""Runs mitmproxy with our addon: `python -m sovproxy_addons` takes mitmdump's own arguments."""

from __future__ import annotations

import sys
from pathlib import Path

from mitmproxy.tools.main import mitmdump

SCRIPT = Path(__file__).with_name("sovproxy_addon.py")

if __name__ == "__main__":
    mitmdump(["--quiet", "--scripts", str(SCRIPT), *sys.argv[1:]])
