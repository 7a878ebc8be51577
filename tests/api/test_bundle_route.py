"""The signed bundle: whole, genuine, and told anew only when something changed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry

from sovproxy.api.start import app_of
from sovproxy.settings import Settings
from sovproxy.usecases.policy.bundles import load_key
from tests.baseline import furnished
from tests.serving import Serving, client_of

POLICY = Path(__file__).parents[1] / "cases" / "policy.yaml"


@pytest.fixture
def policy_file(tmp_path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_bytes(POLICY.read_bytes())
    return file


@pytest.fixture
def client(tmp_path, policy_file):
    settings = Settings(data_dir=furnished(tmp_path / "data"), policy=str(policy_file))
    serving = Serving(app_of(settings))
    with client_of(f"{serving.url}/api/v1") as made:
        yield made
    serving.stop()


def registry() -> JWSRegistry:
    """One that takes what is larger than a message."""
    made = JWSRegistry(algorithms=["ES256"])
    made.max_payload_length = 8_000_000
    return made


def opened(client) -> dict:
    keys = KeySet.import_key_set(client.get("/bundle/keys").json())
    token = client.get("/bundle").content
    return json.loads(jws.deserialize_compact(token, keys, registry=registry()).payload)


def test_the_bundle_is_signed_by_the_key_that_the_api_publishes(client):
    bundle = opened(client)
    assert bundle["format"] == 1
    assert {"zoom", "visio"} <= {service["id"] for service in bundle["services"]}


def test_a_bundle_signed_by_another_key_is_noticed(client):
    token = client.get("/bundle").content
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(token, ECKey.generate_key("P-256"), registry=registry())


def test_the_published_key_has_no_private_half(client):
    (key,) = client.get("/bundle/keys").json()["keys"]
    assert "d" not in key


def test_who_has_the_bundle_is_told_so(client):
    tag = client.get("/bundle").headers["etag"]
    answer = client.get("/bundle", headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_another_policy_makes_another_bundle(client, policy_file):
    tag = client.get("/bundle").headers["etag"]
    policy_file.write_text(POLICY.read_text("utf-8").replace("default: allow", "default: observe"))
    for _ in range(200):  # the API looks at the file once a second
        answer = client.get("/bundle", headers={"if-none-match": tag})
        if answer.status_code == 200:
            break
        time.sleep(0.05)
    assert answer.headers["etag"] != tag
    assert opened(client)["policy"]["default"] == "observe"


def test_the_key_is_kept_and_readable_by_its_owner_only(tmp_path):
    file = tmp_path / "keys" / "bundle.pem"
    first = load_key(file)
    assert load_key(file).thumbprint() == first.thumbprint()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_no_key_is_replaced(tmp_path):
    file = tmp_path / "bundle.pem"
    file.write_text("nothing")
    key = load_key(file)
    assert load_key(file).thumbprint() == key.thumbprint()
