"""Runs mitmproxy with our addon: `python -m sovproxy_addons` takes mitmdump's own arguments."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from mitmproxy.tools.main import mitmdump

SCRIPT = Path(__file__).with_name("sovproxy_addon.py")

OURS = ("sovproxy", "sovproxy_addons")


def speak_up() -> None:
    """Show what we have to say, such as that a policy is refused, on standard error.

    mitmproxy's own lines below errors stay silent: they name clients and hosts.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(lambda record: record.levelno < logging.ERROR)  # those are shown anyway
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(handler)


if __name__ == "__main__":
    speak_up()
    mitmdump(["--quiet", "--scripts", str(SCRIPT), *sys.argv[1:]])
