"""The script for mitmproxy: `mitmdump -s addons/sovproxy_addon.py`.

Settings come from the environment (`SOVPROXY_…`) and the file that SOVPROXY_CONFIG names.
"""

from __future__ import annotations

from sovproxy_addons.gate import Gate  # type: ignore[import-not-found]  # see pyproject: addons/

from sovproxy.settings import Settings
from sovproxy.usecases.node import Node

addons = [Gate(Node(Settings()))]
