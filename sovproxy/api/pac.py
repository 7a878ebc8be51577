"""The proxy auto-configuration file: everything through the node, but for what is internal.

Names are compared as texts: a PAC file that resolves names would make the client ask the DNS for
every host it visits. There is no `DIRECT` to fall back on: a node that is down is not a way out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPE = "application/x-ns-proxy-autoconfig"

_TEMPLATE = """\
// sovproxy: everything goes through the node, but for this machine and the internal domains.
var NODE = %(node)s;
var INTERNAL = %(internal)s;

function isInternal(name) {
  for (var i = 0; i < INTERNAL.length; i++) {
    var end = "." + INTERNAL[i];
    if (name === INTERNAL[i] || name.slice(-end.length) === end) { return true; }
  }
  return false;
}

function isThisMachine(name) {
  return name === "localhost" || name.slice(-10) === ".localhost" ||
    name === "::1" || name === "[::1]" || /^127\\.\\d+\\.\\d+\\.\\d+$/.test(name);
}

// A name without a dot is one of the office network; an IPv6 address has no dot either.
function isPlain(name) {
  return name.indexOf(".") < 0 && name.indexOf(":") < 0;
}

function FindProxyForURL(url, host) {
  var name = host.toLowerCase().replace(/\\.$/, "");
  return isPlain(name) || isThisMachine(name) || isInternal(name) ? "DIRECT" : NODE;
}
"""


def pac_text(proxy_address: str, internal_domains: Sequence[str]) -> str:
    """Write the file for a proxy at `host:port`; a leading dot of a domain makes no difference."""
    names = sorted({domain.lower().strip(".") for domain in internal_domains} - {""})
    return _TEMPLATE % {
        "node": json.dumps(f"PROXY {proxy_address}"),
        "internal": json.dumps(names),
    }
