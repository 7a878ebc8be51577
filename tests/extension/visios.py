"""A small Visio that speaks what the real one documents: its external API and its SDK's pages.

Sources: `docs/openapi.yaml` of suitenumerique/meet for `/external-api/v1.0`; for the SDK, what its
pages say to each other (`features/sdk/utils/PopupManager.ts`, `PopupWindow.ts`, 2026): the button
stands in a frame, opens `/sdk/create-popup`, and tells the page around it `ROOM_CREATED`; a pop-up
that lost its opener while signing in is found by polling `creation-callback`.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CLIENT_ID: Final = "550e8400-e29b-41d4-a716-446655440000"
SECRET: Final = "a-secret-of-the-administration"
OWNER: Final = "salles@ministere.example"
KNOWN: Final = (OWNER, "ada@ministere.example")
TOKEN: Final = "header.payload.signature"
SLUG: Final = "abc-defg-hij"

BUTTON = """<!doctype html><html lang="fr"><meta charset="utf-8"><title>Visio</title>
<button id="create">Créer un lien Visio</button><script>
const tell = (slug) => {
  const room = { slug, url: `${ROOMS}/${slug}` };
  parent.postMessage({ type: "ROOM_CREATED", data: { room } }, "*");
};
const poll = async (callback_id) => {
  const body = JSON.stringify({ callback_id });
  const answer = await fetch("/api/v1.0/rooms/creation-callback/", { method: "POST", body });
  const { slug } = await answer.json();
  if (slug) tell(slug); else setTimeout(poll, 100, callback_id);
};
addEventListener("message", ({ origin, data }) => {
  if (origin !== location.origin) return;
  if (data.type === 0) poll(data.callbackId);
  if (data.type === 1) tell(data.room.slug);
});
const create = () => open("/sdk/create-popup", "CreatePopupWindow", "width=600,height=800");
document.getElementById("create").onclick = create;
</script>"""
POPUP = """<!doctype html><html lang="fr"><meta charset="utf-8"><title>Visio</title><script>
(async () => {
  const callbackId = localStorage.callbackId ??= crypto.randomUUID();
  if (!document.cookie.includes("session=")) {
    opener?.postMessage({ source: location.origin, type: 0, callbackId }, location.origin);
    location.href = "/api/v1.0/authenticate/?returnTo=/sdk/create-popup";
    return;
  }
  const body = JSON.stringify({ name: "abc-defg-hij", callback_id: callbackId });
  const { slug } = await (await fetch("/api/v1.0/rooms/", { method: "POST", body })).json();
  opener?.postMessage({ source: location.origin, type: 1, room: { slug } }, location.origin);
  localStorage.removeItem("callbackId");
  close();
})();
</script>"""
SIGN_IN = """<!doctype html><html lang="fr"><meta charset="utf-8"><title>ProConnect</title>
<button>S’identifier</button><script>
document.querySelector("button").onclick = () => {
  document.cookie = "session=1; path=/";
  location.href = "/sdk/create-popup";
};
</script>"""


def make_certificate(path: Path, host: str) -> Path:
    """Write key and certificate of a host, signed by nobody, and give the path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    begin = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(text + certificate.public_bytes(pem))
    return path


class Visio:
    """A running Visio. Tests set how it answers; `asked` holds what it was asked. Use it in `with`.

    `room` replaces fields of the room that is given; `tokens` the answer to the request for a token
    and `rooms` that to the request for a room, each as (status, body).
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.room: dict[str, Any] = {}
        self.tokens: tuple[int, Any] | None = None
        self.rooms: tuple[int, Any] | None = None
        self.room_host = ""
        self.wait = 0.0
        self.created: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Visio:
        serve = {"target": self._server.serve_forever, "args": (0.02,)}
        threading.Thread(**serve, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- the external API --------------------------------------------------------------------

    def token(self, asked: Any) -> tuple[int, Any]:
        """The answer to a request for a token, as the contract has it."""
        if self.tokens:
            return self.tokens
        if {"client_id", "client_secret", "grant_type", "scope"} - asked.keys():
            return 400, {"scope": ["This field is required."]}
        if (asked["client_id"], asked["client_secret"]) != (CLIENT_ID, SECRET):
            return 401, {"error": "Invalid credentials"}
        if not asked["scope"].endswith("@ministere.example"):
            return 403, {"error": "This application is not authorized for this email domain."}
        if asked["scope"] not in KNOWN:
            return 404, {"detail": "User not found."}
        given = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
        return 200, given | {"scope": "rooms:list rooms:retrieve rooms:create"}

    def make_room(self, asked: Any, bearer: str) -> tuple[int, Any]:
        """The answer to a request for a room."""
        if bearer != f"Bearer {TOKEN}":
            return 401, {"detail": "Invalid token."}
        if self.rooms:
            return self.rooms
        if asked.keys() - {"access_level", "configuration"}:
            return 400, {"detail": "unknown field"}
        room = {
            "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "slug": SLUG,
            "access_level": asked.get("access_level", "trusted"),
            "url": f"{self.url}/{SLUG}",
            "configuration": {},
        }
        return 201, room | self.room

    # -- the pages of the SDK ----------------------------------------------------------------

    def page(self, path: str) -> str:
        """The page under a path; an empty text where there is none."""
        rooms = json.dumps(self.room_host or "https://visio.numerique.gouv.fr")
        pages = {
            "/sdk/create-button": BUTTON.replace("${ROOMS}", "${" + rooms + "}"),
            "/sdk/create-popup": POPUP,
            "/api/v1.0/authenticate/": SIGN_IN,
        }
        return pages.get(path.partition("?")[0], "")

    def answer(self, path: str, asked: Any, bearer: str) -> tuple[int, Any]:
        """The answer to a POST."""
        if path == "/external-api/v1.0/application/token/":
            return self.token(asked)
        if path == "/external-api/v1.0/rooms/":
            return self.make_room(asked, bearer)
        if path == "/api/v1.0/rooms/":
            self.created[asked.get("callback_id", "")] = asked["name"]
            return 201, {"slug": asked["name"]}
        if path == "/api/v1.0/rooms/creation-callback/":
            slug = self.created.get(asked["callback_id"])
            return 200, {"slug": slug} if slug else {}
        return 404, {"detail": "Not found."}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        visio = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                visio.asked.append(("GET", self.path, None))
                page = visio.page(self.path)
                self._send(200 if page else 404, page.encode(), "text/html; charset=utf-8")

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                visio.asked.append(("POST", self.path, asked))
                time.sleep(visio.wait)
                status, body = visio.answer(self.path, asked, self.headers["authorization"] or "")
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self._send(status, content, "application/json")

            def _send(self, status: int, content: bytes, media_type: str) -> None:
                self.send_response(status)
                if status in {301, 302, 307, 308}:
                    self.send_header("location", content.decode())
                self.send_header("content-type", media_type)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                with suppress(OSError):  # whoever asked has not waited
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
