"""A real Chromium with a fresh profile, which trusts what we tell it and uses the lab's proxy."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.lab.proxies import Proxy

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-first-run",
    "--disable-features=OptimizationHints,MediaRouter,CertificateTransparencyComponentUpdater",
    "--proxy-bypass-list=<-loopback>",
)


def trust(home: Path, *roots: Path) -> None:
    """Import roots into a fresh NSS database, where Chromium looks for the user's own."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    store = f"sql:{database}"
    subprocess.run(["certutil", "-d", store, "-N", "--empty-password"], check=True)
    for number, root in enumerate(roots):
        command = ["certutil", "-d", store, "-A", "-t", "C,,", "-n", f"root {number}", "-i"]
        subprocess.run([*command, str(_first_certificate(root, home))], check=True)


def _first_certificate(root: Path, folder: Path) -> Path:
    """The first certificate of a PEM file: certutil takes one at a time."""
    found = re.search(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", root.read_text(), re.DOTALL
    )
    assert found, root
    path = folder / f"{root.stem}-one.pem"
    path.write_text(found[0])
    return path


@contextmanager
def chromium(
    proxy: Proxy, home: Path, *roots: Path, locale: str = "fr-FR"
) -> Iterator[BrowserContext]:
    """A browser as a worker has it: a window of 1280 by 800, French, behind the proxy."""
    trust(home, *roots)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(home / "profile"),
            executable_path=CHROMIUM,
            args=[*FLAGS, f"--proxy-server={proxy.url}"],
            env={**os.environ, "HOME": str(home)},
            locale="fr-FR",
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        yield context
        context.close()
