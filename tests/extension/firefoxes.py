"""A real Firefox with the extension, driven by WebDriver BiDi through `firefox.mjs`."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.extension.node_tools import installed

if TYPE_CHECKING:
    from types import TracebackType

DRIVER: Final = Path(__file__).with_name("firefox.mjs")
FIREFOX: Final = "/usr/bin/firefox-esr"
ID: Final = "companion@sovproxy"
UUID: Final = "5b3e7c52-8a4e-4b39-9df1-0b6a3d9a7c11"
"""Firefox gives every extension a random address; the tests have to know it."""

PREFERENCES: Final = {
    "extensions.webextensions.uuids": json.dumps({ID: UUID}),
    # Whatever is not stopped before a byte leaves ends at this machine.
    "network.dns.localDomains": "us02web.zoom.us,visio.numerique.gouv.fr,mail.example",
    "network.dns.disablePrefetch": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
PATIENCE: Final = 30.0


class Firefox:
    """One running Firefox. Use it in `with`."""

    def __init__(
        self,
        package: Path | None,
        profile: Path,
        languages: str,
        *,
        executable: str | Path = FIREFOX,
        roots: tuple[Path, ...] = (),
        **preferences: Any,
    ) -> None:
        """Start it with an extension, or none, and with `roots` that it trusts beside its own."""
        profile.mkdir(parents=True)
        for number, root in enumerate(roots):
            command = ["certutil", "-d", f"sql:{profile}", "-A", "-t", "C,,", "-n", f"{number}"]
            subprocess.run([*command, "-i", str(root)], check=True)
        start = {
            "executable": str(executable),
            "extension": str(package) if package else "",
            "profile": str(profile),
            "window": [1280, 900],
            "prefs": PREFERENCES | {"intl.accept_languages": languages} | preferences,
        }
        self._process = subprocess.Popen(
            ["node", str(DRIVER), json.dumps(start)],
            cwd=installed(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self._answer()
        self.address = f"moz-extension://{UUID}"

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Close the browser, and wait until it is gone."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def order(self, command: str, **values: Any) -> Any:
        """Have the driver do something, and give what came of it."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"command": command, **values}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the driver of Firefox has ended"
        answer = json.loads(line)
        assert "problem" not in answer, answer["problem"]
        return answer["value"]

    def page(self, url: str = "") -> Page:
        """A new tab, which goes to an address."""
        made = Page(self, self.order("open"))
        if url:
            made.go(url)
        return made

    def own(self, path: str) -> Page:
        """A new tab with one of the extension's own pages."""
        page = self.page(f"{self.address}/pages/{path}")
        page.wait_for("document.getElementById('content')?.childElementCount > 0")
        return page

    def set_api(self, url: str) -> None:
        """Say where the API is, and take over its bundle."""
        page = self.own("options.html")
        page.evaluate(f"browser.storage.local.set({{ api: {json.dumps(url)} }})")
        page.evaluate("browser.runtime.sendMessage({ kind: 'refresh' })")
        assert page.stored("problem") == ""
        page.close()


class Page:
    """One tab."""

    def __init__(self, browser: Firefox, number: int) -> None:
        self._browser, self._number = browser, number

    def go(self, url: str) -> None:
        """Set out for an address; nobody waits for the arrival, which may be elsewhere."""
        self._browser.order("go", page=self._number, url=url)

    def arrive(self, url: str, script: str) -> str:
        """Go there, and give what an expression is on arrival, or why there was none."""
        return str(self._browser.order("arrive", page=self._number, url=url, script=script))

    def evaluate(self, script: str) -> Any:
        return self._browser.order("evaluate", page=self._number, script=script)

    def wait_for(self, condition: str) -> None:
        """Return once an expression holds in the page; fail with what stands there if not."""
        deadline = time.monotonic() + PATIENCE
        while not self._holds(condition):
            assert time.monotonic() < deadline, f"waited in vain: {condition}\n{self.text}"
            time.sleep(0.05)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.evaluate(condition))
        except AssertionError:  # the page is just being left
            return False

    def heading(self, text: str) -> None:
        """Wait until the page's main heading says this."""
        said = r"document.querySelector('h1')?.textContent.replace(/\s+/g, ' ')"
        self.wait_for(f"{said} === {json.dumps(text)}")

    @property
    def text(self) -> str:
        return self.evaluate("location.href + '\\n' + (document.body?.innerText ?? '')")

    def stored(self, name: str) -> Any:
        """What stands in the extension's storage; for its own pages."""
        return self.evaluate(f"browser.storage.local.get('{name}').then((it) => it['{name}'])")

    def picture(self, path: Path) -> None:
        self._browser.order("picture", page=self._number, path=str(path))

    def close(self) -> None:
        self._browser.order("close", page=self._number)
