"""Files for browsers under enterprise policy: the proxy, the companion extension and its settings.

They close the ways round the proxy that browsers have of their own, too: QUIC, encrypted names in
TLS, and DNS over HTTPS (Chrome's policy list; Mozilla's administrator reference).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

FIREFOX_ID: Final = "companion@sovproxy"
"""As `extension/manifest.firefox.json` has it."""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Installation:
    """Where things are: the API's address, the package's, and the public keys of bundles.

    `extension_id` is what Chromium derives from the key that the package was signed with.
    `mark_links_on` are the hosts where links are marked, None for those that the extension knows;
    the other two say whether meetings that no catalogue knows are noticed, and counted.
    """

    api: str
    package: str
    keys: Json
    extension_id: str = ""
    mark_links_on: tuple[str, ...] | None = None
    notice_meetings: bool = True
    report_unknown_meetings: bool = False

    @property
    def settings(self) -> Json:
        """What the extension finds in its managed storage."""
        marks = {} if self.mark_links_on is None else {"mark_links_on": list(self.mark_links_on)}
        return {
            "api": self.api,
            "keys": json.dumps(self.keys, separators=(",", ":")),
            "notice_meetings": self.notice_meetings,
            "report_unknown_meetings": self.report_unknown_meetings,
            **marks,
        }


def chromium_policy(place: Installation) -> Json:
    """The policy of Chrome, Edge and Chromium, which differ in its folder only.

    `place.package` is the address of an update manifest (XML), as these browsers want.
    """
    return {
        "ProxySettings": {"ProxyMode": "pac_script", "ProxyPacUrl": f"{place.api}/proxy.pac"},
        "QuicAllowed": False,
        "EncryptedClientHelloEnabled": False,
        "DnsOverHttpsMode": "off",
        "ExtensionSettings": {
            place.extension_id: {
                "installation_mode": "force_installed",
                "update_url": place.package,
                "toolbar_pin": "force_pinned",
            }
        },
        "3rdparty": {"extensions": {place.extension_id: place.settings}},
    }


def firefox_policy(place: Installation) -> Json:
    """What `policies.json` of Firefox holds. `place.package` is the address of the signed XPI."""
    return {
        "policies": {
            "Proxy": {
                "Mode": "autoConfig",
                "AutoConfigURL": f"{place.api}/proxy.pac",
                "Locked": True,
            },
            "DNSOverHTTPS": {"Enabled": False, "Locked": True},
            "DisableEncryptedClientHello": True,
            "Preferences": {"network.http.http3.enable": {"Value": False, "Status": "locked"}},
            "ExtensionSettings": {
                FIREFOX_ID: {
                    "installation_mode": "force_installed",
                    "install_url": place.package,
                    "private_browsing": True,
                }
            },
            "3rdparty": {"Extensions": {FIREFOX_ID: place.settings}},
        }
    }
