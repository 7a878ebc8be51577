"""The script for mitmproxy: `mitmdump -s addons/sovproxy_addon.py`.

Settings come from the environment (`SOVPROXY_…`) and the file that SOVPROXY_CONFIG names.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sovproxy_addons.ending import Ending  # type: ignore[import-not-found]  # see pyproject: addons/
from sovproxy_addons.gate import Gate  # type: ignore[import-not-found]
from sovproxy_addons.limits import Limits, Progress  # type: ignore[import-not-found]

from sovproxy.errors import SovproxyError
from sovproxy.settings_reading import read_settings
from sovproxy.usecases.nodes.node import Node
from sovproxy.usecases.upkeep.notifying import notifier_of

if TYPE_CHECKING:
    from mitmproxy.connection import Client

log = logging.getLogger(__name__)


class ClosedGate:
    """Lets nobody in: mitmproxy listens for a moment even when its script could not start."""

    def client_connected(self, client: Client) -> None:
        """Close the connection at once."""
        client.error = "sovproxy could not start"


def _addons() -> list[object]:
    """What stands in a connection's way, in the order in which it meets it."""
    notifier = notifier_of()
    try:
        settings = read_settings()
        node = Node(settings)
        limits = Limits(settings.limits, node.counters)
        return [limits, Gate(node), Progress(limits), Ending(limits, notifier)]
    except (SovproxyError, OSError) as error:
        log.error("sovproxy cannot start:\n%s", error)  # noqa: TRY400 - ends mitmdump; no bug of ours
        return [ClosedGate()]


addons = _addons()
