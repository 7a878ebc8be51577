"""Takes out the parts of mitmproxy that read, change or keep content: a gate has no use for them.

What cannot be switched on cannot be switched on by mistake. It also makes each connection cheaper,
because mitmproxy offers every event to every addon.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .answers import MAX_BODY

if TYPE_CHECKING:
    from pathlib import Path

    from mitmproxy.master import Master
    from mitmproxy.options import Options

log = logging.getLogger(__name__)

MODES = ("regular", "transparent")
"""mitmproxy's modes in which the gate knows where a connection goes."""

CONTENT_TOOLS = (
    "anticache",
    "anticomp",
    "blocklist",
    "browser",
    "clientplayback",
    "commandhistory",
    "comment",
    "cut",
    "dumper",
    "export",
    "maplocal",
    "mapremote",
    "modifybody",
    "modifyheaders",
    "onboarding",
    "save",
    "savehar",
    "serverplayback",
    "stickyauth",
    "stickycookie",
    "stripdnshttpsrecords",
    "updatealtsvc",
)
"""Names of mitmproxy 12's default addons; one that a later version lacks is passed over."""


def set_options(options: Options, confdir: Path, upstream_ca: Path | None) -> None:
    """Set what the gate relies on. Another mode is logged as an error, which ends mitmproxy.

    mitmproxy finds a CA in `confdir`, and so makes none. Servers are checked against `upstream_ca`,
    or public roots, where connections that pass are decrypted.
    """
    modes = {mode.partition(":")[0].partition("@")[0] for mode in options.mode}
    if others := sorted(modes.difference(MODES)):
        log.error("mode %s: sovproxy works as %s only", ", ".join(others), " or ".join(MODES))
    options.update(
        confdir=str(confdir),
        connection_strategy="lazy" if "transparent" in modes else "eager",
        ssl_insecure=False,
        ssl_verify_upstream_trusted_ca=str(upstream_ca) if upstream_ca else None,
        websocket=False,  # upgraded connections are relayed as they are
        rawtcp=True,
        validate_inbound_headers=True,
        stream_large_bodies=str(MAX_BODY),  # the most that is kept of a request
    )


def keep_scripts(master: Master) -> None:
    """Watch scripts no longer.

    mitmproxy would load a script anew when its file changes, and take it out when that fails or
    the file vanishes, as in an upgrade: the proxy would then let everything through, decrypted.
    """
    for script in master.addons.get("scriptloader").addons:
        if script.reloadtask:
            script.reloadtask.cancel()


def take_out_content_tools(master: Master) -> None:
    """Offer them no further event.

    The list is replaced, never changed: an event under way walks the old one to its end and skips
    nobody.
    """
    tools = {id(master.addons.get(name)) for name in CONTENT_TOOLS}
    master.addons.chain = [addon for addon in master.addons.chain if id(addon) not in tools]
