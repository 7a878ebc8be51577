"""A real API process of the lab, with people who speak to it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role, create_token
from tests.lab.proxies import PATIENCE, ROOT, free_port, listens, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.proxies import Proxy


@dataclass
class Api:
    """An API over SQLite in `data`. `settings` is its environment."""

    data: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[Role, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own = {"SOVPROXY_DATA_DIR": str(self.data), "SOVPROXY_API_PORT": str(self.port)}
        command = [sys.executable, "-c", "from sovproxy.cli.serve import api; api()"]
        with (self.data / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**kept, **self.settings, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        wait_until(lambda: self.has_ended() or listens(self.port), "the API listens")
        assert not self.has_ended(), (self.data / "log.txt").read_text()

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """End it at once."""
        if self.process and not self.has_ended():
            self.process.kill()
            self.process.wait(PATIENCE)

    def token(self, role: Role) -> str:
        """A token of this role, made on the API's machine."""
        store = open_store(sqlite_url(self.data / "sovproxy.sqlite"))
        try:
            return create_token(store, role, f"lab {role}")
        finally:
            store.close()

    def call(self, role: Role, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask as somebody with this role."""
        if role not in self.tokens:
            self.tokens[role] = self.token(role)
        headers = {"authorization": f"Bearer {self.tokens[role]}"} | more.pop("headers", {})
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            answer = client.request(method, f"/api/v1{path}", headers=headers, **more)
        assert answer.status_code < 500, answer.text
        return answer

    def enrol(self, proxy: Proxy) -> None:
        """Give a node that does not run yet a token of its own, and tell it where the API is."""
        folder = proxy.data / "node"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(self.token(Role.NODE))
        (folder / "token").chmod(0o600)
        proxy.settings["SOVPROXY_FLEET_URL"] = self.url

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes by name, as an admin sees them."""
        items = self.call(Role.ADMIN, "GET", "/nodes").json()["items"]
        return {item["report"]["node"]: item for item in items}

    def wait_for_node(self, name: str, *, current: bool = False) -> dict[str, Any]:
        """The node, once it has reported (and knows the present state, if that is wanted)."""

        def there() -> bool:
            node = self.nodes().get(name)
            return node is not None and not (current and node["behind"])

        wait_until(there, f"node {name} reports")
        return self.nodes()[name]

    def grant(
        self, client: str, service: str = "", scope: str = "client", **more: Any
    ) -> dict[str, Any]:
        """Ask for an exception and grant it, as two people would."""
        until = datetime.now(UTC) + timedelta(seconds=more.pop("seconds", 3600))
        wish = {"reason": "the lab needs it", "until": until.isoformat(), "client": client}
        wish |= {"service": service} if service else {}
        asked = self.call(Role.NODE, "POST", "/exceptions", json=wish | more)
        assert asked.status_code in {200, 201}, asked.text
        path = f"/exceptions/{asked.json()['id']}/grant"
        granted = self.call(Role.ADMIN, "POST", path, json={"scope": scope})
        assert granted.status_code == 200, granted.text
        return granted.json()

    def revoke(self, exception: dict[str, Any]) -> None:
        """Take an exception back."""
        path = f"/exceptions/{exception['id']}/revoke"
        answer = self.call(Role.ADMIN, "POST", path, json={})
        assert answer.status_code == 200, answer.text
