"""A small OpenID provider that can be told to lie, in each way that a client has to notice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

ACCESS = "access-token"


class HostileProvider:
    """Signs in whoever comes. `changes` are applied to what it would say in good faith."""

    def __init__(self) -> None:
        self.rsa = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
        self.other = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})
        self.numbers = itertools.count()
        self.reset()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            do_POST = do_GET  # noqa: N815  # http.server's name

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "rsa-1"}
        self.key: Any = self.rsa
        self.keys = [self.rsa]
        self.body: dict[str, bytes] = {}
        self.redirects: set[str] = set()
        self.userinfo_type = "application/jwt"
        self.userinfo_key: Any = self.rsa
        self.tamper = False
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def back(self, location: str, **changes: str) -> dict[str, str]:
        """What the callback gets after the authorization request at `location`."""
        asked = {name: one[0] for name, one in parse_qs(urlsplit(location).query).items()}
        code = f"code-{next(self.numbers)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer} | changes

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        length = int(request.headers.get("content-length", 0))
        form = {k: v[0] for k, v in parse_qs(request.rfile.read(length).decode()).items()}
        if path in self.redirects:
            request.send_response(302)
            request.send_header("location", f"{self.issuer}/elsewhere")
            request.end_headers()
            return
        status, media_type, body = self.say(path, form)
        request.send_response(status)
        request.send_header("content-type", media_type)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            request.wfile.write(body)

    def say(self, path: str, form: dict[str, str]) -> tuple[int, str, bytes]:
        if path in self.body:
            return 200, "application/json", self.body[path]
        if path == "/.well-known/openid-configuration":
            return 200, "application/json", json.dumps(self.metadata()).encode()
        if path == "/jwks":
            keys = [key.as_dict(private=False) for key in self.keys]
            return 200, "application/json", json.dumps({"keys": keys}).encode()
        if path == "/token":
            return self.token(form)
        if path == "/userinfo":
            return self.say_userinfo()
        return 404, "text/plain", b"nothing here"

    def metadata(self) -> dict[str, Any]:
        names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
        places = ("/authorize", "/token", "/userinfo")
        found = {name: self.issuer + path for name, path in zip(names, places, strict=True)}
        found |= {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"}
        found |= {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
        return found | self.discovery

    def token(self, form: dict[str, str]) -> tuple[int, str, bytes]:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None:
            return 400, "application/json", b'{"error": "invalid_grant"}'
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert challenge == asked["code_challenge"]
        answer = {"access_token": ACCESS, "token_type": "Bearer", "id_token": self.id_token(asked)}
        return 200, "application/json", json.dumps(answer).encode()

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        half = hashlib.sha256(ACCESS.encode()).digest()[:16]
        claims = {
            "iss": self.issuer,
            "sub": "person-1",
            "aud": asked["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="),
        }
        claims |= {name: value for name, value in self.claims.items() if value is not None}
        for name, value in self.claims.items():
            if value is None:
                claims.pop(name, None)
        return self.signed(claims, self.key)

    def signed(self, claims: dict[str, Any], key: Any) -> str:
        payload = json.dumps(claims).encode()
        if isinstance(key, bytes) or key is None:
            signed = f"{_packed(json.dumps(self.header).encode())}.{_packed(payload)}"
            mac = hmac.digest(key, signed.encode(), "sha256") if key else b""
            return f"{signed}.{_packed(mac)}"
        token = jws.serialize_compact(
            self.header, payload, key, algorithms=[str(self.header["alg"])]
        )
        if not self.tamper:
            return token
        head, _, tail = token.split(".")
        forged = json.dumps(claims | {"email": "marie@finances.example"}).encode()
        return f"{head}.{base64.urlsafe_b64encode(forged).decode().rstrip('=')}.{tail}"

    def say_userinfo(self) -> tuple[int, str, bytes]:
        claims = {"sub": "person-1", "siret": "11002001300097", "email": "p1@finances.example"}
        claims |= self.userinfo
        if self.userinfo_type != "application/jwt":
            return 200, self.userinfo_type, json.dumps(claims).encode()
        header = {"alg": "RS256", "kid": "rsa-1"}
        token = jws.serialize_compact(header, json.dumps(claims).encode(), self.userinfo_key)
        return 200, "application/jwt", token.encode()

    def public_key_as_secret(self) -> bytes:
        """The public key as the secret of an HMAC: what confused clients accept."""
        return self.rsa.as_pem(private=False)


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
