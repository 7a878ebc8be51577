"""Forged and replayed: tokens, sessions, offers, events. What was changed by one bit is nothing."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from sovproxy.events.event import new_id
from sovproxy.usecases.access.tokens import Role, create_token, revoke_token
from sovproxy.usecases.access.workers import ALGORITHM, TYPE, mint
from tests.console.conftest import an_event

ME, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"


def ask(site, token, path="/api/v1/my", method="GET", **more) -> httpx.Response:
    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as client:
        headers = {"authorization": f"Bearer {token}".encode("latin-1")}
        return client.request(method, path, headers=headers, **more)


@pytest.fixture
def now(attacked):
    """The guesses of one test are not held against the next."""
    attacked.app.state.throttle.__init__()
    return datetime.now(UTC)


def worker_token(site, now, client=ME) -> str:
    made = mint(site.services.workers.hand_out(now), client, "finance", [], now)
    return made[0]


def flipped(token: str):
    """The token with one bit of each of many characters turned."""
    for at in range(0, len(token), max(1, len(token) // 40)):
        yield token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :]


def part(value: object) -> str:
    return unpadded(json.dumps(value).encode())


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def opens(site, token, path="/api/v1/my") -> bool:
    site.app.state.throttle.__init__()
    answer = ask(site, token, path)
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 200


def test_one_changed_bit_makes_a_token_of_a_role_worthless(attacked, now):
    token = create_token(attacked.services.store, Role.ANALYST, "ada")
    assert opens(attacked, token, "/api/v1/events")
    assert [one for one in flipped(token) if opens(attacked, one, "/api/v1/events")] == []


def test_one_changed_bit_makes_a_workers_token_worthless(attacked, now):
    """But for the last letter of the signature, of which four bits say nothing."""
    token = worker_token(attacked, now)
    assert opens(attacked, token)
    assert [one for one in flipped(token[:-1]) if opens(attacked, one)] == []


def forgeries(token: str, month: str):
    head, claims, signature = token.split(".")
    yield "alg none", f"{part({'alg': 'none', 'typ': TYPE, 'kid': month})}.{claims}."
    yield "alg None", f"{part({'alg': 'None', 'typ': TYPE, 'kid': month})}.{claims}.{signature}"
    yield "no signature", f"{head}.{claims}."
    yield "other claims", f"{head}.{part({'sub': OTHER})}.{signature}"
    values = {"sub": OTHER, "group": "", "former": [], "iat": 0, "exp": 2**31}
    for name, key in {"empty": "", "the month": month, "kid": "kid"}.items():
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": month}
        secret = OctKey.import_key(key.encode() or b"\0")
        yield f"key {name}", jwt.encode(header, values, secret)
    public = ECKey.generate_key("P-256")
    signed = {"alg": "ES256", "typ": TYPE, "kid": month, "jwk": public.as_dict(private=False)}
    yield "a key that it brings along", jwt.encode(signed, values, public)
    yield "nested without end", f"{base64.urlsafe_b64encode(b'[' * 2400).decode()}.e30.AA"
    yield "a path as key id", f"{part({'alg': ALGORITHM, 'typ': TYPE, 'kid': '../../x'})}.e30.AA"
    yield "letters that no header has", token + "\xff"


def test_no_token_of_a_worker_can_be_made_without_the_key(attacked, now):
    month = now.strftime("%Y-%m")
    for name, token in forgeries(worker_token(attacked, now), month):
        assert not opens(attacked, token), name


def test_the_public_key_of_bundles_signs_no_worker_in(attacked, now):
    """Confusion of keys: a public key, taken for a shared secret."""
    keys = ask(attacked, "x", "/api/v1/bundle/keys").json()["keys"]
    pem = ECKey.import_key(keys[0]).as_pem(private=False)
    times = {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + 600}
    values = {"sub": ME, "group": "", "former": [], **times}
    for secret in (pem, json.dumps(keys[0]).encode(), keys[0]["x"].encode()):
        header = {"alg": "HS256", "typ": TYPE, "kid": now.strftime("%Y-%m")}
        signed = f"{part(header)}.{part(values)}"  # by hand: joserfc takes no public key for one
        mac = hmac.digest(secret, signed.encode(), "sha256")
        assert not opens(attacked, f"{signed}.{unpadded(mac)}")


def test_a_token_ends_at_once_when_it_is_revoked_or_over(attacked, now):
    store = attacked.services.store
    old = create_token(store, Role.ANALYST, "old", days=1, now=now - timedelta(days=2))
    assert not opens(attacked, old, "/api/v1/events")
    token = create_token(store, Role.ANALYST, "ada")
    assert opens(attacked, token, "/api/v1/events")
    revoke_token(store, token.split("_")[1])
    assert not opens(attacked, token, "/api/v1/events")


def test_a_token_of_one_kind_is_none_of_another(attacked, now):
    """A worker's token as cookie, a session's secret as bearer, a token as CSRF header."""
    session = attacked.client(Role.ADMIN)
    secret = next(iter(session.cookies.jar)).value
    assert not opens(attacked, secret, "/api/v1/events")
    with httpx.Client(base_url=attacked.url, trust_env=False) as client:
        cookie = {"cookie": f"sovproxy_session={worker_token(attacked, now)}"}
        assert client.get("/api/v1/my", headers=cookie).status_code == 401
        cookie = {"cookie": f"sovproxy_session={attacked.token(Role.ADMIN)}"}
        assert client.get("/api/v1/tokens", headers=cookie).status_code == 401


def test_an_event_that_comes_again_with_other_content_changes_nothing(attacked, now):
    """The id decides: what was stored first stays, whoever sends it."""
    number = new_id()
    attacked.deliver([an_event(now, id=number, host="first.example")])
    attacked.deliver([an_event(now, id=number, host="second.example", action="allow")])
    reader = attacked.token(Role.ANALYST)
    found = ask(attacked, reader, f"/api/v1/events/{number}").json()
    assert (found["host"], found["action"]) == ("first.example", "block")


def test_one_worker_reaches_nothing_of_another(attacked, now):
    mine, theirs = worker_token(attacked, now), worker_token(attacked, now, OTHER)
    until = (now + timedelta(hours=3)).isoformat()
    body = {"service": "zoom", "reason": "They invite us", "until": until}
    made = ask(attacked, mine, "/api/v1/exceptions", "POST", json=body)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    attacked.deliver([an_event(now, client=ME, host="mine.example")])
    for path in ("/api/v1/exceptions/mine", "/api/v1/my", "/api/v1/my/permissions"):
        assert "They invite us" not in ask(attacked, theirs, path).text
        assert "mine.example" not in ask(attacked, theirs, path).text
    for path in (f"/api/v1/exceptions/{number}", "/api/v1/exceptions", "/api/v1/events"):
        assert ask(attacked, theirs, path).status_code in {403, 404}, path
    for step in ("grant", "refuse", "revoke", "withdraw", "end"):
        answer = ask(attacked, theirs, f"/api/v1/exceptions/{number}/{step}", "POST", json={})
        assert answer.status_code in {403, 404, 405}, step
    for field in ("client", "group", "for"):
        answer = ask(attacked, theirs, "/api/v1/exceptions", "POST", json=body | {field: ME})
        assert answer.status_code in {403, 422}, field
    assert "They invite us" in ask(attacked, mine, "/api/v1/exceptions/mine").text
